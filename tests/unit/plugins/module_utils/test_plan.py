# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The plan is plain data from which every later step can take its values."""

from __future__ import annotations

import json

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.plan import build
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case, cases
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse
from hypothesis import given

from tests.support.fleet import FACTS
from tests.support.inventory import Hosts, inventories, lab


@given(inventories())
def test_everything_comes_back_from_the_plan(hosts: Hosts) -> None:
    fleet = parse(hosts)
    plan = json.loads(json.dumps(build(fleet, FACTS, 64)))
    assert from_data(ClusterFacts, plan["cluster"]) == FACTS
    assert from_data(Mesh, plan["mesh"]) == fleet.mesh
    assert {name: from_data(Workload, item) for name, item in plan["workloads"].items()} == {
        workload.key: workload for workload in fleet.workloads
    }
    for machine in fleet.machines:
        item = plan["machines"][machine.name]
        assert from_data(Machine, item["machine"]) == machine
        assert from_data(Workload, item["workload"]) == fleet.workload_of(machine)
        assert plan["modes"][machine.name]["mode"] == machine.mode
    planned = [from_data(Case, item) for items in plan["cases"].values() for item in items]
    assert tuple(planned) == cases(fleet)
    assert all(source == item["source"] for source, i in plan["cases"].items() for item in i)


def test_auto_is_decided_with_a_reason() -> None:
    hosts = lab()
    for name in ("shop-api-1", "shop-api-2"):
        hosts[name]["mesh_workload"]["mode"] = "auto"
    decisions = {"shop/shop-api": Decision("sidecar", "the cluster takes it")}
    plan = build(parse(hosts, decisions=decisions), FACTS, 64, decisions)
    decided = {"mode": "sidecar", "reason": "auto: the cluster takes it"}
    assert plan["modes"]["shop-api-2"] == decided
    assert plan["modes"]["legacy-batch-1"] == {"mode": "sidecar", "reason": ""}
    assert plan["workloads"]["shop/shop-api"]["mode"] == "sidecar"


def test_the_digest_follows_the_inventory_only() -> None:
    hosts = lab()
    first = build(parse(hosts), FACTS, 64)["fleet_digest"]
    assert first == build(parse(dict(reversed(hosts.items()))), FACTS, 8)["fleet_digest"]
    hosts["payments-db-1"]["mesh_workload"]["weight"] = 1
    assert first != build(parse(hosts), FACTS, 64)["fleet_digest"]


def test_what_is_left_out_is_in_the_plan() -> None:
    plan = build(parse(lab()), FACTS, 5)
    what = "cases of 4 of 4 machines, because of the limit of 5"
    assert {"source": "outsider-1", "what": what} in plan["cases_left_out"]


def test_who_may_read_figures_is_monitoring_and_the_clusters_prometheus() -> None:
    hosts = lab()
    fleet = parse(hosts)
    assert build(fleet, FACTS, 64)["monitoring"] == []
    assert build(fleet, FACTS, 64, watching=["legacy-batch-1", "elsewhere"])["monitoring"] == [
        {"namespace": "batch", "service_account": "legacy-batch"}
    ]
    own = {"namespace": "a", "service_account": "own"}
    for variables in hosts.values():
        variables["mesh"] = {**variables["mesh"], "prometheus": own}
    watching = ["shop-api-1", "shop-api-2"]
    assert build(parse(hosts), FACTS, 64, watching=watching)["monitoring"] == [
        own,
        {"namespace": "shop", "service_account": "shop-api"},
    ]
