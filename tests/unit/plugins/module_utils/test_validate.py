# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake is found, named, and told how to mend; what is right becomes the fleet it says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Unreadable
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import Problem, SpecError
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse

from tests.support.inventory import Hosts, lab

BATCH, DB, API = "legacy-batch-1", "payments-db-1", "shop-api-[1:2]"


def problems_of(hosts: Any, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        parse(hosts, **options)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    return caught.value.problems


def lab_with(host: str, variable: str, **content: Any) -> Hosts:
    """The lab, with ``content`` merged into a variable of one host."""
    hosts = lab()
    hosts[host][variable] = {**hosts[host].get(variable, {}), **content}
    return hosts


def test_the_lab_is_right() -> None:
    fleet = parse(lab())
    assert [machine.name for machine in fleet.machines] == [
        "legacy-batch-1", "payments-db-1", "shop-api-1", "shop-api-2",
    ]  # fmt: skip
    assert [workload.key for workload in fleet.workloads] == [
        "batch/legacy-batch", "payments/payments-db", "shop/shop-api",
    ]  # fmt: skip
    assert [vantage.address for vantage in fleet.vantages] == ["198.18.0.15"]
    assert fleet.workloads[0].service_account == "legacy-batch"
    assert fleet.machines[0].mode == "sidecar"
    assert fleet.machines[0].ssh_port == 22
    assert fleet.machines[0].address == "198.18.0.14"


def test_a_machine_overrides_its_mesh_key_by_key() -> None:
    hosts = lab_with(
        DB, "mesh_machine", address="198.51.100.9", ssh_port=2222, network="cloud", dns=False,
        capture={"method": "iptables"}, proxy={"https_proxy": "http://proxy:3128"},
    )  # fmt: skip
    hosts[DB]["mesh"] = hosts[BATCH]["mesh"]
    fleet = parse(hosts)
    machine = next(m for m in fleet.machines if m.name == DB)
    assert (machine.address, machine.ssh_port) == ("198.51.100.9", 2222)
    assert (machine.mesh.network, machine.mesh.dns) == ("cloud", "off")
    assert machine.mesh.capture.method == "iptables"
    assert machine.mesh.proxy.https_proxy == "http://proxy:3128"
    assert machine.mesh.proxy.artifacts == fleet.mesh.proxy.artifacts
    assert fleet.mesh.network == ""
    assert fleet.mesh.dns == "names"


# host, variable, what is merged into it -> the variable, why and fix of the problem.
MISTAKES: list[tuple[str, str, Any, str, str, str]] = [
    (BATCH, "mesh_workload", {"prots": []}, "mesh_workload.prots", "unknown key", "write ports"),
    (BATCH, "mesh_workload", {"zzz": 1}, "mesh_workload.zzz", "unknown key", "namespace"),
    (BATCH, "mesh_workload", {"name": "Legacy Batch"}, "mesh_workload.name", "DNS-1123",
     "write legacy-batch"),
    (BATCH, "mesh_workload", {"namespace": None}, "mesh_workload.namespace", "no value", "write"),
    (BATCH, "mesh_workload", {"name": "ﬁ" * 70}, "mesh_workload.name", "longer than 63", "write"),
    (BATCH, "mesh_workload", {"mode": "bridg"}, "mesh_workload.mode", "'bridg'", "write bridge"),
    (BATCH, "mesh_workload", {"mode": "x"}, "mesh_workload.mode", "'x'",
     "auto or sidecar or bridge"),
    (BATCH, "mesh_workload", {"ports": {}}, "mesh_workload.ports", "a mapping", "write a list"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 10**6000}]},
     "mesh_workload.ports[0].port", "more than 20 digits", "from 1 to 65535"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": -1}]},
     "mesh_workload.ports[0].port", "-1 is out of range", "from 1 to 65535"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 1.5}]},
     "mesh_workload.ports[0].port", "fraction", "from 1 to 65535"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": "80"}]},
     "mesh_workload.ports[0].port", "a string", "without quotes: 80"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "prot": 80}]},
     "mesh_workload.ports[0].prot", "unknown key", "write port"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 15008}]},
     "mesh_workload.ports[0].port", "used by Istio", "15000, 15001"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 22}]},
     "mesh_workload.ports[0].port", "SSH", "serve another port"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 1}, {"name": "http", "port": 1}]},
     "mesh_workload.ports[1].port", "repeats 1", "once"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 1}, {"name": "tcp", "port": 2}]},
     "mesh_workload.ports[1].name", "repeats 'tcp'", "once"),
    (BATCH, "mesh_workload", {"ports": [{"name": "udp", "port": 1}]},
     "mesh_workload.ports[0].name", "UDP", "tcp"),
    (BATCH, "mesh_workload", {"ports": [{"name": "{{ x }}", "port": 1}]},
     "mesh_workload.ports[0].name", "not evaluated", "!unsafe"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": "{{ x }}"}]},
     "mesh_workload.ports[0].port", "not evaluated", "!unsafe"),
    (BATCH, "mesh_workload", {"ports": [{"name": "tcp", "port": 1}] * 1001},
     "mesh_workload.ports", "more than 1000", "fewer"),
    (BATCH, "mesh_workload", {"health": {"tcp": 80}}, "mesh_workload.health.tcp", "none of",
     "add it to mesh_workload.ports"),
    (DB, "mesh_workload", {"health": {"http": 80}}, "mesh_workload.health.http", "none of",
     "write one of 5432"),
    (DB, "mesh_workload", {"health": {}}, "mesh_workload.health", "neither tcp nor http",
     "exactly one"),
    (DB, "mesh_workload", {"health": {"tcp": 5432, "path": "healthz"}},
     "mesh_workload.health.path", "'healthz'", "begins with '/'"),
    (BATCH, "mesh_workload", {"callers": [{"namespace": "a", "service_account": "b"}]},
     "mesh_workload.callers", "without ports", "mesh_workload.ports"),
    (BATCH, "mesh_workload", {"calls": [{"port": 1}]}, "mesh_workload.calls[0]",
     "neither host nor external", "exactly one"),
    (BATCH, "mesh_workload", {"calls": [{"host": "shop-api.shop.svc", "port": 81}]},
     "mesh_workload.calls[0]", "serves 8080", "correct the port"),
    (BATCH, "mesh_workload", {"calls": [{"host": "payments-db.payments", "port": 5432}]},
     "mesh_workload.calls[0]", "do not list it",
     "{namespace: batch, service_account: legacy-batch}"),
    (BATCH, "mesh_workload", {"labels": {"version": 2}}, "mesh_workload.labels['version']",
     "a number", "'2'"),
    (BATCH, "mesh_workload", {"labels": {"security.istio.io/tlsMode": "disabled"}},
     "mesh_workload.labels['security.istio.io/tlsMode']", "set themselves", "of your own"),
    (BATCH, "mesh_workload", {"annotations": {"a b": "x"}}, "mesh_workload.annotations['a b']",
     "'a b'", "example.com"),
    (BATCH, "mesh_workload", {1: 2}, "mesh_workload.1", "unknown key", "keys here"),
    (BATCH, "mesh_machine", {"address": "::1"}, "mesh_machine.address", "IPv6", "IPv4"),
    (BATCH, "mesh_machine", {"address": "fe80::1%eth0"}, "mesh_machine.address", "IPv6", "IPv4"),
    (BATCH, "mesh_machine", {"address": "127.0.0.1"}, "mesh_machine.address", "no address", "IPv4"),
    (BATCH, "mesh_machine", {"address": "10.0.0.256"}, "mesh_machine.address", "no IPv4", "IPv4"),
    (BATCH, "mesh_machine", {"address": "198.18.0.13"}, "mesh_machine.address", "more than one",
     "its own address"),
    (BATCH, "mesh_machine", {"external_address": "198.18.0.13"}, "mesh_machine.address",
     "more than one", "its own address"),
    *(
        (BATCH, "mesh_machine", {"ipv6_address": text}, "mesh_machine.ipv6_address", why, "fd00:")
        for text, why in (
            ("::1", "no address"), ("fe80::1", "no address"), ("fd00::1::2", "no IPv6"),
            ("10.0.0.1", "IPv6"), ("fd00::1%eth0", "IPv6"), (":" * 39, "no IPv6"),
        )
    ),
    (BATCH, "mesh_machine", {"locality": "x"}, "mesh_machine.locality", "unknown key", "address"),
    (DB, "mesh_machine", {"ssh_port": 5432}, "mesh_workload.ports[0].port", "SSH", "ssh_port"),
    (DB, "mesh_machine", {"capture": {"exclude_inbound_ports": [5432]}},
     "mesh_workload.ports[0].port", "exclude_inbound_ports", "remove"),
    (BATCH, "mesh_machine", {"capture": {"exclude_outbound_ports": [8080]}},
     "mesh_workload.calls[0].port", "exclude_outbound_ports", "remove"),
    (BATCH, "mesh_machine", {"capture": {"exclude_outbound_cidrs": ["10.0.0.1/8"]}},
     "mesh_machine.capture.exclude_outbound_cidrs[0]", "beyond its prefix", "write 10.0.0.0/8"),
    (BATCH, "mesh_machine", {"capture": {"exclude_outbound_cidrs": ["10.0.0.0/99"]}},
     "mesh_machine.capture.exclude_outbound_cidrs[0]", "no IPv4 range", "10.0.0.0/8"),
    (BATCH, "mesh_machine", {"capture": {"exclude_outbound_cidrs": ["fe80::/10"]}},
     "mesh_machine.capture.exclude_outbound_cidrs[0]", "IPv6", "IPv4"),
    (BATCH, "mesh_machine", {"proxy": {"package": "deb"}}, "mesh.proxy.artifacts",
     "lacks istio-sidecar", "package deb needs it"),
    (BATCH, "mesh", {"revision": "1-29"}, "mesh.revision", "is not what it is on", "mesh once"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "variable", "content", "at", "why", "fix"), MISTAKES)
def test_a_mistake_is_named(
    host: str, variable: str, content: Any, at: str, why: str, fix: str
) -> None:
    hosts = lab()
    hosts[host][variable] = {**hosts[host].get(variable, {}), **content}
    found = [problem for problem in problems_of(hosts) if problem.variable == at]
    assert any(host in p.host and why in p.why and fix in p.fix for p in found), problems_of(hosts)


def everywhere(hosts: Hosts, **mesh: Any) -> Hosts:
    for variables in hosts.values():
        variables["mesh"] = {**variables["mesh"], **mesh}
    return hosts


def artifact(**changes: Any) -> dict[str, Any]:
    return {**lab()[DB]["mesh"]["proxy"]["artifacts"][0], **changes}


ARTIFACTS = lab()[DB]["mesh"]["proxy"]["artifacts"]


@pytest.mark.parametrize(
    ("proxy", "at", "why"),
    [
        ({}, "mesh.proxy.artifacts", "lacks pilot-agent, envoy, envoy_bootstrap_tmpl.json"),
        ({"artifacts": ARTIFACTS[:2]}, "mesh.proxy.artifacts", "lacks envoy_bootstrap_tmpl.json"),
        ({"artifacts": [*ARTIFACTS, artifact(name="istio-sidecar")]}, "mesh.proxy.artifacts",
         "has istio-sidecar"),
        ({"artifacts": [*ARTIFACTS[1:], artifact(architecture="arm64")]}, "", ""),
        ({"artifacts": [*ARTIFACTS[1:2], artifact(architecture="arm64")]}, "mesh.proxy.artifacts",
         "lacks envoy_bootstrap_tmpl.json for arm64"),
        ({"artifacts": [
            artifact(architecture="arm64"), {**ARTIFACTS[1], "architecture": "amd64"}, ARTIFACTS[2],
         ]}, "mesh.proxy.artifacts", "lacks pilot-agent for amd64"),
        ({"artifacts": [*ARTIFACTS, artifact()]}, "mesh.proxy.artifacts[3].name",
         "repeats 'pilot-agent' 'any'"),
        ({"artifacts": [artifact(sha256="sha256:ABC")]}, "mesh.proxy.artifacts[0].sha256",
         "no SHA"),
        ({"artifacts": [artifact(path="/x")]}, "mesh.proxy.artifacts[0]", "has url and path"),
        ({"artifacts": [artifact(url="")]}, "mesh.proxy.artifacts[0].url", "no http"),
        ({"artifacts": [artifact(url="https://u:canary@h/")]}, "mesh.proxy.artifacts[0].url",
         "credentials"),
        ({"artifacts": [artifact(url="https://h/x?sig=canary")]}, "mesh.proxy.artifacts[0].url",
         "query"),
        ({"artifacts": ARTIFACTS, "https_proxy": "http://u:canary@h"}, "mesh.proxy.https_proxy",
         "credentials"),
    ],
)  # fmt: skip
def test_artefacts_are_complete_and_pinned(proxy: Any, at: str, why: str) -> None:
    hosts = everywhere(lab(), proxy=proxy)
    if not at:
        parse(hosts)
        return
    found = problems_of(hosts)
    assert any(p.variable == at and why in p.why for p in found), found
    assert "canary" not in str(found)


def test_files_on_the_controller_must_exist() -> None:
    proxy = {"artifacts": [*ARTIFACTS[1:], {**artifact(), "path": "/there/agent"}]}
    del proxy["artifacts"][-1]["url"]
    hosts = everywhere(lab(), cluster={"kubeconfig": "/not/there"}, proxy=proxy)
    asked: list[tuple[str, str]] = []

    def exists(what: str, path: str) -> bool:
        asked.append((what, path))
        return False

    found = problems_of(hosts, exists=exists)
    assert [(p.host, p.variable) for p in found] == [
        ("legacy-batch-1, payments-db-1, shop-api-[1:2]", "mesh.cluster.kubeconfig"),
        ("legacy-batch-1, payments-db-1, shop-api-[1:2]", "mesh.proxy.artifacts[2].path"),
    ]
    assert sorted(asked) == [("artifact", "/there/agent"), ("kubeconfig", "/not/there")]  # once
    parse(hosts, exists=lambda what, path: True)


@pytest.mark.parametrize(
    ("variables", "at", "why"),
    [
        ({"ansible_host": "db.example.com"}, "mesh_machine.address", "no IP address"),
        ({"ansible_host": "2001:db8::1"}, "ansible_host", "IPv6"),
        ({"ansible_port": 5432}, "mesh_workload.ports[0].port", "SSH"),
        ({"ansible_port": "5432"}, "mesh_workload.ports[0].port", "SSH"),
        ({"ansible_port": "ssh"}, "ansible_port", "a string"),
        ({"mesh_vantage": True}, "mesh_vantage", "with mesh_workload"),
        ({"mesh_vantage": "yes"}, "mesh_vantage", "a string"),
        ({"mesh_workload": None}, "mesh_workload", "no value"),
        ({"mesh_machine": None}, "mesh_machine", "no value"),
        ({"mesh_machine": [1]}, "mesh_machine", "a list"),
        ({"mesh_machines": None}, "mesh_machines", "unknown variable"),
        ({"mesh": "x"}, "mesh", "a string"),
        ({"mesh": Unreadable("is broken", "mend it")}, "mesh", "is broken"),
        ({"ansible_host": Unreadable("is broken", "mend it")}, "ansible_host", "is broken"),
        ({"ansible_port": Unreadable("is broken", "mend it")}, "ansible_port", "is broken"),
    ],
)
def test_a_host_is_read_with_its_connection(variables: Any, at: str, why: str) -> None:
    hosts = lab()
    hosts[DB].update(variables)
    found = problems_of(hosts)
    assert any(p.host == DB and p.variable == at and why in p.why for p in found), found


def test_a_misspelt_variable_does_not_hide_a_machine() -> None:
    hosts = lab()
    hosts[DB]["mesh_worklaod"] = hosts[DB].pop("mesh_workload")
    (problem,) = problems_of(hosts)
    assert problem == Problem(DB, "mesh_worklaod", "is an unknown variable", "write mesh_workload")


def test_variables_of_others_are_left_alone() -> None:
    hosts = lab()
    hosts[DB].update(mesh_state="present", mesh_evidence_path="", meshes=[], mesh_plan={})
    parse(hosts)


def test_a_missing_mesh_is_one_problem() -> None:
    hosts = lab()
    for variables in hosts.values():
        del variables["mesh"]
    (problem,) = problems_of(hosts)
    assert (problem.variable, problem.why) == ("mesh", "is missing")
    assert problem.host == "legacy-batch-1, payments-db-1, shop-api-[1:2]"


@pytest.mark.parametrize(
    "hosts", [{}, {"a": {}}, {"a": {"mesh_vantage": True, "ansible_host": "10.0.0.1"}}]
)
def test_an_inventory_without_machines_is_refused(hosts: Hosts) -> None:
    (problem,) = problems_of(hosts)
    assert (problem.host, problem.variable) == ("all", "mesh_workload")


def test_a_workload_is_the_same_on_all_its_machines() -> None:
    hosts = lab_with(
        "shop-api-2", "mesh_workload", ports=[{"name": "http", "port": 8081}], health={"tcp": 8081}
    )
    found = {(p.host, p.variable, p.why) for p in problems_of(hosts)}
    assert ("shop-api-2", "mesh_workload.ports", "is not what it is on shop-api-1") in found
    assert ("shop-api-2", "mesh_workload.health", "is not what it is on shop-api-1") in found


def test_the_order_of_labels_makes_no_difference() -> None:
    hosts = lab()
    hosts["shop-api-1"]["mesh_workload"]["labels"] = {"a": "1", "b": "2"}
    hosts["shop-api-2"]["mesh_workload"]["labels"] = {"b": "2", "a": "1"}
    parse(hosts)


def test_networks_may_use_the_same_addresses() -> None:
    hosts = lab_with(BATCH, "mesh_machine", address="198.18.0.13", network="other")
    parse(hosts)


def test_everything_is_found_in_one_pass() -> None:
    hosts = lab()
    hosts[BATCH]["mesh_workload"].update(name="Batch", prots=1)
    hosts[BATCH]["mesh_machine"] = {"ssh_port": 0}
    hosts[DB]["mesh_workload"]["ports"][0]["port"] = 0
    hosts[DB]["ansible_host"] = "198.18.0.11"
    found = {(p.host, p.variable) for p in problems_of(everywhere(hosts, dns="of"))}
    assert found == {
        ("legacy-batch-1, payments-db-1, shop-api-[1:2]", "mesh.dns"),
        (BATCH, "mesh_workload.name"),
        (BATCH, "mesh_workload.prots"),
        (BATCH, "mesh_machine.ssh_port"),
        (DB, "mesh_workload.ports[0].port"),
        ("payments-db-1, shop-api-1", "mesh_machine.address"),
    }


def test_the_input_is_not_changed() -> None:
    hosts = lab()
    parse(hosts)
    assert hosts == lab()
