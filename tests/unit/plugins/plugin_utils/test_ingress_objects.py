# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The gateway lets in who lists a call, for this call only, and refuses everybody else.

``UPDATE_GOLDEN=1 pytest`` of this file writes the golden file anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Bridge,
    Call,
    IngressGateway,
    Mesh,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import ingress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.bridge_envoy import (
    server_name_at_gateway,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import is_managed

from tests.support.fleet import FACTS, WORKLOADS
from tests.support.fleet import MESH as PLAIN_MESH
from tests.support.ingress import BATCH, DATABASE_CALL, FLEET, GATEWAY, MESH, SHOP_CALL

GOLDEN = Path(__file__).parents[3] / "golden" / "objects" / "ingress.yaml"
BY_ISTIOD = Mesh(bridge=Bridge(gateway=IngressGateway()))


def render(mesh: Mesh = MESH, revoked: str = "") -> list[dict[str, Any]]:
    return ingress_objects.render(mesh, FLEET, FACTS, revoked)


def by_kind(kind: str, mesh: Mesh = MESH, revoked: str = "") -> list[dict[str, Any]]:
    return [item for item in render(mesh, revoked) if item["kind"] == kind]


def test_the_objects_are_as_reviewed() -> None:
    text = yaml.safe_dump_all(render(), sort_keys=False)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    assert all(is_managed(item) for item in render())
    assert {item["metadata"]["namespace"] for item in render()} == {"istio-ingress"}


def test_there_is_nothing_without_a_gateway_or_without_a_bridge() -> None:
    assert ingress_objects.render(PLAIN_MESH, FLEET, FACTS) == []
    assert ingress_objects.render(MESH, WORKLOADS, FACTS) == []


def test_only_who_lists_a_call_may_make_it() -> None:
    allowed = {
        sni: rule["from"][0]["source"]["principals"]
        for item in by_kind("AuthorizationPolicy")
        for rule in item["spec"].get("rules", ())
        for sni in rule["when"][0]["values"]
    }
    batch, reports = ("cluster.local/ns/batch/sa/" + name for name in ("legacy-batch", "reports"))
    assert allowed == {
        "8080.shop-api.shop.svc.cluster.local": [batch, reports],
        "5432.payments-db.payments.svc.cluster.local": [batch],
    }


def test_every_policy_is_for_the_gateways_proxies_and_one_refuses_the_rest() -> None:
    policies = by_kind("AuthorizationPolicy")
    labels = dict(GATEWAY.labels)
    assert all(item["spec"]["selector"] == {"matchLabels": labels} for item in policies)
    (deny,) = [item for item in policies if "rules" not in item["spec"]]
    assert "action" not in deny["spec"]


def test_each_call_has_a_server_of_its_own_that_demands_a_certificate() -> None:
    (gateway,) = by_kind("Gateway")
    servers = {server["hosts"][0]: server for server in gateway["spec"]["servers"]}
    assert {name: server["port"]["protocol"] for name, server in servers.items()} == {
        server_name_at_gateway(SHOP_CALL.fqdn, 8080): "HTTPS",
        server_name_at_gateway(DATABASE_CALL.fqdn, 5432): "TLS",
    }
    assert {server["tls"]["mode"] for server in servers.values()} == {"MUTUAL"}
    assert {server["tls"]["minProtocolVersion"] for server in servers.values()} == {"TLSV1_3"}
    names = [server["port"]["name"] for server in servers.values()]
    assert len(set(names)) == len(names)


def test_it_believes_the_meshs_roots_and_looks_into_the_lists() -> None:
    (before,), (after,) = by_kind("ConfigMap"), by_kind("ConfigMap", revoked="LIST")
    assert before["data"] == {"ca.crt": FACTS.root_certificate}
    assert after["data"] == {"ca.crt": FACTS.root_certificate, "ca.crl": "LIST"}
    (gateway,) = by_kind("Gateway")
    (reference,) = {s["tls"]["caCertCredentialName"] for s in gateway["spec"]["servers"]}
    metadata = before["metadata"]
    assert reference == "configmap://%s/%s" % (metadata["namespace"], metadata["name"])


def test_with_istiods_certificate_nothing_is_named_or_brought() -> None:
    assert by_kind("ConfigMap", BY_ISTIOD) == []
    (gateway,) = by_kind("Gateway", BY_ISTIOD)
    assert {str(server["tls"]) for server in gateway["spec"]["servers"]} == {
        "{'mode': 'ISTIO_MUTUAL'}"
    }


def test_names_are_labels_and_differ() -> None:
    hosts = ["a.b", "a-b.c", "a.b-c", "x" * 60 + ".y", "x" * 60 + ".z"]
    caller = replace(BATCH, calls=tuple(Call(65535, host=host) for host in hosts))
    items = ingress_objects.render(MESH, [caller], FACTS)
    names = [i["metadata"]["name"] for i in items if i["kind"] == "VirtualService"]
    assert len(set(names)) == len(hosts)
    assert all(len(name) <= 63 for name in names)
