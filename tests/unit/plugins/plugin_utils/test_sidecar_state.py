# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Quoting that survives any value, and what of the specification matters to the running proxy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CONFIG,
    UNITS,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Capture,
    Istiod,
    Proxy,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.sidecar_state import environment_file
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.environment import by_rules, by_shell, by_systemd
from tests.support.sidecar import BINARIES, CASES, Case

# Prefixed, since a shell has names of its own. systemd drops values with other control characters.
NAMES = st.from_regex(r"X_[A-Z0-9_]{0,8}", fullmatch=True)
_ANY = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
VALUES = st.text(_ANY | st.sampled_from("\n\t\\\"'$`%#;= "), max_size=40)
ENVIRONMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def _config(case: Case) -> dict[str, Any]:
    files = {file.path: file.content for file in case.render().files.files}
    config: dict[str, Any] = yaml.safe_load(files[CONFIG + "/mesh.yaml"])["defaultConfig"]
    return config


def _environment(case: Case) -> dict[str, str]:
    files = {file.path: file.content for file in case.render().files.files}
    return by_rules(files[CONFIG + "/cluster.env"])


@given(ENVIRONMENTS)
def test_every_value_comes_back(values: dict[str, str]) -> None:
    assert by_rules(environment_file(values)) == values


@settings(max_examples=40)
@given(ENVIRONMENTS)
def test_a_shell_reads_every_value(values: dict[str, str]) -> None:
    assert by_shell(environment_file(values)) == values


@settings(max_examples=25)
@given(value=VALUES)
def test_systemd_reads_every_value(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    values = {"A_BEFORE": "a \\ b", "B_VALUE": value, "C_AFTER": '"'}
    folder = tmp_path_factory.getbasetemp() / "parsed"
    assert by_systemd(environment_file({**values, "BEYOND": ""}), folder) == {
        **values,
        "BEYOND": "",
    }


@pytest.mark.parametrize(
    "value",
    ["", " a b ", 'quo"te', "it's", "back\\slash\\", "$HOME `id` $(id)", '{"a":"b\\\\"}', "ä #;%h"],
)
def test_the_known_troublemakers(tmp_path: Path, value: str) -> None:
    text = environment_file({"VALUE": value})
    assert by_rules(text) == by_shell(text) == by_systemd(text, tmp_path) == {"VALUE": value}


@settings(max_examples=40)
@given(st.dictionaries(NAMES, VALUES, max_size=3), st.dictionaries(NAMES, VALUES, max_size=3))
def test_metadata_of_mesh_and_workload_reaches_the_agent(
    common: dict[str, str], own: dict[str, str]
) -> None:
    case = CASES["http"]
    facts = replace(case.facts, mesh_config={"defaultConfig": {"proxyMetadata": common}})
    annotation = yaml.safe_dump({"proxyMetadata": own, "concurrency": 2})
    workload = replace(case.workload, annotations={"proxy.istio.io/config": annotation})
    changed = Case(case.machine, workload, facts)
    merged = {**common, **own}
    environment, config = _environment(changed), _config(changed)
    assert {name: environment[name] for name in merged} == merged
    assert {name: config["proxyMetadata"][name] for name in merged} == merged
    assert config["concurrency"] == 2


def test_what_is_reported_is_in_both_places() -> None:
    """From the mesh configuration file alone the agent reports no labels."""
    for case in CASES.values():
        metadata = _config(case)["proxyMetadata"]
        assert metadata.items() <= _environment(case).items()


@pytest.mark.parametrize(
    ("labels", "revision"),
    [
        ({}, "latest"),
        ({"version": "v1"}, "v1"),
        ({"version": "v1", "app.kubernetes.io/version": "v2"}, "v2"),
        ({"version": ""}, ""),
    ],
)
def test_the_canonical_revision_is_istios(labels: dict[str, str], revision: str) -> None:
    case = CASES["http"]
    changed = replace(case, workload=replace(case.workload, labels=labels))
    environment = _environment(changed)
    assert environment["CANONICAL_REVISION"] == revision
    reported = json.loads(environment["ISTIO_METAJSON_LABELS"])
    assert reported["service.istio.io/canonical-revision"] == revision


def test_istiod_is_where_the_specification_says() -> None:
    case = CASES["http"]
    mesh = replace(case.machine.mesh, istiod=Istiod("istiod.example.com", "192.0.2.7", 443))
    facts = replace(case.facts, istiod_host="istiod.example.com")
    changed = Case(replace(case.machine, mesh=mesh), case.workload, facts)
    assert _config(changed)["discoveryAddress"] == "istiod.example.com:443"
    assert _environment(changed)["CA_ADDR"] == "istiod.example.com:443"
    own = {"proxy.istio.io/config": "discoveryAddress: other.example.com:15012"}
    changed = replace(changed, workload=replace(case.workload, annotations=own))
    assert _config(changed)["discoveryAddress"] == "other.example.com:15012"


def test_what_travels_survives_the_journey() -> None:
    for case in CASES.values():
        state = case.render()
        assert from_data(SidecarState, json.loads(json.dumps(to_data(state)))) == state
        assert state.spiffe_id.endswith(
            "/ns/%s/sa/%s" % (case.workload.namespace, case.workload.service_account)
        )


_MESH = CASES["http"].machine.mesh


@pytest.mark.parametrize(
    ("path", "value", "restarts"),
    [
        ("workload.labels", {"tier": "gold"}, True),
        ("workload.health", None, True),
        ("workload.ports", (), True),
        ("facts.root_certificate", "another", True),
        ("facts.network", "net", True),
        ("machine.external_address", "203.0.113.9", True),
        ("machine.mesh", replace(_MESH, proxy=Proxy(artifacts=BINARIES[:2])), True),
        ("machine.mesh", replace(_MESH, dns="off"), True),
        ("machine.mesh", replace(_MESH, capture=Capture(method="nftables")), False),
        ("machine.ssh_port", 2222, False),
        ("facts.istiod_address", "192.0.2.9", False),
        ("workload.when_proxy_is_down", "bypass", False),
        ("workload.callers", (), False),
    ],
)
def test_only_what_the_proxy_depends_on_restarts_it(path: str, value: Any, restarts: bool) -> None:
    case = CASES["http"]
    room, name = path.split(".")
    changed = replace(case, **{room: replace(getattr(case, room), **{name: value})})
    assert (changed.render().digest != case.render().digest) is restarts


def test_istios_own_unit_is_masked() -> None:
    for case in CASES.values():
        links = {link.path: link.target for link in case.render().files.links}
        assert links[UNITS + "/istio.service"] == "/dev/null"
