# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Renders a fleet's workloads to Kubernetes objects: pure, sorted, byte-stable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import (
    APP_LABEL,
    ClusterFacts,
    network_of,
    workload_labels,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    HealthProbe,
    Machine,
    Mesh,
    Port,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, Ref, ref_of

Object = dict[str, Any]

MANAGER = "brownfield.mesh"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
# Names the workload an object belongs to; objects that workloads share do not carry it.
WORKLOAD_LABEL = "app.kubernetes.io/name"
DENY_POLICY = "default-deny"
# What closes other ways out of a namespace than the declared ones.
EGRESS_GUARD = "egress"
# Says of an endpoint that it speaks the mesh's TLS (istio:pkg/model/proxy.go).
TLS_MODE_LABEL = "security.istio.io/tlsMode"
# The name that Istio's documents use for the policy of a whole namespace.
PEER_AUTHENTICATION = "default"


def render(
    mesh: Mesh,
    workloads: Iterable[Workload],
    facts: ClusterFacts,
    machines: Iterable[Machine] = (),
) -> list[Object]:
    """All objects of ``workloads``, each once, sorted by namespace, kind and name.

    ``machines`` are those in mode ``bridge``, which nobody registers but us.
    """
    network = network_of(mesh, facts)
    bridges: dict[str, list[Machine]] = {}
    for machine in machines:
        bridges.setdefault(machine.workload, []).append(machine)
    items: dict[Ref, Object] = {}
    for workload in workloads:
        for item in (
            _namespace(mesh, workload.namespace, network),
            _service_account(workload),
            _peer_authentication(workload.namespace),
            _deny_policy(workload.namespace),
            *(
                _bridge_objects(mesh, workload, network, bridges.get(workload.key, []))
                if workload.mode == "bridge"
                else _own_objects(mesh, workload, network)
            ),
        ):
            items[ref_of(item)] = item
    return [items[ref] for ref in sorted(items, key=lambda ref: ref.sort_key)]


def own_refs(workload: Workload) -> tuple[Ref, ...]:
    """The objects that a workload alone may have, whether or not it has them now."""
    return (
        Ref("AuthorizationPolicy", workload.namespace, _allow_name(workload)),
        Ref("DestinationRule", workload.namespace, workload.name),
        Ref("Service", workload.namespace, workload.name),
        Ref("ServiceEntry", workload.namespace, workload.name),
        Ref("WorkloadGroup", workload.namespace, workload.name),
    )


def former_mode(ref: Ref, workload: Workload) -> str:
    """The mode that ``ref``, an object of ``workload`` no longer wanted, shows it to have been in;
    empty when it shows none, or the present one."""
    if workload.mode == "bridge":
        return "sidecar" if ref.kind == "WorkloadGroup" else ""
    entry = Ref("ServiceEntry", workload.namespace, workload.name)
    return "bridge" if ref == entry else ""


def namespace_refs(namespace: str) -> tuple[Ref, ...]:
    """The objects that guard a namespace as a whole, without the Namespace itself."""
    return (
        Ref("AuthorizationPolicy", namespace, DENY_POLICY),
        Ref("PeerAuthentication", namespace, PEER_AUTHENTICATION),
        *egress_guards(namespace),
    )


def egress_guards(namespace: str) -> tuple[Ref, ...]:
    """The objects that close other ways out of a namespace, whether or not it has them now."""
    return (
        Ref("NetworkPolicy", namespace, EGRESS_GUARD),
        Ref("Sidecar", namespace, EGRESS_GUARD),
    )


def is_managed(item: Mapping[str, Any]) -> bool:
    """Whether a live object carries our label."""
    return bool(_labels_of(item).get(MANAGED_BY_LABEL) == MANAGER)


def belongs_to(item: Mapping[str, Any], workload: Workload) -> bool:
    """Whether a live object is ours and this workload's own."""
    return is_managed(item) and bool(_labels_of(item).get(WORKLOAD_LABEL) == workload.name)


def _labels_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = item.get("metadata", {}).get("labels") or {}
    return labels


def _object(
    ref: Ref, labels: Mapping[str, str], content: Mapping[str, Any] | None = None
) -> Object:
    metadata: Object = {"name": ref.name}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    metadata["labels"] = dict(sorted({MANAGED_BY_LABEL: MANAGER, **labels}.items()))
    return {
        "apiVersion": KINDS[ref.kind].api_version,
        "kind": ref.kind,
        "metadata": metadata,
        **(content or {}),
    }


def _namespace(mesh: Mesh, namespace: str, network: str) -> Object:
    labels = (
        {"istio-injection": "enabled"}
        if mesh.revision in ("", "default")
        else {"istio.io/rev": mesh.revision}
    )
    if network:
        labels["topology.istio.io/network"] = network
    return _object(Ref("Namespace", "", namespace), labels)


def _service_account(workload: Workload) -> Object:
    return _object(Ref("ServiceAccount", workload.namespace, workload.service_account), {})


def _peer_authentication(namespace: str) -> Object:
    ref = Ref("PeerAuthentication", namespace, PEER_AUTHENTICATION)
    return _object(ref, {}, {"spec": {"mtls": {"mode": "STRICT"}}})


def _deny_policy(namespace: str) -> Object:
    # Without selector: it must also hold for a proxy that reports no labels, or false ones.
    return _object(Ref("AuthorizationPolicy", namespace, DENY_POLICY), {}, {"spec": {}})


def _own_objects(mesh: Mesh, workload: Workload, network: str) -> list[Object]:
    labels = {WORKLOAD_LABEL: workload.name, APP_LABEL: workload.name}
    items = [
        _object(
            Ref("WorkloadGroup", workload.namespace, workload.name),
            labels,
            {"spec": _workload_group(workload, network)},
        )
    ]
    if workload.ports:
        items.append(
            _object(
                Ref("Service", workload.namespace, workload.name),
                labels,
                {
                    "spec": {
                        "ports": [_service_port(port) for port in workload.ports],
                        "selector": {APP_LABEL: workload.name},
                    }
                },
            )
        )
    rules = _allow_rules(mesh.trust_domain, workload)
    if rules:
        items.append(
            _object(
                Ref("AuthorizationPolicy", workload.namespace, _allow_name(workload)),
                labels,
                {
                    "spec": {
                        "action": "ALLOW",
                        # A selector is safe here: a proxy that escapes it allows nobody.
                        "selector": {"matchLabels": {APP_LABEL: workload.name}},
                        "rules": rules,
                    }
                },
            )
        )
    return items


def _bridge_objects(
    mesh: Mesh, workload: Workload, network: str, machines: Sequence[Machine]
) -> list[Object]:
    """A Service like any other, whose endpoints are the machines' bridges.

    The Service gives the name to pods; Istio takes endpoints from the ServiceEntry of the same
    name, as an EndpointSlice cannot say that an endpoint speaks the mesh's TLS, without which the
    east-west gateway leaves it out. No WorkloadGroup is needed, which a managed cluster may refuse.
    The bridge judges callers itself.
    """
    if not workload.ports:
        return []
    labels = {WORKLOAD_LABEL: workload.name, APP_LABEL: workload.name}
    namespace, name = workload.namespace, workload.name
    entry = {
        "hosts": [workload.service_host],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "ports": [
            {"name": port.name, "number": port.port, "protocol": port.protocol.upper()}
            for port in workload.ports
        ],
        "endpoints": [
            _bridge_endpoint(mesh, workload, network, machine)
            for machine in sorted(machines, key=lambda machine: machine.name)
        ],
    }
    tls = {"mode": "ISTIO_MUTUAL", "subjectAltNames": [workload.spiffe_id(mesh.trust_domain)]}
    rule = {"host": workload.service_host, "trafficPolicy": {"tls": tls}}
    ports = [_service_port(port) for port in workload.ports]
    return [
        _object(Ref("Service", namespace, name), labels, {"spec": {"ports": ports}}),
        _object(Ref("ServiceEntry", namespace, name), labels, {"spec": entry}),
        _object(Ref("DestinationRule", namespace, name), labels, {"spec": rule}),
    ]


def _bridge_endpoint(mesh: Mesh, workload: Workload, network: str, machine: Machine) -> Object:
    endpoint: Object = {
        "address": machine.mesh_address,
        "ports": {port.name: mesh.bridge.port for port in workload.ports},
        "serviceAccount": workload.service_account,
        "labels": {**workload_labels(workload), TLS_MODE_LABEL: "istio"},
    }
    if network:
        endpoint["network"] = network
    if workload.locality:
        endpoint["locality"] = workload.locality
    if workload.weight:
        endpoint["weight"] = workload.weight
    return endpoint


def _allow_name(workload: Workload) -> str:
    return f"allow-{workload.name}"


def _workload_group(workload: Workload, network: str) -> Object:
    metadata: Object = {"labels": workload_labels(workload)}
    if workload.annotations:
        metadata["annotations"] = dict(sorted(workload.annotations.items()))
    template: Object = {"serviceAccount": workload.service_account}
    if workload.ports:
        template["ports"] = {port.name: port.port for port in workload.ports}
    if network:
        template["network"] = network
    if workload.locality:
        template["locality"] = workload.locality
    if workload.weight:
        template["weight"] = workload.weight
    spec: Object = {"metadata": metadata, "template": template}
    if workload.health:
        spec["probe"] = _probe(workload.health)
    return spec


def _probe(health: HealthProbe) -> Object:
    if health.kind == "http":
        target: Object = {"httpGet": {"path": health.path, "port": health.port}}
    else:
        target = {"tcpSocket": {"port": health.port}}
    return {
        **target,
        "periodSeconds": health.period_seconds,
        "timeoutSeconds": health.timeout_seconds,
        "failureThreshold": health.failure_threshold,
    }


def _service_port(port: Port) -> Object:
    return {
        "name": port.name,
        "port": port.port,
        "protocol": "UDP" if port.protocol == "udp" else "TCP",
        "targetPort": port.port,
    }


def _allow_rules(trust_domain: str, workload: Workload) -> list[Object]:
    """One rule per set of ports, with all callers that may use these ports."""
    callers: dict[tuple[int, ...], set[str]] = {}
    every_port = tuple(port.port for port in workload.ports)
    for caller in workload.callers:
        ports = tuple(sorted(caller.ports or every_port))
        if ports:  # a workload that serves nothing has nothing to allow
            callers.setdefault(ports, set()).add(caller.principal(trust_domain))
    return [_allow_rule(ports, sorted(callers[ports])) for ports in sorted(callers)]


def _allow_rule(ports: Sequence[int], principals: Sequence[str]) -> Object:
    return {
        "from": [{"source": {"principals": list(principals)}}],
        "to": [{"operation": {"ports": [str(port) for port in ports]}}],
    }
