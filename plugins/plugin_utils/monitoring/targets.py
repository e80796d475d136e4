# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Who is watched: file_sd from the plan, that is, from the inventory that onboards.

Discovery by a cloud's API throttles at some hundred machines and knows nothing of who has joined.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Vantage,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import PLAINTEXT_PORT
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    AGENT_FIGURES_PORT,
    PROXY_FIGURES_PORT,
)

# Leads the relabelling in prometheus.yml; Prometheus stores no label that begins so.
PROXY_PORT = "__proxy_port"
# Who answers for vantages, which have no workload.
VANTAGE = "vantage"


def render(
    machines: Iterable[tuple[Machine, Workload]],
    here: str,
    owners: Mapping[str, str],
    without: Collection[str] = (),
) -> str:
    """The targets that Prometheus on machine ``here`` asks, as JSON for file_sd.

    ``owners`` maps workloads (NAMESPACE/NAME) to who answers for them, the workload's name
    otherwise. Machines in ``without`` are leaving.
    """
    groups = [
        _group(machine, workload, machine.name == here, owners)
        for machine, workload in machines
        if machine.name not in without
    ]
    groups.sort(key=lambda group: str(group["labels"]["machine"]))
    return json.dumps(groups, indent=1, sort_keys=True) + "\n"


def vantages(
    given: Iterable[Vantage], owners: Mapping[str, str], without: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The same for those outside of the mesh, as data; ``owners`` may name who answers for a
    ``vantage``."""
    return [
        {
            "targets": [vantage.address],
            "labels": {"machine": vantage.name, "owner": owners.get(VANTAGE, VANTAGE)},
        }
        for vantage in sorted(given, key=lambda one: one.name)
        if vantage.name not in without
    ]


def labels(machine: Machine, workload: Workload, owners: Mapping[str, str]) -> dict[str, str]:
    """The labels of everything that is known of a machine."""
    return {
        "machine": machine.name,
        "workload": workload.name,
        "namespace": workload.namespace,
        "owner": owners.get(workload.key, workload.name),
    }


def _group(
    machine: Machine, workload: Workload, is_here: bool, owners: Mapping[str, str]
) -> dict[str, Any]:
    found = labels(machine, workload, owners)
    if is_here:  # its own figures need no way through the mesh
        found[PROXY_PORT] = str(AGENT_FIGURES_PORT)
    else:
        found[PROXY_PORT] = str(PROXY_FIGURES_PORT)
        if machine.mode != "bridge":
            # The agent listens there on every address, and only capture keeps it from the network.
            found[PLAINTEXT_PORT] = str(AGENT_FIGURES_PORT)
    address = "127.0.0.1" if is_here else machine.mesh_address
    return {"targets": [address], "labels": found}
