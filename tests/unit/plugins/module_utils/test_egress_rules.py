# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What an inventory may not say about the way out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import Problem, SpecError
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse

from tests.support.inventory import Hosts, lab

PARTNER = {"host": "api.partner.example", "port": 80}


def inventory(
    services: list[dict[str, Any]], calls: list[dict[str, Any]], **batch: Any
) -> tuple[Hosts, str]:
    hosts = lab()
    for variables in hosts.values():
        if "mesh" in variables:
            egress = {"undeclared": "refuse", "services": services}
            variables["mesh"] = {**variables["mesh"], "egress": egress}
    workload = hosts["legacy-batch-1"]["mesh_workload"]
    hosts["legacy-batch-1"]["mesh_workload"] = {**workload, "calls": calls, **batch}
    return hosts, "legacy-batch-1"


@pytest.mark.parametrize(
    ("services", "calls", "variable", "fix"),
    [
        ([], [{"external": "a.example", "port": 1}], "mesh_workload.calls[0]", "declare"),
        ([PARTNER], [{"external": PARTNER["host"], "port": 1}], "mesh_workload.calls[0]", "decl"),
        ([PARTNER], [{"host": PARTNER["host"], "port": 80}], "mesh_workload.calls[0].host", "ext"),
        ([PARTNER, {**PARTNER, "port": 81}], [], "mesh.egress.services[1].host", "directly"),
        (
            [{**PARTNER, "tls": {"mode": "mutual"}}],
            [],
            "mesh.egress.services[0].tls.credential_name",
            "name the Secret",
        ),
        (
            [{**PARTNER, "protocol": "tls", "tls": {"mode": "simple"}}],
            [],
            "mesh.egress.services[0].tls.mode",
            "write protocol: http or tcp",
        ),
        (
            [{**PARTNER, "via": "direct", "tls": {"mode": "simple"}}],
            [],
            "mesh.egress.services[0].tls.mode",
            "write via: gateway",
        ),
        ([{**PARTNER, "tls": {"sni": "a"}}], [], "mesh.egress.services[0].tls.mode", "simple or"),
        (
            [{**PARTNER, "host": "a.b.svc.cluster.local"}],
            [],
            "mesh.egress.services[0].host",
            "calls only",
        ),
    ],
)
def test_a_contradiction_is_named(
    services: list[dict[str, Any]], calls: list[dict[str, Any]], variable: str, fix: str
) -> None:
    hosts, _ = inventory(services, calls)
    with pytest.raises(SpecError) as caught:
        parse(hosts)
    (problem,) = caught.value.problems
    assert problem.variable == variable
    assert fix in problem.fix


def test_what_is_declared_may_be_called() -> None:
    hosts, _ = inventory([PARTNER], [{"external": PARTNER["host"], "port": 80}])
    assert parse(hosts).mesh.egress.services[0].host == PARTNER["host"]


def bridge(*calls: dict[str, Any], auto: bool = False) -> list[Problem]:
    """What is wrong with these calls of a bridge, where some services are declared."""
    services = [
        PARTNER,
        {**PARTNER, "port": 22, "protocol": "tcp", "via": "direct"},
        {"host": "192.0.2.80", "port": 80},
    ]
    hosts, _ = inventory(services, list(calls), mode="auto" if auto else "bridge")
    identity = {"provider": "local_ca", "certificate": "ca.crt", "key": "ca.key"}
    for variables in hosts.values():
        variables["mesh"] = {**variables["mesh"], "identity": identity}
        variables["mesh"]["egress"]["undeclared"] = "allow"
    decided = {"batch/legacy-batch": Decision("bridge", "the cluster refuses it")}
    try:
        parse(hosts, decisions=decided)
    except SpecError as error:
        return list(error.problems)
    return []


def test_a_bridge_may_go_through_the_gateway_or_directly() -> None:
    assert bridge({"external": PARTNER["host"], "port": 80}) == []
    assert bridge({"external": PARTNER["host"], "port": 22}) == []


@pytest.mark.parametrize("port", [22, 8080])  # direct, not declared
def test_on_a_bridge_a_name_cannot_lead_to_two_places(port: int) -> None:
    calls = [{"external": PARTNER["host"], "port": one} for one in (80, port)]
    (problem,) = bridge(*calls)
    assert problem.variable == "mesh_workload.calls[1]"
    assert "with port 80 api.partner.example leads to the bridge alone" in problem.why
    assert "directly" in problem.fix
    (problem,) = bridge(*calls, auto=True)
    assert "(auto decided for bridge: the cluster refuses it)" in problem.why


def test_an_address_leads_to_no_bridge() -> None:
    (problem,) = bridge({"external": "192.0.2.80", "port": 80})
    assert problem.variable == "mesh_workload.calls[0].external"
    assert "addresses: [192.0.2.80]" in problem.fix


def test_what_passes_the_capture_by_does_not_pass_a_bridge_by() -> None:
    calls = [{"external": PARTNER["host"], "port": 80}]
    for mode, fine in (("bridge", True), ("sidecar", False)):
        hosts, name = inventory([PARTNER], calls, mode=mode)
        hosts[name]["mesh_machine"] = {
            "capture": {"exclude_outbound_ports": [80]},
            "identity": {"certificate": "it.crt", "key": "it.key"},
        }
        with nullcontext() if fine else pytest.raises(SpecError, match="around the gateway"):
            parse(hosts)
