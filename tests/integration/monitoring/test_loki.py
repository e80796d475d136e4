# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real Loki takes what machines send it, once, and its ruler fires our alarms."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import ship
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import Loki
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    LOKI_FILE,
    MACHINE_FILE,
    SHIP_RECORD,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules

from lab.tools import go_tools
from tests.integration.monitoring.test_rules import RULES, THRESHOLDS

SECONDS = 90
SSHD = {"SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "_PID": "7"}
PROXY = {"_SYSTEMD_UNIT": "mesh-proxy.service", "_UID": "999", "_PID": "10"}
RESTARTED = {"MESSAGE_ID": "5eb03494b6584870a536b337290809b3", "_PID": "1", "UNIT": "x.service"}
REFUSED = '[2026-11-23T10:00:00.000Z] "GET /x HTTP/1.1" 403 - rbac_access_denied_matched_policy'
OF_LOKI = {rule.name: rule for rule in rules.loki(list(RULES.values()))}
# What makes each alarm fire when it is written more often than the threshold says.
BAD: dict[str, tuple[dict[str, Any], int]] = {
    "MeshSshBruteForce": (
        {**SSHD, "MESSAGE": "Failed password for root from 192.0.2.1 port 5 ssh2"},
        THRESHOLDS.ssh_failures,
    ),
    "MeshProxyRefusing": (
        {**PROXY, "MESSAGE": REFUSED + '[none] - "-" 0 19 0 - "-" "curl" "id" "shop" "-" -'},
        THRESHOLDS.proxy_refusals,
    ),
    "MeshUnitFlapping": ({**RESTARTED, "MESSAGE": "Scheduled restart"}, THRESHOLDS.unit_restarts),
    "MeshKernelTrouble": (
        {"_TRANSPORT": "kernel", "SYSLOG_FACILITY": "0", "MESSAGE": "Out of memory: Killed 7"},
        0,
    ),
}


def ports(number: int) -> list[int]:
    """Free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Loki as one process, with our rules, which it evaluates each second."""
    folder = tmp_path_factory.mktemp("loki")
    own = folder / "rules" / "fake"  # the tenant of a Loki without tenants
    own.mkdir(parents=True)
    (own / "rules.yml").write_text(yaml.safe_dump(rules.render(list(OF_LOKI.values()), "x")))
    web, grpc = ports(2)
    settings = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": "127.0.0.1", "http_listen_port": web,
            "grpc_listen_address": "127.0.0.1", "grpc_listen_port": grpc, "log_level": "warn",
        },
        "common": {
            "path_prefix": str(folder / "data"),
            "replication_factor": 1,
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": str(folder / "chunks")}},
        },
        "frontend": {"address": "127.0.0.1"},
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01", "store": "tsdb", "object_store": "filesystem",
                    "schema": "v13", "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "ruler": {
            "storage": {"type": "local", "local": {"directory": str(folder / "rules")}},
            "rule_path": str(folder / "scratch"),
            "evaluation_interval": "1s",
            "enable_api": True,
        },
    }  # fmt: skip
    (folder / "loki.yml").write_text(yaml.safe_dump(settings))
    url = f"http://127.0.0.1:{web}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [go_tools("loki") / "loki", f"-config.file={folder / 'loki.yml'}"],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            end = time.monotonic() + SECONDS
            while not ready(url):
                running = process.poll() is None and time.monotonic() < end
                assert running, (folder / "log").read_text()[-3000:]
                time.sleep(0.2)
            yield url
        finally:
            process.kill()
            process.wait(timeout=30)


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def machine(folder: Path, url: str, name: str, entries: list[dict[str, Any]]) -> Host:
    """A machine that has sent ``entries``, just written, to Loki."""
    labels = {"machine": name, "workload": "db", "namespace": "pay", "mode": "sidecar"}
    for path, data in (
        (LOKI_FILE, {"url": url}),
        (MACHINE_FILE, labels),
        (SHIP_RECORD, {"cursor": "before"}),
    ):
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(data))
    now = time.time_ns() // 1000
    stamped = [
        {**entry, "__REALTIME_TIMESTAMP": str(now + number), "__CURSOR": f"c{number}"}
        for number, entry in enumerate(entries)
    ]
    lines = [json.dumps(entry).encode() for entry in stamped]
    host = Host(str(folder))
    ship.main(host, lambda _: lines)
    # The run that was killed before it kept its place: all of it comes again.
    (folder / SHIP_RECORD.lstrip("/")).write_text(json.dumps({"cursor": "before"}))
    ship.main(host, lambda _: lines)
    return host


def counted(url: str, name: str) -> dict[str, int]:
    """How many entries Loki has of a machine, by event."""
    query = f'sum by (event) (count_over_time({{job="{ship.JOB}",machine="{name}"}}[1h]))'
    found = get(f"{url}/loki/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return {one["metric"]["event"]: int(one["value"][1]) for one in found["data"]["result"]}


def wait_counted(url: str, name: str, wanted: dict[str, int]) -> None:
    end = time.monotonic() + SECONDS
    while (found := counted(url, name)) != wanted:
        assert time.monotonic() < end, (found, wanted)
        time.sleep(0.5)


def firing(url: str) -> set[tuple[str, str]]:
    """Alarms and their machines."""
    return {
        (alert["labels"]["alertname"], alert["labels"]["machine"])
        for alert in get(f"{url}/prometheus/api/v1/alerts")["data"]["alerts"]
        if alert["state"] == "firing"
    }


def test_each_alarm_of_the_journal_is_one_of_lokis() -> None:
    assert set(OF_LOKI) == set(BAD)
    assert [r.name for r in OF_LOKI.values() if "mesh_log" in r.expression + r.missing] == []


def test_they_fire_for_whom_it_concerns_and_for_nobody_else(loki: str, tmp_path: Path) -> None:
    calm = [entry for entry, limit in BAD.values() for _ in range(limit)]
    machine(tmp_path / "calm", loki, 'calm "1"', calm)
    for name, (entry, limit) in BAD.items():
        machine(tmp_path / name, loki, name, [entry] * (limit + 1))
        event = ship.streams([{**entry, "__REALTIME_TIMESTAMP": "1"}], {})[0]["stream"]["event"]
        # Sent twice, and there once.
        wait_counted(loki, name, {event: limit + 1})
    end = time.monotonic() + SECONDS
    while len(firing(loki)) < len(BAD) and time.monotonic() < end:
        time.sleep(0.5)
    assert firing(loki) == {(name, name) for name in BAD}


def test_what_is_too_old_is_refused_for_good_and_the_rest_taken(loki: str) -> None:
    labels = {"job": ship.JOB, "machine": "old", "event": "ssh"}
    old, new = "1500000000000000000", str(time.time_ns())
    assert not ship.push(Loki(loki), [{"stream": labels, "values": [[old, "a"], [new, "b"]]}])
    wait_counted(loki, "old", {"ssh": 1})
