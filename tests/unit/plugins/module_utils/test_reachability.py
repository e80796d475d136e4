# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The matrix says of every path what the allow-list says, and grows no faster than the fleet."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import (
    ADMIN_PORTS,
    AGENT_PORTS,
    Case,
    LeftOut,
    cases,
    matrix,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet, Workload
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse
from hypothesis import given
from hypothesis import strategies as st

from tests.support.egress import BRIDGE, BRIDGED, EGRESS_MESH, FLEET, MACHINES
from tests.support.fleet import PAYMENTS_DB
from tests.support.inventory import Hosts, inventories, lab, many

GOLDEN = Path(__file__).parents[3] / "golden" / "reachability" / "lab.txt"


def by_id(fleet: Fleet) -> dict[str, Case]:
    return {case.id: case for case in cases(fleet)}


def test_the_labs_matrix() -> None:
    lines = [
        "%-48s %-8s %-8s %s" % (case.id, case.protocol, case.expected, case.reason)
        for case in cases(parse(lab()))
    ]
    assert "\n".join(line.rstrip() for line in lines) + "\n" == GOLDEN.read_text()


def test_the_lab_has_what_was_promised() -> None:
    found = cases(parse(lab()))
    assert sum(case.expected == "refused" for case in found) >= 60
    assert Counter(case.expected for case in found)["allowed"] == 3


def test_a_name_leads_to_any_machine_and_an_address_to_one() -> None:
    found = by_id(parse(lab()))
    name = found["legacy-batch-1 -> payments-db:5432 by name"]
    assert name.target == name.host == "payments-db.payments.svc.cluster.local"
    assert (name.address, name.via, name.reason) == ("", "name", "rbac")
    address = found["legacy-batch-1 -> payments-db-1:5432 by address"]
    assert (address.target, address.address, address.host) == ("payments-db-1", "198.18.0.13", "")
    assert (address.via, address.reason, address.protocol) == ("address", "tls", "postgres")


def test_a_machine_behind_nat_is_tried_at_its_external_address() -> None:
    hosts = lab()
    hosts["payments-db-1"]["mesh_machine"] = {"external_address": "203.0.113.7"}
    case = by_id(parse(hosts))["outsider-1 -> payments-db-1:5432 by address"]
    assert case.address == "203.0.113.7"


def test_what_the_user_opened_is_not_tried() -> None:
    hosts = lab()
    hosts["payments-db-1"]["mesh_machine"] = {"capture": {"exclude_inbound_ports": [15020]}}
    ports = {case.port for case in cases(parse(hosts)) if case.target == "payments-db-1"}
    assert ports == {5432, *AGENT_PORTS} - {15020}


def test_a_port_at_which_ones_own_proxy_answers_is_tried_from_outside_the_mesh() -> None:
    found = cases(parse(lab()))
    sources = {case.source for case in found if case.port in (15021, 15090)}
    assert sources == {"outsider-1"}


@pytest.mark.parametrize(
    ("machine", "what"),
    [
        ({"dns": "off"}, "names of the mesh, since dns is off"),
        (
            {"capture": {"exclude_outbound_ports": [5432]}},
            "names of the mesh at ports that are excluded from capture",
        ),
        (
            {"network": "cloud"},
            "addresses in other networks, which are reached by gateways only",
        ),
    ],
)
def test_what_cannot_be_tried_is_said(machine: dict[str, object], what: str) -> None:
    hosts = lab()
    hosts["legacy-batch-1"]["mesh_machine"] = machine
    found = matrix(parse(hosts))
    assert LeftOut("legacy-batch-1", what) in found.left_out
    via = "address" if "network" in machine else "name"
    tried = {
        case.port for case in found.cases if case.via == via and case.source == "legacy-batch-1"
    }
    assert not tried & {5432, *ADMIN_PORTS}


def test_workloads_of_one_name_are_told_apart() -> None:
    hosts = lab()
    for host in ("shop-api-1", "shop-api-2"):
        hosts[host]["mesh_workload"].update(name="payments-db", service_account="shop-api")
    hosts["legacy-batch-1"]["mesh_workload"]["calls"] = []
    ids = by_id(parse(hosts))
    assert "legacy-batch-1 -> shop/payments-db:8080 by name" in ids
    assert "legacy-batch-1 -> payments/payments-db:5432 by name" in ids


def test_the_limit_keeps_what_is_allowed_and_says_the_rest() -> None:
    found = matrix(parse(many(40, 2)), limit=16)
    counts = Counter(case.source for case in found.cases)
    assert set(counts.values()) == {16}
    for source in counts:
        mine = [case for case in found.cases if case.source == source]
        assert [case.expected for case in mine].count("allowed") == 2
        (what,) = [item.what for item in found.left_out if item.source == source]
        assert re.fullmatch(
            "cases of 3[678] of 39 other workloads, because of the limit of 16", what
        )


def test_sources_try_different_targets_and_every_machine_is_tried() -> None:
    fleet = parse(many(20, 5))
    found = cases(fleet)
    assert {case.target for case in found if case.via == "address"} == {
        machine.name for machine in fleet.machines
    }
    targets = {
        machine.name: frozenset(
            case.target for case in found if case.source == machine.name and case.via == "address"
        )
        for machine in fleet.machines
    }
    assert len(set(targets.values())) > len(targets) / 2


def test_the_matrix_grows_with_the_fleet() -> None:
    small, large = (len(cases(parse(many(n, 2)))) for n in (30, 120))
    assert large == 4 * small


def test_the_same_fleet_gives_the_same_matrix_in_any_order() -> None:
    hosts = lab()
    assert matrix(parse(hosts)) == matrix(parse(dict(reversed(hosts.items()))))


@given(inventories(), st.integers(1, 70))
def test_the_matrix_says_what_the_allow_list_says(hosts: Hosts, limit: int) -> None:
    fleet = parse(hosts)
    found = matrix(fleet, limit)
    assert len({case.id for case in found.cases}) == len(found.cases)
    assert max(Counter(case.source for case in found.cases).values(), default=0) <= limit
    machines = {machine.name: machine for machine in fleet.machines}
    workloads = {workload.service_host: workload for workload in fleet.workloads}
    for case in found.cases:
        if case.via == "address":
            target = machines[case.target]
            assert (case.expected, case.reason) == ("refused", "tls")
            assert case.source != case.target
            assert case.address == target.mesh_address
            assert case.port not in target.mesh.capture.exclude_inbound_ports
            continue
        callee = workloads[case.host]
        caller = fleet.workload_of(machines[case.source])
        allowed = callee.allows(caller, case.port)
        assert case.port in {port.port for port in callee.ports}
        assert case.expected == ("allowed" if allowed else "refused")
        assert case.reason == ("" if allowed else "rbac")


@given(inventories())
def test_nothing_is_missing_that_is_not_said_to_be(hosts: Hosts) -> None:
    fleet = parse(hosts)
    fleet = replace(fleet, machines=tuple(replace(m, mesh=fleet.mesh) for m in fleet.machines))
    found = matrix(fleet, 10_000)
    if fleet.mesh.dns == "names":
        assert found.left_out == ()
        tried = {(case.source, case.host, case.port) for case in found.cases if case.host}
        for source in fleet.machines:
            for workload in fleet.workloads:
                for port in workload.ports:
                    own = workload.key == source.workload
                    if not own or workload.allows(workload, port.port):
                        assert (source.name, workload.service_host, port.port) in tried
    for vantage in fleet.vantages:
        tried_by = {c.target for c in found.cases if c.source == vantage.name}
        assert tried_by == {machine.name for machine in fleet.machines}


def bridged(*groups: str) -> Fleet:
    """The lab, of which the machines whose names begin so are bridges."""
    hosts = lab()
    authority = {"provider": "local_ca", "certificate": "ca.crt", "key": "ca.key"}
    for name, variables in hosts.items():
        variables["mesh"] = {**variables["mesh"], "identity": authority}
        if name.startswith(groups):
            variables["mesh_workload"]["mode"] = "bridge"
    return parse(hosts)


def test_a_bridge_tries_the_names_that_it_has() -> None:
    found = matrix(bridged("legacy-batch"))
    own = [case for case in found.cases if case.source == "legacy-batch-1" and case.via == "name"]
    assert [(case.host, case.expected) for case in own] == [
        ("shop-api.shop.svc.cluster.local", "allowed")
    ]
    assert any(
        item.source == "legacy-batch-1" and "none of the bridge's calls" in item.what
        for item in found.left_out
    )


def test_behind_a_bridge_the_firewall_refuses_and_the_bridge_takes_mutual_tls_only() -> None:
    found = by_id(bridged("payments-db"))
    application = found["outsider-1 -> payments-db-1:5432 by address"]
    assert (application.expected, application.reason) == ("refused", "firewall")
    own = found["outsider-1 -> payments-db-1:15443 by address"]
    assert (own.reason, own.protocol) == ("tls", "http")
    agent = found["outsider-1 -> payments-db-1:15020 by address"]
    assert (agent.expected, agent.reason) == ("refused", "closed")
    assert found["shop-api-1 -> payments-db:5432 by name"].expected == "allowed"
    assert found["legacy-batch-1 -> payments-db:5432 by name"].reason == "rbac"


def with_ipv6(fleet: Fleet, *names: str) -> Fleet:
    """The fleet, of which these have IPv6."""
    return replace(
        fleet,
        machines=tuple(
            replace(one, ipv6_address="fd00::%d" % number) if one.name in names else one
            for number, one in enumerate(fleet.machines)
        ),
        vantages=tuple(
            replace(one, ipv6_address="fd00::99") if one.name in names else one
            for one in fleet.vantages
        ),
    )


def test_who_has_ipv6_and_no_proxy_of_its_own_in_the_way_tries_it() -> None:
    fleet = with_ipv6(
        bridged("payments-db"), "outsider-1", "payments-db-1", "shop-api-1", "legacy-batch-1"
    )
    found = {id_: case for id_, case in by_id(fleet).items() if case.address.startswith("fd00::")}
    assert {case.source for case in found.values()} == {"outsider-1", "payments-db-1"}
    sidecar = found["outsider-1 -> shop-api-1:8080 by IPv6"]
    assert (sidecar.expected, sidecar.reason, sidecar.protocol) == ("refused", "capture", "http")
    assert "outsider-1 -> shop-api-1:15020 by IPv6" in found
    of_bridge = {
        case.port: case.reason for case in found.values() if case.target == "payments-db-1"
    }
    assert of_bridge == {5432: "firewall"}


def test_where_one_end_has_no_ipv6_nothing_is_tried_by_it() -> None:
    for names in (["outsider-1"], ["shop-api-1", "payments-db-1"], []):
        fleet = with_ipv6(bridged("payments-db"), *names)
        alike = [case for case in cases(fleet) if case.id.endswith("IPv6")]
        assert {case.source for case in alike} <= {"payments-db-1"}
        assert not [case for case in alike if case.source == "outsider-1"]


def test_a_sidecar_does_not_try_what_its_own_proxy_would_refuse() -> None:
    found = by_id(bridged("payments-db"))
    assert "shop-api-1 -> payments-db-1:15443 by address" in found
    assert "shop-api-1 -> payments-db-1:15020 by address" not in found


def test_a_bridge_that_serves_nothing_has_nothing_to_be_refused_at() -> None:
    found = by_id(bridged("legacy-batch"))
    tried = [case for case in found.values() if case.target == "legacy-batch-1"]
    assert {case.reason for case in tried} == {"closed"}
    assert 15443 not in {case.port for case in tried}


def test_the_way_out_is_tried_and_the_way_around() -> None:
    found = by_id(Fleet(EGRESS_MESH, FLEET[:2], MACHINES))
    listed = found["legacy-batch-1 -> api.partner.example:80 by gateway"]
    assert (listed.expected, listed.via, listed.protocol) == ("allowed", "name", "http")
    other = found["payments-db-1 -> api.partner.example:80 by gateway"]
    assert (other.expected, other.reason) == ("refused", "egress_gateway")
    around = found["payments-db-1 -> 192.0.2.80:8443 around the gateway"]
    assert (around.expected, around.reason, around.via) == ("refused", "undeclared", "address")
    # A machine that may call what is declared only does not get at addresses at all.
    by_address = [case for case in found.values() if case.id.endswith("by address")]
    assert {case.reason for case in by_address} == {"undeclared"}


def test_ways_out_that_are_not_tried_are_named() -> None:
    left = {one.what for one in matrix(Fleet(EGRESS_MESH, FLEET[:2], MACHINES)).left_out}
    assert "external services that are reached directly" in left
    assert "external services of which no answer is known (tls, tcp)" in left


def test_a_bridge_tries_the_way_out_that_it_lists_and_none_around() -> None:
    machines = (BRIDGE, MACHINES[1])
    found = matrix(Fleet(EGRESS_MESH, (BRIDGED, PAYMENTS_DB), machines))
    tried = {c.id: c for c in found.cases if c.source == BRIDGE.name and c.via == "name"}
    (case,) = tried.values()
    assert (case.host, case.port, case.expected) == ("api.partner.example", 80, "allowed")
    assert not [c for c in found.cases if c.source == BRIDGE.name and "around" in c.id]
    left = {one.what for one in found.left_out if one.source == BRIDGE.name}
    assert left == {
        "external services of which no answer is known (tls, tcp)",
        "external services that are reached directly",
        "ways around the egress gateway, as a bridge captures nothing",
        "names that are none of the bridge's calls, which do not resolve there",
    }


@pytest.mark.parametrize(
    ("workload", "dns", "why"),
    [(BRIDGED, "off", "dns is off"), (replace(BRIDGED, calls=()), "names", "bridge's calls")],
)
def test_a_bridge_does_not_try_what_does_not_lead_to_it(
    workload: Workload, dns: str, why: str
) -> None:
    bridge = replace(BRIDGE, mesh=replace(BRIDGE.mesh, dns=dns))
    found = matrix(Fleet(EGRESS_MESH, (workload,), (bridge,)))
    assert found.cases == ()
    assert any(why in one.what for one in found.left_out)
