# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's three workloads as values, and strategies that make up others."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    Call,
    HealthProbe,
    Mesh,
    Port,
    Workload,
)
from hypothesis import strategies as st

MESH = Mesh()
FACTS = ClusterFacts(
    mesh_config={"trustDomain": "cluster.local"},
    root_certificate="-----BEGIN CERTIFICATE-----\n",
    cluster_id="Kubernetes",
    mesh_id="cluster.local",
    network="",
    istiod_host="istiod.istio-system.svc",
    istiod_address="192.0.2.1",
)
SHOP_API = Workload(
    name="shop-api",
    namespace="shop",
    service_account="shop-api",
    ports=(Port("http", 8080),),
    health=HealthProbe("http", 8080, "/healthz"),
    callers=(AllowRule("batch", "legacy-batch"),),
    calls=(Call(5432, host="payments-db.payments.svc.cluster.local"),),
)
PAYMENTS_DB = Workload(
    name="payments-db",
    namespace="payments",
    service_account="payments-db",
    ports=(Port("tcp-postgres", 5432),),
    health=HealthProbe("tcp", 5432),
    callers=(AllowRule("shop", "shop-api"),),
)
LEGACY_BATCH = Workload(
    name="legacy-batch",
    namespace="batch",
    service_account="legacy-batch",
    calls=(Call(8080, host="shop-api.shop.svc.cluster.local"),),
)
WORKLOADS = (LEGACY_BATCH, PAYMENTS_DB, SHOP_API)

_names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_ports = st.integers(1, 65535)
_texts = st.text(max_size=12)


def _health() -> st.SearchStrategy[HealthProbe | None]:
    return st.none() | st.builds(
        HealthProbe,
        kind=st.sampled_from(["tcp", "http"]),
        port=_ports,
        path=_texts.map(lambda text: "/" + text),
    )


def _port_lists() -> st.SearchStrategy[tuple[Port, ...]]:
    protocols = st.sampled_from(["tcp", "http", "grpc", "postgres", "udp"])
    made = st.builds(lambda p, n, port: Port(f"{p}-{n}", port), protocols, _names, _ports)
    return st.lists(made, max_size=4, unique_by=(lambda p: p.name, lambda p: p.port)).map(tuple)


workloads = st.builds(
    Workload,
    name=_names,
    namespace=_names,
    service_account=_names,
    ports=_port_lists(),
    health=_health(),
    callers=st.lists(
        st.builds(
            AllowRule, namespace=_names, service_account=_names, ports=st.lists(_ports).map(tuple)
        ),
        max_size=4,
    ).map(tuple),
    labels=st.dictionaries(_names, _names, max_size=3),
    annotations=st.dictionaries(_names, _texts, max_size=3),
    locality=st.sampled_from(["", "westeurope", "westeurope/1/a"]),
    weight=st.integers(0, 100),
)
fleets = st.lists(workloads, max_size=5, unique_by=lambda workload: workload.key)
