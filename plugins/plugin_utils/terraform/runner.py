# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Starts a program, hands over its output while it works, and ends it in order.

python-terraform writes our command lines but does not start them: its ``cmd()`` passes on either
the whole environment or none, returns the output at the end only, knows no timeout, and on an
interrupt leaves Terraform behind with the lock.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

# How long Terraform may take to stop and save its state, seconds: the providers' calls in flight
# end first. Then it is told a second time, which stops it at once, state saved where it can be.
GRACE = 300.0
SECOND_GRACE = 30.0
# How often output is looked for, seconds. The end of the program is seen at once.
POLL = 0.1
LOOK = 0.02  # between two looks whether it has ended

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """How a program ended: exit code and all it wrote."""

    code: int
    out: bytes
    err: bytes


class Runner(Protocol):
    """Starts ``argv`` in ``cwd`` with just ``env`` and waits for its end, ``seconds`` at most."""

    def __call__(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        seconds: float,
        on_line: OnLine | None = None,
    ) -> Finished:
        """Raises TerraformError when it could not be started or had to be stopped."""


class Stopped(TerraformError):
    """The program was told to stop, by the user or by a time limit, and has ended."""


def run(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    on_line: OnLine | None = None,
    grace: float = GRACE,
) -> Finished:
    """The Runner that starts real processes. Raises Stopped and TerraformError.

    Output goes to unnamed files, not pipes: were this process killed, a pipe would break and take
    Terraform down in the middle of its work. Without a pipe it gets SIGINT from the kernel (Linux),
    finishes in order and releases the lock.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _signals() as told:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # Of its own group: a Ctrl-C reaches it once, from us. A second one would abort it.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            raise TerraformError(f"{argv[0]} cannot be started: {error.strerror}") from None
        lines = _Lines(out, on_line)
        name = Path(argv[0]).name
        try:
            reason = _wait(process, told, lines, seconds)
        except BaseException:  # Ansible's task timeout is none of Exception
            _stop(process, grace)
            raise
        if reason:
            ended = _stop(process, grace)
            raise Stopped(f"{name} {argv[1]} was stopped {reason}; {ended}")
        lines.read()
        return Finished(process.returncode, _all(out), _all(err))


@dataclass
class _Told:
    """Whether this process has been told to end, and by which signal."""

    by: list[int] = field(default_factory=list)


@contextmanager
def _signals() -> Iterator[_Told]:
    """Notes SIGINT and SIGTERM instead of dying of them, as Ansible's worker else does at once."""
    told = _Told()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    before = {
        number: signal.signal(number, lambda got, _frame: told.by.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Lines:
    """Hands whole new lines of a growing file over, from its start."""

    def __init__(self, file: IO[bytes], on_line: OnLine | None) -> None:
        self._file = file
        self._on_line = on_line
        self._offset = 0
        self._rest = b""

    def read(self) -> None:
        if self._on_line is None:
            return
        # pread: the file's own offset is the child's, which writes there.
        while chunk := os.pread(self._file.fileno(), 1 << 16, self._offset):
            self._offset += len(chunk)
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            for line in whole:
                self._on_line(line.decode("utf-8", "replace"))


def _wait(
    process: subprocess.Popen[bytes], told: _Told, lines: _Lines, seconds: float
) -> str | None:
    """Wait for the end; None, or why the program must be stopped."""
    end = time.monotonic() + seconds
    while not _ends(process, POLL):
        if told.by:
            return "because this run was told to end"
        if time.monotonic() > end:
            return "because the time limit (timeout) was reached"
        lines.read()
    process.wait()
    return None


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ends within that time.

    Popen.wait() takes a lock, which stays taken when a signal's handler raises in the wrong moment,
    as Ansible's task timeout does: whoever waits behind that waits for ever.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # it has been waited for already
            return True
        left = end - time.monotonic()
        if ended is not None or left <= 0:
            return ended is not None
        time.sleep(min(left, LOOK))


def _stop(process: subprocess.Popen[bytes], grace: float) -> str:
    """SIGINT, patience, SIGINT again, and only then SIGKILL. Says how it ended."""
    for patience in (grace, SECOND_GRACE):
        if not _ends(process, 0):
            process.send_signal(signal.SIGINT)
        if _ends(process, patience):
            process.poll()  # never waits, whoever has the lock
            return "it ended in order, what is done is in the state, and the lock is released"
    process.kill()
    _ends(process, SECOND_GRACE)
    process.poll()
    return (
        f"it did not end within {grace + SECOND_GRACE:.0f} s and was killed: the state may lack"
        " what was made last, and its lock may remain"
    )


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _prctl() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return found


_PRCTL = _prctl()
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGINT)
