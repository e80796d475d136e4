# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What lets monitoring, and nobody else, read the figures of a workload's machines.

node_exporter and the agent's figures are reached on loopback only. A ServiceEntry and a
DestinationRule tell the sidecar of monitoring, and no other, that two ports of each machine speak
mutual TLS, and as whom. Where the machine has a sidecar, a Sidecar leads what arrives there to
loopback, and a policy admits the identity of monitoring; a bridge does both by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import APP_LABEL
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Prometheus,
    Vantage,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    AGENT_FIGURES_PORT,
    EXPORTER_PORT,
    PROXY_FIGURES_PORT,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGED_BY_LABEL,
    MANAGER,
    WORKLOAD_LABEL,
    Object,
)

# Of a ServiceEntry (maxItems in Istio's crd-all.gen.yaml).
MAX_ADDRESSES = 256
_PORTS = (
    ({"number": EXPORTER_PORT, "name": "tcp-machine", "protocol": "TCP"}, EXPORTER_PORT),
    ({"number": PROXY_FIGURES_PORT, "name": "tcp-proxy", "protocol": "TCP"}, AGENT_FIGURES_PORT),
)


def render(
    mesh: Mesh,
    workloads: Iterable[Workload],
    machines: Sequence[Machine],
    monitoring: Sequence[Prometheus],
    vantages: Sequence[Vantage] = (),
) -> list[Object]:
    """The objects for ``workloads`` on ``machines``; none when there is no ``monitoring``. From the
    workload that monitors there is a way out to the ``vantages``.

    Raises ClusterError when a workload has more machines than a ServiceEntry takes.
    """
    return [
        item
        for workload in workloads
        if monitoring
        for item in (
            *_objects(mesh, workload, machines, monitoring),
            *_way_to(vantages, workload, monitoring),
        )
    ]


def _addresses(workload: Workload, machines: Sequence[Machine]) -> list[str]:
    found = sorted({one.mesh_address for one in machines if one.workload == workload.key})
    if len(found) > MAX_ADDRESSES:
        raise ClusterError(
            f"{workload.key} has {len(found)} machines, and of one workload {MAX_ADDRESSES} can be"
            " watched: divide it into workloads of fewer machines, or leave the group"
            " mesh_monitoring empty and watch them by other means"
        )
    return found


def metrics_refs(workload: Workload) -> tuple[Ref, ...]:
    """The objects that a workload may have for monitoring, whether or not it has them now."""
    return (*_figures_refs(workload), _way_ref(workload))


def _figures_refs(workload: Workload) -> tuple[Ref, ...]:
    kinds = ("AuthorizationPolicy", "DestinationRule", "ServiceEntry", "Sidecar")
    return tuple(Ref(kind, workload.namespace, "metrics-" + workload.name) for kind in kinds)


def _way_ref(workload: Workload) -> Ref:
    return Ref("ServiceEntry", workload.namespace, "vantages-" + workload.name)


def _way_to(
    vantages: Sequence[Vantage], workload: Workload, monitoring: Sequence[Prometheus]
) -> list[Object]:
    """What a mesh that refuses undeclared ways (``REGISTRY_ONLY``) needs to know of vantages, which
    are no members and have TLS of their own."""
    here = Prometheus(workload.namespace, workload.service_account)
    if not vantages or here not in monitoring:
        return []
    spec = {
        "hosts": [f"vantages.{workload.name}.{workload.namespace}.metrics.internal"],
        "addresses": sorted({one.address for one in vantages}),
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "resolution": "NONE",
        "ports": [{"number": EXPORTER_PORT, "name": "tcp-vantage", "protocol": "TCP"}],
    }
    return [_object(_way_ref(workload), workload, spec)]


def _object(ref: Ref, workload: Workload, spec: Object) -> Object:
    return {
        "apiVersion": KINDS[ref.kind].api_version,
        "kind": ref.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {
                APP_LABEL: workload.name,
                MANAGED_BY_LABEL: MANAGER,
                WORKLOAD_LABEL: workload.name,
            },
        },
        "spec": spec,
    }


def _objects(
    mesh: Mesh, workload: Workload, machines: Sequence[Machine], monitoring: Sequence[Prometheus]
) -> list[Object]:
    selected = {"labels": {APP_LABEL: workload.name}}
    ingress: list[dict[str, Any]] = [
        {"port": port, "defaultEndpoint": f"127.0.0.1:{inner}"} for port, inner in _PORTS
    ]
    # A Sidecar with any port has to name all of them; these go on as they do without it.
    ingress += [
        {
            "port": {"number": port.port, "name": port.name, "protocol": port.protocol.upper()},
            "defaultEndpoint": f"0.0.0.0:{port.port}",
        }
        for port in workload.ports
        if port.protocol != "udp"  # which is not captured
    ]
    principals = sorted(one.principal(mesh.trust_domain) for one in monitoring)
    host = f"{workload.name}.{workload.namespace}.metrics.internal"
    namespaces = sorted({one.namespace for one in monitoring})
    specs: dict[str, Any] = {
        "AuthorizationPolicy": {
            "action": "ALLOW",
            "selector": {"matchLabels": selected["labels"]},
            "rules": [
                {
                    "from": [{"source": {"principals": principals}}],
                    "to": [{"operation": {"ports": [str(port["number"]) for port, _ in _PORTS]}}],
                }
            ],
        },
        # Said, and not left to Istio, which otherwise may ask in plain.
        "DestinationRule": {
            "host": host,
            "exportTo": namespaces,
            "trafficPolicy": {
                "tls": {
                    "mode": "ISTIO_MUTUAL",
                    "subjectAltNames": [workload.spiffe_id(mesh.trust_domain)],
                }
            },
        },
        "ServiceEntry": {
            "hosts": [host],
            "addresses": _addresses(workload, machines),
            "exportTo": namespaces,
            "location": "MESH_INTERNAL",
            # Nothing is balanced: each machine is asked itself, at its own address. Without
            # addresses istiod makes a listener for each machine that is healthy at that moment,
            # and none later, when the machine becomes so.
            "resolution": "NONE",
            "ports": [port for port, _ in _PORTS],
            # A bridge's machines have no WorkloadEntry that it could select.
            **({} if workload.mode == "bridge" else {"workloadSelector": selected}),
        },
        "Sidecar": {"workloadSelector": selected, "ingress": ingress},
    }
    return [
        _object(ref, workload, specs[ref.kind])
        for ref in _figures_refs(workload)
        if workload.mode != "bridge" or ref.kind in ("DestinationRule", "ServiceEntry")
    ]
