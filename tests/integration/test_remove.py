# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Offboarding deletes what is ours, waits for it, and keeps what somebody may need."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

from tests.integration.api_server import ApiServer
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB, SHOP_API


def _apply(client: Client, fleet: list[Workload]) -> None:
    apply(client, render(MESH, fleet, FACTS), fleet, check=False)


def _create(client: Client, kind: str, namespace: str, name: str, **content: object) -> None:
    ref = Ref(kind, namespace, name)
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}
    client.request("POST", ref.path.rsplit("/", 1)[0], body)


def test_the_last_workload_takes_a_namespace_of_ours_along(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), [replace(PAYMENTS_DB, namespace=namespace)]
    _apply(client, fleet)
    entry = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {
            "name": "payments-db-192.0.2.7",
            "ownerReferences": [
                {
                    "apiVersion": "networking.istio.io/v1",
                    "kind": "WorkloadGroup",
                    "name": "payments-db",
                    "uid": client.get(Ref("WorkloadGroup", namespace, "payments-db").path)[
                        "metadata"
                    ]["uid"],
                }
            ],
        },
        "spec": {"address": "192.0.2.7"},
    }
    client.request(
        "POST", f"/apis/networking.istio.io/v1/namespaces/{namespace}/workloadentries", entry
    )
    predicted = remove(client, fleet, check=True)
    assert predicted.kept == []
    assert {change.ref for change in predicted.changes} == {
        Ref("Namespace", "", namespace),
        Ref("ServiceAccount", namespace, "payments-db"),
        Ref("PeerAuthentication", namespace, "default"),
        Ref("AuthorizationPolicy", namespace, "allow-payments-db"),
        Ref("AuthorizationPolicy", namespace, "default-deny"),
        Ref("Service", namespace, "payments-db"),
        Ref("WorkloadGroup", namespace, "payments-db"),
    }
    assert client.find(Ref("Service", namespace, "payments-db").path)
    assert remove(client, fleet, check=False).changes == predicted.changes
    assert client.find(Ref("Namespace", "", namespace).path) is None
    again = remove(client, fleet, check=False)
    assert (again.changes, again.kept) == ([], [])
    _apply(client, fleet)  # and back at once


def test_the_other_workload_of_a_namespace_keeps_all_of_its_own(
    api: ApiServer, namespace: str
) -> None:
    client = api.client()
    leaving = replace(PAYMENTS_DB, namespace=namespace)
    staying = replace(SHOP_API, namespace=namespace)
    _apply(client, [leaving, staying])
    removal = remove(client, [leaving], check=False)
    assert {change.ref.name for change in removal.changes} == {"payments-db", "allow-payments-db"}
    assert {kept.reason for kept in removal.kept} == {"other workloads are in it"}
    changes = apply(client, render(MESH, [staying], FACTS), [staying], check=True)
    assert {change.action for change in changes} == {"unchanged"}


def test_a_namespace_of_others_stays_guarded(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), [replace(PAYMENTS_DB, namespace=namespace)]
    _create(client, "Namespace", "", namespace)
    _apply(client, fleet)
    removal = remove(client, fleet, check=False)
    assert {str(kept.ref) for kept in removal.kept} == {
        f"Namespace {namespace}",
        f"AuthorizationPolicy {namespace}/default-deny",
        f"PeerAuthentication {namespace}/default",
    }
    assert client.find(Ref("AuthorizationPolicy", namespace, "default-deny").path)
    assert client.find(Ref("WorkloadGroup", namespace, "payments-db").path) is None


def test_a_namespace_with_something_else_in_it_stays_guarded(
    api: ApiServer, namespace: str
) -> None:
    client, fleet = api.client(), [replace(PAYMENTS_DB, namespace=namespace)]
    _apply(client, fleet)
    _create(client, "ConfigMap", namespace, "precious")
    removal = remove(client, fleet, check=False)
    assert {kept.reason for kept in removal.kept} == {"it still has configmaps/precious"}
    assert client.find(Ref("ConfigMap", namespace, "precious").path)
    assert client.find(Ref("AuthorizationPolicy", namespace, "default-deny").path)


def test_a_service_account_in_use_stays(api: ApiServer, namespace: str) -> None:
    client = api.client()
    leaving = replace(PAYMENTS_DB, namespace=namespace, service_account="shared")
    staying = replace(SHOP_API, namespace=namespace, service_account="shared")
    _apply(client, [leaving, staying])
    account = Ref("ServiceAccount", namespace, "shared")
    reasons = {kept.ref: kept.reason for kept in remove(client, [leaving], check=False).kept}
    assert reasons[account] == "another WorkloadGroup uses it"
    pod = {
        "serviceAccountName": "shared",
        "containers": [{"name": "c", "image": "i"}],
    }
    _create(client, "Pod", namespace, "user", spec=pod)
    reasons = {kept.ref: kept.reason for kept in remove(client, [staying], check=False).kept}
    assert reasons[account] == "pods use it"
    assert client.find(account.path)


def test_what_lost_our_labels_is_not_ours(api: ApiServer, namespace: str) -> None:
    client, fleet = api.client(), [replace(PAYMENTS_DB, namespace=namespace)]
    _apply(client, fleet)
    service = Ref("Service", namespace, "payments-db")
    labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}
    client.request("PATCH", service.path, labels, content_type="application/merge-patch+json")
    removal = remove(client, fleet, check=False)
    assert service in {kept.ref for kept in removal.kept}
    assert client.find(service.path)
