# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the cluster gets is exactly what the inventory says, and what Istio's schema allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import workload_labels
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import AllowRule, Mesh, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils import egress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    belongs_to,
    is_managed,
    own_refs,
    render,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bridge import BILLING
from tests.support.bridge import MACHINE as BRIDGE
from tests.support.egress import EGRESS_MESH, FLEET, MACHINES
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB, SHOP_API, WORKLOADS, fleets
from tests.support.istio import istio_definitions

GOLDEN = Path(__file__).parents[3] / "golden" / "objects"


def _one(items: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [i for i in items if i["kind"] == kind and i["metadata"]["name"] == name]
    return found


def _closed(schema: Any) -> Any:
    """The schema, refusing fields it does not name, as the API server's strict validation does."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture(scope="module")
def validators() -> dict[str, jsonschema.Draft7Validator]:
    found = {}
    for definition in istio_definitions():
        spec = definition["spec"]
        for version in spec["versions"]:
            kind = KINDS.get(spec["names"]["kind"])
            if kind and kind.api_version == f"{spec['group']}/{version['name']}":
                schema = _closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
                found[spec["names"]["kind"]] = jsonschema.Draft7Validator(schema)
    assert set(found) >= {"WorkloadGroup", "AuthorizationPolicy", "PeerAuthentication"}
    return found


def test_lab_workloads_are_as_reviewed() -> None:
    expected = list(yaml.safe_load_all((GOLDEN / "lab.yaml").read_text()))
    assert render(MESH, WORKLOADS, FACTS) == expected


@settings(deadline=None, max_examples=50)
@given(fleets)
def test_fits_istios_schema(validators: dict[str, Any], fleet: list[Workload]) -> None:
    for item in render(replace(MESH, network="vms"), fleet, FACTS):
        if item["kind"] in validators:
            validators[item["kind"]].validate(item["spec"])


def test_the_way_out_fits_istios_schema(validators: dict[str, Any]) -> None:
    items = egress_objects.render(EGRESS_MESH, ["batch"], FLEET, MACHINES, FACTS)
    checked = [item for item in items if item["kind"] in validators]
    assert len(checked) == len(items) - 1  # all but the NetworkPolicy
    for item in checked:
        validators[item["kind"]].validate(item["spec"])


@settings(deadline=None, max_examples=50)
@given(fleets, st.randoms())
def test_is_byte_stable_and_complete(fleet: list[Workload], random: Any) -> None:
    items = render(MESH, fleet, FACTS)
    text = yaml.safe_dump_all(items, sort_keys=False)
    shuffled = list(fleet)
    random.shuffle(shuffled)
    assert yaml.safe_dump_all(render(MESH, shuffled, FACTS), sort_keys=False) == text
    assert list(yaml.safe_load_all(text)) == items
    refs = [ref_of(item) for item in items]
    assert len(set(refs)) == len(refs)
    assert all(is_managed(item) for item in items)
    for workload in fleet:
        own = {ref_of(item) for item in items if belongs_to(item, workload)}
        same_namespace = {r for r in own if r.namespace == workload.namespace}
        assert same_namespace <= set(own_refs(workload))


@settings(deadline=None, max_examples=50)
@given(fleets)
def test_policies_allow_what_the_allow_list_says(fleet: list[Workload]) -> None:
    items = render(MESH, fleet, FACTS)
    for workload in fleet:
        allowed = {
            (principal, int(port))
            for item in items
            if item["kind"] == "AuthorizationPolicy" and belongs_to(item, workload)
            if item["metadata"]["namespace"] == workload.namespace
            for rule in item["spec"]["rules"]
            for source in rule["from"]
            for principal in source["source"]["principals"]
            for to in rule["to"]
            for port in to["operation"]["ports"]
        }
        expected = {
            (caller.principal("cluster.local"), port)
            for caller in workload.callers
            for port in caller.ports or tuple(p.port for p in workload.ports)
        }
        assert allowed == expected


def test_the_namespaces_own_policies_have_no_selector() -> None:
    items = render(MESH, [PAYMENTS_DB], FACTS)
    assert _one(items, "AuthorizationPolicy", "default-deny")["spec"] == {}
    assert _one(items, "PeerAuthentication", "default")["spec"] == {"mtls": {"mode": "STRICT"}}


def test_the_service_selects_what_the_machines_report() -> None:
    labelled = replace(PAYMENTS_DB, labels={"app": "other", "version": "v1"})
    labels = workload_labels(labelled)
    selector = _one(render(MESH, [labelled], FACTS), "Service", "payments-db")["spec"]["selector"]
    assert selector.items() <= labels.items()
    assert labels["version"] == "v1"


@pytest.mark.parametrize(
    ("mesh", "labels"),
    [
        (Mesh(), {"istio-injection": "enabled"}),
        (Mesh(revision="canary"), {"istio.io/rev": "canary"}),
        (
            Mesh(network="vms"),
            {"istio-injection": "enabled", "topology.istio.io/network": "vms"},
        ),
    ],
)
def test_the_namespace_says_revision_and_network(mesh: Mesh, labels: dict[str, str]) -> None:
    found = _one(render(mesh, [SHOP_API], FACTS), "Namespace", "shop")["metadata"]["labels"]
    assert found == {"app.kubernetes.io/managed-by": "brownfield.mesh", **labels}


def test_machines_are_in_the_clusters_network_unless_told_otherwise() -> None:
    facts = replace(FACTS, network="cluster-net")
    for mesh, network in ((MESH, "cluster-net"), (Mesh(network="vms"), "vms")):
        group = _one(render(mesh, [SHOP_API], facts), "WorkloadGroup", "shop-api")
        assert group["spec"]["template"]["network"] == network


def test_a_workload_that_serves_nothing_has_neither_service_nor_allow_list() -> None:
    client = replace(PAYMENTS_DB, ports=(), health=None, callers=(AllowRule("shop", "api"),))
    kinds = [item["kind"] for item in render(MESH, [client], FACTS)]
    assert "Service" not in kinds
    assert kinds.count("AuthorizationPolicy") == 1


def test_a_bridges_service_has_its_machines_as_endpoints(validators: dict[str, Any]) -> None:
    machines = [replace(BRIDGE, name="b-2", address="192.0.2.78"), BRIDGE]
    mesh = replace(MESH, network="vms")
    items = render(mesh, [replace(BILLING, locality="west/1", weight=3)], FACTS, machines)
    kinds = [item["kind"] for item in items]
    assert {"WorkloadGroup", "WorkloadEntry"}.isdisjoint(kinds)
    service = _one(items, "Service", "billing")["spec"]
    entry = _one(items, "ServiceEntry", "billing")["spec"]
    rule = _one(items, "DestinationRule", "billing")["spec"]
    assert "selector" not in service
    assert [(p["name"], p["number"]) for p in entry["ports"]] == [
        (p["name"], p["port"]) for p in service["ports"]
    ]
    assert entry["hosts"] == [rule["host"]] == ["billing.finance.svc.cluster.local"]
    assert [e["address"] for e in entry["endpoints"]] == ["192.0.2.78", "192.0.2.77"]
    for endpoint in entry["endpoints"]:
        assert set(endpoint["ports"].values()) == {15443}
        assert endpoint["labels"]["security.istio.io/tlsMode"] == "istio"
        assert (endpoint["network"], endpoint["locality"], endpoint["weight"]) == (
            "vms",
            "west/1",
            3,
        )
    tls = rule["trafficPolicy"]["tls"]
    assert tls["mode"] == "ISTIO_MUTUAL"
    assert tls["subjectAltNames"] == ["spiffe://cluster.local/ns/finance/sa/billing-app"]
    for item in items:
        if item["kind"] in ("ServiceEntry", "DestinationRule"):
            validators[item["kind"]].validate(item["spec"])


def test_a_bridge_that_serves_nothing_needs_no_service() -> None:
    items = render(MESH, [replace(BILLING, ports=(), callers=())], FACTS, [BRIDGE])
    kinds = {item["kind"] for item in items}
    assert kinds == {"Namespace", "ServiceAccount", "PeerAuthentication", "AuthorizationPolicy"}


@pytest.mark.parametrize("mode", ["sidecar", "bridge"])
def test_all_objects_of_either_mode_are_known_for_removal(mode: str) -> None:
    workload = replace(BILLING, mode=mode)
    own = [i for i in render(MESH, [workload], FACTS, [BRIDGE]) if belongs_to(i, workload)]
    assert own
    assert {ref_of(item) for item in own} <= set(own_refs(workload))
