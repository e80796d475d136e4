# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The small client: kept connections, patience with a busy server, errors in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils import client as client_module
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ApiError, ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kubeconfig import Access

Answer = tuple[int, dict[str, str], str]
SECRET = "canary-91c2"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[int, BaseHTTPRequestHandler], Answer]
    seen = 0
    connections = 0
    close_each = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.seen += 1
        status, headers, body = self.server.answer(self.server.seen, self)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())
        # Closed without a word: the client finds out when it speaks next.
        self.close_connection = self.server.close_each

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with _Server(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def _client(server: _Server, path: str = "", proxy: str = "") -> Client:
    address = f"http://127.0.0.1:{server.server_port}{path}"
    headers = {"Authorization": f"Bearer {SECRET}"}
    return Client(Access(address, "main", headers, None, proxy=proxy))


def _ok(_number: int, handler: BaseHTTPRequestHandler) -> Answer:
    return 200, {}, json.dumps({"path": handler.path, "auth": handler.headers["Authorization"]})


def test_keeps_its_connection_and_the_servers_path(server: _Server) -> None:
    server.answer = _ok
    client = _client(server, "/k8s/clusters/c-1")
    for _ in range(3):
        answer = client.get("/api/v1/pods", {"limit": "1"})
    assert answer == {"path": "/k8s/clusters/c-1/api/v1/pods?limit=1", "auth": f"Bearer {SECRET}"}
    assert server.connections == 1


def test_a_connection_closed_meanwhile_is_made_again(server: _Server) -> None:
    server.answer = _ok
    server.close_each = True
    client = _client(server)
    assert [client.get("/x")["path"] for _ in range(3)] == ["/x"] * 3


def test_each_keeps_the_order(server: _Server) -> None:
    server.answer = _ok
    client = _client(server)
    paths = [f"/{number}" for number in range(50)]
    assert [a["path"] for a in client.each(client.get, paths)] == paths
    assert server.connections <= client_module.CONNECTIONS


def test_a_busy_server_is_waited_for(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    server.answer = lambda n, h: (429, {"Retry-After": "2"}, "") if n < 3 else _ok(n, h)
    assert _client(server).get("/x")["path"] == "/x"
    assert waits == [2.0, 2.0]
    server.answer = lambda n, h: (429, {}, "too many")
    with pytest.raises(ApiError, match="too many"):
        _client(server).get("/x")


def test_what_is_missing_is_nothing_and_so_is_all_of_an_unknown_kind(server: _Server) -> None:
    status = json.dumps({"kind": "Status", "message": "not found", "details": {"name": "x"}})
    server.answer = lambda n, h: (404, {}, status)
    assert _client(server).find("/x") is None
    server.answer = lambda n, h: (404, {}, "404 page not found\n")
    assert _client(server).find("/x") is None
    assert _client(server).items("/x") == []
    with pytest.raises(ApiError) as raised:
        _client(server).get("/x")
    assert raised.value.unknown_kind


def test_a_stranger_who_has_no_such_page_says_nothing_about_kinds(server: _Server) -> None:
    server.answer = lambda n, h: (404, {}, "<html>no such page</html>")
    with pytest.raises(ApiError, match="no such page") as raised:
        _client(server).items("/x")
    assert not raised.value.unknown_kind


@pytest.mark.parametrize("body", ["", "<html>no</html>", "[1]", '"x"', "null"])
def test_odd_answers_are_errors_not_tracebacks(server: _Server, body: str) -> None:
    server.answer = lambda n, h: (500, {}, body)
    with pytest.raises(ApiError):
        _client(server).get("/x")
    server.answer = lambda n, h: (401, {}, body)
    with pytest.raises(ClusterError, match="log in again") as raised:
        _client(server).get("/x")
    assert SECRET not in str(raised.value)


def test_an_unreachable_server_is_named(server: _Server) -> None:
    client = _client(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(ClusterError, match=r"context 'main'. cannot be reached: .*refused"):
        client.get("/x")


def test_an_unknown_name_is_named() -> None:
    client = Client(Access("http://no-such-host.invalid", "main", {}, None))
    with pytest.raises(ClusterError, match="does not resolve"):
        client.get("/x")


def test_a_proxy_that_cannot_be_used_is_named(server: _Server) -> None:
    with pytest.raises(ClusterError, match="not an http:// address but socks5://") as raised:
        _client(server, proxy=f"socks5://me:{SECRET}@192.0.2.1").get("/x")
    assert SECRET not in str(raised.value)
