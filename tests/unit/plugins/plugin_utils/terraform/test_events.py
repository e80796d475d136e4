# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Progress says addresses, actions and times, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.events import Events
from hypothesis import given
from hypothesis import strategies as st

HOOK = {"resource": {"addr": "a.b"}, "action": "create", "id_key": "id", "id_value": "canary"}


def said(*lines: str) -> tuple[list[tuple[str, int]], Events]:
    found: list[tuple[str, int]] = []
    events = Events(lambda text, verbosity: found.append((text, verbosity)))
    for line in lines:
        events.line(line)
    return found, events


def event(kind: str, **hook: Any) -> str:
    return json.dumps({"type": kind, "@message": "canary", "hook": {**HOOK, **hook}})


def test_each_resource_is_told() -> None:
    found, events = said(
        event("refresh_start"),
        event("apply_start"),
        event("apply_progress", elapsed_seconds=10),
        event("provision_progress", output="canary"),
        event("apply_complete", elapsed_seconds=12),
        event("apply_start", action="delete"),
        event("apply_errored", action="delete", elapsed_seconds=1),
        json.dumps(
            {"type": "planned_change", "change": {"resource": {"addr": "c.d"}, "action": "x"}}
        ),
    )
    assert found == [
        ("a.b: refresh start", 2),
        ("a.b: creating", 0),
        ("a.b: still creating, 10 s", 0),
        ("a.b: created after 12 s", 0),
        ("a.b: deleting", 0),
        ("a.b: failed after 1 s", 0),
        ("c.d: planned: x", 1),
    ]
    assert events.done == 1


def test_diagnostics_are_kept() -> None:
    _, events = said('{"diagnostic": {"severity": "warning", "summary": "s"}}')
    assert [item.summary for item in events.diagnostics] == ["s"]


@given(
    st.one_of(
        st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)
    )
)
def test_what_is_no_event_is_passed_over(line: str) -> None:
    found, events = said(line)
    assert (found, events.done, events.diagnostics) == ([], 0, [])
