# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Rounds cover every case and no more than they may; results are of today's cases only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import desired
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import to_data
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import prober
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.prober import Probes, Result
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import PROBES_FILE
from hypothesis import given
from hypothesis import strategies as st


def case(name: str, expected: str = "allowed") -> Case:
    reason = "rbac" if expected == "refused" else ""
    return Case(name, "a", "b", "b.x.svc", "", 80, "http", "name", expected, reason)


OPEN = case("a -> b:80 by name")
SHUT = case("a -> c:80 by name", "refused")
PASSED = Probed(OPEN.id, "allowed", "http_200", seconds=0.25)
BROKEN = Probed(OPEN.id, "error", "timeout")
REFUSED = Probed(SHUT.id, "refused", "http_403_rbac")
OPENED = Probed(SHUT.id, "allowed", "http_200")


@given(st.sets(st.text(), max_size=60), st.integers(1, 20), st.integers(0, 1000))
def test_every_case_is_tried_once_within_the_stated_rounds(
    names: set[str], per_round: int, start: int
) -> None:
    cases = [case(name) for name in names]
    among = prober.rounds(len(cases), per_round)
    turns = [prober.sample(cases, per_round, start + turn) for turn in range(among)]
    assert all(len(turn) <= per_round for turn in turns)
    assert sorted(one.id for turn in turns for one in turn) == sorted(names)


@given(st.permutations([case(str(number)) for number in range(20)]), st.integers(0, 10))
def test_a_round_is_the_same_whatever_the_order_of_the_cases(cases: list[Case], turn: int) -> None:
    ordered = sorted(cases, key=lambda one: one.id)
    assert prober.sample(cases, 7, turn) == prober.sample(ordered, 7, turn)


def test_failures_are_counted_in_a_row_and_forgotten_by_a_success() -> None:
    results: dict[str, Result] = {}
    counted = []
    for seen in (BROKEN, BROKEN, PASSED, BROKEN):
        results = prober.remember([OPEN], results, [seen])
        counted.append(results[OPEN.id].failed_rounds)
    assert counted == [1, 2, 0, 1]


def test_a_case_that_was_not_its_turn_keeps_what_was_seen() -> None:
    before = prober.remember([OPEN, SHUT], {}, [BROKEN, REFUSED])
    assert prober.remember([OPEN, SHUT], before, [REFUSED]) == before


def test_a_removed_case_and_one_that_means_something_else_have_no_result() -> None:
    before = prober.remember([OPEN, SHUT], {}, [PASSED, REFUSED])
    assert set(prober.remember([SHUT], before, [])) == {SHUT.id}
    other = dataclasses.replace(OPEN, expected="refused", reason="rbac")
    assert prober.remember([other], before, []) == {}


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "null", "7", '{"turn": "x"}', '{"results": [7]}', '{"results": 1}'],
)
def test_an_unreadable_record_is_begun_anew(text: str | None) -> None:
    assert prober.read_record(text) == (-1, {})


class Machine:
    """A machine below a folder; ``answers`` is what each case comes to."""

    def __init__(self, root: Path) -> None:
        self.host = Host(root=str(root))
        self.answers = {OPEN.id: PASSED, SHUT.id: REFUSED}
        self.tried: list[str] = []

    def has(self, *cases: Case, per_round: int = 32) -> None:
        path = Path(self.host.path(PROBES_FILE))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(to_data(Probes(60, per_round, cases))))

    def round(self) -> str:
        def attempt(cases: list[Case], **limits: Any) -> list[Probed]:
            assert limits == {"timeout": prober.TIMEOUT, "settle": 0.0}
            self.tried = [one.id for one in cases]
            return [self.answers[name] for name in self.tried]

        prober.main(self.host, attempt, lambda: 1795416808.5)
        return Path(self.host.path(prober.PATH)).read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(desired.os, "fchown", lambda *_: None)
    return Machine(tmp_path)


def test_a_round_writes_the_metrics(machine: Machine) -> None:
    machine.has(OPEN, SHUT)
    text = machine.round()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    allowed = 'case="a -> b:80 by name",peer="b",expected="allowed"'
    refused = 'case="a -> c:80 by name",peer="b",expected="refused",reason="rbac"'
    assert lines == [
        'mesh_probe_as_expected{%s,seen="allowed",how="http_200"} 1' % allowed,
        'mesh_probe_as_expected{%s,seen="refused",how="http_403_rbac"} 1' % refused,
        "mesh_probe_failed_rounds{%s} 0" % allowed,
        "mesh_probe_failed_rounds{%s} 0" % refused,
        "mesh_probe_duration_seconds{%s} 0.25" % allowed,
        "mesh_probe_duration_seconds{%s} 0" % refused,
        "mesh_probe_cases 2",
        "mesh_probe_rounds 1",
        "mesh_probe_interval_seconds 60",
        "mesh_probe_timestamp_seconds 1795416808.5",
    ]


def test_an_opened_path_shows_and_so_does_its_recovery(machine: Machine) -> None:
    machine.has(SHUT)
    machine.round()
    machine.answers[SHUT.id] = OPENED
    assert 'seen="allowed",how="http_200"} 0' in machine.round()
    machine.answers[SHUT.id] = REFUSED
    text = machine.round()
    assert 'how="http_403_rbac"} 1' in text and 'seen="allowed"' not in text


def test_rounds_take_turns_and_removed_cases_disappear(machine: Machine) -> None:
    machine.has(OPEN, SHUT, per_round=1)
    machine.round()
    first = machine.tried
    text = machine.round()
    assert sorted(first + machine.tried) == sorted([OPEN.id, SHUT.id])
    assert OPEN.id in text and SHUT.id in text
    machine.has(SHUT, per_round=1)
    assert OPEN.id not in machine.round()


def test_the_record_is_roots_and_the_metrics_are_not(machine: Machine) -> None:
    machine.has(OPEN)
    machine.round()
    modes = [
        Path(machine.host.path(p)).stat().st_mode & 0o777 for p in (prober.RECORD, prober.PATH)
    ]
    assert modes == [0o600, 0o644]
