# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps Envoy running under systemd, and replaces it without a pause when told to (SIGHUP).

Envoy's hot restart: the new process takes the listening sockets over from the running one, which
then serves its connections to their end (envoyproxy.io, "Hot restart"; the command line is theirs
but for ``--restart-epoch``, which is counted here). One restart at a time: the next begins when the
new process serves or has ended. One that does not come up leaves the running one alone, but without
administration, which it has handed over by then; the next restart brings it back. When the current
process ends by itself, so do we, and systemd starts afresh.

This file runs on the machine by itself: standard library only, and nothing of the collection.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Optional

START_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=2)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def live_epoch(admin: str) -> int:
    """The restart epoch of the Envoy that answers at the socket ``admin`` and serves, or -1."""
    connection = UnixConnection(admin)
    try:
        connection.request("GET", "/server_info")
        info: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return -1
    finally:
        connection.close()
    if info.get("state") != "LIVE":
        return -1
    return int((info.get("command_line_options") or {}).get("restart_epoch", 0))


class Memory:
    """What the Envoys of one ``--base-id`` share: eight-byte words first and last, its size and
    whether one of them is starting (envoy:source/server/hot_restart_impl.h, SharedMemory)."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` starts Envoy."""
        words = [*command, "--base-id", "0"]
        number = int(words[words.index("--base-id") + 1])
        self._path = "/dev/shm/envoy_shared_memory_%d" % (10 * number)

    def starting(self) -> bool:
        """Whether a process says that it is starting, by which Envoy refuses another."""
        with suppress(OSError), open(self._path, "rb") as file:
            return self._marked(file.read())
        return False

    def forget(self) -> None:
        """A process that ended while it was starting says so for ever: take that back."""
        with suppress(OSError), open(self._path, "r+b") as file:
            content = file.read()
            if self._marked(content):
                file.seek(len(content) - 8)
                file.write(bytes(8))

    def _marked(self, content: bytes) -> bool:
        first, last = (int.from_bytes(word, sys.byteorder) for word in (content[:8], content[-8:]))
        return first == len(content) and last == 1


def notify(words: str) -> None:
    """Tell systemd (sd_notify(3)); nothing when it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(words.encode(), "\0" + address[1:] if address[0] == "@" else address)


class Supervisor:
    """The processes of one Envoy: the current one, those that drain, perhaps one that starts."""

    def __init__(self, command: Sequence[str], admin: str) -> None:
        """``command`` starts Envoy; ``admin`` is the Unix socket of its administration."""
        self._command = list(command)
        self._admin = admin
        self._memory = Memory(command)
        self._epoch = -1  # of the current process
        self._current: Optional[subprocess.Popen[bytes]] = None
        self._starting: Optional[subprocess.Popen[bytes]] = None
        self._deadline = 0.0
        self._draining: list[subprocess.Popen[bytes]] = []
        self._asked: set[int] = set()
        self._log, log = os.pipe()
        self._output = os.fdopen(log, "wb", 0)

    def run(self) -> int:
        """Until told to stop (returns 0) or until Envoy ends by itself (returns 1)."""
        waker, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda got, _frame: self._asked.add(got))
        threading.Thread(target=self._pass_log_on, daemon=True).start()
        self._start()
        while True:
            if select.select([waker], [], [], POLL_SECONDS if self._starting else None)[0]:
                os.read(waker, 512)
            if self._asked & {signal.SIGTERM, signal.SIGINT}:
                self._stop()
                return 0
            if not self._look():
                self._stop()
                return 1
            if signal.SIGHUP in self._asked and self._starting is None:
                self._asked.discard(signal.SIGHUP)
                self._start()

    def _start(self) -> None:
        # Envoy has the process before the current one end now; an older one is to be gone, as the
        # names of their sockets come round again.
        _end(self._draining[:-1])
        environment = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
        self._starting = subprocess.Popen(
            [*self._command, "--restart-epoch", str(self._epoch + 1)],
            stdin=subprocess.DEVNULL,
            # Envoy opens its standard output by name, which it cannot where that is the journal.
            stdout=self._output,
            env=environment,
        )
        self._deadline = time.monotonic() + START_SECONDS

    def _look(self) -> bool:
        """Take note of what began and what ended. False when nothing serves any more."""
        self._draining = [process for process in self._draining if process.poll() is None]
        if self._starting is not None:
            self._look_at_start(self._starting)
        return bool(self._starting or self._current) and (
            self._current is None or self._current.poll() is None
        )

    def _look_at_start(self, starting: subprocess.Popen[bytes]) -> None:
        serves = starting.poll() is None and live_epoch(self._admin) == self._epoch + 1
        if serves and not self._memory.starting():
            self._epoch += 1
            if self._current is not None:
                self._draining.append(self._current)
            self._current, self._starting = starting, None
            notify("READY=1\nSTATUS=Envoy serves, epoch %d" % self._epoch)
        elif starting.poll() is not None or time.monotonic() > self._deadline:
            _end([starting])
            self._starting = None
            self._memory.forget()
            print("Envoy did not come up (%s)" % starting.returncode, file=sys.stderr, flush=True)
            notify("STATUS=A new Envoy did not come up; epoch %d serves on" % self._epoch)

    def _stop(self) -> None:
        notify("STOPPING=1")
        every = [*self._draining, self._current, self._starting]
        _end([process for process in every if process is not None])

    def _pass_log_on(self) -> None:
        while True:
            block = os.read(self._log, 1 << 16)
            sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    end = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[2:], sys.argv[1]).run())
