# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The way out on a real API server, with the documented rights; and what Istio's own tool says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Mesh
from ansible_collections.brownfield.mesh.plugins.plugin_utils import egress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import egress_guards
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

from lab.run import wait_for
from tests.integration.api_server import ApiServer
from tests.support import istioctl
from tests.support.egress import EGRESS, EGRESS_MESH, FLEET, MACHINES, PARTNER
from tests.support.fleet import FACTS


def _mesh(namespace: str) -> Mesh:
    return Mesh(egress=replace(EGRESS, gateway=EgressGateway(namespace=namespace)))


def _controller(api: ApiServer) -> Client:
    """Who has the documented ClusterRole, and nothing else."""
    role = controller_roles([])[0]
    role["metadata"]["name"] = "egress-controller"
    api.grant(role)
    return api.client("controller")


def test_it_comes_changes_and_goes(api: ApiServer, namespace: str) -> None:
    content = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    api.client().request("POST", "/api/v1/namespaces", content)
    client, mesh = _controller(api), _mesh(namespace)

    def permitted() -> bool:
        try:
            return egress_objects.former_refs(client, mesh) == []
        except ClusterError:
            return False

    wait_for("the rights", permitted, 10)

    def bring(mesh: Mesh) -> dict[str, set[str]]:
        objects = egress_objects.render(mesh, [namespace], FLEET, MACHINES, FACTS)
        shared = [*egress_guards(namespace), *egress_objects.former_refs(client, mesh)]
        actions: dict[str, set[str]] = {}
        for change in apply(client, objects, [], check=False, shared=shared):
            actions.setdefault(change.action, set()).add(change.ref.kind)
        return actions

    assert bring(mesh).keys() == {"created"}
    assert bring(mesh).keys() == {"unchanged"}
    fewer = replace(mesh.egress, undeclared="allow", services=(PARTNER,))
    gone = bring(replace(mesh, egress=fewer))["deleted"]
    assert gone == {
        "AuthorizationPolicy",
        "DestinationRule",
        "NetworkPolicy",
        "ServiceEntry",
        "Sidecar",
        "VirtualService",
    }
    left = egress_objects.former_refs(client, mesh)
    assert left
    remove(client, [], check=False, shared=left)
    assert egress_objects.former_refs(client, mesh) == []


@pytest.mark.parametrize("command", ["analyze", "validate"])
def test_istios_own_tool_finds_nothing(tmp_path: Path, command: str) -> None:
    objects = egress_objects.render(EGRESS_MESH, ["batch", "shop"], FLEET, MACHINES, FACTS)
    gateway = EGRESS.gateway
    objects += istioctl.users_own(gateway, ["batch", "shop"], "partner-client")
    assert istioctl.findings(command, objects, tmp_path) == ""
