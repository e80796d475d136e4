# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Traffic without a pause through two bridges, and what became of it."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.envoys import SECONDS, Application

REQUEST = b"GET / HTTP/1.1\r\nHost: billing\r\n\r\n"
GOOD = (REQUEST[:12], b"HTTP/1.1 200")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class WebServer(Application):
    """A server that answers each request with 200, and counts the connections."""

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while _read(connection, b"\r\n\r\n"):
                connection.sendall(ANSWER)


@dataclass
class Ended:
    """How calls of one kind ended: milliseconds of those that went well, words for the others."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many there were."""
        return len(self.took) + len(self.failed) + len(self.refused)

    def result(self) -> dict[str, float]:
        """The figures."""
        found = statistics.quantiles(self.took, n=100) if len(self.took) > 1 else [0.0] * 99
        return {
            "calls": self.calls,
            "failed": len(self.failed),
            "refused": len(self.refused),
            "p50_ms": round(found[49], 2),
            "p99_ms": round(found[98], 2),
        }


@contextmanager
def repeated(*calls: Callable[[], object]) -> Iterator[list[Ended]]:
    """Each call again and again, on a thread of its own, until the block ends; how they ended."""
    every, over = [Ended() for _ in calls], threading.Event()

    def again(call: Callable[[], object], into: Ended) -> None:
        while not over.is_set():
            began = time.perf_counter()
            try:
                call()
                into.took.append(1000 * (time.perf_counter() - began))
            except ConnectionRefusedError as error:
                into.refused.append(repr(error))
            except OSError as error:
                into.failed.append(repr(error))

    workers = [threading.Thread(target=again, args=pair) for pair in zip(calls, every)]
    for worker in workers:
        worker.start()
    try:
        yield every
    finally:
        over.set()
        for worker in workers:
            worker.join(60)


@dataclass(frozen=True)
class Fresh:
    """Clients with a connection for each call."""

    where: tuple[str, int]

    def get(self) -> None:
        """An HTTP request."""
        with socket.create_connection(self.where, SECONDS) as connection:
            _get(connection)

    def echo(self) -> None:
        """A TCP connection that says something and hears it."""
        with socket.create_connection(self.where, SECONDS) as connection:
            echo(connection)


class Kept:
    """A client that keeps its connection until it is told that it ends (RFC 9112, 9.6)."""

    def __init__(self, where: tuple[str, int], stack: ExitStack) -> None:
        stack.callback(self._close)
        self._where = where
        self._connection: socket.socket | None = None

    def get(self) -> None:
        """An HTTP request."""
        if self._connection is None:
            self._connection = socket.create_connection(self._where, SECONDS)
        try:
            stays = _get(self._connection)
        except OSError:
            stays = False
            raise
        finally:
            if not stays:
                self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def echo(connection: socket.socket) -> None:
    """Say something and hear it. Raises OSError."""
    connection.sendall(b"hello")
    if connection.recv(64) != b"hello":
        raise OSError("no echo")


def _get(connection: socket.socket) -> bool:
    """One request. Whether the connection may take another. Raises OSError without 200."""
    connection.sendall(REQUEST)
    answer = _read(connection, b"\r\n\r\nok")
    return b"connection: close" not in answer.lower()


def _read(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to ``end``, or to a first line that is none of a good message."""
    found = b""
    while not found.endswith(end):
        block = connection.recv(4096)
        found += block
        if not block or (len(found) > 12 and found[:12] not in GOOD):
            raise OSError("got %r" % found[:200])
    return found
