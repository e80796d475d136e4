# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Looks through a namespace: is anything left in it that somebody may miss?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ApiError

# Aggregated discovery: all kinds in two requests (Kubernetes 1.27; version v2 from 1.30).
_DISCOVERY = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
# What says nothing about inhabitants: it follows from other objects, or is a measurement.
_DERIVED = {"events", "endpoints", "endpointslices"}
_MEASURED_GROUPS = {"metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"}
# What controllers put into every namespace.
_EVERYWHERE = {
    ("configmaps", "kube-root-ca.crt"),
    ("configmaps", "istio-ca-root-cert"),
    ("configmaps", "istio-ca-crl"),
    ("serviceaccounts", "default"),
}


def inhabitants(client: Client, namespace: str, leaving: Collection[str]) -> str:
    """Why the namespace is not empty, or an empty string when it is.

    ``leaving`` are the uids of objects that go; what they own goes with them. When something
    cannot be looked at, the namespace counts as inhabited.
    """
    try:
        kinds = [*_kinds(client, "/api"), *_kinds(client, "/apis")]
        found = client.each(lambda kind: _names(client, namespace, kind, leaving), kinds)
    except ApiError as error:
        return f"it cannot be looked through: {error}"
    names = sorted(name for part in found for name in part)
    if not kinds:
        return "it cannot be looked through: the API server does not list its kinds"
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"it still has {', '.join(names[:3])}{more}"


def _kinds(client: Client, root: str) -> Iterator[tuple[str, str]]:
    """Path prefix and plural of every namespaced kind that can be listed."""
    answer = client.request("GET", root, accept=_DISCOVERY)
    for group in answer.get("items") or ():
        name = group.get("metadata", {}).get("name", "")
        versions = group.get("versions") or ()
        if not versions or name in _MEASURED_GROUPS:
            continue
        prefix = f"{root}/{name}/{versions[0]['version']}".replace("//", "/")
        for resource in versions[0].get("resources") or ():
            plural = resource["resource"]
            if resource.get("scope") != "Namespaced" or plural in _DERIVED:
                continue
            if "list" in resource.get("verbs", ()):
                yield prefix, plural


def _names(
    client: Client, namespace: str, kind: tuple[str, str], leaving: Collection[str]
) -> list[str]:
    prefix, plural = kind
    path = f"{prefix}/namespaces/{namespace}/{plural}"
    try:
        answer = client.request("GET", path, accept=_NAMES_ONLY)
    except ApiError as error:
        if error.status in (404, 405):  # listed in discovery, but not served
            return []
        raise
    return [
        f"{plural}/{item['metadata']['name']}"
        for item in answer.get("items") or ()
        if (plural, item["metadata"]["name"]) not in _EVERYWHERE
        and not _leaves(item["metadata"], leaving)
    ]


def _leaves(metadata: Mapping[str, Any], leaving: Collection[str]) -> bool:
    owners = (owner["uid"] for owner in metadata.get("ownerReferences") or ())
    return metadata["uid"] in leaving or any(owner in leaving for owner in owners)
