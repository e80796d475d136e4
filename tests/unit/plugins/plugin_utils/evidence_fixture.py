# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A run of verify on a small fleet, as the action ``evidence`` gets it; tests change parts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import workload_labels
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed, check
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    HealthProbe,
    Machine,
    Port,
    Workload,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import (
    Seen,
    document,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import Registration

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)
HOSTS = ["batch-1", "db-1", "outsider-1"]

DB = Workload(
    "payments-db",
    "payments",
    "payments-db",
    ports=(Port("tcp-postgres", 5432),),
    health=HealthProbe("tcp", 5432),
    callers=(AllowRule("batch", "legacy-batch"),),
)
BATCH = Workload("legacy-batch", "batch", "legacy-batch")
MACHINES = {
    "db-1": (Machine("db-1", DB.key, "198.18.0.13"), DB),
    "batch-1": (Machine("batch-1", BATCH.key, "198.18.0.14"), BATCH),
}
ADDRESS = "198.18.0.13"
CASES = [
    Case("a", "batch-1", DB.service_host, DB.service_host, "", 5432, "postgres", "name", "allowed"),
    Case("b", "batch-1", "db-1", "", ADDRESS, 5432, "postgres", "address", "refused", "tls"),
    Case("c", "outsider-1", "db-1", "", ADDRESS, 5432, "postgres", "address", "refused", "tls"),
    Case("d", "outsider-1", "db-1", "", ADDRESS, 15020, "http", "address", "refused", "tls"),
]
PROBED = {
    "a": Probed("a", "allowed", "postgres_plain", seconds=0.004),
    "b": Probed("b", "refused", "closed", seconds=0.002),
    "c": Probed("c", "refused", "reset", seconds=0.001, attempts=2),
    "d": Probed("d", "refused", "closed", seconds=0.001),
}


def plan() -> dict[str, Any]:
    """What the action ``plan`` returns."""
    cases: dict[str, list[Any]] = {}
    for case in CASES:
        cases.setdefault(case.source, []).append(to_data(case))
    return {
        "mesh": {"trust_domain": "cluster.local", "revision": "default", "cluster": {}},
        "cluster": {"cluster_id": "Kubernetes"},
        "fleet_digest": "abc",
        "machines": {
            name: {"machine": to_data(machine), "workload": to_data(workload)}
            for name, (machine, workload) in MACHINES.items()
        },
        "modes": {name: {"mode": "sidecar", "reason": ""} for name in MACHINES},
        "cases": cases,
    }


def observed(name: str, **counters: int) -> dict[str, Any]:
    """What ``observe`` returns for a healthy machine."""
    workload = MACHINES[name][1]
    return {
        "checks": [asdict(check(name, "agent", "ready", "200", "200", True, ""))],
        "counters": {"started": 1, **counters},
        "certificate": {
            "spiffe_id": workload.spiffe_id("cluster.local"),
            "not_before": "2026-11-23T03:00:00Z",
            "not_after": "2026-11-24T03:28:00Z",
        },
        "listening": [port.port for port in workload.ports],
        "versions": {"agent": "1.30.2", "envoy": "1.40.0", "os": "Debian 12", "kernel": "6.1.0"},
    }


def seen() -> dict[str, Seen]:
    """What each host returned, by inventory name."""

    def probed(source: str) -> dict[str, Any]:
        results = [asdict(PROBED[case.id]) for case in CASES if case.source == source]
        return {"results": results, "seconds": 0.1}

    return {
        "db-1": Seen(
            observed("db-1", no_filter_chain_match=2, rbac_allowed_tcp=0),
            {"skipped": True},
            observed("db-1", no_filter_chain_match=5, rbac_allowed_tcp=1),
        ),
        "batch-1": Seen(observed("batch-1"), probed("batch-1"), observed("batch-1")),
        "outsider-1": Seen({"skipped": True}, probed("outsider-1"), {"skipped": True}),
    }


def registrations() -> list[Registration]:
    """The cluster's WorkloadEntries."""
    return [
        Registration(
            namespace=workload.namespace,
            name="%s-%s" % (workload.name, machine.address),
            group=workload.name,
            address=machine.address,
            network="",
            service_account=workload.service_account,
            labels=workload_labels(workload),
            annotations={},
            controller="istiod-1",
            connected=True,
            healthy=True,
        )
        for machine, workload in MACHINES.values()
    ]


def evidence(**changes: Any) -> dict[str, Any]:
    """The evidence of a run in which everything was as it should be, but for ``changes``."""
    values = {
        "plan": plan(),
        "seen": seen(),
        "registrations": registrations(),
        "hosts": HOSTS,
        "now": NOW,
        **changes,
    }
    return document(**values)
