# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""No input is a traceback, and what validates comes back from whatever it is turned into."""

from __future__ import annotations

import copy
import json
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import SpecError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Fleet,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleet import FACTS
from tests.support.inventory import Hosts, as_variables, inventories

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.sampled_from(["{{ x }}", "10.0.0.1", "::1", 10**300, "a" * 10_000, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip
VARIABLES = [
    "mesh",
    "mesh_workload",
    "mesh_machine",
    "mesh_vantage",
    "ansible_host",
    "ansible_port",
]


def parse_or_explain(hosts: Any) -> Fleet | None:
    try:
        return parse(hosts)
    except SpecError as error:
        assert error.problems
        assert str(error).encode()  # no lone surrogates
        assert str(error).count("\n") == len(error.problems)
        return None


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.dictionaries(st.sampled_from(VARIABLES), anything) | anything,
        max_size=4,
    )
)
def test_no_input_is_a_traceback(hosts: Any) -> None:
    parse_or_explain(hosts)


def paths(value: Any) -> list[tuple[Any, ...]]:
    """The ways to every part of ``value``."""
    found: list[tuple[Any, ...]] = [()]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        found += [(key, *rest) for rest in paths(item)]
    return found


@given(inventories(), st.data())
def test_no_change_of_a_right_inventory_is_a_traceback(hosts: Hosts, data: st.DataObject) -> None:
    hosts = copy.deepcopy(hosts)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from([p for p in paths(hosts) if p]))
        part: Any = hosts
        for key in way:
            part = part[key]
        part[last] = data.draw(anything)
    parse_or_explain(hosts)


@given(inventories())
def test_what_validates_comes_back_from_data(hosts: Hosts) -> None:
    fleet = parse(hosts)
    data = to_data(fleet)
    assert json.loads(json.dumps(data)) == data
    assert from_data(Fleet, data) == fleet


@given(inventories())
def test_what_validates_comes_back_from_variables(hosts: Hosts) -> None:
    fleet = parse(hosts)
    assert parse(as_variables(fleet)) == fleet


@settings(max_examples=30)
@given(inventories())
def test_what_validates_renders_to_objects_that_parse_back(hosts: Hosts) -> None:
    fleet = parse(hosts)
    objects = render(fleet.mesh, fleet.workloads, FACTS)
    assert list(yaml.safe_load_all(yaml.safe_dump_all(objects))) == objects
