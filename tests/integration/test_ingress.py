# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The gateway that ends TLS on a real API server, with the documented rights; its address; and what
Istio's own tool says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Bridge, Mesh
from ansible_collections.brownfield.mesh.plugins.plugin_utils import ingress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles

from lab.run import wait_for
from tests.integration.api_server import ApiServer
from tests.support import istioctl
from tests.support.fleet import FACTS, WORKLOADS
from tests.support.ingress import BATCH, FLEET, GATEWAY, MESH, SHOP_CALL


def test_it_comes_changes_moves_and_goes(api: ApiServer, namespace: str) -> None:
    other = f"{namespace}-other"
    for name in (namespace, other):
        content = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        api.client().request("POST", "/api/v1/namespaces", content)
        roles = controller_roles([], ingress=name)
        for role in roles:
            role["metadata"]["name"] = f"ingress-controller-{name}"
            api.grant(role)
    client = api.client("controller")

    def at(place: str) -> Mesh:
        return replace(MESH, bridge=Bridge(gateway=replace(GATEWAY, namespace=place)))

    def bring(objects: list[Object], mesh: Mesh = MESH) -> dict[str, set[str]]:
        actions: dict[str, set[str]] = {}
        former = ingress_objects.former_refs(client, mesh, FLEET)
        for change in apply(client, objects, [], check=False, shared=former):
            actions.setdefault(change.action, set()).add(
                f"{change.ref.kind} {change.ref.namespace}"
            )
        return actions

    def permitted() -> bool:
        try:
            return bring([]) == {}
        except ClusterError:
            return False

    wait_for("the rights", permitted, 10)
    here = ingress_objects.render(at(namespace), FLEET, FACTS)
    assert bring(here).keys() == {"created"}
    assert bring(here).keys() == {"unchanged"}
    fewer = [replace(BATCH, calls=(SHOP_CALL,))]
    gone = bring(ingress_objects.render(at(namespace), fewer, FACTS))["deleted"]
    assert gone == {f"{kind} {namespace}" for kind in ("AuthorizationPolicy", "VirtualService")}
    # Another gateway, then none: what lay at the former one is found without its name.
    moved = bring(ingress_objects.render(at(other), FLEET, FACTS))
    assert {where.split()[1] for where in moved["deleted"]} == {namespace}
    assert {where.split()[1] for where in moved["created"]} == {other}
    assert bring([], Mesh()).keys() == {"deleted"}
    assert ingress_objects.former_refs(client, MESH, FLEET) == []


def test_a_fleet_without_bridges_asks_for_nothing(api: ApiServer) -> None:
    # `nobody` may list nothing, so that asking would fail.
    assert ingress_objects.former_refs(api.client("nobody"), Mesh(), WORKLOADS) == []
    with pytest.raises(ClusterError, match="in all namespaces"):
        ingress_objects.former_refs(api.client("nobody"), MESH, WORKLOADS)


@pytest.mark.parametrize("command", ["analyze", "validate"])
@pytest.mark.parametrize("credential", ["gateway", ""])
def test_istios_own_tool_finds_nothing(tmp_path: Path, command: str, credential: str) -> None:
    gateway = replace(GATEWAY, credential_name=credential)
    mesh = replace(MESH, bridge=Bridge(gateway=gateway))
    objects = ingress_objects.render(mesh, FLEET, FACTS)
    objects += istioctl.users_own(gateway, ["batch", "payments", "shop"], "gateway")
    for namespace, name, port in (("payments", "payments-db", 5432), ("shop", "shop-api", 8080)):
        spec = {"ports": [{"name": "tcp", "port": port}]}
        metadata = {"name": name, "namespace": namespace}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        objects.append(service)
    assert istioctl.findings(command, objects, tmp_path) == ""
