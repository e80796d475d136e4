# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the running agent says, and what is made of it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import agent

INFO = (
    b'{"version": "9e55/1.40.0/Clean/RELEASE/BoringSSL",'
    b' "node": {"metadata": {"ISTIO_VERSION": "1.31.0"}}}'
)


class Admin(http.server.BaseHTTPRequestHandler):
    """Agent and Envoy in one."""

    answers: dict[str, tuple[int, bytes]] = {}  # noqa: RUF012 - what a test wants

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path, (404, b""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """In silence."""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[int, bytes]]]:
    """What is answered; the tests' own ports stand for the real ones."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Admin.answers = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Admin) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = "http://127.0.0.1:%d" % server.server_port
        monkeypatch.setattr(agent, "READY_URL", base + "/ready")
        monkeypatch.setattr(agent, "SERVER_INFO_URL", base + "/info")
        yield Admin.answers
        server.shutdown()


def test_ready_is_200(answers: dict[str, tuple[int, bytes]]) -> None:
    answers["/ready"] = (503, b"waiting")
    assert not agent.is_ready()
    answers["/ready"] = (200, b"")
    assert agent.is_ready()


def test_versions(answers: dict[str, tuple[int, bytes]]) -> None:
    answers["/info"] = (200, INFO)
    assert agent.versions() == {"agent": "1.31.0", "envoy": "1.40.0"}


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"version": "odd", "node": null}'])
def test_no_versions(answers: dict[str, tuple[int, bytes]], body: bytes) -> None:
    answers["/info"] = (200, body)
    assert agent.versions() == {"agent": "", "envoy": ""}


def test_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "READY_URL", "http://127.0.0.1:9/")
    assert not agent.is_ready()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ('rpc error: cannot find WorkloadGroup "a/b"', "cluster objects"),
        ("registration of WorkloadEntry service account mismatch", "cluster objects"),
        ("tls: x509: certificate signed by unknown authority", "mesh.istiod.host"),
        ("code = Unauthenticated desc = authentication failure", "mesh.cluster"),
        ("dial tcp 192.0.2.1:15012: i/o timeout", "mesh.istiod.address"),
        ("", "journalctl -u mesh-proxy.service"),
    ],
)
def test_advice(words: str, what: str) -> None:
    assert what in agent.advice(words)


def test_last_words_are_without_tokens() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2lnbmF0dXJl-_x"
    host = Host("/nowhere", lambda argv: (0, "sent Bearer %s, refused\n" % token, ""))
    assert agent.last_words(host) == "sent Bearer (token), refused"
