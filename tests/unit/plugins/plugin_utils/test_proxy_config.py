# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""An annotation that no agent could read is a problem in words, and never a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet
from ansible_collections.brownfield.mesh.plugins.plugin_utils.proxy_config import (
    ANNOTATION,
    problems,
    read,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sidecar import CASES, Case

HTTP = CASES["http"]
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_near = st.fixed_dictionaries(
    {},
    optional={
        "proxyMetadata": st.dictionaries(st.sampled_from(["A", "b-c", ""]), _anything) | _anything,
        "proxyStatsMatcher": st.fixed_dictionaries({}, optional={"inclusionSuffixes": _anything})
        | _anything,
        "concurrency": _anything,
    },
)


def _fleet(text: str) -> Fleet:
    workload = replace(HTTP.workload, annotations={ANNOTATION: text})
    return Fleet(HTTP.machine.mesh, (workload,), (HTTP.machine,))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", " is no YAML; write a ProxyConfig in YAML, such as 'concurrency: 2'"),
        ("x: 2026-99-99", " is no YAML; write a ProxyConfig"),
        ("concurrency", " is a string; write a ProxyConfig"),
        ("proxyMetadata: [A]", ".proxyMetadata is a list; write a mapping"),
        ("proxyMetadata: {A: 1}", ".proxyMetadata.A is a number; write it in quotes"),
        ("proxyMetadata: {A-B: x}", ".proxyMetadata has 'A-B', which names no environment"),
        ("proxyMetadata: {1: x}", ".proxyMetadata has 1, which names no environment"),
        ('proxyMetadata: {A: "\\a"}', ".proxyMetadata.A has control characters; remove them"),
        ('proxyMetadata: {A: "\\ud800"}', ".proxyMetadata.A has control characters"),
        ("proxyStatsMatcher: 1", ".proxyStatsMatcher is a number; write a mapping"),
        ("proxyStatsMatcher: {inclusionSuffixes: [1]}", ".inclusionSuffixes is no list of strings"),
    ],
)
def test_what_no_agent_could_read_is_named(text: str, problem: str) -> None:
    (found,) = problems(_fleet(text))
    assert str(found).startswith("shop-api-1: mesh_workload.annotations[%s]" % ANNOTATION)
    assert problem in str(found)


def test_all_are_found_at_once() -> None:
    text = "{proxyMetadata: {A: 1, B: true, C: fine}, proxyStatsMatcher: []}"
    assert [p.variable.rsplit(".", 1)[1] for p in problems(_fleet(text))] == ["A", "B"]


@pytest.mark.parametrize(
    "text", ["", "# nothing", "{}", "proxyMetadata:", "tracing: {sampling: 1}"]
)
def test_what_istio_takes_is_taken(text: str) -> None:
    assert problems(_fleet(text)) == []


@given(st.text() | (_near | _anything).map(lambda value: yaml.safe_dump(value)))
def test_what_has_no_problem_is_rendered(text: str) -> None:
    fleet = _fleet(text)
    if not problems(fleet):
        state = Case(HTTP.machine, fleet.workloads[0], HTTP.facts).render()
        files = {file.path.rsplit("/", 1)[1]: file.content for file in state.files.files}
        config = yaml.safe_load(files["mesh.yaml"])["defaultConfig"]
        metadata = read(fleet.workloads[0]).get("proxyMetadata") or {}
        assert metadata.items() <= config["proxyMetadata"].items()
        assert files["cluster.env"].encode()
