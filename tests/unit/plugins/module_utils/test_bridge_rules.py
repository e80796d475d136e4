# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a bridge cannot do or lacks is found with everything else, in words for the user."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import Problem, SpecError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import AllowRule
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse

from tests.support.inventory import DIGEST, Hosts, lab

BATCH = "legacy-batch-1"
AUTHORITY = {"provider": "local_ca", "certificate": "pki/ca.crt", "key": "pki/ca.key"}


def bridged(mesh: dict[str, Any] | None = None, **workload: Any) -> Hosts:
    """The lab with a bridge as client, right but for what is given."""
    hosts = lab()
    hosts[BATCH]["mesh_workload"].update(mode="bridge", **workload)
    for variables in hosts.values():
        variables["mesh"] = {**variables["mesh"], "identity": AUTHORITY, **(mesh or {})}
    return hosts


def problems_of(hosts: Hosts, missing: str = "") -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        parse(hosts, exists=lambda what, path: path != missing)
    return list(caught.value.problems)


def test_the_lab_may_have_a_bridge() -> None:
    fleet = parse(bridged())
    (machine,) = [m for m in fleet.machines if m.name == BATCH]
    assert machine.mode == "bridge"
    assert machine.mesh.identity.provider == "local_ca"


def test_what_the_inventory_knows_of_a_callee_is_filled_in() -> None:
    calls = [{"host": "shop-api.shop", "port": 8080}]
    fleet = parse(bridged(calls=calls))
    (call,) = fleet.workload_of(next(m for m in fleet.machines if m.name == BATCH)).calls
    assert (call.service_account, call.protocol, call.is_http) == ("shop-api", "http", True)
    assert call.spiffe_id("cluster.local") == "spiffe://cluster.local/ns/shop/sa/shop-api"


def test_what_is_said_of_a_callee_stands() -> None:
    calls = [{"host": "a.b", "port": 1, "service_account": "c", "protocol": "http2"}]
    fleet = parse(bridged(calls=calls))
    (call,) = fleet.workload_of(next(m for m in fleet.machines if m.name == BATCH)).calls
    assert (call.service_account, call.protocol) == ("c", "http2")


CASES: dict[str, tuple[Hosts, str, str, str]] = {
    "a callee that nobody knows": (
        bridged(calls=[{"host": "else.where", "port": 1}]),
        "mesh_workload.calls[0]",
        "whose identity else.where has",
        "add service_account",
    ),
    "a callee that is no service": (
        bridged(calls=[{"host": "api.example.com", "port": 1}]),
        "mesh_workload.calls[0].host",
        "is no Service's name",
        "list it as external",
    ),
    "no identity": (
        bridged({"identity": {}}),
        "mesh_machine.identity.certificate",
        "is missing",
        "the path of the certificate of the machine",
    ),
    "no authority": (
        bridged({"identity": {"provider": "local_ca", "certificate": "pki/ca.crt"}}),
        "mesh.identity.key",
        "is missing",
        "the path of the key of the authority",
    ),
    "a bypass of nothing": (
        bridged(when_proxy_is_down="bypass"),
        "mesh_workload.when_proxy_is_down",
        "captures nothing",
        "remove it",
    ),
    "its own port": (
        bridged(ports=[{"name": "tcp", "port": 15443}]),
        "mesh_workload.ports[0].port",
        "the bridge's own",
        "serve another port",
    ),
    "the SSH port": (
        bridged({"bridge": {"port": 22}}),
        "mesh.bridge.port",
        "SSH port",
        "free one",
    ),
}

VAULT = {
    "address": "https://vault.example:8200",
    "ca": "pki/vault.pem",
    "pki_role": "machine",
    "role": "batch",
}


def vaulted(lifetime: str = "24h", **more: str) -> Hosts:
    """The lab with a bridge that turns to Vault."""
    vault = {**VAULT, **more}
    return bridged({"identity": {"provider": "vault", "lifetime": lifetime, "vault": vault}})


AUTHORITY_CASES: dict[str, tuple[Hosts, str, str, str]] = {
    "Vault, but which": (
        bridged({"identity": {"provider": "vault"}}),
        "mesh.identity.vault",
        "is missing",
        "write address, ca, pki_role and role",
    ),
    "cert-manager, but which issuer": (
        bridged({"identity": {"provider": "cert_manager"}}),
        "mesh.identity.cert_manager",
        "is missing",
        "write the name of the issuer",
    ),
    "an issuer of no kind": (
        bridged(
            {
                "identity": {
                    "provider": "cert_manager",
                    "cert_manager": {"issuer": "machines", "kind": "cluster-issuer"},
                }
            }
        ),
        "mesh.identity.cert_manager.kind",
        "is no kind of Kubernetes objects",
        "such as ClusterIssuer",
    ),
    "no file of a JWT": (
        vaulted(login="jwt"),
        "mesh.identity.vault.jwt_path",
        "the log-in jwt needs it",
        "with its token",
    ),
    "a file that the sandbox hides": (
        vaulted(login="jwt", jwt_path="/root/token"),
        "mesh.identity.vault.jwt_path",
        "sandbox hides",
        "absolute path",
    ),
    "Vault in clear": (
        vaulted(address="http://vault.example:8200"),
        "mesh.identity.vault.address",
        "is no address of Vault",
        "https://HOST:PORT",
    ),
    "too short a life": (
        vaulted("59s"),
        "mesh.identity.lifetime",
        "less than a minute",
        "such as 24h",
    ),
    "too long a life": (
        vaulted("8761h"),
        "mesh.identity.lifetime",
        "more than a year",
        "such as 24h",
    ),
}


def test_the_lab_may_have_a_bridge_of_vault() -> None:
    fleet = parse(vaulted("90s", auth_mount="vms/test"))
    (machine,) = [m for m in fleet.machines if m.name == BATCH]
    identity = machine.mesh.identity
    assert identity.vault is not None
    assert (identity.lifetime_seconds, identity.vault.mount) == (90, "vms/test")


def test_the_authority_of_vaults_certificate_must_be_there() -> None:
    (problem,) = problems_of(vaulted(), "pki/vault.pem")
    assert problem.variable == "mesh.identity.vault.ca"


CASES.update(AUTHORITY_CASES)


@pytest.mark.parametrize(("hosts", "variable", "why", "fix"), CASES.values(), ids=list(CASES))
def test_a_problem_names_variable_reason_and_fix(
    hosts: Hosts, variable: str, why: str, fix: str
) -> None:
    found = problems_of(hosts)
    assert any(
        BATCH in p.host and p.variable == variable and why in p.why and fix in p.fix for p in found
    ), found


def test_a_file_that_is_not_there_is_named() -> None:
    (problem,) = problems_of(bridged(), "pki/ca.key")
    assert problem.variable == "mesh.identity.key"
    assert "pki/ca.key" in problem.why


def test_a_bridge_needs_envoy_alone() -> None:
    hosts = bridged()
    envoy = {"name": "envoy", "sha256": DIGEST, "path": "files/envoy"}
    hosts[BATCH]["mesh_machine"] = {"proxy": {"artifacts": [envoy]}}
    assert parse(hosts)
    hosts[BATCH]["mesh_workload"]["mode"] = "sidecar"
    (problem,) = problems_of(hosts)
    assert "lacks" in problem.why


def test_auto_is_judged_by_what_it_became() -> None:
    hosts = lab()
    del hosts[BATCH]["mesh_workload"]["mode"]
    hosts[BATCH]["mesh_machine"] = {
        "capture": {"exclude_outbound_ports": [8080]},
        "proxy": {"artifacts": []},
    }
    hosts[BATCH]["mesh_workload"]["calls"].append({"host": "else.where", "port": 1})
    (machine,) = [m for m in parse(hosts).machines if m.name == BATCH]
    assert machine.mode == "auto"  # nothing is wrong with it yet
    key = "batch/legacy-batch"
    for mode, variables in {
        "sidecar": {"mesh_workload.calls[0].port", "mesh_machine.proxy.artifacts"},
        "bridge": {
            "mesh_workload.calls[1]",
            "mesh_machine.proxy.artifacts",
            "mesh_machine.identity.certificate",
            "mesh_machine.identity.key",
        },
    }.items():
        with pytest.raises(SpecError) as caught:
            parse(hosts, decisions={key: Decision(mode, "the cluster says so")})
        assert {p.variable for p in caught.value.problems} == variables
        for problem in caught.value.problems:
            assert problem.host == BATCH
            assert problem.why.endswith("(auto decided for %s: the cluster says so)" % mode)


def test_a_decision_is_for_auto_only() -> None:
    hosts = bridged()
    key = "batch/legacy-batch"
    fleet = parse(hosts, decisions={key: Decision("sidecar", "why")})
    assert [m.mode for m in fleet.machines if m.workload == key] == ["bridge"]
    hosts[BATCH]["mesh_workload"]["mode"] = "auto"
    fleet = parse(hosts, decisions={key: Decision("bridge", "why")})
    assert [m.mode for m in fleet.machines if m.workload == key] == ["bridge"]
    assert [w.mode for w in fleet.workloads if w.key == key] == ["bridge"]


def test_a_package_brings_an_agent() -> None:
    hosts = bridged()
    package = {"name": "istio-sidecar", "sha256": DIGEST, "path": "files/istio.deb"}
    hosts[BATCH]["mesh_machine"] = {"proxy": {"package": "deb", "artifacts": [package]}}
    found = problems_of(hosts)
    assert any(p.variable == "mesh_machine.proxy.package" for p in found)


def test_a_sidecar_is_not_asked_for_any_of_it() -> None:
    assert parse(lab())


def with_revocation(hosts: Hosts, **revocation: Any) -> Hosts:
    """All hosts look at lists."""
    for variables in hosts.values():
        if "mesh" in variables:
            bridge = {"revocation": revocation}
            variables["mesh"] = {**variables["mesh"], "bridge": bridge}
    return hosts


def test_lists_must_be_there() -> None:
    found = problems_of(with_revocation(bridged(), lists=["pki/a.crl"]), "pki/a.crl")
    assert {p.variable for p in found} == {"mesh.bridge.revocation.lists[0]"}
    assert {p.variable for p in problems_of(with_revocation(bridged()))} == {
        "mesh.bridge.revocation.lists"
    }
    assert parse(with_revocation(vaulted())).mesh.bridge.revocation is not None


def test_each_bridge_is_told_of_all_bridges() -> None:
    fleet = parse(with_revocation(vaulted()))
    told = {m.name: m.bridges for m in fleet.machines}
    assert told[BATCH] == ("spiffe://cluster.local/ns/batch/sa/legacy-batch",)
    assert {names for name, names in told.items() if name != BATCH} == {()}
    assert {m.bridges for m in parse(vaulted()).machines} == {()}


INGRESS = {"credential_name": "gateway", "subject_alt_name": "gateway.example"}


def ended(bridge: dict[str, Any], **workload: Any) -> Hosts:
    """A bridge whose TLS ends at a gateway."""
    return bridged({"bridge": {"gateway": INGRESS, **bridge}}, **workload)


def test_the_gateway_that_ends_tls_is_a_caller_of_what_bridges_call() -> None:
    fleet = parse(ended({}))
    callers = {workload.name: workload.callers for workload in fleet.workloads}
    gateway = AllowRule("istio-ingress", "istio-ingressgateway", (8080,))
    assert callers["shop-api"] == (AllowRule("batch", "legacy-batch"), gateway)
    assert callers["payments-db"] == (AllowRule("shop", "shop-api"),)
    assert all(gateway not in one.callers for one in parse(bridged()).workloads)


def test_it_need_not_be_known_who_answers_behind_it() -> None:
    parse(ended({}, calls=[{"host": "else.where", "port": 1}]))


def test_the_gateway_needs_lists_and_a_certificate_that_goes_with_them() -> None:
    lists = {"lists": ["pki/a.crl"]}
    assert parse(ended({"revocation": lists})).mesh.bridge.gateway is not None
    (problem,) = problems_of(ended({"revocation": lists, "gateway": {}}))
    assert problem.variable == "mesh.bridge.gateway.credential_name"
    (problem,) = problems_of(ended({"revocation": {}}))
    assert problem.variable == "mesh.bridge.revocation.lists"
    assert "the gateway" in problem.why


def test_two_bridges_speak_the_same_to_one_port_behind_it() -> None:
    call = {"host": "else.where", "port": 1, "protocol": "http"}
    hosts = ended({}, calls=[call])
    other = {"name": "other", "namespace": "batch", "mode": "bridge", "calls": [call]}
    hosts["other-1"] = {**hosts[BATCH], "mesh_workload": other, "ansible_host": "198.18.0.99"}
    parse(hosts)
    other["calls"] = [{**call, "protocol": "tcp"}]
    (problem,) = problems_of(hosts)
    assert (problem.variable, problem.fix) == (
        "mesh_workload.calls[0]",
        "write the protocol of port 1 in both",
    )
    assert "tcp" in problem.why and "http" in problem.why
