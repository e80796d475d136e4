# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of Kubernetes objects this collection handles, and where their API lies.

A static table, because discovery costs more requests than the work itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind: ``api_version`` as objects write it, ``plural`` as paths do."""

    api_version: str
    plural: str


# In the order in which people read them: what holds comes before what is in it.
KINDS: Mapping[str, Kind] = {
    "Namespace": Kind("v1", "namespaces"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "PeerAuthentication": Kind("security.istio.io/v1", "peerauthentications"),
    "AuthorizationPolicy": Kind("security.istio.io/v1", "authorizationpolicies"),
    "Service": Kind("v1", "services"),
    "NetworkPolicy": Kind("networking.k8s.io/v1", "networkpolicies"),
    "Gateway": Kind("networking.istio.io/v1", "gateways"),
    "VirtualService": Kind("networking.istio.io/v1", "virtualservices"),
    "DestinationRule": Kind("networking.istio.io/v1", "destinationrules"),
    "ServiceEntry": Kind("networking.istio.io/v1", "serviceentries"),
    "Sidecar": Kind("networking.istio.io/v1", "sidecars"),
    "WorkloadGroup": Kind("networking.istio.io/v1", "workloadgroups"),
    "WorkloadEntry": Kind("networking.istio.io/v1", "workloadentries"),
    "ScrapeConfig": Kind("monitoring.coreos.com/v1alpha1", "scrapeconfigs"),
    "PrometheusRule": Kind("monitoring.coreos.com/v1", "prometheusrules"),
    "AlertmanagerConfig": Kind("monitoring.coreos.com/v1alpha1", "alertmanagerconfigs"),
    "ConfigMap": Kind("v1", "configmaps"),
    "CertificateRequest": Kind("cert-manager.io/v1", "certificaterequests"),
    "Pod": Kind("v1", "pods"),
}
_ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Ref:
    """Which object. ``namespace`` is empty for a Namespace."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")

    @property
    def path(self) -> str:
        """The object's path on the API server."""
        return f"{collection_path(self.kind, self.namespace)}/{self.name}"

    @property
    def sort_key(self) -> tuple[str, int, str]:
        """Objects sort by namespace (the Namespace first), kind and name."""
        return (self.namespace or self.name, _ORDER[self.kind], self.name)


def ref_of(item: Mapping[str, Any]) -> Ref:
    """The reference of a whole object."""
    metadata = item["metadata"]
    return Ref(item["kind"], metadata.get("namespace", ""), metadata["name"])


def collection_path(kind: str, namespace: str = "") -> str:
    """The path that lists a kind, in one namespace or (empty) in all."""
    entry = KINDS[kind]
    prefix = "/api" if "/" not in entry.api_version else "/apis"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{prefix}/{entry.api_version}{inside}/{entry.plural}"
