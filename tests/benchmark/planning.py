# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The controller's own work, without a network: python -m tests.benchmark.planning MACHINES.

A process of its own for each size, so that its peak memory is that size's.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import plan, validate
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.fields import PACKAGES
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import DEFAULT_LIMIT
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import to_data
from ansible_collections.brownfield.mesh.plugins.plugin_utils import sidecar_state

MACHINES_PER_WORKLOAD = 10
FACTS = ClusterFacts(
    mesh_config={"trustDomain": "cluster.local"},
    root_certificate="-----BEGIN CERTIFICATE-----\n",
    cluster_id="Kubernetes",
    mesh_id="cluster.local",
    network="",
    istiod_host="istiod.istio-system.svc",
    istiod_address="192.0.2.1",
)


def inventory(machines: int) -> dict[str, dict[str, Any]]:
    """Host variables of ``machines`` machines, ten to a workload, each called by the next one."""
    artifacts = [
        {"name": name, "sha256": "0123456789abcdef" * 4, "url": f"https://mirror.example/{name}"}
        for name in PACKAGES["binaries"]
    ]
    workloads = -(-machines // MACHINES_PER_WORKLOAD)
    hosts: dict[str, dict[str, Any]] = {}
    for number in range(machines):
        own = number // MACHINES_PER_WORKLOAD
        caller = (own + 1) % workloads
        hosts[f"w{own}-{number}"] = {
            "mesh": {"proxy": {"artifacts": artifacts}},
            "mesh_workload": {
                "name": f"w{own}",
                "namespace": f"ns{own % 7}",
                "ports": [{"name": "http", "port": 8080}, {"name": "tcp-x", "port": 9000}],
                "callers": [{"namespace": f"ns{caller % 7}", "service_account": f"w{caller}"}],
            },
            "ansible_host": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        }
    return hosts


def measure(machines: int) -> dict[str, Any]:
    """Seconds of each step for ``machines`` machines, and this process's peak memory in MB."""
    hosts = inventory(machines)
    before = _peak_mb()
    start = time.perf_counter()
    fleet = validate.parse(hosts)
    parsed = time.perf_counter()
    planned = plan.build(fleet, FACTS, DEFAULT_LIMIT)
    built = time.perf_counter()
    states = [
        to_data(sidecar_state.render(machine, fleet.workload_of(machine), FACTS))
        for machine in fleet.machines
    ]
    end = time.perf_counter()
    assert len(states) == len(planned["machines"]) == machines
    return {
        "machines": machines,
        "seconds": round(end - start, 3),
        "parse": round(parsed - start, 3),
        "plan": round(built - parsed, 3),
        "render": round(end - built, 3),
        "peak_mb": round(_peak_mb(), 1),
        "peak_mb_before": round(before, 1),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
