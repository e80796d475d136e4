# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Evidence of a large fleet as one run of verify would have written it, with some trouble in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import validate
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case, matrix
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet, to_data

from tests.benchmark.planning import inventory

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)
SEEN = {"rbac": "http_403_rbac", "tls": "reset", "": "http_200"}


def large(machines: int) -> dict[str, Any]:
    """The evidence of ``machines`` machines, ten to a workload."""
    fleet = validate.parse(inventory(machines))
    traffic = [_tried(number, case) for number, case in enumerate(matrix(fleet).cases)]
    checks = [*_of_machines(fleet), *map(_judged, traffic)]
    failed = [item["id"] for item in checks if not item["passed"]]
    sick = {item["machine"] for item in checks if not item["passed"]}
    return {
        "schema_version": 1,
        "time": _text(NOW),
        "passed": not failed,
        "mesh": {
            "trust_domain": "cluster.local",
            "revision": "default",
            "cluster_id": "large",
            "fleet_digest": "0" * 64,
        },
        "machines": [
            {
                "name": machine.name,
                "workload": machine.workload,
                "mode": "bridge" if number % 7 == 0 else "sidecar",
                "address": machine.address,
                "identity": _identity(fleet, number),
                "counted": None,
                "versions": {
                    "agent": "1.30.2" if number % 7 else "",
                    "envoy": "1.40.0" if number % 50 else "1.39.1",
                    "os": "Debian GNU/Linux 12 (bookworm)",
                    "kernel": "6.1.0-%d-amd64" % (28 + number % 3),
                },
                "passed": machine.name not in sick,
            }
            for number, machine in enumerate(fleet.machines)
        ],
        "workloads": [
            {
                "key": workload.key,
                "service_account": workload.service_account,
                "ports": to_data(workload.ports),
                "callers": to_data(workload.callers),
                "calls": [],
            }
            for workload in fleet.workloads
        ],
        "vantages": [],
        "counts": _counts(traffic, checks),
        "failed": failed,
        "checks": checks,
        "traffic": traffic,
        "timing": {},
    }


def _tried(number: int, case: Case) -> dict[str, Any]:
    bad = number % 4001 == 17
    wrong = {"allowed": ("error", "timeout"), "refused": ("allowed", "http_200")}
    right = ("allowed" if case.expected == "allowed" else "refused", SEEN[case.reason])
    outcome, how = wrong[case.expected] if bad else right
    return {
        **asdict(case),
        "outcome": outcome,
        "how": how,
        "detail": "",
        "attempts": 1,
        "seconds": 0.003,
        "passed": not bad,
    }


def _judged(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": case["id"],
        "machine": case["source"],
        "kind": "traffic",
        "expected": "port %d %s" % (case["port"], case["expected"]),
        "seen": "%s (%s)" % (case["outcome"], case["how"]),
        "passed": case["passed"],
        "advice": "" if case["passed"] else "See the policy of %s." % case["target"],
    }


def _of_machines(fleet: Fleet) -> Iterator[dict[str, Any]]:
    for number, machine in enumerate(fleet.machines):
        for kind, name in (("agent", "ready"), ("capture", "rules"), ("identity", "certificate")):
            bad = kind == "agent" and number % 125 == 3
            yield {
                "id": "%s/%s/%s" % (machine.name, kind, name),
                "machine": machine.name,
                "kind": kind,
                "expected": "200",
                "seen": "503" if bad else "200",
                "passed": not bad,
                "advice": "Look at `journalctl -u mesh-proxy`." if bad else "",
            }


def _identity(fleet: Fleet, number: int) -> dict[str, Any] | None:
    if number == 11:
        return None
    machine = fleet.machines[number]
    start = NOW - timedelta(minutes=number % 700)
    end = start + timedelta(hours=24) - timedelta(hours=13 if number % 90 == 5 else 0)
    return {
        "spiffe_id": "spiffe://cluster.local/ns/%s/sa/%s" % tuple(machine.workload.split("/")),
        "not_before": _text(start),
        "not_after": _text(end),
        "seconds_left": int((end - NOW).total_seconds()),
    }


def _counts(traffic: list[dict[str, Any]], checks: list[dict[str, Any]]) -> dict[str, Any]:
    def tally(expected: str) -> dict[str, Any]:
        cases = [case for case in traffic if case["expected"] == expected]
        return {"expected": len(cases), "passed": sum(case["passed"] for case in cases)}

    opened = sum(c["expected"] == "refused" and c["outcome"] == "allowed" for c in traffic)
    return {
        "checks": {"total": len(checks), "failed": sum(not c["passed"] for c in checks)},
        "cases": {
            "planned": len(traffic),
            "judged": len(traffic),
            "allowed": tally("allowed"),
            "refused": {**tally("refused"), "by_reason": {}},
            "open": opened,
        },
    }


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
