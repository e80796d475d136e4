# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a run, as plain data: everything that roles and later actions need to know."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import decide
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import matrix
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet, to_data


def build(fleet: Fleet, facts: ClusterFacts, max_cases: int) -> dict[str, Any]:
    """The plan for ``fleet``, JSON data without secrets (see the module's return values)."""
    data = to_data(fleet)
    workloads = {
        workload.key: content for workload, content in zip(fleet.workloads, data["workloads"])
    }
    wanted = {workload.key: workload.mode for workload in fleet.workloads}
    machines = {}
    modes = {}
    for machine, content in zip(fleet.machines, data["machines"]):
        machines[machine.name] = {"machine": content, "workload": workloads[machine.workload]}
        mode, reason = decide(wanted[machine.workload])
        modes[machine.name] = {"mode": mode, "reason": reason}
    reach = matrix(fleet, max_cases)
    cases: dict[str, list[dict[str, Any]]] = {}
    for case in reach.cases:
        cases.setdefault(case.source, []).append(to_data(case))
    return {
        "cluster": to_data(facts),
        "fleet_digest": digest(data),
        "workloads": workloads,
        "mesh": data["mesh"],
        "machines": machines,
        "vantages": data["vantages"],
        "cases": cases,
        "cases_left_out": to_data(reach.left_out),
        "modes": modes,
    }


def digest(data: Any) -> str:
    """SHA-256 of JSON data; the same for the same data, however it was ordered."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
