# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A registration is judged by its address, identity, labels, revision, connection and health."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Mesh
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import Registration
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration_checks import (
    check_registration,
    silent_seconds,
)

from tests.unit.plugins.plugin_utils.evidence_fixture import DB, MACHINES, registrations

MACHINE = MACHINES["db-1"][0]
ENTRY = registrations()[0]


def failed(*entries: Registration, mesh: Mesh | None = None) -> list[str]:
    machine = replace(MACHINE, mesh=mesh or MACHINE.mesh)
    checks = check_registration(machine, DB, entries)
    assert all(bool(item.advice) != item.passed for item in checks)
    return [item.id.rsplit("/", 1)[1] for item in checks if not item.passed]


def test_as_specified() -> None:
    assert failed(*registrations()) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"address": "198.18.0.99"}, "entry"),
        ({"namespace": "other"}, "entry"),
        ({"group": "other"}, "entry"),
        ({"connected": False}, "connection"),
        ({"healthy": False}, "health"),
        ({"healthy": None}, "health"),
        ({"service_account": "default"}, "description"),
        ({"labels": {}}, "description"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], name: str) -> None:
    assert failed(replace(ENTRY, **changes)) == [name]


def test_two_entries_for_one_machine() -> None:
    assert failed(ENTRY, replace(ENTRY, name="stale")) == ["entry"]


def test_network_and_revision_are_judged_where_they_are_specified() -> None:
    mesh = Mesh(network="vm-net", revision="canary")
    good = replace(ENTRY, network="vm-net", controller="istiod-canary-6f8d9-x2x4z")
    assert failed(good, mesh=mesh) == []
    assert failed(replace(good, network=""), mesh=mesh) == ["description"]
    assert failed(replace(good, controller="istiod-6f8d9-x2x4z"), mesh=mesh) == ["description"]


def test_a_probe_may_be_silent_until_every_attempt_is_over() -> None:
    pairs = [(MACHINE, DB)]
    probe = DB.health
    assert probe is not None
    silent = replace(ENTRY, healthy=None)
    assert silent_seconds(pairs, [silent]) > probe.failure_threshold * probe.period_seconds
    assert silent_seconds(pairs, [ENTRY]) == 0
    assert silent_seconds(pairs, [replace(silent, address="198.18.0.99")]) == 0
    assert silent_seconds([(MACHINE, replace(DB, health=None))], [silent]) == 0
    assert silent_seconds([], []) == 0
