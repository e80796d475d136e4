# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The way out is what the inventory says: who may go where, and nothing else.

``UPDATE_GOLDEN=1 pytest`` of this file writes the golden file anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import Egress, ExternalService
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Mesh
from ansible_collections.brownfield.mesh.plugins.plugin_utils import egress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    egress_guards,
    is_managed,
)

from tests.support.egress import BATCH, EGRESS, EGRESS_MESH, FLEET, MACHINES
from tests.support.fleet import FACTS, MESH

GOLDEN = Path(__file__).parents[3] / "golden" / "objects" / "egress.yaml"


def render(mesh: Mesh = EGRESS_MESH, **differs: Any) -> list[dict[str, Any]]:
    facts = replace(FACTS, mesh_config={**FACTS.mesh_config, **differs})
    return egress_objects.render(mesh, ["batch", "shop"], FLEET, MACHINES, facts)


def test_the_objects_are_as_reviewed() -> None:
    text = yaml.safe_dump_all(render(), sort_keys=False)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    assert all(is_managed(item) for item in render())


def test_nothing_is_rendered_for_a_mesh_without_egress() -> None:
    assert render(MESH) == []


def test_only_who_lists_a_service_is_allowed() -> None:
    allowed = {
        sni: rule["from"][0]["source"]["principals"]
        for item in render()
        if item["kind"] == "AuthorizationPolicy"
        for rule in item["spec"].get("rules", ())
        for sni in rule["when"][0]["values"]
    }
    batch, shop = "cluster.local/ns/batch/sa/legacy-batch", "cluster.local/ns/shop/sa/shop-api"
    assert allowed == {"api.partner.example": [batch, shop], "ledger.example": [batch]}


def test_every_policy_and_server_is_for_the_gateways_proxies() -> None:
    labels = dict(EGRESS.gateway.labels)
    items = [i for i in render() if i["kind"] == "AuthorizationPolicy"]
    assert len(items) == 3
    assert all(item["spec"]["selector"]["matchLabels"] == labels for item in items)
    (deny,) = [item for item in items if "rules" not in item["spec"]]
    assert "action" not in deny["spec"]


def test_credentials_are_for_the_gateway_only() -> None:
    for item in render():
        if "credentialName" in str(item):
            assert item["kind"] == "DestinationRule"
            assert item["spec"]["exportTo"] == ["."]


def test_a_mesh_that_refuses_by_itself_needs_no_sidecar() -> None:
    def kinds(items: list[dict[str, Any]]) -> set[str]:
        return {item["kind"] for item in items}

    assert "Sidecar" in kinds(render())
    closed = render(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert "Sidecar" not in kinds(closed)
    assert "NetworkPolicy" in kinds(closed)


def test_the_guards_of_a_namespace_are_found_again() -> None:
    guards = {ref_of(i) for i in render() if i["metadata"]["namespace"] == "batch"}
    assert guards == set(egress_guards("batch"))


def test_a_workloads_own_sidecar_refuses_too() -> None:
    items: list[dict[str, Any]] = [{"kind": "Sidecar", "spec": {}}, {"kind": "Service", "spec": {}}]
    egress_objects.confine(MESH, items)
    assert items[0]["spec"] == {}
    egress_objects.confine(EGRESS_MESH, items)
    assert items[0]["spec"] == {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
    assert items[1]["spec"] == {}


def test_names_are_labels_and_differ() -> None:
    hosts = ["a-b.example", "a.b.example", "x" * 60 + ".example", "x" * 60 + ".example.org"]
    services = tuple(ExternalService(host, 65535) for host in hosts)
    items = egress_objects.gateway_objects(Mesh(egress=Egress(services=services)), [BATCH])
    names = [i["metadata"]["name"] for i in items if i["kind"] == "ServiceEntry"]
    assert len(set(names)) == len(hosts)
    assert all(len(name) <= 63 for name in names)
