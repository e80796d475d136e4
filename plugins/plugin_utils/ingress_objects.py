# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Renders the gateway that ends the bridges' TLS to Kubernetes objects: pure, sorted, byte-stable.

All of it lies in the gateway's namespace and is one for the whole fleet. Behind the gateway its own
identity is all that is seen, so that it is the gateway that judges the callers: by the SPIFFE ID in
their certificates, for each server name, which stands for one port of one service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Call,
    IngressGateway,
    Mesh,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import labelled
from ansible_collections.brownfield.mesh.plugins.plugin_utils.bridge_envoy import (
    mesh_calls,
    server_name_at_gateway,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, Ref, ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGED_BY_LABEL,
    MANAGER,
    Object,
)

COMPONENT = {"app.kubernetes.io/component": "ingress", MANAGED_BY_LABEL: MANAGER}
GATEWAY = "bridges"
DENY_POLICY = "bridges-default-deny"
# What the gateway believes, and nothing secret (istio:pilot/pkg/credentials/kube/secrets.go).
AUTHORITIES = "bridges-authorities"
OUR_KINDS = ("AuthorizationPolicy", "ConfigMap", "Gateway", "VirtualService")


def render(
    mesh: Mesh, fleet: Sequence[Workload], facts: ClusterFacts, revoked: str = ""
) -> list[Object]:
    """All objects at the gateway, sorted; none without a gateway or without calls of bridges.

    ``fleet`` are all workloads of the inventory, ``revoked`` the user's revocation lists (PEM).
    """
    gateway = mesh.bridge.gateway
    callers = _callers(fleet)
    if gateway is None or not callers:
        return []
    calls = [callers[key][0][1] for key in sorted(callers)]
    items = [
        _object("Gateway", gateway, GATEWAY, _servers(mesh, gateway, calls)),
        # Whatever else comes to these proxies is refused.
        _object("AuthorizationPolicy", gateway, DENY_POLICY, {"selector": _selector(gateway)}),
    ]
    for call in calls:
        allowed = [caller for caller, _ in callers[call.fqdn, call.port]]
        items += [
            _object("VirtualService", gateway, _name(call), _route(gateway, call)),
            _object(
                "AuthorizationPolicy", gateway, _name(call), _policy(mesh, gateway, call, allowed)
            ),
        ]
    if gateway.credential_name:
        lists = {"ca.crl": revoked} if revoked else {}
        items.append(
            {
                **_object("ConfigMap", gateway, AUTHORITIES),
                "data": {"ca.crt": facts.root_certificate, **lists},
            }
        )
    return sorted(items, key=lambda item: ref_of(item).sort_key)


def former_refs(client: Client, mesh: Mesh, fleet: Sequence[Workload]) -> list[Ref]:
    """What lies in the cluster by an earlier run, at whatever gateway. Raises ClusterError."""
    if mesh.bridge.gateway is None and all(workload.mode != "bridge" for workload in fleet):
        return []
    return labelled(client, OUR_KINDS, COMPONENT)


def _callers(fleet: Sequence[Workload]) -> dict[tuple[str, int], list[tuple[Workload, Call]]]:
    """The bridges that call, by the name and the port that they call."""
    found: dict[tuple[str, int], list[tuple[Workload, Call]]] = {}
    for workload in fleet:
        if workload.mode == "bridge":
            for call in mesh_calls(workload):
                found.setdefault((call.fqdn, call.port), []).append((workload, call))
    return found


def _servers(mesh: Mesh, gateway: IngressGateway, calls: Sequence[Call]) -> Object:
    if gateway.credential_name:
        tls = {
            "mode": "MUTUAL",
            "credentialName": gateway.credential_name,
            "caCertCredentialName": f"configmap://{gateway.namespace}/{AUTHORITIES}",
            "minProtocolVersion": "TLSV1_2" if mesh.bridge.tls == "1.2" else "TLSV1_3",
        }
    else:
        tls = {"mode": "ISTIO_MUTUAL"}
    servers = [
        {
            "port": {
                "number": gateway.port,
                "name": _name(call),
                "protocol": "HTTPS" if call.is_http else "TLS",
            },
            "hosts": [_server_name(call)],
            "tls": dict(tls),
        }
        for call in calls
    ]
    return {"selector": dict(gateway.labels), "servers": servers}


def _route(gateway: IngressGateway, call: Call) -> Object:
    way: Object = {"route": [{"destination": {"host": call.fqdn, "port": {"number": call.port}}}]}
    if call.is_http:
        kind, way["rewrite"] = "http", {"authority": f"{call.fqdn}:{call.port}"}
    else:
        kind, way["match"] = "tcp", [{"port": gateway.port}]
    return {"hosts": [_server_name(call)], "gateways": [GATEWAY], kind: [way]}


def _policy(mesh: Mesh, gateway: IngressGateway, call: Call, callers: Sequence[Workload]) -> Object:
    """Who may make ``call``: who lists it. Of a callee in the inventory, validation has seen that
    it lists them, too."""
    principals = {f"{mesh.trust_domain}/ns/{w.namespace}/sa/{w.service_account}" for w in callers}
    rule = {
        "from": [{"source": {"principals": sorted(principals)}}],
        "when": [{"key": "connection.sni", "values": [_server_name(call)]}],
    }
    return {"action": "ALLOW", "selector": _selector(gateway), "rules": [rule]}


def _selector(gateway: IngressGateway) -> Object:
    return {"matchLabels": dict(gateway.labels)}


def _server_name(call: Call) -> str:
    return server_name_at_gateway(call.fqdn, call.port)


def _name(call: Call) -> str:
    """A label, readable, and by its digest no other call's."""
    digest = hashlib.sha256(call.fqdn.encode()).hexdigest()[:6]
    readable = "-".join(call.fqdn.split(".")[:2])[:40].strip("-")
    return f"bridge-{readable}-{call.port}-{digest}"


def _object(
    kind: str, gateway: IngressGateway, name: str, spec: Mapping[str, Any] | None = None
) -> Object:
    item: Object = {
        "apiVersion": KINDS[kind].api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": gateway.namespace, "labels": dict(COMPONENT)},
    }
    return {**item, "spec": dict(spec)} if spec else item
