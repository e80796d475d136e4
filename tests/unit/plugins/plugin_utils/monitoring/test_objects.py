# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Who may read figures: monitoring's identity, at two ports that lead to loopback; nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Port,
    Prometheus,
    Vantage,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import belongs_to

from tests.support.fleet import LEGACY_BATCH, PAYMENTS_DB, SHOP_API, WORKLOADS
from tests.support.istio import istio_definitions

MONITORING = Prometheus("watch", "prometheus")
MONITORS = replace(LEGACY_BATCH, name="m", namespace="watch", service_account="prometheus")
MESH = Mesh(trust_domain="corp.example")
MACHINES = (
    Machine("shop-api-2", SHOP_API.key, "10.0.0.2", external_address="203.0.113.2"),
    Machine("shop-api-1", SHOP_API.key, "10.0.0.1"),
    Machine("payments-db-1", PAYMENTS_DB.key, "10.0.0.3"),
)

VANTAGES = (Vantage("o-2", "192.0.2.9"), Vantage("o-1", "192.0.2.8"))


def spec_of(kind: str, workload: Workload, *monitoring: Prometheus) -> dict[str, Any]:
    items = objects.render(MESH, [workload], MACHINES, monitoring or (MONITORING,))
    (found,) = [item["spec"] for item in items if item["kind"] == kind]
    return dict(found)


@pytest.mark.parametrize(
    "kind", ["AuthorizationPolicy", "DestinationRule", "ServiceEntry", "Sidecar"]
)
def test_fits_istios_schema(kind: str) -> None:
    jsonschema.validate(spec_of(kind, SHOP_API), schema_of(kind))


def schema_of(kind: str) -> Any:
    for definition in istio_definitions():
        for version in definition["spec"]["versions"]:
            name = f"{definition['spec']['group']}/{version['name']}"
            if (definition["spec"]["names"]["kind"], name) == (kind, KINDS[kind].api_version):
                return version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    raise AssertionError("Istio has no " + kind)


def test_only_monitoring_is_let_in() -> None:
    (rule,) = spec_of("AuthorizationPolicy", SHOP_API)["rules"]
    assert rule["from"] == [{"source": {"principals": ["corp.example/ns/watch/sa/prometheus"]}}]
    assert rule["to"] == [{"operation": {"ports": ["19100", "19101"]}}]


def test_only_monitoring_knows_the_way_and_expects_the_right_identity() -> None:
    entry, rule = (spec_of(kind, PAYMENTS_DB) for kind in ("ServiceEntry", "DestinationRule"))
    assert entry["exportTo"] == rule["exportTo"] == ["watch"]
    assert entry["hosts"] == [rule["host"]]
    assert rule["trafficPolicy"]["tls"] == {
        "mode": "ISTIO_MUTUAL",
        "subjectAltNames": ["spiffe://corp.example/ns/payments/sa/payments-db"],
    }


def test_each_machine_is_asked_at_its_own_address() -> None:
    assert spec_of("ServiceEntry", SHOP_API)["addresses"] == ["10.0.0.1", "203.0.113.2"]
    assert spec_of("ServiceEntry", PAYMENTS_DB)["addresses"] == ["10.0.0.3"]


def test_more_machines_than_a_service_entry_takes_are_refused() -> None:
    many = [Machine(f"m{n}", SHOP_API.key, f"10.1.{n // 250}.{n % 250}") for n in range(257)]
    assert objects.render(MESH, [SHOP_API], many[1:], [MONITORING])
    with pytest.raises(
        ClusterError, match="shop/shop-api has 257 machines, and of one workload 256"
    ):
        objects.render(MESH, [SHOP_API], many, [MONITORING])


def test_figures_lead_to_loopback_and_the_workloads_ports_stay_as_they_are() -> None:
    workload = replace(SHOP_API, ports=(Port("http", 8080), Port("udp-dns", 53)))
    ingress = spec_of("Sidecar", workload)["ingress"]
    assert [(one["port"]["number"], one["defaultEndpoint"]) for one in ingress] == [
        (19100, "127.0.0.1:19100"),
        (19101, "127.0.0.1:15020"),
        (8080, "0.0.0.0:8080"),
    ]
    assert ingress[2]["port"] == {"number": 8080, "name": "http", "protocol": "HTTP"}


def test_without_monitoring_there_is_nothing() -> None:
    assert objects.render(MESH, WORKLOADS, MACHINES, ()) == []


def test_a_bridge_lets_in_by_itself() -> None:
    items = objects.render(MESH, [replace(SHOP_API, mode="bridge")], MACHINES, [MONITORING])
    assert [item["kind"] for item in items] == ["DestinationRule", "ServiceEntry"]
    assert "workloadSelector" not in items[1]["spec"]
    assert items[1]["spec"]["addresses"] == ["10.0.0.1", "203.0.113.2"]


def test_who_monitors_has_a_way_to_the_vantages_and_nobody_else() -> None:
    items = objects.render(MESH, [MONITORS, SHOP_API], MACHINES, [MONITORING], VANTAGES)
    (way,) = [item for item in items if item["metadata"]["name"].startswith("vantages-")]
    assert way["metadata"]["namespace"] == "watch"
    assert way["spec"]["addresses"] == ["192.0.2.8", "192.0.2.9"]
    assert way["spec"]["exportTo"] == ["."]
    jsonschema.validate(way["spec"], schema_of("ServiceEntry"))
    alone = objects.render(MESH, [MONITORS], MACHINES, [MONITORING])
    assert not [item for item in alone if item["metadata"]["name"].startswith("vantages-")]


def test_what_is_made_is_what_is_taken_away() -> None:
    own = Prometheus(LEGACY_BATCH.namespace, LEGACY_BATCH.service_account)
    items = objects.render(MESH, [LEGACY_BATCH], MACHINES, [own], VANTAGES)
    assert [ref_of(item) for item in items] == list(objects.metrics_refs(LEGACY_BATCH))
    assert all(belongs_to(item, LEGACY_BATCH) for item in items)
