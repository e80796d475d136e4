# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The NetworkPolicy of a workload's namespace by traffic, where a real enforcer judges it.

A node passes on what pods, machines and servers outside say to each other: each of them a network
namespace of its own, and nothing else of this host among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Mesh
from ansible_collections.brownfield.mesh.plugins.plugin_utils import egress_objects, objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref, collection_path
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

from lab.run import wait_for
from tests.integration.api_server import ApiServer
from tests.support import kube_router
from tests.support.egress import BATCH, EGRESS, MACHINES, PARTNER, SFTP, SHOP
from tests.support.fleet import FACTS
from tests.support.network import Network

ENFORCED_SECONDS = 20
FLEET = (replace(BATCH, namespace="guarded-batch"), replace(SHOP, namespace="guarded-shop"))
DIRECT = replace(SFTP, target_port=2022)
MESH = Mesh(
    egress=replace(
        EGRESS, gateway=EgressGateway(namespace="guarded-egress"), services=(PARTNER, DIRECT)
    )
)
GUARD = Ref("NetworkPolicy", "guarded-batch", objects.EGRESS_GUARD)
NODE = "198.18.5.1"
# Pods by name: their namespace and address. Two are ours.
PODS = {
    "batch": ("guarded-batch", "198.18.5.11"),
    "shop": ("guarded-shop", "198.18.5.12"),
    "gateway": ("guarded-egress", "198.18.5.13"),
    "dns": ("kube-system", "198.18.5.14"),
    "stranger": ("unguarded", "198.18.5.15"),
}
PLACES = {
    **{name: address for name, (_, address) in PODS.items()},
    "machine": MACHINES[1].address,
    "neighbour": "198.18.0.99",  # a machine, and none of the fleet
    "partner": PARTNER.addresses[0],
    "sftp": DIRECT.addresses[0],
}
# Where, and how: what a pod of ours reaches once other ways are refused, and what it does not.
DECLARED = {
    ("shop", "tcp", 8080),
    ("gateway", "tcp", 8443),
    ("dns", "tcp", 53),
    ("dns", "udp", 53),
    ("stranger", "tcp", 8080),
    ("machine", "tcp", 5432),
    ("sftp", "tcp", 2022),
}
AROUND_THE_GATEWAY = ("partner", "tcp", 8443)
REFUSED = {
    AROUND_THE_GATEWAY,
    ("partner", "tcp", 53),  # a resolver outside
    ("partner", "udp", 53),
    ("sftp", "tcp", 22),
    ("neighbour", "tcp", 5432),
    ("node", "tcp", 9100),  # what runs in the node's own network is no pod
}
EVERYTHING = DECLARED | REFUSED


@dataclass(frozen=True)
class Site:
    """The networks by name, and the API server that knows of nodes and pods."""

    client: Client
    networks: dict[str, Network]
    log: Path

    def reached(self, caller: str) -> set[tuple[str, str, int]]:
        """From where ``caller`` has an answer."""
        ask = self.networks[caller].ask
        return {
            (name, protocol, port)
            for name, protocol, port in EVERYTHING
            if ask(protocol, self.networks[name].address, port) == name
        }

    def comes_to_reach(self, caller: str, expected: set[tuple[str, str, int]]) -> None:
        """Waits until the enforcer has it so. Raises LabError that names the difference."""

        def differs() -> str:
            return f"{sorted(self.reached(caller) ^ expected)}\n{self.log.read_text()}"

        wait_for(caller, lambda: self.reached(caller) == expected, ENFORCED_SECONDS, differs)


def bring(client: Client, undeclared: str) -> None:
    """Applies the fleet's objects as the action does."""
    mesh = replace(MESH, egress=replace(MESH.egress, undeclared=undeclared))
    namespaces = [workload.namespace for workload in FLEET]
    items = objects.render(mesh, FLEET, FACTS)
    items += egress_objects.render(mesh, namespaces, FLEET, MACHINES, FACTS)
    shared = [guard for name in namespaces for guard in objects.egress_guards(name)]
    shared += egress_objects.former_refs(client, mesh)
    apply(client, items, FLEET, check=False, shared=shared)


@pytest.fixture(scope="module")
def site(api: ApiServer) -> Iterator[Site]:
    """Everybody in place, nothing refused, the enforcer at work."""
    client = api.client()
    with ExitStack() as stack:
        node = Network(NODE, stack)
        networks = {name: Network(address, stack) for name, address in PLACES.items()}
        node.route()
        for number, network in enumerate(networks.values()):
            node.cable(number, network)
        networks["node"] = node
        for name, protocol, port in EVERYTHING:
            networks[name].serve(protocol, port, name, stack)
        kube_router.add_node(client, "node", NODE)
        gateway = {"metadata": {"name": MESH.egress.gateway.namespace}}
        client.request("POST", "/api/v1/namespaces", gateway)
        bring(client, "allow")
        for name, (namespace, address) in PODS.items():
            kube_router.add_pod(client, namespace, name, address, node)
        api.grant(kube_router.ROLE, "enforcer")
        node.relay(api.port, stack)
        addresses = [address for _, address in PODS.values()]
        log = kube_router.start(
            node, "node", api.folder / "kubeconfig", "enforcer", addresses, stack
        )
        yield Site(client, networks, log)


@pytest.fixture
def guarded(site: Site) -> Iterator[Site]:
    """The site, with undeclared ways refused."""
    bring(site.client, "refuse")
    site.comes_to_reach("batch", DECLARED)
    yield site
    bring(site.client, "allow")
    site.comes_to_reach("batch", EVERYTHING)


def test_a_pod_reaches_what_is_declared_and_nothing_else(site: Site) -> None:
    assert site.reached("batch") == EVERYTHING
    bring(site.client, "refuse")
    for ours in ("batch", "shop"):
        site.comes_to_reach(ours, DECLARED)
    for other in ("gateway", "stranger", "machine"):
        assert site.reached(other) == EVERYTHING
    bring(site.client, "allow")
    for ours in ("batch", "shop"):
        site.comes_to_reach(ours, EVERYTHING)


def test_a_policy_of_the_users_own_adds_to_it(guarded: Site) -> None:
    peer = {"ipBlock": {"cidr": f"{PARTNER.addresses[0]}/32"}}
    rule = {"to": [peer], "ports": [{"port": PARTNER.outer_port}]}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}
    own = Ref("NetworkPolicy", "guarded-batch", "own")
    body = {"metadata": {"name": own.name}, "spec": spec}
    guarded.client.request("POST", collection_path("NetworkPolicy", own.namespace), body)
    guarded.comes_to_reach("batch", DECLARED | {AROUND_THE_GATEWAY})
    assert guarded.reached("shop") == DECLARED
    guarded.client.request("DELETE", own.path)
    guarded.comes_to_reach("batch", DECLARED)


def test_offboarding_leaves_pods_refused(guarded: Site) -> None:
    former = egress_objects.former_refs(guarded.client, MESH)
    removal = remove(guarded.client, FLEET, check=False, shared=former)
    reasons = {one.ref: one.reason for one in removal.kept}
    assert reasons[GUARD] == "it still has pods/batch"
    assert egress_objects.former_refs(guarded.client, MESH) == []
    assert guarded.reached("batch") == DECLARED
