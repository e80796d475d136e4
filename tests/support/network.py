# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of our own for tests: the kernel's namespaces, without names, gone with this process.

A socket stays in the namespace in which it was made, so a server or a client in any of them is a
thread of the test. What they need is root.
"""

from __future__ import annotations

import ctypes
import os
import socket
import socketserver
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from lab.run import run

ANSWER_SECONDS = 5.0
PROTOCOLS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """A network namespace for one address. Raises OSError for who is not root."""

    def __init__(self, address: str, stack: ExitStack) -> None:
        self.address = address
        with _back_afterwards():
            _check(_libc.unshare(_CLONE_NEWNET))
            self._file = os.open(_OWN, os.O_RDONLY)
        stack.callback(os.close, self._file)
        self._ip("link set lo up")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and the processes that it starts, are in the namespace."""
        with _back_afterwards():
            _check(_libc.setns(self._file, _CLONE_NEWNET))
            yield

    def route(self) -> None:
        """Lets it pass on what is not for itself, and say so each time that it must not."""
        self._ip(f"address add {self.address}/32 dev lo")
        with self.inside():
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")

    def cable(self, number: int, other: Network) -> None:
        """Leads a cable, which has a ``number`` here, to another, for which it is the only way."""
        end = f"/proc/{os.getpid()}/fd/{other._file}"
        self._ip(
            f"link add cable{number} type veth peer name eth0 netns {end}",
            f"link set cable{number} up",
            f"route add {other.address}/32 dev cable{number}",
        )
        other._ip(
            f"address add {other.address}/32 dev eth0",
            "link set eth0 up",
            f"route add {self.address}/32 dev eth0",
            f"route add default via {self.address}",
        )

    def serve(self, protocol: str, port: int, name: str, stack: ExitStack) -> None:
        """Answers with ``name`` whoever says anything, until ``stack`` ends."""

        class Answer(socketserver.StreamRequestHandler):
            timeout = ANSWER_SECONDS

            def handle(self) -> None:
                self.rfile.read(1)
                self.wfile.write(name.encode())

        class AnswerDatagram(socketserver.DatagramRequestHandler):
            def handle(self) -> None:
                self.wfile.write(name.encode())

        with self.inside():
            if protocol == "tcp":
                _start(_Server((self.address, port), Answer), stack)
            else:
                _start(socketserver.UDPServer((self.address, port), AnswerDatagram), stack)

    def relay(self, port: int, stack: ExitStack) -> None:
        """Leads ``port`` of its loopback to the one of the test's own, until ``stack`` ends."""

        class Relay(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as there:
                    there.settimeout(None)
                    back = Thread(target=_pump, args=(there, self.request), daemon=True)
                    back.start()
                    _pump(self.request, there)
                    back.join()

        with self.inside():
            server = _Server(("127.0.0.1", port), Relay)
        _start(server, stack)

    def ask(self, protocol: str, address: str, port: int) -> str:
        """Who answers there, as seen from here; empty when nobody does."""
        with self.inside(), socket.socket(type=PROTOCOLS[protocol]) as connection:
            connection.settimeout(ANSWER_SECONDS)
            try:
                connection.connect((address, port))
                connection.send(b"?")
                return connection.recv(100).decode()
            except OSError:
                return ""

    def _ip(self, *commands: str) -> None:
        with self.inside():
            run(["ip", "-batch", "-"], stdin="\n".join(commands))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _start(server: socketserver.BaseServer, stack: ExitStack) -> None:
    stack.callback(server.server_close)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stack.callback(server.shutdown)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # the other side is gone
        for end in (source, target):
            end.close()


@contextmanager
def _back_afterwards() -> Iterator[None]:
    own = os.open(_OWN, os.O_RDONLY)
    try:
        yield
    finally:
        try:
            _check(_libc.setns(own, _CLONE_NEWNET))
        finally:
            os.close(own)


def _check(result: int) -> None:
    if result:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
