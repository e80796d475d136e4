# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Machines that differ in what can be said of one, and a way back from their files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import (
    ClusterFacts,
    network_of,
    workload_labels,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    CONFIG,
    PROXY_UNIT,
    UNITS,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Capture,
    HealthProbe,
    Istiod,
    Machine,
    Mesh,
    Port,
    Proxy,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import sidecar_state

from tests.support.fleet import LEGACY_BATCH, PAYMENTS_DB, SHOP_API

DIGEST = "0123456789abcdef" * 4
ROOT = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n"
BINARIES = tuple(
    Artifact(name, DIGEST, url="https://mirror.example/" + name)
    for name in ("pilot-agent", "envoy", "envoy_bootstrap_tmpl.json")
)
DEB = (Artifact("istio-sidecar", DIGEST, "amd64", path="files/istio-sidecar.deb"),)
# What Istio's chart writes of the agents, and what users add to it.
DEFAULT_CONFIG: Mapping[str, Any] = {
    "discoveryAddress": "istiod.istio-system.svc:15012",
    "meshId": "mesh1",
    "holdApplicationUntilProxyStarts": True,
    "statusPort": 15020,
    "tracing": {"sampling": 5, "zipkin": {"address": "zipkin.tracing:9411"}},
    "proxyStatsMatcher": {"inclusionPrefixes": ["cluster.outbound"]},
    "proxyMetadata": {"OF_MESH": "yes", "OF_BOTH": "the mesh's", "QUOTED": 'it\'s "$5" `id` \\ %'},
}
FACTS = ClusterFacts(
    mesh_config={"trustDomain": "cluster.local", "defaultConfig": DEFAULT_CONFIG},
    root_certificate=ROOT,
    cluster_id="cluster1",
    mesh_id="mesh1",
    network="",
    istiod_host="istiod.istio-system.svc",
    istiod_address="192.0.2.1",
)
CANARY = "istiod-canary.istio-system.svc"
CANARY_FACTS = replace(
    FACTS,
    mesh_config={
        "trustDomain": "corp.example",
        "defaultConfig": {**DEFAULT_CONFIG, "discoveryAddress": CANARY + ":15012"},
    },
    network="pods",
    istiod_host=CANARY,
)


@dataclass(frozen=True)
class Case:
    """A machine with its workload, in a mesh that the facts are of."""

    machine: Machine
    workload: Workload
    facts: ClusterFacts

    def render(self) -> SidecarState:
        """What the machine is to look like."""
        return sidecar_state.render(self.machine, self.workload, self.facts)


def _case(workload: Workload, facts: ClusterFacts, address: str, mesh: Mesh, **own: Any) -> Case:
    machine = Machine(workload.name + "-1", workload.key, address, mesh=mesh, **own)
    return Case(machine, workload, facts)


CASES = {
    "http": _case(
        replace(SHOP_API, health=HealthProbe("http", 8080, "/healthz?deep=1", 5, 2, 4)),
        FACTS,
        "198.18.0.11",
        Mesh(proxy=Proxy(artifacts=BINARIES)),
    ),
    "tcp-bypass": _case(
        replace(
            PAYMENTS_DB,
            ports=(*PAYMENTS_DB.ports, Port("http-metrics", 9187)),
            health=HealthProbe("tcp", 5432, "/", 3, 1, 2),
            when_proxy_is_down="bypass",
        ),
        FACTS,
        "198.18.0.13",
        Mesh(
            proxy=Proxy("deb", DEB, https_proxy="http://proxy.example:3128"),
            capture=Capture(
                method="iptables",
                exclude_inbound_ports=(9100, 22),
                exclude_outbound_ports=(636, 123),
                exclude_outbound_cidrs=("10.9.0.0/16",),
            ),
        ),
        ssh_port=2222,
    ),
    "networks": _case(
        replace(
            SHOP_API,
            health=None,
            labels={"version": "v2", "example.com/tier": "gold", "empty": ""},
            annotations={
                "example.com/owner": "team-shop",
                "proxy.istio.io/config": (
                    "concurrency: 2\n"
                    "tracing: {sampling: 100}\n"
                    'proxyMetadata: {OF_BOTH: "the workload\'s", LINES: "one\\n\\ttwo"}\n'
                ),
            },
            locality="westeurope/1/a",
            weight=7,
        ),
        CANARY_FACTS,
        "10.1.0.4",
        Mesh(
            trust_domain="corp.example",
            revision="canary",
            network="vms",
            proxy=Proxy(artifacts=BINARIES),
            capture=Capture(method="nftables"),
            dns="off",
        ),
        external_address="203.0.113.7",
    ),
    "direct-istiod": _case(
        LEGACY_BATCH,
        replace(FACTS, istiod_address="192.0.2.7"),
        "198.18.0.14",
        Mesh(proxy=Proxy(artifacts=BINARIES), istiod=Istiod(address="192.0.2.7", port=15443)),
    ),
}


def described(
    files: Mapping[str, str], capture_env: str, read: Callable[[str], Mapping[str, str]]
) -> dict[str, Any]:
    """What a machine's files say, in the words of the specification. ``read`` reads an environment
    file."""
    agent = read(files[CONFIG + "/cluster.env"])
    config = yaml.safe_load(files[CONFIG + "/mesh.yaml"])["defaultConfig"]
    rules = read(capture_env)
    proxy = files["%s/%s" % (UNITS, PROXY_UNIT)]
    (domain,) = re.findall(r"^ExecStart=.+ proxy sidecar --domain (\S+) ", proxy, re.MULTILINE)
    probe = config.get("readinessProbe")
    # All that names the workload must agree.
    (name,) = {
        agent["CANONICAL_SERVICE"],
        agent["ISTIO_META_WORKLOAD_NAME"],
        agent["ISTIO_META_AUTO_REGISTER_GROUP"],
        agent["ISTIO_SERVICE"].removesuffix("." + agent["POD_NAMESPACE"]),
    }
    (namespace,) = {
        agent["POD_NAMESPACE"],
        agent["ISTIO_NAMESPACE"],
        domain.removesuffix(".svc.cluster.local"),
    }
    (address,) = {agent["ISTIO_SVC_IP"], agent["INSTANCE_IP"]}
    (dns,) = {variables.get("ISTIO_META_DNS_CAPTURE", "false") for variables in (agent, rules)}
    labels = json.loads(agent["ISTIO_METAJSON_LABELS"])
    assert labels.pop("service.istio.io/canonical-revision") == agent["CANONICAL_REVISION"]
    ports = json.loads(agent.get("ISTIO_META_POD_PORTS", "[]"))
    return {
        "machine": agent["POD_NAME"],
        "address": address,
        "is_external": agent.get("REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION") == "true",
        "name": name,
        "namespace": namespace,
        "service_account": agent["SERVICE_ACCOUNT"],
        "labels": labels,
        "ports": {Port(port["name"], port["containerPort"]) for port in ports},
        "health": None if probe is None else health_of(probe),
        "bypass": "BindsTo=" + PROXY_UNIT in files["%s/%s" % (UNITS, CAPTURE_UNIT)],
        "trust_domain": agent["TRUST_DOMAIN"],
        "network": agent["ISTIO_META_NETWORK"],
        "cluster_id": agent["ISTIO_META_CLUSTER_ID"],
        "mesh_id": agent["ISTIO_META_MESH_ID"],
        "root_certificate": files[CONFIG + "/root-cert.pem"],
        "istiod": {config["discoveryAddress"], agent["CA_ADDR"]},
        "dns": {"true": "names", "false": "off"}[dns],
        "inbound": _numbers(rules["ISTIO_LOCAL_EXCLUDE_PORTS"]),
        "outbound": _numbers(rules.get("ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE", "")),
        "cidrs": set(rules["ISTIO_SERVICE_EXCLUDE_CIDR"].split(",")),
    }


def wanted(case: Case) -> dict[str, Any]:
    """The same words from the specification itself."""
    machine, workload, facts = case.machine, case.workload, case.facts
    capture = machine.mesh.capture
    return {
        "machine": machine.name,
        "address": machine.external_address or machine.address,
        "is_external": bool(machine.external_address),
        "name": workload.name,
        "namespace": workload.namespace,
        "service_account": workload.service_account,
        "labels": workload_labels(workload),
        "ports": set(workload.ports),
        "health": workload.health,
        "bypass": workload.when_proxy_is_down == "bypass",
        "trust_domain": machine.mesh.trust_domain,
        "network": network_of(machine.mesh, facts),
        "cluster_id": facts.cluster_id,
        "mesh_id": facts.mesh_id,
        "root_certificate": facts.root_certificate,
        "istiod": {"%s:%d" % (facts.istiod_host, machine.mesh.istiod.port)},
        "dns": machine.mesh.dns,
        "inbound": {machine.ssh_port, *capture.exclude_inbound_ports},
        "outbound": set(capture.exclude_outbound_ports),
        # Azure's metadata and host services are never captured.
        "cidrs": {"169.254.169.254/32", "168.63.129.16/32", *capture.exclude_outbound_cidrs},
    }


def health_of(probe: Mapping[str, Any]) -> HealthProbe:
    """The specification's words for a probe as Istio has it."""
    ((kind, what),) = ((key, probe[key]) for key in ("httpGet", "tcpSocket") if key in probe)
    return HealthProbe(
        "http" if kind == "httpGet" else "tcp",
        what["port"],
        what.get("path", "/"),
        probe["periodSeconds"],
        probe["timeoutSeconds"],
        probe["failureThreshold"],
    )


def _numbers(text: str) -> set[int]:
    return {int(number) for number in text.split(",") if number}
