# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""External services as values: found by host and port, and carried through plain data."""

from __future__ import annotations

import json

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import Egress
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Mesh,
    from_data,
    to_data,
)

from tests.support.egress import EGRESS, EGRESS_MESH, PARTNER, WEB


def test_a_service_is_found_by_host_and_port() -> None:
    assert EGRESS.find("api.partner.example", 80) is PARTNER
    assert EGRESS.find("api.partner.example", 8443) is None


def test_ports() -> None:
    assert (PARTNER.outer_port, WEB.outer_port) == (8443, 443)


def test_nothing_is_configured_by_default() -> None:
    assert not Egress().configured
    assert Egress("refuse").configured


def test_it_survives_plain_data() -> None:
    assert from_data(Mesh, json.loads(json.dumps(to_data(EGRESS_MESH)))) == EGRESS_MESH
