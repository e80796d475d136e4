# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's inventory as its users write it, strategies that make up others, and a way back."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.fields import PACKAGES
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import PROTOCOLS
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    RESERVED_PORTS,
    Fleet,
    to_data,
)
from hypothesis import strategies as st

Hosts = dict[str, dict[str, Any]]

DIGEST = "0123456789abcdef" * 4
MESH = {
    "proxy": {
        "artifacts": [
            {"name": name, "sha256": DIGEST, "url": "https://mirror.example/%s" % name}
            for name in PACKAGES["binaries"]
        ]
    }
}
SHOP_API = {
    "name": "shop-api",
    "namespace": "shop",
    "mode": "sidecar",
    "ports": [{"name": "http", "port": 8080}],
    "health": {"http": 8080, "path": "/healthz"},
    "callers": [{"namespace": "batch", "service_account": "legacy-batch"}],
    "calls": [{"host": "payments-db.payments.svc.cluster.local", "port": 5432}],
}
PAYMENTS_DB = {
    "name": "payments-db",
    "namespace": "payments",
    "mode": "sidecar",
    "ports": [{"name": "tcp-postgres", "port": 5432}],
    "health": {"tcp": 5432},
    "callers": [{"namespace": "shop", "service_account": "shop-api"}],
}
LEGACY_BATCH = {
    "name": "legacy-batch",
    "namespace": "batch",
    "mode": "sidecar",
    "calls": [{"host": "shop-api.shop.svc.cluster.local", "port": 8080}],
}


def lab() -> Hosts:
    """The lab's hosts, to be changed at will."""
    hosts: Hosts = {
        "shop-api-1": {"mesh_workload": SHOP_API},
        "shop-api-2": {"mesh_workload": SHOP_API},
        "payments-db-1": {"mesh_workload": PAYMENTS_DB},
        "legacy-batch-1": {"mesh_workload": LEGACY_BATCH},
        "outsider-1": {"mesh_vantage": True},
    }
    for number, variables in enumerate(hosts.values()):
        variables.update(mesh=MESH, ansible_host="198.18.0.%d" % (11 + number))
    return {name: copy.deepcopy(variables) for name, variables in hosts.items()}


def many(workloads: int, machines: int) -> Hosts:
    """``workloads`` with ``machines`` each; each may be called by the next one."""
    hosts: Hosts = {}
    for number in range(workloads):
        caller = (number + 1) % workloads
        workload = {
            "name": "w%d" % number,
            "namespace": "ns%d" % (number % 7),
            "mode": "sidecar",
            "ports": [{"name": "http", "port": 8080}, {"name": "tcp-x", "port": 9000}],
            "callers": [{"namespace": "ns%d" % (caller % 7), "service_account": "w%d" % caller}],
        }
        for index in range(machines):
            serial = number * machines + index
            hosts["w%d-%d" % (number, index)] = {
                "mesh": MESH,
                "mesh_workload": workload,
                "ansible_host": "10.%d.%d.%d" % (serial >> 16, serial >> 8 & 255, serial & 255),
            }
    return hosts


def as_variables(fleet: Fleet) -> Hosts:
    """The inventory that describes ``fleet``, with everything written out."""
    hosts: Hosts = {
        vantage.name: {"mesh_vantage": True, "mesh_machine": {"address": vantage.address}}
        for vantage in fleet.vantages
    }
    for machine in fleet.machines:
        workload = to_data(fleet.workload_of(machine))
        health = workload.pop("health")
        if health:
            kind, port = health.pop("kind"), health.pop("port")
            workload["health"] = {**health, kind: port}
        for call in workload["calls"]:
            del call["external" if call["host"] else "host"]
        content = to_data(machine)
        own = content.pop("mesh")
        mesh = to_data(fleet.mesh)
        for provider in ("vault", "cert_manager"):
            if mesh["identity"][provider] is None:
                del mesh["identity"][provider]
        for name in ("gateway", "revocation"):
            if mesh["bridge"][name] is None:
                del mesh["bridge"][name]
        for proxy in (own["proxy"], mesh["proxy"]):
            for artifact in proxy["artifacts"]:
                del artifact["path" if artifact["url"] else "url"]
        if mesh["prometheus"] is None:
            del mesh["prometheus"]
        overrides = {name: own[name] for name in ("network", "proxy", "capture", "dns")}
        for name in ("name", "workload", "mode", "bridges"):
            del content[name]
        hosts[machine.name] = {
            "mesh": mesh,
            "mesh_workload": workload,
            "mesh_machine": {**content, **overrides},
        }
    return hosts


_names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
# Without braces: what looks like a template is refused.
_texts = st.text(st.characters(exclude_characters="\0{", exclude_categories=["Cs"]), max_size=12)
_free_ports = st.integers(1, 65535).filter(lambda port: port not in (*RESERVED_PORTS, 22))
# Not the workloads' own ports: what is served must not pass the proxy by.
_excluded = st.lists(st.sampled_from([22, 9100, 15020, 15090]), unique=True, max_size=3)


def _cidr(base: int, prefix: int) -> str:
    bits = base >> (32 - prefix) << (32 - prefix)
    return "%s/%d" % (".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0)), prefix)


_captures = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["auto", "nftables", "iptables"]),
        "exclude_inbound_ports": _excluded,
        "exclude_outbound_ports": _excluded,
        "exclude_outbound_cidrs": st.lists(
            st.builds(_cidr, st.integers(0, 2**32 - 1), st.integers(0, 32)), unique=True, max_size=3
        ),
    },
)
_https_proxies = st.sampled_from(["", "http://proxy.example:3128"])


@st.composite
def _proxies(draw: st.DrawFn) -> dict[str, Any]:
    package = draw(st.sampled_from(sorted(PACKAGES)))
    wheres = [{"url": "https://mirror.example/it"}, {"path": "files/it"}]
    artifacts = [
        {"name": name, "sha256": DIGEST, "architecture": arch, **draw(st.sampled_from(wheres))}
        for name in PACKAGES[package]
        for arch in draw(st.sampled_from([("any",), ("amd64", "arm64")]))
    ]
    return {"package": package, "artifacts": artifacts, "https_proxy": draw(_https_proxies)}


_meshes = st.fixed_dictionaries(
    {"proxy": st.just(MESH["proxy"]) | _proxies()},
    optional={
        "cluster": st.just({"kubeconfig": "files/kubeconfig", "context": "prod"}),
        "gateway": st.just({"service": "gateway", "namespace": "gateways"}),
        "trust_domain": st.sampled_from(["cluster.local", "td1.example"]),
        "revision": _names,
        "network": st.sampled_from(["", "on-premises"]),
        "istiod": st.fixed_dictionaries(
            {},
            optional={
                "host": st.sampled_from(["", "istiod.example.com"]),
                "address": st.sampled_from(["", "203.0.113.1"]),
                "port": _free_ports,
            },
        ),
        "capture": _captures,
        "dns": st.sampled_from(["names", "off", False]),
    },
)


_labels = st.dictionaries(
    _names.filter(lambda name: name != "app") | st.sampled_from(["version", "example.com/Tier"]),
    _names | st.just(""),
    max_size=3,
)
_metadata = st.dictionaries(
    st.from_regex("X_[A-Z_]{0,4}", fullmatch=True),
    st.text(st.characters(exclude_characters="{", exclude_categories=["Cc", "Cs"]), max_size=12),
    max_size=2,
)
_annotations = st.builds(
    lambda others, metadata: {
        **others,
        "proxy.istio.io/config": yaml.safe_dump({"proxyMetadata": metadata, "concurrency": 2}),
    },
    st.dictionaries(_names, _texts, max_size=2),
    _metadata,
) | st.dictionaries(_names, _texts, max_size=3)
_seconds = st.integers(1, 3600)
_probing = {
    "period_seconds": _seconds,
    "timeout_seconds": _seconds,
    "failure_threshold": st.integers(1, 1000),
}


@st.composite
def _workloads(draw: st.DrawFn) -> dict[str, Any]:
    # Neither excluded from capture nor a machine's SSH port.
    served = _free_ports.filter(lambda port: port not in (9100, 2222))
    numbers = draw(st.lists(served, unique=True, max_size=3))
    ports = [
        {"name": "%s-p%d" % (draw(st.sampled_from(PROTOCOLS)), index), "port": port}
        for index, port in enumerate(numbers)
    ]
    optional: dict[str, st.SearchStrategy[Any]] = {
        "service_account": _names,
        "mode": st.sampled_from(["auto", "sidecar"]),
        "when_proxy_is_down": st.sampled_from(["refuse", "bypass"]),
        "labels": _labels,
        "annotations": _annotations,
        "locality": st.sampled_from(["", "west", "west/1/a"]),
        "weight": st.integers(0, 2**32 - 1),
        "calls": st.lists(
            st.fixed_dictionaries({"external": st.just("api.example.com"), "port": _free_ports}),
            max_size=2,
        ),
    }
    if numbers:
        port = st.sampled_from(numbers)
        optional["health"] = st.fixed_dictionaries(
            {"tcp": port}, optional=_probing
        ) | st.fixed_dictionaries(
            {"http": port, "path": st.from_regex("/[!-z]{0,8}", fullmatch=True)}, optional=_probing
        )
        optional["callers"] = st.lists(
            st.fixed_dictionaries(
                {"namespace": _names, "service_account": _names},
                optional={"ports": st.lists(port, unique=True, max_size=3)},
            ),
            max_size=3,
        )
    base = {"name": draw(_names), "namespace": draw(_names), "ports": ports}
    return {**base, **draw(st.fixed_dictionaries({}, optional=optional))}


@st.composite
def inventories(draw: st.DrawFn) -> Hosts:
    """Inventories that are right."""
    mesh = draw(_meshes)
    unique = st.lists(
        _workloads(), min_size=1, max_size=4, unique_by=lambda w: (w["namespace"], w["name"])
    )
    hosts: Hosts = {}
    for workload in draw(unique):
        for _ in range(draw(st.integers(1, 3))):
            number = len(hosts)
            hosts["m-%d" % number] = {
                "mesh": mesh,
                "mesh_workload": workload,
                "ansible_host": "198.51.100.%d" % number,
                "mesh_machine": draw(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "capture": _captures,
                            "network": st.sampled_from(["", "cloud"]),
                            "dns": st.sampled_from(["names", "off"]),
                            "external_address": st.just("203.0.113.%d" % number),
                            "address": st.just("198.51.101.%d" % number),
                            "ssh_port": st.sampled_from([22, 2222]),
                            "proxy": st.fixed_dictionaries({"https_proxy": _https_proxies}),
                        },
                    )
                ),
            }
    if draw(st.booleans()):
        hosts["vantage"] = {"mesh_vantage": True, "ansible_host": "192.0.2.1"}
    return hosts
