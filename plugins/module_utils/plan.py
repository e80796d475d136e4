# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a run, as plain data: everything that roles and later actions need to know."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import (
    NOTHING_DECIDED,
    Decisions,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import matrix
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Fleet,
    Mesh,
    Prometheus,
    to_data,
)

NOTHING = Mesh()  # what a machine is translated with, where its own mesh is put in afterwards


def build(
    fleet: Fleet,
    facts: ClusterFacts,
    max_cases: int,
    decisions: Decisions = NOTHING_DECIDED,
    watching: Collection[str] = (),
) -> dict[str, Any]:
    """The plan for ``fleet``, JSON data without secrets (see the module's return values).

    ``decisions`` are those with which the fleet was parsed, ``watching`` are the machines that run
    Prometheus.

    Machines whose mesh is the fleet's, and machines of one workload, share these parts.
    """
    mesh = to_data(fleet.mesh)
    workloads = {workload.key: to_data(workload) for workload in fleet.workloads}
    machines = {}
    modes = {}
    for machine in fleet.machines:
        own = mesh if machine.mesh is fleet.mesh else to_data(machine.mesh)
        content = {**to_data(dataclasses.replace(machine, mesh=NOTHING)), "mesh": own}
        machines[machine.name] = {"machine": content, "workload": workloads[machine.workload]}
        decision = decisions.get(machine.workload)
        reason = "auto: %s" % decision.reason if decision else ""
        modes[machine.name] = {"mode": machine.mode, "reason": reason}
    vantages = to_data(fleet.vantages)
    reach = matrix(fleet, max_cases)
    cases: dict[str, list[dict[str, Any]]] = {}
    for case in reach.cases:
        cases.setdefault(case.source, []).append(to_data(case))
    return {
        "cluster": to_data(facts),
        "fleet_digest": digest([mesh, machines, vantages]),
        "workloads": workloads,
        "mesh": mesh,
        "machines": machines,
        "vantages": vantages,
        "cases": cases,
        "cases_left_out": to_data(reach.left_out),
        "modes": modes,
        "monitoring": to_data(_monitoring(fleet, watching)),
        "egress": _ways_out(fleet),
    }


def _monitoring(fleet: Fleet, watching: Collection[str]) -> list[Prometheus]:
    found = [fleet.mesh.prometheus] if fleet.mesh.prometheus else []
    workloads = [fleet.workload_of(one) for one in fleet.machines if one.name in watching]
    found += [Prometheus(one.namespace, one.service_account) for one in workloads]
    return sorted(set(found), key=lambda one: (one.namespace, one.service_account))


def _ways_out(fleet: Fleet) -> list[dict[str, Any]]:
    """What each workload may call outside of the mesh, and by which way."""
    found = []
    for workload in fleet.workloads:
        for call in workload.calls:
            if call.external:
                service = fleet.mesh.egress.find(call.external, call.port)
                via = service.via if service else "undeclared"
                found.append(
                    {
                        "workload": workload.key,
                        "host": call.external,
                        "port": call.port,
                        "via": via,
                    }
                )
    return found


def digest(data: Any) -> str:
    """SHA-256 of JSON data; the same for the same data, however it was ordered."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
