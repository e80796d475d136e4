# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Alarms as data; how each behaves is promtool's to say (tests/integration/monitoring)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules

from tests.support.alarms import THRESHOLDS


@pytest.mark.parametrize("objective", [0.0, 0.93, 1.0, 99.9, float("nan")])
def test_an_objective_at_which_nothing_could_be_told_is_refused(objective: float) -> None:
    with pytest.raises(ValueError, match="success_objective: give more than"):
        replace(THRESHOLDS, success_objective=objective)


def test_a_stricter_objective_is_told_sooner() -> None:
    given = replace(THRESHOLDS, success_objective=0.999, requests_minimum=7)
    found = {rule.name: rule.expression for rule in rules.rules(given)}
    assert found["MeshRequestsFailing"].count("> 0.0144 ") == 2
    assert found["MeshErrorBudgetBurning"].count("> 0.006 ") == 2
    assert found["MeshRequestsFailing"].endswith("[1h])) >= 7")
