# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Messages are short and printable, and name hosts compactly but exactly."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    Collector,
    Problem,
    SpecError,
    compact,
    shown,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["web"], "web"),
        (["db-2", "db-1", "db-3"], "db-[1:3]"),
        (["db-9", "db-10", "db-11"], "db-[9:11]"),
        (["db-08", "db-09", "db-10"], "db-10, db-[08:09]"),
        (["db-1", "db-3"], "db-1, db-3"),
        (["db1.example.com", "db2.example.com", "web"], "db[1:2].example.com, web"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
        (["x1", "x1"], "x1"),
    ],
)
def test_hosts_are_named_compactly(names: list[str], expected: str) -> None:
    assert compact(names) == expected


@given(st.sets(st.integers(0, 200), min_size=1, max_size=8))
def test_a_range_names_exactly_its_hosts(numbers: set[int]) -> None:
    text = compact("m-%d" % number for number in numbers)
    if "more" in text:
        return
    named = set()
    for part in text.split(", "):
        bounds = re.fullmatch(r"m-(?:\[(\d+):(\d+)\]|(\d+))", part)
        assert bounds
        first, last, one = bounds.groups()
        named |= set(range(int(first), int(last) + 1)) if first else {int(one)}
    assert named == numbers


def test_the_same_problem_of_many_hosts_is_one() -> None:
    collector = Collector()
    for name in ("db-1", "db-2"):
        collector.add(name, "mesh", "is missing", "write it")
    collector.add("db-1", "mesh_workload", "is missing", "write it")
    assert collector.problems() == (
        Problem("db-[1:2]", "mesh", "is missing", "write it"),
        Problem("db-1", "mesh_workload", "is missing", "write it"),
    )


def test_the_error_is_one_text_with_a_line_for_each_problem() -> None:
    error = SpecError([Problem("a", "v", "is wrong", "write w"), Problem("b", "v", "is x", "y")])
    assert str(error) == (
        "The inventory has 2 problems; nothing was touched.\n"
        "  - a: v is wrong; write w\n"
        "  - b: v is x; y"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb\x1b[31m", "'a\\nb\\x1b[31m'"),
        ("\udcff", "'\\udcff'"),
        ("a" * 100, "'%s...'" % ("a" * 60)),
        (True, "true"),
        (None, "empty"),
        ({"password": "x"}, "a mapping"),
        (b"secret", "a value of type bytes"),
    ],
)
def test_values_are_shown_short_and_printable(value: Any, expected: str) -> None:
    assert shown(value) == expected


def test_a_huge_number_is_not_written_out() -> None:
    # Python itself refuses to write more than 4300 digits.
    assert shown(10**5000) == "a number of more than 20 digits"
