# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What mode auto becomes in real clusters, and that a bridge needs no WorkloadGroup anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Fleet,
    Machine,
    Mesh,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import mode_facts, registration
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.drain import drain
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

from lab.control import MANAGED_LABEL, managed_policy
from tests.integration import api_server
from tests.integration.api_server import ApiServer
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def _decide(
    api: ApiServer, namespace: str, user: str = "admin", name: str = "payments-db"
) -> Decision:
    workload = replace(PAYMENTS_DB, namespace=namespace, name=name)
    fleet = Fleet(Mesh(cluster=api.cluster(user)), (workload,), ())
    return mode_facts.decide(fleet, FACTS)[workload.key]


def _make(client: Client, namespace: str, **labels: str) -> None:
    metadata = {"name": namespace, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    client.request("POST", "/api/v1/namespaces", body)


def _await_bridge(api: ApiServer, namespace: str, name: str = "payments-db") -> Decision:
    """A policy takes a moment to reach the API server's admission."""
    end = time.monotonic() + 20
    while (decision := _decide(api, namespace, name=name)).mode != "bridge":
        assert time.monotonic() < end, decision
        time.sleep(0.2)
    return decision


def _install(client: Client, objects: list[dict[str, Any]]) -> list[str]:
    """Creates policies and bindings; returns their paths, bindings first."""
    paths = []
    for item in objects:
        path = f"{ADMISSION}/{PLURALS[item['kind']]}"
        client.request("POST", path, item)
        paths.insert(0, f"{path}/{item['metadata']['name']}")
    return paths


@pytest.fixture
def managed(api: ApiServer, namespace: str) -> Iterator[str]:
    """A namespace that wants no machines, by the policy of the lab."""
    client = api.client()
    _make(client, namespace, **{MANAGED_LABEL: "true"})
    paths = _install(client, managed_policy())
    yield namespace
    for path in paths:
        client.request("DELETE", path)


def test_a_cluster_that_takes_it(api: ApiServer, namespace: str) -> None:
    client = api.client()
    _make(client, namespace)
    assert _decide(api, namespace) == Decision("sidecar", "the cluster takes WorkloadGroup")
    assert client.find(Ref("WorkloadGroup", namespace, "payments-db").path) is None


def test_a_field_that_others_manage_does_not_decide(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), [replace(PAYMENTS_DB, namespace=namespace)]
    apply(client, render(MESH, fleet, FACTS), fleet, check=False)
    path = Ref("WorkloadGroup", namespace, "payments-db").path
    body = {"spec": {"template": {"serviceAccount": "other"}}}
    kind = "application/merge-patch+json"
    before = client.request("PATCH", path, body, {"fieldManager": "other"}, content_type=kind)
    assert _decide(api, namespace).mode == "sidecar"
    assert client.get(path) == before


def test_a_cluster_that_refuses_it(api: ApiServer, managed: str, namespace: str) -> None:
    decision = _await_bridge(api, managed)
    assert decision.reason.startswith("the cluster refuses WorkloadGroup: ValidatingAdmission")
    assert decision.reason.endswith("this managed mesh has pods only")


@pytest.mark.parametrize("reason", ["Forbidden", "RequestEntityTooLarge"])
def test_a_policy_may_refuse_with_other_codes(api: ApiServer, namespace: str, reason: str) -> None:
    client = api.client()
    _make(client, namespace, **{"test/reason": reason})
    policy, binding = managed_policy()
    policy["spec"]["validations"][0]["reason"] = reason
    selector = {"matchLabels": {"test/reason": reason}}
    binding["spec"]["matchResources"]["namespaceSelector"] = selector
    paths = _install(client, [policy, binding])
    try:
        assert "denied request" in _await_bridge(api, namespace).reason
    finally:
        for path in paths:
            client.request("DELETE", path)


def test_a_namespace_that_does_not_exist_yet(api: ApiServer, namespace: str) -> None:
    decision = _decide(api, namespace)
    assert decision.mode == "sidecar"
    assert f"{namespace} is yet to be made" in decision.reason
    assert api.client().find(f"/api/v1/namespaces/{namespace}") is None


def test_what_the_whole_cluster_refuses_is_known_before_the_namespace_is(
    api: ApiServer, namespace: str
) -> None:
    client = api.client()
    policy, binding = managed_policy()
    # For one name, so that the other tests are left alone.
    policy["spec"]["validations"][0]["expression"] = "object.metadata.name != 'everywhere'"
    del binding["spec"]["matchResources"]
    paths = _install(client, [policy, binding])
    try:
        decision = _await_bridge(api, namespace, "everywhere")
        assert f"(asked in namespace default: {namespace} is yet to be made)" in decision.reason
        assert decision.reason.endswith("this managed mesh has pods only")
    finally:
        for path in paths:
            client.request("DELETE", path)


def test_missing_rights_are_an_error(api: ApiServer, managed: str) -> None:
    with pytest.raises(ClusterError) as raised:
        _decide(api, managed, "nobody")
    text = str(raised.value)
    assert 'User "nobody" cannot patch resource "workloadgroups"' in text
    assert "docs/controller-roles.yaml" in text
    assert "write mesh_workload.mode: sidecar or bridge" in text


def test_credentials_that_nobody_knows_are_an_error(api: ApiServer, namespace: str) -> None:
    text = (api.folder / "kubeconfig").read_text()
    other = api.folder / "expired"
    other.write_text(text.replace("token-admin", "token-of-yesterday"))
    cluster = replace(api.cluster(), kubeconfig=str(other))
    with pytest.raises(ClusterError, match="missing or expired"):
        mode_facts.decide(Fleet(Mesh(cluster=cluster), (PAYMENTS_DB,), ()), FACTS)


def _bridge_of(mesh: Mesh, workload: Workload) -> list[dict[str, Any]]:
    machine = Machine("db-1", workload.key, "192.0.2.7", mode="bridge")
    return render(mesh, [workload], FACTS, [machine])


def _lives_as_bridge(api: ApiServer, namespace: str) -> None:
    """Applied, applied again, looked at and removed without a trace."""
    client, cluster = api.client(), api.cluster()
    workload = replace(PAYMENTS_DB, namespace=namespace, mode="bridge")
    objects = _bridge_of(MESH, workload)
    made = {change.action for change in apply(client, objects, [workload], check=False)}
    assert "created" in made
    again = apply(client, objects, [workload], check=False)
    assert {change.action for change in again} == {"unchanged"}
    assert registration.workload_entries(cluster, [namespace]) == []
    machine = Machine("db-1", workload.key, "192.0.2.7", mode="bridge")
    assert list(drain(client, [(machine, workload)], check=False)) == []
    assert remove(client, [workload], check=False).changes
    for kind in ("Service", "ServiceEntry", "DestinationRule", "ServiceAccount"):
        assert client.find(Ref(kind, namespace, "payments-db").path) is None


def test_a_bridge_lives_where_it_is_refused(api: ApiServer, managed: str) -> None:
    _await_bridge(api, managed)
    _lives_as_bridge(api, managed)


def test_a_bridge_lives_where_nobody_knows_the_kind(bare_api: ApiServer, namespace: str) -> None:
    api_server.install_definitions(bare_api, without=("WorkloadGroup", "WorkloadEntry"))
    reason = "the cluster does not know WorkloadGroup (networking.istio.io/v1)"
    assert _decide(bare_api, namespace) == Decision("bridge", reason)
    _lives_as_bridge(bare_api, namespace)
    assert bare_api.client().find(f"/api/v1/namespaces/{namespace}") is None
