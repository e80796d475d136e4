# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Reads from the cluster, once per run, what all machines need to know of their Istio."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Gateway,
    IngressGateway,
    Mesh,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref, collection_path

AnyGateway = Gateway | IngressGateway | EgressGateway

ROOT_CERTIFICATE = "istio-ca-root-cert"
# Istio's own defaults where an installation says nothing (pkg/cluster, pkg/config/constants).
DEFAULT_CLUSTER_ID = "Kubernetes"
DEFAULT_TRUST_DOMAIN = "cluster.local"
# Of the gateway that exposes istiod: the variable, and what to do when it has no address.
_ISTIOD = (
    "mesh.gateway",
    "set mesh.istiod.address to the IP address at which machines reach istiod",
)


def read(
    mesh: Mesh, modes: Collection[str] = ("auto",), bridges_to_egress: bool = False
) -> ClusterFacts:
    """The facts of the Istio installation that ``mesh`` names. ``modes`` are those of the fleet's
    workloads, which say what machines must reach: istiod, unless all are bridges, and bridges
    their gateway; and the egress gateway, if there are ``bridges_to_egress``. Raises
    ClusterError."""
    client = Client.of(mesh.cluster)
    suffix = revision_suffix(mesh)
    refs = [
        Ref("ConfigMap", mesh.namespace, f"istio{suffix}"),
        Ref("ConfigMap", mesh.namespace, f"istio-sidecar-injector{suffix}"),
        Ref("ConfigMap", mesh.namespace, ROOT_CERTIFICATE),
    ]
    gateways: list[AnyGateway] = [mesh.gateway]
    if mesh.bridge.gateway:
        gateways.append(mesh.bridge.gateway)
    if bridges_to_egress:
        gateways.append(mesh.egress.gateway)
    refs += [Ref("Service", gateway.namespace, gateway.service) for gateway in gateways]
    config, injector, root, service, *more = client.each(lambda ref: _find(client, ref), refs)
    mesh_config = _mesh_config(client, mesh, config)
    installed = _installed(injector)
    multi_cluster = installed.get("multiCluster") or {}
    return ClusterFacts(
        mesh_config=mesh_config,
        root_certificate=_root_certificate(client, mesh, root),
        cluster_id=str(multi_cluster.get("clusterName") or DEFAULT_CLUSTER_ID),
        mesh_id=str(
            installed.get("meshID")
            or (mesh_config.get("defaultConfig") or {}).get("meshId")
            or mesh.trust_domain
        ),
        network=str(installed.get("network") or ""),
        istiod_host=mesh.istiod.host or f"istiod{suffix}.{mesh.namespace}.svc",
        istiod_address=mesh.istiod.address
        or mesh.gateway.address
        or (_address(service, *_ISTIOD, mesh.gateway) if set(modes) != {"bridge"} else ""),
        gateway_address=_gateway_address(mesh, service, more, "bridge" in modes),
        egress_address=_given_or_read(more[-1], "mesh.egress.gateway", mesh.egress.gateway)
        if bridges_to_egress
        else "",
    )


def revision_suffix(mesh: Mesh) -> str:
    """What Istio appends to the names of a revision's objects: nothing for the default one."""
    return "" if mesh.revision in ("", "default") else f"-{mesh.revision}"


def _find(client: Client, ref: Ref) -> dict[str, Any] | None:
    try:
        return client.find(ref.path)
    except ApiError as error:
        raise ClusterError(explain(error, str(ref))) from None


def _mesh_config(client: Client, mesh: Mesh, config: Mapping[str, Any] | None) -> dict[str, Any]:
    if config is None:
        raise ClusterError(_no_such_revision(client, mesh))
    content = _mapping(_data(config, "mesh"), f"key mesh of ConfigMap {config['metadata']['name']}")
    trust_domain = content.get("trustDomain") or DEFAULT_TRUST_DOMAIN
    if trust_domain != mesh.trust_domain:
        raise ClusterError(
            f"mesh.trust_domain is {mesh.trust_domain!r}, but this Istio's is {trust_domain!r}:"
            f" write trust_domain: {trust_domain}"
        )
    return content


def _no_such_revision(client: Client, mesh: Mesh) -> str:
    name = f"istio{revision_suffix(mesh)}"
    try:
        answer = client.get(collection_path("ConfigMap", mesh.namespace))
        known = sorted(
            item["metadata"]["name"].removeprefix("istio").removeprefix("-") or "default"
            for item in answer.get("items") or ()
            if item["metadata"]["name"].split("-", 1)[0] == "istio" and _data(item, "mesh")
        )
    except ApiError:
        known = []
    advice = (
        f"this cluster has the revisions: {', '.join(known)} (a revision's tag is not enough)"
        if known
        else f"no Istio was found in namespace {mesh.namespace}; write its own as mesh.namespace"
    )
    return f"mesh.revision is {mesh.revision!r}, but ConfigMap {name} does not exist; {advice}"


def _installed(injector: Mapping[str, Any] | None) -> dict[str, Any]:
    """The chart values ``global`` of this revision; empty where injection is not installed."""
    if injector is None:
        return {}
    values = _mapping(_data(injector, "values"), "key values of the sidecar injector's ConfigMap")
    return values.get("global") or {}


def _root_certificate(client: Client, mesh: Mesh, root: Mapping[str, Any] | None) -> str:
    ref = Ref("ConfigMap", mesh.namespace, ROOT_CERTIFICATE)
    if root is None:
        # istiod writes the same one into every namespace it looks after.
        query = {"fieldSelector": f"metadata.name={ref.name}", "limit": "1"}
        try:
            items = client.get(collection_path("ConfigMap"), query).get("items") or [None]
        except ApiError as error:
            raise ClusterError(explain(error, str(ref))) from None
        root = items[0]
    certificate = _data(root or {}, "root-cert.pem")
    if "BEGIN CERTIFICATE" not in certificate:
        raise ClusterError(
            f"{ref} has no root-cert.pem: istiod writes it, so see whether istiod runs"
        )
    return certificate


def _gateway_address(
    mesh: Mesh,
    east_west: Mapping[str, Any] | None,
    ingress: Sequence[Mapping[str, Any] | None],
    needed: bool,
) -> str:
    """That of the gateway through which bridges call; where it is not needed, maybe empty."""
    if mesh.bridge.gateway:
        return _given_or_read(ingress[0], "mesh.bridge.gateway", mesh.bridge.gateway)
    known = mesh.gateway.address or next(iter(_addresses(east_west)), "")
    return known if known or not needed else _given_or_read(east_west, "mesh.gateway", mesh.gateway)


def _given_or_read(
    service: Mapping[str, Any] | None,
    variable: str,
    gateway: AnyGateway,
) -> str:
    otherwise = f"set {variable}.address to the one at which machines reach it"
    return gateway.address or _address(service, variable, otherwise, gateway)


def _address(
    service: Mapping[str, Any] | None,
    variable: str,
    otherwise: str,
    gateway: AnyGateway,
) -> str:
    where = f"the gateway's Service {gateway.namespace}/{gateway.service}"
    if service is None:
        raise ClusterError(f"{where} does not exist: correct {variable}, or {otherwise}")
    addresses = _addresses(service)
    if addresses:
        return str(addresses[0])
    hostnames = [item["hostname"] for item in _ingress(service) if item.get("hostname")]
    if hostnames:
        raise ClusterError(f"{where} has only a name, {hostnames[0]}, no address: {otherwise}")
    raise ClusterError(f"{where} has no external address yet: wait for it, or {otherwise}")


def _addresses(service: Mapping[str, Any] | None) -> list[str]:
    """The Service's addresses, in the order of Istio's own tool
    (istio:istioctl/pkg/workload/workload.go)."""
    external = (service or {}).get("spec", {}).get("externalIPs") or []
    return [*(item["ip"] for item in _ingress(service) if item.get("ip")), *map(str, external)]


def _ingress(service: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    balancer = (service or {}).get("status", {}).get("loadBalancer", {})
    return list(balancer.get("ingress") or [])


def _data(config_map: Mapping[str, Any], key: str) -> str:
    return str((config_map.get("data") or {}).get(key) or "")


def _mapping(text: str, what: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        raise ClusterError(f"{what} is not a YAML mapping")
    return content
