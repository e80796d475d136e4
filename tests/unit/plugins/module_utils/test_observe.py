# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What observe reads is what systemd, Envoy and the kernel print; what it judges can fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.observe import (
    CAPTURE_UNIT,
    KEY,
    PROXY_UNIT,
    TOKEN,
    UPSTREAM_UNIT,
    Certificate,
    check_identity,
    counters,
    get,
    observe,
    parse_certificate,
    parse_exposure,
    parse_listening,
    parse_stats,
    parse_time,
    parse_units,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Port, Workload
from hypothesis import given
from hypothesis import strategies as st

WORKLOAD = Workload("payments-db", "payments", "db", ports=(Port("tcp-postgres", 5432),))
MACHINE = Machine("db-1", WORKLOAD.key, "10.0.0.9")
SPIFFE_ID = "spiffe://cluster.local/ns/payments/sa/db"

UNITS = """\
User=istio-proxy
NoNewPrivileges=yes
CapabilityBoundingSet=
Id=mesh-proxy.service
LoadState=loaded
ActiveState=active
ExecMainStartTimestampMonotonic=4711

Id=mesh-capture.service
LoadState=loaded
ActiveState=active
ExecMainStartTimestampMonotonic=4712

Id=istio.service
LoadState=masked
ActiveState=inactive
ExecMainStartTimestampMonotonic=0
"""
EXPOSURE = """\
  NAME                 DESCRIPTION                          EXPOSURE
✓ PrivateNetwork=      Service has access to the network         0.5

→ Overall exposure level for mesh-proxy.service: 1.2 OK :-)
"""
STATS = """\
cluster_manager.cds.version_text: "2026-11-23T03:28:29Z/3"
cluster.xds-grpc;.upstream_rq_active: 1
cluster_manager.cds.update_success: 3
cluster_manager.cds.update_rejected: 0
listener_manager.lds.update_success: 2
listener_manager.lds.update_rejected: 0
http.inbound_0.0.0.0_8080;.rbac.allowed: 5
http.inbound_0.0.0.0_8080;.rbac.denied: 2
http.inbound_0.0.0.0_8080;.rbac.shadow_denied: 7
tcp.rbac.allowed: 4
tcp.rbac.denied: 3
listener.0.0.0.0_15006.no_filter_chain_match: 8
listener.0.0.0.0_15001.no_filter_chain_match: 100
server.initialization_time_ms: P0(nan,120) P25(nan,122)
"""
CERTS = {
    "certificates": [
        {"ca_cert": [{"subject_alt_names": []}], "cert_chain": []},
        {
            "cert_chain": [
                {
                    "subject_alt_names": [{"dns": "other"}, {"uri": SPIFFE_ID}],
                    "valid_from": "2020-11-23T03:26:29Z",
                    "expiration_time": "2120-11-24T03:28:29Z",
                }
            ]
        },
    ]
}
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:9999 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 2 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0
"""


SERVER_INFO = {
    "version": "c0ffee/1.40.0/Clean/RELEASE/BoringSSL",
    "node": {"metadata": {"ISTIO_VERSION": "1.30.2"}},
}


def look(**changes: object) -> dict[str, Any]:
    """What observe says of a healthy machine, except for what a test changes."""
    answers: dict[str, Any] = {
        "systemctl": UNITS,
        "systemd-analyze": EXPOSURE,
        "iptables-nft-save": "-A OUTPUT -p tcp -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -j RETURN\n",
        "nft": "",
        "/stats": (200, STATS),
        "/certs": (200, json.dumps(CERTS)),
        "/healthz/ready": (200, ""),
        "/server_info": (200, json.dumps(SERVER_INFO)),
        "os": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n',
        "tcp": TCP,
        "tcp6": TCP6,
        "key": 0o600,
        "token": None,
        "guard": 3,
        **changes,
    }

    def run(command: Sequence[str]) -> tuple[int, str, str]:
        if "is-active" in command:
            return answers["guard"], "", ""
        return 0, answers[command[0]], ""

    with TemporaryDirectory() as folder:
        host = Host(folder, run)
        for path, text in (
            ("/proc/net/tcp", "tcp"),
            ("/proc/net/tcp6", "tcp6"),
            ("/etc/os-release", "os"),
        ):
            place(host, path, answers[text])
        for path, name in ((KEY, "key"), (TOKEN, "token")):
            if answers[name] is not None:
                place(host, path, "secret", answers[name])
        seen = observe(MACHINE, WORKLOAD, host, lambda _port, path: answers[path])
    assert "secret" not in json.dumps(seen)
    return seen


def test_versions_are_told_as_far_as_they_are_known() -> None:
    seen = look()["versions"]
    assert seen == {
        "agent": "1.30.2",
        "envoy": "1.40.0",
        "os": "Debian GNU/Linux 12",
        "kernel": "",
    }
    silent = look(**{"/server_info": (0, "refused"), "os": "NAME=x"})["versions"]
    assert set(silent.values()) == {""}


def place(host: Host, path: str, text: str, mode: int = 0o644) -> None:
    file = Path(host.path(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)


def failed(**changes: object) -> list[str]:
    checks = look(**changes)["checks"]
    assert all(bool(item["advice"]) != item["passed"] for item in checks)
    return [item["id"] for item in checks if not item["passed"]]


def test_a_healthy_machine() -> None:
    seen = look()
    assert [item["id"] for item in seen["checks"] if not item["passed"]] == []
    assert seen["counters"] == {
        "started": 4711,
        "rbac_allowed_http/http.inbound_0.0.0.0_8080.rbac.allowed": 5,
        "rbac_denied_http/http.inbound_0.0.0.0_8080.rbac.denied": 2,
        "rbac_allowed_tcp/tcp.rbac.allowed": 4,
        "rbac_denied_tcp/tcp.rbac.denied": 3,
        "no_filter_chain_match/listener.0.0.0.0_15006.no_filter_chain_match": 8,
    }
    assert seen["certificate"]["spiffe_id"] == SPIFFE_ID
    assert seen["listening"] == [22, 5432]
    assert json.loads(json.dumps(seen)) == seen


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        (
            {"systemctl": UNITS.replace("ActiveState=active", "ActiveState=failed", 1)},
            ["unit/mesh-proxy.service"],
        ),
        ({"systemctl": UNITS.replace("masked", "loaded")}, ["unit/istio.service"]),
        ({"systemctl": UNITS.replace("User=istio-proxy", "User=")}, ["sandbox/properties"]),
        ({"systemctl": UNITS.replace("Privileges=yes", "Privileges=no")}, ["sandbox/properties"]),
        ({"systemd-analyze": EXPOSURE.replace("1.2", "1.6")}, ["sandbox/exposure"]),
        ({"systemd-analyze": ""}, ["sandbox/exposure"]),
        ({"iptables-nft-save": ""}, ["capture/rules"]),
        ({"guard": 0}, ["capture/rules"]),
        ({"/healthz/ready": (503, "not ready")}, ["agent/ready"]),
        ({"key": 0o640}, ["identity/key"]),
        ({"key": None}, ["identity/key"]),
        ({"token": 0o600}, ["identity/token"]),
        ({"/certs": (0, "refused")}, ["identity/certificate"]),
        ({"tcp": ""}, ["service/5432"]),
        (
            {"/stats": (200, STATS.replace("lds.update_rejected: 0", "lds.update_rejected: 1"))},
            ["configuration/listeners"],
        ),
        (
            {"/stats": (200, STATS.replace("upstream_rq_active: 1", "upstream_rq_active: 0"))},
            ["configuration/stream"],
        ),
        (
            {"/stats": (200, STATS.replace("15006", "15007"))},
            ["configuration/counters"],
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], ids: list[str]) -> None:
    assert failed(**changes) == ["db-1/" + name for name in ids]


def test_nothing_there_is_many_failed_checks_and_no_traceback() -> None:
    nothing = dict.fromkeys(["systemctl", "systemd-analyze", "iptables-nft-save", "tcp"], "")
    silent = dict.fromkeys(["/stats", "/certs", "/healthz/ready"], (0, "refused"))
    seen = look(**nothing, **silent, key=None)
    assert seen["counters"] is None
    assert seen["certificate"] is None
    passed = {item["id"] for item in seen["checks"] if item["passed"]}
    assert passed == {"db-1/identity/token"}


def test_a_get_on_loopback() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/stats" else 404)
            self.end_headers()
            self.wfile.write(b"x: 1\n")

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert get(server.server_port, "/stats") == (200, "x: 1\n")
        assert get(server.server_port, "/")[0] == 404
        server.shutdown()
    assert get(server.server_port, "/stats")[0] == 0


def identity(certificate: Certificate | None, now: str) -> bool:
    moment = parse_time(now)
    assert moment is not None
    return check_identity("db-1", certificate, SPIFFE_ID, moment).passed


def test_identity() -> None:
    good = Certificate(SPIFFE_ID, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert identity(good, "2026-01-01T12:00:00Z")
    assert not identity(good, "2026-01-02T00:00:00Z")
    assert not identity(good, "2025-12-31T23:59:59Z")
    other = Certificate(SPIFFE_ID + "x", good.not_before, good.not_after)
    assert not identity(other, "2026-01-01T12:00:00Z")
    assert not identity(Certificate(SPIFFE_ID, "", ""), "2026-01-01T12:00:00Z")
    assert not identity(None, "2026-01-01T12:00:00Z")


def test_parsers_of_odd_input() -> None:
    assert parse_exposure("Failed to analyze") is None
    assert parse_exposure("level for x.service: 9.6 UNSAFE") is None
    assert parse_certificate("") is None
    assert parse_certificate("[]") is None
    assert parse_certificate('{"certificates": []}') is None
    assert parse_listening("") == set()
    assert parse_units("") == {}
    assert parse_time("soon") is None
    assert counters({}, 3) == {"started": 3}
    units = parse_units(UNITS)
    assert list(units) == [PROXY_UNIT, CAPTURE_UNIT, UPSTREAM_UNIT]


names = st.from_regex(r"[a-z][a-z0-9_.|:-]{0,40}", fullmatch=True)


@given(st.dictionaries(names, st.integers(0, 2**63), max_size=20))
def test_stats_are_read_back(values: dict[str, int]) -> None:
    assert parse_stats("".join("%s: %d\n" % item for item in values.items())) == values


@given(st.text())
def test_no_text_breaks_a_parser(text: str) -> None:
    parse_stats(text)
    parse_units(text)
    parse_exposure(text)
    parse_certificate(text)
    parse_time(text)
