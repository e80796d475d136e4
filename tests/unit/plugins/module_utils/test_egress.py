# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""External services as values: found by host and port, and carried through plain data; and which
calls a bridge takes."""

from __future__ import annotations

import json
from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import Egress, EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Call,
    Fleet,
    Mesh,
    from_data,
    to_data,
)

from tests.support.egress import (
    BATCH,
    BRIDGED,
    EGRESS,
    EGRESS_MESH,
    GATEWAY_ID,
    PARTNER,
    SFTP,
    WEB,
)


def test_a_service_is_found_by_host_and_port() -> None:
    assert EGRESS.find("api.partner.example", 80) is PARTNER
    assert EGRESS.find("api.partner.example", 8443) is None


def test_some_go_through_the_gateway() -> None:
    assert EGRESS.through_gateway(WEB.host, WEB.port) is WEB
    assert EGRESS.through_gateway(SFTP.host, SFTP.port) is None
    assert EGRESS.through_gateway(WEB.host, 1) is None


def test_the_gateway_is_known_by_its_service_account() -> None:
    assert EgressGateway().spiffe_id("cluster.local") == GATEWAY_ID
    other = EgressGateway("out", "edge", service_account="proxies")
    assert other.spiffe_id("td1") == "spiffe://td1/ns/edge/sa/proxies"


def test_a_bridge_takes_what_goes_through_a_gateway() -> None:
    inside = Call(80, host="a.b")
    outside = [Call(one.port, external=one.host) for one in (WEB, SFTP)]
    undeclared = Call(443, external="undeclared.example")
    taken = [EGRESS_MESH.bridged(call) for call in (inside, *outside, undeclared)]
    assert taken == [True, True, False, False]


def test_the_egress_gateway_must_be_reached_where_a_bridge_calls_through_it() -> None:
    direct = replace(BRIDGED, calls=(Call(SFTP.port, external=SFTP.host), Call(80, host="a.b")))
    for workload, expected in ((BRIDGED, True), (BATCH, False), (direct, False)):
        assert Fleet(EGRESS_MESH, (workload,), ()).has_bridges_to_egress is expected


def test_ports() -> None:
    assert (PARTNER.outer_port, WEB.outer_port) == (8443, 443)


def test_nothing_is_configured_by_default() -> None:
    assert not Egress().configured
    assert Egress("refuse").configured


def test_it_survives_plain_data() -> None:
    assert from_data(Mesh, json.loads(json.dumps(to_data(EGRESS_MESH)))) == EGRESS_MESH
