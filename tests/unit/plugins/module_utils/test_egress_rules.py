# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What an inventory may not say about the way out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import SpecError
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


def test_a_bridge_cannot_go_through_the_gateway() -> None:
    calls = [{"external": PARTNER["host"], "port": 80}]
    hosts, _ = inventory([PARTNER], calls, mode="bridge")
    with pytest.raises(SpecError, match="which a bridge cannot do"):
        parse(hosts)
