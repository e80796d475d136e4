# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Dashboards have the user's thresholds and runbooks, and stay JSON whatever these are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import dashboards, rules
from hypothesis import given
from hypothesis import strategies as st

# Values that nothing else in a dashboard has.
THRESHOLDS = rules.Thresholds(
    90071, 90072, 90073, 0.9074, 0.9075, 9.07625, 90077, 90078, 90079, 0.9508, 90081
)
# An alarm's `for` is no value that a panel shows, nor are those of burn rates.
NOT_SHOWN = {
    "unreachable_seconds", "control_plane_seconds", "success_objective", "requests_minimum",
}  # fmt: skip


def steps(data: Any) -> Iterator[float]:
    """The values of all thresholds in it."""
    if isinstance(data, dict):
        if set(data) == {"color", "value"}:
            yield data["value"]
        for value in data.values():
            yield from steps(value)
    elif isinstance(data, list):
        for value in data:
            yield from steps(value)


def test_the_thresholds_are_those_of_the_alarms() -> None:
    boards = [json.loads(text) for text in dashboards.render(THRESHOLDS, "x").values()]
    found = {value for board in boards for value in steps(board)}
    given_ = dataclasses.asdict(THRESHOLDS)
    assert {name for name, value in given_.items() if value not in found} == NOT_SHOWN
    assert [value for value in found if isinstance(value, str)] == []


def test_no_mark_is_left() -> None:
    for text in dashboards.render(THRESHOLDS, "https://runbooks.example.com/x/").values():
        assert "@" not in text
        json.loads(text)
    fleet = dashboards.render(THRESHOLDS, "https://runbooks.example.com/x/")
    assert "https://runbooks.example.com/x/${__value.raw}.md" in fleet["brownfield-mesh-fleet.json"]


def test_a_query_has_the_threshold_too() -> None:
    text = dashboards.render(THRESHOLDS, "x")["brownfield-mesh-identities.json"]
    (panel,) = [p for p in json.loads(text)["panels"] if p["title"] == "Too old"]
    assert "< 0.9074) or vector(0)" in panel["targets"][0]["expr"]


@given(st.text(max_size=20))
def test_any_place_of_runbooks_is_json(runbooks: str) -> None:
    for text in dashboards.render(THRESHOLDS, runbooks).values():
        json.loads(text)


def test_a_threshold_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="disk_part"):
        dashboards.threshold("disk_part")


def test_grafana_is_told_the_folder_and_nothing_of_a_data_source() -> None:
    told = yaml.safe_load(dashboards.provider("/etc/here"))
    assert told["apiVersion"] == 1
    (one,) = told["providers"]
    assert one["type"] == "file"
    assert one["options"] == {"path": "/etc/here"}
