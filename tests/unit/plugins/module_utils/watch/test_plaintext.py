# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Does a port answer in plain? Asked of real sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import plaintext
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import PLAINTEXT_PORT


@pytest.fixture(params=[b"HTTP/1.0 200 OK\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x0a", b""])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, bool]]:
    """A port that answers with HTTP, with TLS or not at all, and which of these."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(request.param)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], request.param.startswith(b"HTTP")
        thread.join()


def test_only_http_is_an_answer(server: tuple[int, bool]) -> None:
    port, is_http = server
    assert plaintext.answers("127.0.0.1", port) is is_http


def test_a_closed_port_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert plaintext.answers("127.0.0.1", port) is False


def test_only_those_who_must_refuse_are_asked() -> None:
    targets = [
        {"targets": ["192.0.2.%d" % n], "labels": {"machine": "m%d" % n, PLAINTEXT_PORT: "15020"}}
        for n in range(1, 100)
    ]
    targets.append({"targets": ["127.0.0.1"], "labels": {"machine": "here"}})
    found = plaintext.ask(json.dumps(targets), lambda address, port: address == "192.0.2.7")
    assert [name for name, open_ in found.items() if open_] == ["m7"]
    assert len(found) == 99
