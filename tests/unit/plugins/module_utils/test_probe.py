# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The probe against servers on loopback that answer, refuse, hang up, reset and stay silent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import probe as probe_module
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed
from ansible_collections.brownfield.mesh.plugins.module_utils.probe import (
    classify_http,
    probe,
    try_case,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case

Behaviour = Callable[[socket.socket], None]


def say(answer: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    return behave


def hang_up(connection: socket.socket) -> None:
    connection.recv(4096)


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.settimeout(5)
    connection.recv(4096)  # until the client gives up


@contextmanager
def server(*behaviours: Behaviour) -> Iterator[int]:
    """A port on loopback; the last behaviour is repeated for further connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            count = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    behaviours[min(count, len(behaviours) - 1)](connection)
                count += 1

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def case(port: int, protocol: str = "tcp", expected: str = "allowed", reason: str = "") -> Case:
    return Case("x", "a", "b", "", "127.0.0.1", port, protocol, "address", expected, reason)


def http(status: str, body: str = "", headers: str = "") -> bytes:
    text = "HTTP/1.1 %s\r\ncontent-length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)
    return text.encode()


@pytest.mark.parametrize(
    ("protocol", "behaviour", "outcome", "how"),
    [
        ("http", say(http("200 OK", "hello")), "allowed", "http_200"),
        ("http", say(http("404 Not Found", "no")), "allowed", "http_404"),
        ("http", say(http("403 Forbidden", "RBAC: access denied")), "refused", "http_403_rbac"),
        ("http", say(http("403 Forbidden", "log in first")), "allowed", "http_403"),
        ("http", say(http("503 Service Unavailable", "down")), "error", "http_503"),
        ("http", say(b"220 smtp ready\r\n"), "allowed", "not_http"),
        ("http", hang_up, "refused", "closed"),
        ("http", reset, "refused", "reset"),
        ("http", silence, "error", "timeout"),
        ("tcp", say(b"hello"), "allowed", "answered"),
        ("tcp", hang_up, "refused", "closed"),
        ("tcp", reset, "refused", "reset"),
        ("tcp", silence, "allowed", "open"),
        ("postgres", say(b"S"), "allowed", "postgres_tls"),
        ("postgres", say(b"N"), "allowed", "postgres_plain"),
        ("postgres", say(b"H"), "allowed", "answered"),
        ("postgres", hang_up, "refused", "closed"),
        ("postgres", silence, "error", "timeout"),
    ],
)
def test_what_is_seen(protocol: str, behaviour: Behaviour, outcome: str, how: str) -> None:
    with server(behaviour) as port:
        seen = try_case(case(port, protocol), 0.3)
    assert (seen.outcome, seen.how) == (outcome, how)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert try_case(case(port), 1).how == "refused"


def test_a_name_that_does_not_exist() -> None:
    item = Case("x", "a", "b", "no.such.name.invalid", "", 80, "http", "name", "allowed")
    seen = try_case(item, 1)
    assert (seen.outcome, seen.how) == ("error", "dns_failure")
    assert "no.such.name.invalid" in seen.detail


def test_a_name_is_used_in_the_host_header_and_the_probe_says_who_it_is() -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(http("200 OK"))

    with server(listen) as port:
        item = Case("x", "a", "b", "localhost", "", port, "http", "name", "allowed")
        assert try_case(item, 1).how == "http_200"
    assert ("Host: localhost:%d" % port).encode() in heard[0]
    assert b"User-Agent: brownfield.mesh-probe" in heard[0]


@pytest.mark.parametrize(
    ("status", "body", "headers", "how"),
    [
        (503, "upstream connect error or disconnect/reset before headers. reset reason:"
              " connection termination", {}, "http_503_reset"),
        (503, "upstream connect error or disconnect/reset before headers. retried and the latest"
              " reset reason: remote connection failure, transport failure reason:"
              " delayed connect error: Connection refused", {}, "http_503_refused"),
        (503, "upstream connect error or disconnect/reset before headers. reset reason:"
              " connection timeout", {}, "http_503"),
        (503, "no healthy upstream", {}, "http_503"),
        (502, "", {"server": "istio-envoy"}, "http_502_no_route"),
        (502, "", {"x-envoy-upstream-service-time": "1"}, "http_502"),
        (404, "", {"server": "envoy"}, "http_404"),
        (403, "RBAC: access denied, says the application", {}, "http_403"),
        (500, "", {}, "http_500"),
    ],
)  # fmt: skip
def test_envoys_own_answers(status: int, body: str, headers: dict[str, str], how: str) -> None:
    assert classify_http("x", status, headers, body).how == how


def test_a_path_that_opens_late_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "PAUSE", 0.01)
    with server(hang_up, hang_up, say(b"hello")) as port:
        (seen,) = probe([case(port)], timeout=1, settle=5)
    assert (seen.outcome, seen.attempts) == ("allowed", 3)


def test_a_path_that_closes_late_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "PAUSE", 0.01)
    with server(say(b"hello"), hang_up) as port:
        (seen,) = probe([case(port, "tcp", "refused", "rbac")], timeout=1, settle=5)
    assert (seen.how, seen.attempts) == ("closed", 2)


def test_an_open_path_stays_reported_after_the_settling_time() -> None:
    with server(say(b"hello")) as port:
        (seen,) = probe([case(port, "tcp", "refused", "rbac")], timeout=1, settle=0)
    assert (seen.outcome, seen.attempts) == ("allowed", 1)


def test_order_is_kept_and_no_more_than_a_few_are_under_way() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def attempt(item: Case, timeout: float) -> Probed:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return Probed(item.id, "allowed", "answered")

    cases = [
        Case(str(n), "a", "b", "", "127.0.0.1", 1, "tcp", "address", "allowed") for n in range(40)
    ]
    seen = probe(cases, timeout=1, settle=0, attempt=attempt)
    assert [item.id for item in seen] == [str(n) for n in range(40)]
    assert 1 < most <= probe_module.WORKERS


def test_an_attempt_that_hangs_does_not_hang_the_run() -> None:
    release = threading.Event()

    def attempt(item: Case, timeout: float) -> Probed:
        release.wait(10)
        return Probed(item.id, "allowed", "answered")

    began = time.monotonic()
    (seen,) = probe([case(1)], timeout=0.05, settle=0, attempt=attempt)
    release.set()
    assert (seen.outcome, seen.how) == ("error", "timeout")
    assert time.monotonic() - began < 5


def test_no_cases() -> None:
    assert probe([]) == []


def test_a_reset_by_the_own_proxy_says_nothing_of_the_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = Case(
        "x", "a", "t", "db.ns.svc.cluster.local", "", 5432, "tcp", "name", "refused", "rbac"
    )
    clusters = tmp_path / "clusters"
    monkeypatch.setattr(probe_module, "CLUSTERS_URL", clusters.as_uri())
    monkeypatch.setattr(
        probe_module, "_try_case", lambda case, _: Probed(case.id, "refused", "reset")
    )
    line = "outbound|5432||db.ns.svc.cluster.local::192.0.2.1:5432::health_flags::"
    clusters.write_text(line + "/failed_eds_health\n")
    assert try_case(case, 1.0).outcome == "error"
    clusters.write_text(line + "healthy\n")
    assert try_case(case, 1.0).how == "reset"
