# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Draining deletes what istiod registered for exactly these machines, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.drain import drain
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref, collection_path

from tests.integration.api_server import ApiServer
from tests.support.fleet import PAYMENTS_DB


def _register(client: Client, namespace: str, name: str, address: str, group: str) -> None:
    annotations = {"istio.io/autoRegistrationGroup": group} if group else {}
    body = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"address": address},
    }
    client.request("POST", collection_path("WorkloadEntry", namespace), body)


def _machine(address: str) -> Machine:
    return Machine("db-1", PAYMENTS_DB.key, address)


@pytest.fixture
def client(api: ApiServer, namespace: str) -> Client:
    """A namespace with the entry of one machine, and three that only look like it."""
    client = api.client()
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    client.request("POST", "/api/v1/namespaces", body)
    _register(client, namespace, "mine", "192.0.2.1", "payments-db")
    _register(client, namespace, "of-another-machine", "192.0.2.2", "payments-db")
    _register(client, namespace, "of-another-workload", "192.0.2.1", "payments-api")
    _register(client, namespace, "by-hand", "192.0.2.1", "")
    return client


def _names(client: Client, namespace: str) -> set[str]:
    items = client.get(collection_path("WorkloadEntry", namespace))["items"]
    return {item["metadata"]["name"] for item in items}


def test_only_the_machines_own_entry_goes(client: Client, namespace: str) -> None:
    machines = [(_machine("192.0.2.1"), replace(PAYMENTS_DB, namespace=namespace))]
    mine = [Ref("WorkloadEntry", namespace, "mine")]
    assert drain(client, machines, check=True) == mine
    assert "mine" in _names(client, namespace)
    assert drain(client, machines, check=False) == mine
    assert _names(client, namespace) == {"of-another-machine", "of-another-workload", "by-hand"}
    assert drain(client, machines, check=False) == []


def test_a_namespace_that_is_gone_has_nothing_to_drain(api: ApiServer, namespace: str) -> None:
    machines = [(_machine("192.0.2.1"), replace(PAYMENTS_DB, namespace=namespace))]
    assert drain(api.client(), machines, check=False) == []


def test_where_nobody_knows_the_kind_there_is_nothing_to_drain(
    bare_api: ApiServer, namespace: str
) -> None:
    machines = [(_machine("192.0.2.1"), replace(PAYMENTS_DB, namespace=namespace))]
    assert list(drain(bare_api.client(), machines, check=False)) == []
