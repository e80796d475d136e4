# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What we give a machine, beside what Istio's own tool gives it for the same workload.

``istioctl x workload entry configure`` writes a folder for a WorkloadGroup; Istio's start script
reads it. Every key that differs from ours is listed here with its reason, and no other may differ.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import CONFIG, USER
from ansible_collections.brownfield.mesh.plugins.plugin_utils import cluster_facts, objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client

from lab.tools import go_tools
from tests.integration import api_server
from tests.integration.api_server import ApiServer
from tests.support.environment import by_shell
from tests.support.sidecar import CASES, FACTS, Case

# Of every machine. Istio's start script, which we do without, sets those that only we have.
ENVIRONMENT = {
    "CA_ROOT_CA": "the CA is believed by the mesh's root, whose place we choose",
    "XDS_ROOT_CA": "so is istiod",
    "INSTANCE_IP": "set by the start script from ISTIO_SVC_IP",
    "ISTIO_INBOUND_PORTS": "for the rules, not for the agent: see RULES",
    "ISTIO_LOCAL_EXCLUDE_PORTS": "for the rules, not for the agent: see RULES",
    "ISTIO_SERVICE_CIDR": "for the rules, not for the agent: see RULES",
    "OUTPUT_CERTS": "set by the start script",
    "POD_NAME": "set by the start script, from the host's name; ours is the inventory's",
    "PROV_CERT": "set by the start script",
}
MESH = {
    "binaryPath": "Envoy lies where we put it",
    "proxyStatsMatcher.inclusionSuffixes": "`verify` reads what Envoy refused",
    "proxyStatsMatcher.inclusionRegexps": "alarms ask for requests that failed",
}
# What `pilot-agent istio-iptables` makes of both environments.
RULES = {
    "INBOUND_PORTS_EXCLUDE": "SSH and what the user says; not the agent's, which would be in plain",
    "OUTBOUND_IP_RANGES_EXCLUDE": "Azure's own addresses, and what the user says",
    "INBOUND_INTERCEPTION_MODE": "theirs is empty, which the tool takes for REDIRECT",
    "DUAL_STACK": "IPv6 is captured, too, so that it is no way around the proxy",
    "PROXY_UID": "theirs is asked for by its default name",
    "PROXY_GID": "theirs is asked for by its default name",
}
OF_CASE: Mapping[str, Mapping[str, str]] = {
    "http": {
        "CA_ADDR": "set by the start script where the revision is the default one",
        "INBOUND_PORTS_INCLUDE": "every port is captured, so that none is open in plain",
    },
    "tcp-bypass": {
        "CA_ADDR": "set by the start script where the revision is the default one",
        "INBOUND_PORTS_INCLUDE": "every port is captured, so that none is open in plain",
        "OUTBOUND_PORTS_EXCLUDE": "Istio's tool cannot be told",
        "FORCE_IPTABLES_BINARY": "we tell the tool which kind the machine uses",
    },
    "networks": {
        "INBOUND_PORTS_INCLUDE": "every port is captured, so that none is open in plain",
        "NATIVE_NFTABLES": "Istio's tool cannot be told",
    },
    "direct-istiod": {
        "CA_ADDR": "set by the start script, which knows the port 15012 only",
        "discoveryAddress": "Istio's tool knows the port 15012 only",
    },
}


@dataclass(frozen=True)
class Both:
    """A case, the folder that istioctl wrote for it, and our own files."""

    name: str
    case: Case
    theirs: Path
    files: Mapping[str, str]
    capture_env: str

    def their_file(self, name: str) -> str:
        return (self.theirs / name).read_text()


def _create(client: Client, path: str, kind: str, name: str, **content: Any) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}
    client.request("POST", path, body)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A cluster with Istio's configuration, as revisions that the cases name."""
    with ExitStack() as stack:
        server = api_server.start(tmp_path_factory.mktemp("istioctl"), stack)
        client = server.client()
        _create(client, "/api/v1/namespaces", "Namespace", "istio-system")
        system = "/api/v1/namespaces/istio-system"
        seen = set()
        for case in CASES.values():
            mesh, facts = case.machine.mesh, case.facts
            suffix = cluster_facts.revision_suffix(mesh)
            if suffix not in seen:
                values: dict[str, Any] = {
                    "global": {"multiCluster": {"clusterName": facts.cluster_id}}
                }
                values["global"].update(meshID=facts.mesh_id, network=facts.network)
                config = {"mesh": yaml.safe_dump(dict(facts.mesh_config))}
                injector = {"values": json.dumps(values)}
                _create(client, system + "/configmaps", "ConfigMap", "istio" + suffix, data=config)
                name = "istio-sidecar-injector" + suffix
                _create(client, system + "/configmaps", "ConfigMap", name, data=injector)
            seen.add(suffix)
        gateway = {"ports": [{"port": 15012}], "externalIPs": [FACTS.istiod_address]}
        _create(client, system + "/services", "Service", "istio-eastwestgateway", spec=gateway)
        root = {"root-cert.pem": FACTS.root_certificate}
        for namespace in sorted({"istio-system", *(c.workload.namespace for c in CASES.values())}):
            path = "/api/v1/namespaces/" + namespace
            if client.find(path) is None:
                _create(client, "/api/v1/namespaces", "Namespace", namespace)
            _create(client, path + "/configmaps", "ConfigMap", "istio-ca-root-cert", data=root)
        for namespace, name in {
            (c.workload.namespace, c.workload.service_account) for c in CASES.values()
        }:
            path = "/api/v1/namespaces/%s/serviceaccounts" % namespace
            _create(client, path, "ServiceAccount", name)
        yield server


@pytest.fixture(scope="module", params=sorted(CASES))
def both(
    request: pytest.FixtureRequest,
    cluster: ApiServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Both:
    """A case's files, ours and istioctl's, from one cluster and one WorkloadGroup."""
    case = CASES[request.param]
    machine = replace(
        case.machine, mesh=replace(case.machine.mesh, cluster=cluster.cluster("admin"))
    )
    facts = cluster_facts.read(machine.mesh)
    (group,) = (
        item
        for item in objects.render(machine.mesh, [case.workload], facts)
        if item["kind"] == "WorkloadGroup"
    )
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "group.yaml").write_text(yaml.safe_dump(group))
    command = [
        str(go_tools("istio") / "istioctl"), "x", "workload", "entry", "configure",
        "--kubeconfig", machine.mesh.cluster.kubeconfig, "--context", "admin",
        "--file", str(folder / "group.yaml"), "--output", str(folder / "out"),
        "--revision", machine.mesh.revision, "--autoregister",
        "--capture-dns=" + ("true" if machine.mesh.dns == "names" else "false"),
    ]  # fmt: skip
    kind = "externalIP" if machine.external_address else "internalIP"
    command += ["--%s=%s" % (kind, machine.mesh_address)]
    if machine.mesh.istiod.address:
        command += ["--ingressIP", machine.mesh.istiod.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    state = Case(machine, case.workload, facts).render()
    # What we read in this cluster makes the golden files.
    assert state == case.render()
    files = {file.path: file.content for file in state.files.files}
    return Both(request.param, case, folder / "out", files, state.capture_env)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings by dotted paths; texts that hold JSON by what they hold."""
    if isinstance(value, dict):
        return {
            name: leaf
            for key, item in value.items()
            for name, leaf in _flat(item, "%s.%s" % (path, key) if path else key).items()
        }
    if path.endswith("ISTIO_META_POD_PORTS"):
        # An empty protocol says what none says (istio:pilot/pkg/model, PodPort).
        return {path: [{k: v for k, v in port.items() if v != ""} for port in json.loads(value)]}
    if path.endswith("ISTIO_METAJSON_LABELS"):
        return {path: json.loads(value)}
    return {path: value}


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> set[str]:
    nothing = object()
    keys = theirs.keys() | ours.keys()
    return {key for key in keys if theirs.get(key, nothing) != ours.get(key, nothing)}


def _expected(both: Both, of_all: Mapping[str, str], known: set[str]) -> set[str]:
    """What may differ here: everywhere, or in this case. ``known`` are all keys of both sides."""
    return {key for key in {**of_all, **OF_CASE[both.name]} if key in known}


def test_the_agents_environment(both: Both) -> None:
    theirs = _flat(by_shell(both.their_file("cluster.env")))
    ours = _flat(by_shell(both.files[CONFIG + "/cluster.env"]))
    assert len(ours.keys() & theirs.keys()) > 12
    expected = _expected(both, ENVIRONMENT, theirs.keys() | ours.keys())
    assert _differing(theirs, ours) == expected


def test_the_mesh_configuration_file(both: Both) -> None:
    theirs = _flat(yaml.safe_load(both.their_file("mesh.yaml")))
    ours = _flat(yaml.safe_load(both.files[CONFIG + "/mesh.yaml"]))
    assert "defaultConfig.proxyMetadata.ISTIO_METAJSON_LABELS" in ours.keys() & theirs.keys()
    prefix = "defaultConfig."
    differing = {key.removeprefix(prefix) for key in _differing(theirs, ours)}
    known = {key.removeprefix(prefix) for key in theirs.keys() | ours.keys()}
    assert differing == _expected(both, MESH, known)


def test_root_certificate_and_name(both: Both) -> None:
    assert both.their_file("root-cert.pem") == both.files[CONFIG + "/root-cert.pem"]
    hosts = both.case.render().files.hosts
    assert both.their_file("hosts").split() == [w for h in hosts for w in (h.address, h.name)]


def test_istioctl_writes_nothing_else_but_the_token(both: Both) -> None:
    names = {path.name for path in both.theirs.iterdir()}
    assert names - {"istio-token"} == {"cluster.env", "mesh.yaml", "root-cert.pem", "hosts"}
    # The reason: ours is asked for just before use, and lies in memory only.
    token = both.their_file("istio-token")
    assert token.startswith("eyJ")
    assert not any("eyJ" in content for content in both.files.values())


def _rules(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that Istio's tool makes of an environment.

    In a network namespace of its own: with native nftables even its dry run makes the rules. The
    tool wants to see an address there.
    """
    within = 'ip address add 192.0.2.1/32 dev lo && exec "$0" istio-iptables --dry-run'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", within, str(go_tools("istio") / "pilot-agent")],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    block = re.search(r"Istio config:\n((?:[A-Z_0-9]+=.*\n)+)", said)
    assert block, said
    return dict(line.split("=", 1) for line in block[1].splitlines())


def test_the_rules(both: Both) -> None:
    case = both.case
    # What the machine decides: see tests/unit/.../sidecar/test_capture.py.
    decided = {
        "tcp-bypass": {"FORCE_IPTABLES_BINARY": "nft"},
        "networks": {"NATIVE_NFTABLES": "true"},
    }.get(both.name, {})
    theirs = _rules(by_shell(both.their_file("cluster.env")))
    # This host need not have the machine's user.
    ours = _rules({**by_shell(both.capture_env), "ENVOY_USER": "nobody", **decided})
    assert by_shell(both.capture_env)["ENVOY_USER"] == USER
    capture = case.machine.mesh.capture
    assert _differing(theirs, ours) == _expected(both, RULES, ours.keys() | theirs.keys())
    assert set(ours["INBOUND_PORTS_EXCLUDE"].split(",")) == {
        str(port) for port in (case.machine.ssh_port, *capture.exclude_inbound_ports)
    }
    assert ours["INBOUND_PORTS_INCLUDE"] == ours["OUTBOUND_IP_RANGES_INCLUDE"] == "*"
    assert set(ours["OUTBOUND_IP_RANGES_EXCLUDE"].split(",")) == {
        "169.254.169.254/32",
        "168.63.129.16/32",
        *capture.exclude_outbound_cidrs,
    }
    excluded = {int(port) for port in ours["OUTBOUND_PORTS_EXCLUDE"].split(",") if port}
    assert excluded == set(capture.exclude_outbound_ports)
    assert ours["DNS_CAPTURE"] == ("true" if case.machine.mesh.dns == "names" else "false")
