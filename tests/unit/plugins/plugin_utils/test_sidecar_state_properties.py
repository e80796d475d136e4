# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever validates is found again in the machines' files and in the cluster's objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import (
    ClusterFacts,
    network_of,
    workload_labels,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CONFIG,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Fleet,
    HealthProbe,
    Workload,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse
from ansible_collections.brownfield.mesh.plugins.plugin_utils import objects, proxy_config
from hypothesis import given, settings

from tests.support.environment import by_rules
from tests.support.inventory import Hosts, inventories
from tests.support.sidecar import FACTS, Case, described, health_of, wanted


def _facts(fleet: Fleet) -> ClusterFacts:
    """Of a cluster as the inventory says."""
    istiod = fleet.mesh.istiod
    return replace(
        FACTS,
        istiod_host=istiod.host or FACTS.istiod_host,
        istiod_address=istiod.address or FACTS.istiod_address,
    )


@settings(max_examples=30)
@given(inventories())
def test_the_files_say_what_the_inventory_says(hosts: Hosts) -> None:
    fleet = parse(hosts)
    facts = _facts(fleet)
    assert proxy_config.problems(fleet) == []
    for machine in fleet.machines:
        case = Case(machine, fleet.workload_of(machine), facts)
        state = case.render()
        files = {file.path: file.content for file in state.files.files}
        assert described(files, state.capture_env, by_rules) == wanted(case)
        (line,) = state.files.hosts
        assert (line.address, line.name) == (facts.istiod_address, facts.istiod_host)
        own = proxy_config.read(case.workload).get("proxyMetadata") or {}
        assert own.items() <= by_rules(files[CONFIG + "/cluster.env"]).items()
        # As it travels to the machine.
        assert from_data(SidecarState, json.loads(json.dumps(to_data(state)))) == state
        assert (state.package, state.artifacts) == (
            machine.mesh.proxy.package,
            machine.mesh.proxy.artifacts,
        )
        assert (state.ssh_port, state.dns) == (machine.ssh_port, machine.mesh.dns)
        assert state.capture_method == machine.mesh.capture.method


@settings(max_examples=30)
@given(inventories())
def test_the_objects_say_what_the_inventory_says(hosts: Hosts) -> None:
    fleet = parse(hosts)
    facts = _facts(fleet)
    items = objects.render(fleet.mesh, fleet.workloads, facts)
    network = network_of(fleet.mesh, facts)
    for workload in fleet.workloads:
        assert _said(items, workload) == _meant(workload, network)
    names = {(i["metadata"].get("namespace"), i["metadata"]["name"]) for i in items}
    assert {(w.namespace, w.service_account) for w in fleet.workloads} <= names


def _meant(workload: Workload, network: str) -> dict[str, Any]:
    ports = {(port.name, port.port) for port in workload.ports}
    return {
        "service_account": workload.service_account,
        "labels": workload_labels(workload),
        "annotations": workload.annotations,
        "ports": ports,
        "served": ports,
        "health": workload.health,
        "locality": workload.locality,
        "weight": workload.weight,
        "network": network,
        "callers": {
            (rule.namespace, rule.service_account, port)
            for rule in workload.callers
            for port in rule.ports or [port.port for port in workload.ports]
        },
    }


def _said(items: Sequence[dict[str, Any]], workload: Workload) -> dict[str, Any]:
    """What the objects of a workload say of it, in the words of the specification."""
    own = {
        (item["kind"], item["metadata"]["name"]): item.get("spec", {})
        for item in items
        if item["metadata"].get("namespace") == workload.namespace
    }
    group = own["WorkloadGroup", workload.name]
    template = group["template"]
    service = own.get(("Service", workload.name), {"ports": []})
    rules = own.get(("AuthorizationPolicy", "allow-" + workload.name), {"rules": []})["rules"]
    probe: HealthProbe | None = health_of(group["probe"]) if "probe" in group else None
    return {
        "service_account": template["serviceAccount"],
        "labels": group["metadata"]["labels"],
        "annotations": group["metadata"].get("annotations", {}),
        "ports": set(template.get("ports", {}).items()),
        "served": {(port["name"], port["targetPort"]) for port in service["ports"]},
        "health": probe,
        "locality": template.get("locality", ""),
        "weight": template.get("weight", 0),
        "network": template.get("network", ""),
        "callers": {
            (*principal.split("/")[2::2], int(port))
            for rule in rules
            for source in rule["from"]
            for principal in source["source"]["principals"]
            for operation in rule["to"]
            for port in operation["operation"]["ports"]
        },
    }
