# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What counts is sent once Loki takes it, and kept until then, with labels of our own only."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import logs, ship
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.logs import CursorGone
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import Loki, LokiError
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    LOKI_FILE,
    MACHINE_FILE,
    SHIP_FILE,
)
from hypothesis import given
from hypothesis import strategies as st

MACHINE = {"machine": "db-1", "workload": "db", "namespace": "pay", "mode": "sidecar"}
SSHD = {"SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "_PID": "7"}
Sent = list[list[dict[str, Any]]]


def failure(number: int) -> dict[str, Any]:
    """The journal's entry of a log-in that fails."""
    message = f"Failed password for root from 192.0.2.1 port {number} ssh2"
    times = {"__REALTIME_TIMESTAMP": str(1795480000000000 + number), "__CURSOR": f"c{number}"}
    return {**SSHD, **times, "MESSAGE": message}


def noise(number: int) -> dict[str, Any]:
    return {**failure(number), "MESSAGE": "Server listening on 0.0.0.0 port 22."}


def dump(*entries: dict[str, Any]) -> list[bytes]:
    return [json.dumps(entry).encode() + b"\n" for entry in entries]


class Box:
    """A machine with a journal, and a Loki that answers as it is told."""

    def __init__(self, folder: Path) -> None:
        self.host = Host(str(folder))
        self.folder = folder
        self.entries: list[dict[str, Any]] = [noise(0)]
        self.sent: Sent = []
        self.answers: Iterator[bool | LokiError] = iter(())
        for path, data in ((LOKI_FILE, {"url": "https://loki.example"}), (MACHINE_FILE, MACHINE)):
            file = folder / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(data))

    def lines(self, cursor: str) -> list[bytes]:
        if not cursor:
            return dump(self.entries[-1])
        found = [n for n, entry in enumerate(self.entries) if entry["__CURSOR"] == cursor]
        if not found:
            raise CursorGone(cursor)
        return dump(*self.entries[found[0] + 1 :])

    def send(self, loki: Loki, streams: list[ship.Stream]) -> bool:
        answer = next(self.answers, True)
        if isinstance(answer, LokiError):
            raise answer
        self.sent.append([dict(one) for one in streams])
        return answer

    def run(self, now: float = 5.0) -> dict[str, float]:
        ship.main(self.host, self.lines, self.send, lambda: now)
        text = (self.folder / SHIP_FILE.lstrip("/")).read_text()
        pairs = (line.split() for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def values(sent: Sent) -> list[str]:
    return [line for call in sent for stream in call for _, line in stream["values"]]


def test_labels_are_the_counters_and_few() -> None:
    (stream,) = ship.streams([failure(1), noise(2), failure(3)], MACHINE)
    assert stream["stream"] == {
        "job": "mesh-journal", "machine": "db-1", "workload": "db", "namespace": "pay",
        "event": "ssh", "result": "failed",
    }  # fmt: skip
    assert stream["values"] == [
        ["1795480000000001000", "Failed password for root from 192.0.2.1 port 1 ssh2"],
        ["1795480000000003000", "Failed password for root from 192.0.2.1 port 3 ssh2"],
    ]


def test_every_counter_has_an_event() -> None:
    assert {ship.event(name) for name, _, _ in logs.SERIES} == {
        "ssh", "sudo", "unit_failures", "unit_restarts", "proxy_refusals", "kernel",
    }  # fmt: skip


@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.integers(0, 300)))))
def test_whatever_is_written_no_label_is_made_of_it(entries: list[dict[str, Any]]) -> None:
    among = {(ship.event(n), value) for n, _, known in logs.SERIES for value in known}
    for entry in entries:
        kernel = {**failure(1), **entry, "_TRANSPORT": "kernel", "__REALTIME_TIMESTAMP": "1"}
        for stream in ship.streams([entry, kernel], MACHINE):
            labels = stream["stream"]
            assert (labels["event"], labels[list(labels)[-1]]) in among
            assert all(len(line) <= ship.LONGEST for _, line in stream["values"])


def test_from_now_on_counts_and_each_entry_once(box: Box) -> None:
    assert box.run(5.0)["mesh_ship_timestamp_seconds"] == 5.0
    assert box.sent == []
    box.entries += [failure(n) for n in range(1, 4)]
    assert box.run(6.0)["mesh_ship_entries_total"] == 3
    assert len(values(box.sent)) == 3
    box.entries += [noise(4)]
    assert box.run(7.0)["mesh_ship_timestamp_seconds"] == 7.0
    assert len(values(box.sent)) == 3


def test_what_loki_did_not_take_comes_again(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    box.run(5.0)
    box.entries += [failure(n) for n in range(1, 2 * ship.BATCH)]
    box.answers = iter([True, LokiError("Loki answered 503: no")])
    seen = box.run(6.0)
    assert seen["mesh_ship_timestamp_seconds"] == 5.0
    assert seen["mesh_ship_entries_total"] == ship.BATCH
    assert "503" in capsys.readouterr().err
    assert box.run(7.0)["mesh_ship_timestamp_seconds"] == 7.0
    assert values(box.sent) == [failure(n)["MESSAGE"] for n in range(1, 2 * ship.BATCH)]


def test_what_loki_never_takes_does_not_hold_up_the_rest(box: Box) -> None:
    box.run()
    box.entries += [failure(1)]
    box.answers = iter([False])
    assert box.run()["mesh_ship_refused_total"] == 1
    box.entries += [failure(2)]
    assert box.run()["mesh_ship_entries_total"] == 1


def test_a_place_that_is_lost_begins_anew(box: Box) -> None:
    box.run()
    box.entries = [noise(8)]
    box.run()
    box.entries += [failure(9)]
    assert box.run()["mesh_ship_entries_total"] == 1


@pytest.fixture
def serve() -> Iterator[Callable[[int], tuple[str, list[Any]]]]:
    """A server that answers every call with a code; its address, and what it was sent."""
    servers = []

    def start(code: int) -> tuple[str, list[Any]]:
        seen: list[Any] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(code)
                self.send_header("Location", "http://127.0.0.1:9/other")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


SOME: list[ship.Stream] = [{"stream": {"job": "x"}, "values": [["1", "a\ud800b"]]}]


def test_it_shows_what_loki_wants_to_see(serve: Callable[[int], tuple[str, list[Any]]]) -> None:
    url, seen = serve(204)
    assert ship.push(Loki(url + "/", "team", "me", "hush"), SOME)
    path, headers, body = seen[0]
    assert path == "/loki/api/v1/push"
    assert headers["X-Scope-Orgid"] == "team"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"me:hush").decode()
    assert body["streams"][0]["values"] == [["1", "a?b"]]


@pytest.mark.parametrize("code", [302, 307, 401, 429, 500, 503])
def test_what_may_be_better_later_is_an_error_and_goes_nowhere_else(
    serve: Callable[[int], tuple[str, list[Any]]], code: int
) -> None:
    url, seen = serve(code)
    with pytest.raises(LokiError, match=str(code)):
        ship.push(Loki(url, username="me", password="hush"), SOME)
    assert len(seen) == 1


def test_what_is_refused_for_good_is_said(serve: Callable[[int], tuple[str, list[Any]]]) -> None:
    url, _ = serve(400)
    assert not ship.push(Loki(url), SOME)


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(LokiError, match="cannot be reached"):
        ship.push(Loki("http://127.0.0.1:9"), SOME)
