"""The east-west gateway: what it is told, and what the cluster knows of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import gateway
from lab.config import Lab, Machine


def everything() -> list[dict[str, Any]]:
    return [*gateway.registration(Lab(), gateway.EAST_WEST), *gateway.exposed()]


def by_kind() -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in everything()}


def test_its_service_carries_the_address_that_machines_use() -> None:
    service = by_kind()["Service"]
    assert service["spec"]["externalIPs"] == ["198.18.0.3"]
    assert 15012 in [port["port"] for port in service["spec"]["ports"]]


def test_registration_service_and_policy_mean_the_same_proxy() -> None:
    objects = by_kind()
    labels = objects["WorkloadGroup"]["spec"]["metadata"]["labels"]
    told = gateway.environment(Lab(), gateway.EAST_WEST)
    assert json.loads(told["ISTIO_METAJSON_LABELS"]) == labels
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()
    assert objects["Gateway"]["spec"]["selector"].items() <= labels.items()
    group = objects["WorkloadGroup"]
    assert told["ISTIO_META_AUTO_REGISTER_GROUP"] == group["metadata"]["name"]
    assert told["SERVICE_ACCOUNT"] == group["spec"]["template"]["serviceAccount"]


def test_istiod_is_passed_through_by_sni() -> None:
    objects = by_kind()
    ports = {
        server["port"]["number"]: server["tls"]["mode"]
        for item in everything()
        if item["kind"] == "Gateway"
        for server in item["spec"]["servers"]
    }
    assert ports == {15012: "PASSTHROUGH", 15017: "PASSTHROUGH", 15443: "AUTO_PASSTHROUGH"}
    for route in objects["VirtualService"]["spec"]["tls"]:
        assert route["match"][0]["port"] in ports
        host = route["route"][0]["destination"]["host"]
        assert host == "istiod.istio-system.svc.cluster.local"


def test_it_may_read_secrets_of_its_namespace_only() -> None:
    objects = by_kind()
    assert objects["Role"]["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}
    ]
    assert objects["RoleBinding"]["roleRef"]["kind"] == "Role"
    assert "ClusterRole" not in objects


@pytest.mark.parametrize("kind", ["egress", "ingress"])
def test_a_gateway_beside_the_labs_is_one_of_its_own(kind: str) -> None:
    item = Machine(f"{kind}-1", 20, app=f"{kind}-gateway")
    router = gateway.of_app(item)
    objects = gateway.registration(Lab(), router)
    assert {o["metadata"]["namespace"] for o in objects} == {f"istio-{kind}"}
    assert gateway.environment(Lab(), router)["INSTANCE_IP"] == "198.18.0.20"
    assert router.labels["istio"] != gateway.EAST_WEST.labels["istio"]
