# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Render what a machine in mode ``sidecar`` is to look like: agent's files, units, capture.

The agent's files have exactly the meaning that ``istioctl x workload entry configure`` gives them
(istio:istioctl/pkg/workload/workload.go), and the environment that Istio's start script would set
(istio:tools/packaging/common/istio-start.sh). Where we differ on purpose, a comment says why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import (
    ClusterFacts,
    network_of,
    workload_labels,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    DesiredState,
    Directory,
    File,
    HostsLine,
    Link,
    User,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    CONFIG,
    PROXY_UNIT,
    STATE,
    TOKEN,
    UNITS,
    UPSTREAM_UNIT,
    USER,
    WRITABLE,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    HealthProbe,
    Machine,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import proxy_config, units

# Azure's instance metadata and host services must answer whatever the proxy does.
AZURE_ADDRESSES = ("169.254.169.254/32", "168.63.129.16/32")
# What `verify` reads and Istio leaves out of Envoy's statistics by default.
STATISTICS_SUFFIXES = ("no_filter_chain_match",)
# What alarms on failing requests ask for, of what comes in only.
STATISTICS_PATTERNS = (r"http\.inbound_.*;\.downstream_rq_(5xx|completed)",)


def render(machine: Machine, workload: Workload, cluster: ClusterFacts) -> SidecarState:
    """The machine's desired state. Pure: the same input gives the same bytes."""
    mesh = machine.mesh
    packaged = mesh.proxy.package != "binaries"
    places = {
        "agent": "/usr/local/bin/pilot-agent" if packaged else artifacts.place("pilot-agent"),
        "envoy": "/usr/local/bin/envoy" if packaged else artifacts.place("envoy"),
        "template": (
            "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
            if packaged
            else artifacts.place("envoy_bootstrap_tmpl.json")
        ),
    }
    config = mesh_config(machine, workload, cluster, places["envoy"])
    files = {
        "cluster.env": environment_file(agent_environment(machine, workload, cluster, config)),
        "mesh.yaml": yaml.safe_dump({"defaultConfig": config}, sort_keys=True),
        "root-cert.pem": cluster.root_certificate,
    }
    capture_env = environment_file(capture_environment(machine))
    domain = "%s.svc.cluster.local" % workload.namespace
    bypass = workload.when_proxy_is_down == "bypass"
    digests = [a.sha256 for a in mesh.proxy.artifacts]
    material = json.dumps([files, digests, units.proxy(places, domain, "")], sort_keys=True)
    digest = hashlib.sha256(material.encode()).hexdigest()[:16]
    rendered = [File("%s/%s" % (CONFIG, name), text, 0o644) for name, text in files.items()]
    rendered.append(File("%s/%s" % (UNITS, PROXY_UNIT), units.proxy(places, domain, digest), 0o644))
    rendered.append(
        File("%s/%s" % (UNITS, CAPTURE_UNIT), units.capture(places["agent"], bypass), 0o644)
    )
    return SidecarState(
        files=DesiredState(
            user=User(USER, STATE),
            directories=_directories(),
            files=tuple(rendered),
            links=(
                Link("%s/var/run/secrets/tokens/istio-token" % STATE, TOKEN),
                Link("%s/%s" % (UNITS, UPSTREAM_UNIT), "/dev/null"),
                Link(
                    "%s/multi-user.target.wants/%s" % (UNITS, PROXY_UNIT), UNITS + "/" + PROXY_UNIT
                ),
            ),
            hosts=(HostsLine(cluster.istiod_address, cluster.istiod_host),),
        ),
        package=mesh.proxy.package,
        artifacts=mesh.proxy.artifacts,
        https_proxy=mesh.proxy.https_proxy,
        spiffe_id=workload.spiffe_id(mesh.trust_domain),
        address=machine.address,
        ssh_port=machine.ssh_port,
        digest=digest,
        agent=places["agent"],
        capture_env=capture_env,
        capture_method=mesh.capture.method,
        dns=mesh.dns,
        excluded_outbound=(
            *map(str, mesh.capture.exclude_outbound_ports),
            *mesh.capture.exclude_outbound_cidrs,
        ),
    )


def _directories() -> tuple[Directory, ...]:
    # The proxy owns only the last folder of each path: root never works below a folder of its.
    passed = ("", "/etc", "/etc/istio", "/var", "/var/run", "/var/run/secrets",
              "/var/run/secrets/tokens")  # fmt: skip
    return (
        Directory(CONFIG, 0o755),
        *(Directory(STATE + path, 0o750, "root", USER) for path in passed),
        *(Directory(path, 0o700, USER, USER) for path in WRITABLE),
    )


def mesh_config(
    machine: Machine, workload: Workload, cluster: ClusterFacts, envoy: str
) -> dict[str, Any]:
    """ProxyConfig as JSON data: the mesh's own, the workload's annotation, and the machine's."""
    mesh = machine.mesh
    common = cluster.mesh_config.get("defaultConfig") or {}
    own = proxy_config.read(workload)
    metadata = {**(common.get("proxyMetadata") or {}), **(own.get("proxyMetadata") or {})}
    # The mesh's own address of istiod is for pods; machines find istiod where they find its CA.
    address = "%s:%d" % (cluster.istiod_host, mesh.istiod.port)
    config = {**common, "discoveryAddress": address, **own}
    config["binaryPath"] = envoy
    if workload.health:
        config["readinessProbe"] = probe(workload.health)
    matcher = dict(config.get("proxyStatsMatcher") or {})
    for name, ours in (
        ("inclusionSuffixes", STATISTICS_SUFFIXES),
        ("inclusionRegexps", STATISTICS_PATTERNS),
    ):
        matcher[name] = sorted({*(matcher.get(name) or []), *ours})
    config["proxyStatsMatcher"] = matcher
    config["proxyMetadata"] = {**metadata, **_metadata(machine, workload, cluster)}
    return config


def _metadata(machine: Machine, workload: Workload, cluster: ClusterFacts) -> dict[str, str]:
    labels = workload_labels(workload)
    labels.setdefault("service.istio.io/canonical-name", workload.name)
    # istio:pkg/kube/labels/labels.go
    versions = [labels[key] for key in ("app.kubernetes.io/version", "version") if key in labels]
    labels.setdefault("service.istio.io/canonical-revision", [*versions, "latest"][0])
    metadata = {
        "CANONICAL_SERVICE": labels["service.istio.io/canonical-name"],
        "CANONICAL_REVISION": labels["service.istio.io/canonical-revision"],
        "POD_NAMESPACE": workload.namespace,
        "SERVICE_ACCOUNT": workload.service_account,
        "TRUST_DOMAIN": machine.mesh.trust_domain,
        "ISTIO_META_CLUSTER_ID": cluster.cluster_id,
        "ISTIO_META_MESH_ID": cluster.mesh_id,
        "ISTIO_META_NETWORK": network_of(machine.mesh, cluster),
        "ISTIO_META_WORKLOAD_NAME": workload.name,
        "ISTIO_META_AUTO_REGISTER_GROUP": workload.name,
        "ISTIO_METAJSON_LABELS": json.dumps(labels, separators=(",", ":"), sort_keys=True),
    }
    if workload.ports:
        ports = [{"name": p.name, "containerPort": p.port} for p in workload.ports]
        ports.sort(key=lambda p: str(p["name"]))
        metadata["ISTIO_META_POD_PORTS"] = json.dumps(ports, separators=(",", ":"))
    if machine.mesh.dns == "names":
        metadata["ISTIO_META_DNS_CAPTURE"] = "true"
    return metadata


def agent_environment(
    machine: Machine, workload: Workload, cluster: ClusterFacts, config: Mapping[str, Any]
) -> dict[str, str]:
    """pilot-agent's environment. The metadata stands here too: labels in the mesh file alone are
    not reported, and policies with a selector would silently not apply."""
    environment = {
        **config["proxyMetadata"],
        "ISTIO_NAMESPACE": workload.namespace,
        "ISTIO_SERVICE": "%s.%s" % (workload.name, workload.namespace),
        "ISTIO_SVC_IP": machine.mesh_address,
        "INSTANCE_IP": machine.mesh_address,
        "POD_NAME": machine.name,
        "CA_ADDR": "%s:%d" % (cluster.istiod_host, machine.mesh.istiod.port),
        "PROV_CERT": "./etc/certs",
        "OUTPUT_CERTS": "./etc/certs",
        "XDS_ROOT_CA": CONFIG + "/root-cert.pem",
        "CA_ROOT_CA": CONFIG + "/root-cert.pem",
    }
    if machine.external_address:
        environment["REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION"] = "true"
    return environment


def capture_environment(machine: Machine) -> dict[str, str]:
    """The environment of ``pilot-agent istio-iptables``.

    All inbound ports but SSH are captured, the agent's own too: Istio's VM path leaves 15020, 15021
    and 15090 out, which opens the machine's metrics to the network in plain. IPv6 is captured, too,
    and as nothing of the proxy listens there unless the mesh has two stacks, it is shut.
    """
    capture = machine.mesh.capture
    inbound = sorted({machine.ssh_port, *capture.exclude_inbound_ports})
    cidrs = sorted({*AZURE_ADDRESSES, *capture.exclude_outbound_cidrs})
    environment = {
        "DUAL_STACK": "true",
        "ENVOY_USER": USER,
        "ISTIO_INBOUND_INTERCEPTION_MODE": "REDIRECT",
        "ISTIO_INBOUND_PORTS": "*",
        "ISTIO_LOCAL_EXCLUDE_PORTS": ",".join(map(str, inbound)),
        "ISTIO_SERVICE_CIDR": "*",
        "ISTIO_SERVICE_EXCLUDE_CIDR": ",".join(cidrs),
    }
    if capture.exclude_outbound_ports:
        environment["ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE"] = ",".join(
            map(str, sorted(set(capture.exclude_outbound_ports)))
        )
    if machine.mesh.dns == "names":
        environment["ISTIO_META_DNS_CAPTURE"] = "true"
    return environment


def probe(health: HealthProbe) -> dict[str, Any]:
    """A WorkloadGroup's ReadinessProbe, which the agent runs itself."""
    what: dict[str, Any] = {"port": health.port}
    if health.kind == "http":
        what["path"] = health.path
    return {
        "httpGet" if health.kind == "http" else "tcpSocket": what,
        "periodSeconds": health.period_seconds,
        "timeoutSeconds": health.timeout_seconds,
        "failureThreshold": health.failure_threshold,
    }


def environment_file(values: Mapping[str, str]) -> str:
    r"""``KEY="value"`` lines, sorted. Double quotes with ``\ " $ ` `` escaped by a backslash have
    the same meaning for systemd's EnvironmentFile (systemd.exec(5)) and for a POSIX shell."""
    lines = []
    for key, value in sorted(values.items()):
        for character in '\\"$`':
            value = value.replace(character, "\\" + character)
        lines.append('%s="%s"\n' % (key, value))
    return "".join(lines)
