# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's pure parts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import validate

from lab.config import CHECKOUT
from tests.benchmark import measure, planning, stage
from tests.benchmark.__main__ import counts


def test_summary_divides_the_whole_run() -> None:
    record = {
        "ended": 107.0,
        "tasks": [{"task": "plan", "started": 102.0}, {"task": "join", "started": 103.5}],
        "mesh_calls": {"a": 1, "b": 3},
        "hosts": {"a": {"changed": 0}, "b": {"changed": 2}},
    }
    found = measure.summary(100.0, 108.0, record)
    assert found["seconds"] == 8.0
    assert [task["seconds"] for task in found["tasks"]] == [1.5, 3.5]
    parts = found["before_tasks"] + found["after_tasks"] + 1.5 + 3.5
    assert parts == found["seconds"]
    assert found["calls_per_machine"] == 3
    assert found["changed_machines"] == 1


def test_median_is_a_real_run() -> None:
    runs = [{"seconds": 3.0, "n": 1}, {"seconds": 1.0, "n": 2}, {"seconds": 2.0, "n": 3}]
    assert measure.median(runs) == {"seconds": 2.0, "n": 3, "all_seconds": [3.0, 1.0, 2.0]}


def test_goals_say_what_was_missed() -> None:
    document = {
        "lab": {"up_warm": 12.0},
        "sizes": [
            {
                "machines": 10,
                "nothing_to_do": {"seconds": 6.1, "calls_per_machine": 1},
                "first_join": {"every_machine_answered": 29.0, "calls_per_machine": 4},
            }
        ],
        "plan_and_render": [{"machines": 1000, "seconds": 10.0, "peak_mb": 301.0}],
    }
    missed = [goal["what"] for goal in measure.goals(document) if not goal["met"]]
    assert missed == [
        "remote calls, first join, 10",
        "nothing to do, 10",
        "plan and render 1000, peak_mb",
    ]


def test_fleet_of_the_planning_validates() -> None:
    fleet = validate.parse(planning.inventory(25))
    assert len(fleet.machines) == 25
    assert len(fleet.workloads) == 3


def test_planning_prints_json() -> None:
    command = [sys.executable, "-m", "tests.benchmark.planning", "3"]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["machines"] == 3


def test_bench_is_called_by_the_caller_only() -> None:
    mesh = planning.inventory(1)["w0-0"]["mesh"]
    addresses = {"bench-01": "192.0.2.1", stage.CALLER: "192.0.2.2"}
    content = stage.variables(mesh, {"ansible_user": "ops"}, addresses)["all"]
    hosts = {
        name: {**content["vars"], **group["vars"], **own}
        for group in content["children"].values()
        for name, own in group["hosts"].items()
    }
    fleet = validate.parse(hosts)
    callers = {workload.name: workload.callers for workload in fleet.workloads}
    assert [rule.service_account for rule in callers["bench"]] == ["caller"]
    assert callers["caller"] == ()


@pytest.mark.parametrize("text", ["0", "1,x", "", "1000"])
def test_wrong_counts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        counts(text)


def test_counts_are_sorted_and_single() -> None:
    assert counts("10,1,10") == [1, 10]
