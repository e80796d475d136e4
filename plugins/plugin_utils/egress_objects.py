# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Renders the way out of the mesh to Kubernetes objects: pure, sorted, byte-stable.

Two rooms. In the egress gateway's namespace lies what is one for the whole fleet: the external
services, the ways to them, and who may go (istio.io, "Egress Gateways with TLS Origination"). In
each workload's namespace lies what closes all other ways.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    EgressGateway,
    ExternalService,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Mesh, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import labelled
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, Ref, ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    EGRESS_GUARD,
    MANAGED_BY_LABEL,
    MANAGER,
    Object,
)

COMPONENT = {"app.kubernetes.io/component": "egress", MANAGED_BY_LABEL: MANAGER}
GATEWAY = "egress-gateway"
DENY_POLICY = "egress-default-deny"
GATEWAY_KINDS = (
    "AuthorizationPolicy", "DestinationRule", "Gateway", "ServiceEntry", "VirtualService",
)  # fmt: skip
REGISTRY_ONLY = {"mode": "REGISTRY_ONLY"}


def render(
    mesh: Mesh,
    namespaces: Iterable[str],
    fleet: Sequence[Workload],
    machines: Sequence[Machine],
    facts: ClusterFacts,
) -> list[Object]:
    """All objects of the way out, sorted.

    ``namespaces`` are those to close; ``fleet`` and ``machines`` are all of the inventory, whose
    callers and addresses are named wherever the run is limited to.
    """
    items = gateway_objects(mesh, fleet)
    if mesh.egress.undeclared == "refuse":
        for namespace in set(namespaces):
            items.append(_network_policy(mesh, namespace, machines))
            if not _registry_only(facts):
                content = {"egress": [{"hosts": ["*/*"]}], "outboundTrafficPolicy": REGISTRY_ONLY}
                items.append(_object("Sidecar", namespace, EGRESS_GUARD, content))
    return sorted(items, key=lambda item: ref_of(item).sort_key)


def confine(mesh: Mesh, objects: Iterable[Object]) -> None:
    """Let every Sidecar of ``objects`` refuse what is not declared, where that is wanted: one that
    selects a workload stands in place of its namespace's."""
    for item in objects:
        if mesh.egress.undeclared == "refuse" and item["kind"] == "Sidecar":
            item["spec"].setdefault("outboundTrafficPolicy", REGISTRY_ONLY)


def former_refs(client: Client, mesh: Mesh) -> list[Ref]:
    """What lies in the gateway's namespace by an earlier run. Raises ClusterError."""
    if not mesh.egress.configured:
        return []
    return labelled(client, GATEWAY_KINDS, COMPONENT, mesh.egress.gateway.namespace)


def gateway_objects(mesh: Mesh, fleet: Sequence[Workload]) -> list[Object]:
    """The objects in the gateway's namespace."""
    gateway = mesh.egress.gateway
    routed = [service for service in mesh.egress.services if service.via == "gateway"]
    items = []
    for service in mesh.egress.services:
        callers = [workload for workload in fleet if _calls(workload, service)]
        items.append(_service_entry(gateway, service, callers))
        if service.via == "gateway":
            items += _way(mesh, gateway, service, callers)
    if routed:
        servers = [_server(gateway, service) for service in routed]
        content = {"selector": dict(gateway.labels), "servers": servers}
        items.append(_object("Gateway", gateway.namespace, GATEWAY, content))
        subsets = [
            {
                "name": _name(service),
                # The gateway tells services by this name, before it reads a byte of them.
                "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL", "sni": service.host}},
            }
            for service in routed
        ]
        content = {"host": gateway.host, "subsets": subsets}
        items.append(_object("DestinationRule", gateway.namespace, GATEWAY, content))
        content = {"selector": {"matchLabels": dict(gateway.labels)}}
        items.append(_object("AuthorizationPolicy", gateway.namespace, DENY_POLICY, content))
    return items


def _calls(workload: Workload, service: ExternalService) -> bool:
    return any(
        (call.external, call.port) == (service.host, service.port) for call in workload.calls
    )


def _service_entry(
    gateway: EgressGateway, service: ExternalService, callers: Sequence[Workload]
) -> Object:
    port = {
        "number": service.port,
        "name": f"{service.protocol}-{service.port}",
        "protocol": service.protocol.upper(),
        "targetPort": service.outer_port,
    }
    content: Object = {
        "hosts": [service.host],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC" if service.addresses else "DNS",
        "ports": [port],
    }
    if service.addresses:
        # As addresses, too: a machine may have resolved the name by other means than the mesh.
        content["addresses"] = list(service.addresses)
        content["endpoints"] = [{"address": address} for address in service.addresses]
    if service.via == "direct":
        # No gateway judges the callers, so the others' namespaces do not get to know of it.
        content["exportTo"] = sorted({w.namespace for w in callers}) or ["."]
    return _object("ServiceEntry", gateway.namespace, _name(service), content)


def _way(
    mesh: Mesh, gateway: EgressGateway, service: ExternalService, callers: Sequence[Workload]
) -> list[Object]:
    """The way from the workloads to the gateway and on to the service, and who may take it."""
    namespace, name = gateway.namespace, _name(service)
    items = [_object("VirtualService", namespace, name, _routes(gateway, service))]
    if service.tls.mode != "none":
        name_there = service.tls.sni or service.host
        tls: Object = {
            "mode": service.tls.mode.upper(),
            "sni": name_there,
            # Without it any server of that authority would do.
            "subjectAltNames": [name_there],
        }
        if service.tls.credential_name:
            tls["credentialName"] = service.tls.credential_name
        content = {"host": service.host, "exportTo": ["."], "trafficPolicy": {"tls": tls}}
        items.append(_object("DestinationRule", namespace, name, content))
    principals = sorted(
        {f"{mesh.trust_domain}/ns/{w.namespace}/sa/{w.service_account}" for w in callers}
    )
    if principals:
        rule: Object = {
            "from": [{"source": {"principals": principals}}],
            "to": [{"operation": {"ports": [str(gateway.port)]}}],
            "when": [{"key": "connection.sni", "values": [service.host]}],
        }
        selector = {"matchLabels": dict(gateway.labels)}
        allowed = {"action": "ALLOW", "selector": selector, "rules": [rule]}
        items.append(_object("AuthorizationPolicy", namespace, name, allowed))
    return items


def _routes(gateway: EgressGateway, service: ExternalService) -> Object:
    here = f"{gateway.namespace}/{GATEWAY}"
    inner: Object = {"gateways": ["mesh"], "port": service.port}
    outer: Object = {"gateways": [here], "port": gateway.port}
    to_gateway = {"host": gateway.host, "subset": _name(service), "port": {"number": gateway.port}}
    to_service = {"host": service.host, "port": {"number": service.port}}
    content: Object = {"hosts": [service.host], "gateways": ["mesh", here]}

    def route(match: Object, destination: Object) -> Object:
        return {"match": [match], "route": [{"destination": destination}]}

    if service.protocol == "tls":
        sni = {**inner, "sniHosts": [service.host]}
        return {
            **content,
            "tls": [route(sni, to_gateway)],
            "tcp": [route(outer, to_service)],
        }
    return {**content, service.protocol: [route(inner, to_gateway), route(outer, to_service)]}


def _server(gateway: EgressGateway, service: ExternalService) -> Object:
    http = service.protocol == "http"
    return {
        "port": {
            "number": gateway.port,
            "name": _name(service),
            "protocol": "HTTPS" if http else "TLS",
        },
        "hosts": [service.host],
        "tls": {"mode": "ISTIO_MUTUAL"},
    }


def _network_policy(mesh: Mesh, namespace: str, machines: Sequence[Machine]) -> Object:
    """Pods may go to pods (DNS and the egress gateway among them), to the fleet's machines, and
    directly to what is declared so, as far as its addresses are known."""
    rules: list[Object] = [{"to": [{"namespaceSelector": {}}]}]
    addresses = sorted({machine.mesh_address for machine in machines})
    if addresses:
        rules.append({"to": _blocks(addresses)})
    for service in mesh.egress.services:
        if service.via == "direct" and service.addresses:
            port = {"port": service.outer_port, "protocol": "TCP"}
            rules.append({"to": _blocks(sorted(service.addresses)), "ports": [port]})
    content = {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}
    return _object("NetworkPolicy", namespace, EGRESS_GUARD, content)


def _blocks(addresses: Iterable[str]) -> list[Object]:
    return [{"ipBlock": {"cidr": f"{address}/32"}} for address in addresses]


def _registry_only(facts: ClusterFacts) -> bool:
    policy = facts.mesh_config.get("outboundTrafficPolicy") or {}
    return bool(policy.get("mode") == "REGISTRY_ONLY")


def _name(service: ExternalService) -> str:
    """A label, readable, and by its digest no other service's."""
    digest = hashlib.sha256(service.host.encode()).hexdigest()[:6]
    readable = re.sub("[^a-z0-9]+", "-", service.host)[:36].strip("-")
    return f"egress-{readable}-{service.port}-{digest}"


def _object(kind: str, namespace: str, name: str, spec: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": KINDS[kind].api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(COMPONENT)},
        "spec": dict(spec),
    }
