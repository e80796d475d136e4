# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What istiod registered in the cluster: the WorkloadEntries of the machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import collection_path

# istio.io, annotations; set by istiod's auto-registration.
GROUP_ANNOTATION = "istio.io/autoRegistrationGroup"
CONTROLLER_ANNOTATION = "istio.io/workloadController"
CONNECTED_ANNOTATION = "istio.io/connectedAt"


@dataclass(frozen=True)
class Registration:
    """One WorkloadEntry.

    ``group`` is the WorkloadGroup it was registered for, ``controller`` the istiod instance that
    holds its connection, ``connected`` whether one does. ``healthy`` is None until a probe spoke.
    """

    namespace: str
    name: str
    group: str
    address: str
    network: str
    service_account: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    controller: str
    connected: bool
    healthy: bool | None


def workload_entries(cluster: Cluster, namespaces: Iterable[str]) -> list[Registration]:
    """The WorkloadEntries of ``namespaces``, sorted by namespace and name. Raises ClusterError."""
    client = Client.of(cluster)

    def entries(namespace: str) -> list[Registration]:
        try:
            found = client.items(collection_path("WorkloadEntry", namespace))
        except ApiError as error:
            raise ClusterError(explain(error, f"WorkloadEntries of {namespace}")) from None
        return [_registration(item) for item in found]

    found = client.each(entries, sorted(set(namespaces)))
    return sorted((one for part in found for one in part), key=lambda r: (r.namespace, r.name))


def _registration(item: Mapping[str, Any]) -> Registration:
    metadata, spec = item["metadata"], item.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    conditions = {c["type"]: c for c in (item.get("status") or {}).get("conditions") or ()}
    healthy = conditions.get("Healthy")
    return Registration(
        namespace=metadata["namespace"],
        name=metadata["name"],
        group=annotations.get(GROUP_ANNOTATION, ""),
        address=spec.get("address", ""),
        network=spec.get("network", ""),
        service_account=spec.get("serviceAccount", ""),
        labels={**(spec.get("labels") or {}), **(metadata.get("labels") or {})},
        annotations=annotations,
        controller=annotations.get(CONTROLLER_ANNOTATION, ""),
        connected=CONNECTED_ANNOTATION in annotations,
        healthy=None if healthy is None else healthy.get("status") == "True",
    )
