# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a run takes from the cluster, once, for all machines; and the labels both sides share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Mesh, Workload

APP_LABEL = "app"
CANONICAL_NAME_LABEL = "service.istio.io/canonical-name"


@dataclass(frozen=True)
class ClusterFacts:
    """Facts of one Istio installation.

    ``mesh_config`` is the parsed key ``mesh`` of its ConfigMap ``istio[-REVISION]``,
    ``root_certificate`` the PEM text of ConfigMap ``istio-ca-root-cert``. ``cluster_id``,
    ``mesh_id`` and ``network`` are what Istio was installed with. ``istiod_host`` is the name in
    istiod's certificate and ``istiod_address`` the IP address at which machines reach it;
    ``gateway_address`` is that of the gateway through which bridges call, empty when it has none;
    ``egress_address`` that of the egress gateway, empty when no bridge calls through it.
    """

    mesh_config: Mapping[str, Any]
    root_certificate: str
    cluster_id: str
    mesh_id: str
    network: str
    istiod_host: str
    istiod_address: str
    gateway_address: str = ""
    egress_address: str = ""


def network_of(mesh: Mesh, facts: ClusterFacts) -> str:
    """The network the machines are in: the user's word, else the cluster's own network."""
    return mesh.network or facts.network


def workload_labels(workload: Workload) -> dict[str, str]:
    """The labels of a workload's machines, sorted.

    WorkloadGroup, Service selector and policies use them, and each machine's agent reports them
    to istiod (``ISTIO_METAJSON_LABELS``); policies with a selector apply only if both agree.
    """
    labels = dict(workload.labels)
    labels.setdefault(CANONICAL_NAME_LABEL, workload.name)
    labels[APP_LABEL] = workload.name
    return dict(sorted(labels.items()))
