# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Server-side apply against a real API server: truthful, never forced, all problems at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import AllowRule, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import Change, apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render

from tests.integration.api_server import ApiServer
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB, SHOP_API


def _fleet(namespace: str) -> list[Workload]:
    return [replace(PAYMENTS_DB, namespace=namespace), replace(SHOP_API, namespace=namespace)]


def _apply(client: Client, fleet: list[Workload], check: bool = False) -> list[Change]:
    return apply(client, render(MESH, fleet, FACTS), fleet, check)


def _actions(changes: list[Change]) -> set[str]:
    return {change.action for change in changes}


def _patch(client: Client, ref: Ref, body: dict[str, Any], manager: str = "somebody") -> None:
    client.request(
        "PATCH",
        ref.path,
        body,
        {"fieldManager": manager},
        content_type="application/merge-patch+json",
    )


def test_creates_all_then_changes_nothing(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    predicted = _apply(client, fleet, check=True)
    assert client.find(f"/api/v1/namespaces/{namespace}") is None
    done = _apply(client, fleet)
    assert done == predicted
    assert _actions(done) == {"created"}
    assert len(done) == len(render(MESH, fleet, FACTS))
    versions = [client.get(change.ref.path)["metadata"]["resourceVersion"] for change in done]
    assert _actions(_apply(client, fleet, check=True)) == {"unchanged"}
    assert _actions(_apply(client, fleet)) == {"unchanged"}
    after = [client.get(change.ref.path)["metadata"]["resourceVersion"] for change in done]
    assert after == versions


def test_one_changed_port_changes_what_names_it_and_nothing_else(
    api: ApiServer, namespace: str
) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    fleet[0] = replace(fleet[0], ports=(replace(fleet[0].ports[0], port=5433),))
    predicted = _apply(client, fleet, check=True)
    changed = [change for change in predicted if change.action != "unchanged"]
    assert {(change.ref.kind, change.action) for change in changed} == {
        ("AuthorizationPolicy", "updated"),
        ("Service", "updated"),
        ("WorkloadGroup", "updated"),
    }
    service = next(change for change in changed if change.ref.kind == "Service")
    assert service.before and service.after
    assert [p["port"] for p in service.before["spec"]["ports"]] == [5432]
    assert [p["port"] for p in service.after["spec"]["ports"]] == [5433]
    assert _apply(client, fleet) == predicted
    assert _actions(_apply(client, fleet)) == {"unchanged"}


def test_a_lost_allow_list_leaves_the_cluster(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    policy = Ref("AuthorizationPolicy", namespace, "allow-payments-db")
    fleet[0] = replace(fleet[0], callers=())
    assert [c.ref for c in _apply(client, fleet, check=True) if c.action == "deleted"] == [policy]
    assert client.find(policy.path)
    _apply(client, fleet)
    assert client.find(policy.path) is None
    assert "deleted" not in _actions(_apply(client, fleet))


def test_what_others_made_under_our_name_is_not_deleted(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    service = Ref("Service", namespace, "legacy-batch")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name},
        "spec": {"ports": [{"port": 1}]},
    }
    client.request("POST", f"/api/v1/namespaces/{namespace}/services", body)
    batch = Workload(name="legacy-batch", namespace=namespace, service_account="legacy-batch")
    _apply(client, [*fleet, batch])
    assert client.find(service.path)


def test_drift_is_repaired_when_nobody_else_claims_it(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    group = Ref("WorkloadGroup", namespace, "shop-api")
    client.request("DELETE", group.path)
    changed = [c for c in _apply(client, fleet) if c.action != "unchanged"]
    assert [(change.ref, change.action) for change in changed] == [(group, "created")]


def test_every_conflict_is_named_and_nothing_is_written(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    authentication = Ref("PeerAuthentication", namespace, "default")
    service = Ref("Service", namespace, "shop-api")
    _patch(client, authentication, {"spec": {"mtls": {"mode": "PERMISSIVE"}}}, "legacy-tool")
    _patch(client, service, {"spec": {"selector": {"app": "other"}}}, "helm")
    newcomer = replace(PAYMENTS_DB, name="ledger", namespace=namespace)
    for check in (True, False):
        with pytest.raises(ClusterError) as raised:
            _apply(client, [*fleet, newcomer], check)
        text = str(raised.value)
        assert f'{authentication}: field .spec.mtls.mode is managed by "legacy-tool"' in text
        assert f'{service}: field .spec.selector is managed by "helm"' in text or (
            f'{service}: field .spec.selector.app is managed by "helm"' in text
        )
    assert client.find(Ref("WorkloadGroup", namespace, "ledger").path) is None
    assert client.get(authentication.path)["spec"] == {"mtls": {"mode": "PERMISSIVE"}}


def test_what_others_add_stays_and_is_no_change(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    _apply(client, fleet)
    ref = Ref("Namespace", "", namespace)
    _patch(client, ref, {"metadata": {"labels": {"team": "payments"}}})
    assert _actions(_apply(client, fleet)) == {"unchanged"}
    assert client.get(ref.path)["metadata"]["labels"]["team"] == "payments"


def test_a_dying_namespace_is_named(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), _fleet(namespace)
    path = f"/api/v1/namespaces/{namespace}"
    metadata = {"name": namespace, "finalizers": ["example.com/hold"]}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    client.request("POST", "/api/v1/namespaces", body)
    client.request("DELETE", path)
    with pytest.raises(ClusterError, match=f"Namespace {namespace}: is just being deleted"):
        _apply(client, fleet)
    _patch(client, Ref("Namespace", "", namespace), {"metadata": {"finalizers": None}})


def test_a_refused_object_is_named(api: ApiServer, namespace: str) -> None:
    client = api.client()
    odd = [replace(PAYMENTS_DB, namespace=namespace, labels={"bad label!": "x"})]
    _apply(client, [replace(odd[0], labels={})])
    odd = [replace(odd[0], name="Upper", callers=(AllowRule("a", "b"),))]
    with pytest.raises(ClusterError, match=r"Service tenant-.*Upper") as raised:
        _apply(client, odd)
    assert "Traceback" not in str(raised.value)


def test_missing_rights_are_named_with_verb_and_resource(api: ApiServer, namespace: str) -> None:
    with pytest.raises(ClusterError) as raised:
        _apply(api.client("nobody"), _fleet(namespace))
    text = str(raised.value)
    assert 'User "nobody" cannot get resource "workloadgroups"' in text
    assert "docs/controller-roles.yaml" in text


def test_missing_definitions_are_named(bare_api: ApiServer) -> None:
    with pytest.raises(ClusterError) as raised:
        _apply(bare_api.client(), _fleet("tenant"))
    assert "Install Istio's CRDs" in str(raised.value)
    assert bare_api.client().find("/api/v1/namespaces/tenant") is None


@pytest.mark.parametrize(("before", "after"), [("sidecar", "bridge"), ("bridge", "sidecar")])
def test_a_workload_leaves_before_it_changes_its_mode(
    api: ApiServer, namespace: str, before: str, after: str
) -> None:
    client = api.client()
    first, then = ([replace(PAYMENTS_DB, namespace=namespace, mode=m)] for m in (before, after))
    _apply(client, first)
    with pytest.raises(ClusterError, match=f"payments-db is in mode {before} in the cluster"):
        _apply(client, then)
    assert _actions(_apply(client, first)) == {"unchanged"}
