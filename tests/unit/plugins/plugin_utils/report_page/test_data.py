# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A report's data says what the evidence says, keeps to its schema, and compares with before."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.changes import lines
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.data import (
    OUTSIDE,
    ReportError,
    build,
    check_report,
    clean,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.evidence_fixture import evidence, seen
from tests.unit.plugins.plugin_utils.test_report import broken

SCHEMA = json.loads(
    (Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8")
)
DIGEST = "0" * 64


def report(previous: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A report that keeps to the schema."""
    made = build(evidence(**changes), DIGEST, previous)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(made)))
    return made


def test_what_runs_where() -> None:
    made = report()
    assert [item["key"] for item in made["workloads"]] == [
        "batch/legacy-batch",
        "payments/payments-db",
    ]
    assert made["workloads"][1]["modes"] == {"sidecar": 1}
    assert made["workloads"][1]["machines"] == ["db-1"]
    assert made["allow_list"] == [
        {
            "caller": "batch/legacy-batch",
            "callee": "payments/payments-db",
            "ports": [5432],
            "known": True,
        }
    ]
    assert made["machines"][1]["certificate"]["fraction_left"] == 0.9796
    assert made["findings"] == []
    assert made["changes"] is None


def test_callers_and_callees_that_are_in_no_inventory() -> None:
    document = evidence()
    database = document["workloads"][1]
    database["callers"] = [{"namespace": "web", "service_account": "shop", "ports": [1]}]
    database["calls"] = [{"host": "api.example.com", "port": 443}]
    edges = build(document, DIGEST)["allow_list"]
    assert [(e["caller"], e["callee"], e["ports"], e["known"]) for e in edges] == [
        ("payments/payments-db", "api.example.com", [443], False),
        ("web/shop", "payments/payments-db", [1], False),
    ]


def test_calls_are_joined_by_workload() -> None:
    seen = [
        (p["source"], p["expected"], p["reason"], p["state"], p["tried"], p["ports"])
        for p in report()["paths"]
    ]
    assert seen == [
        ("batch/legacy-batch", "allowed", "", "allowed", 1, [5432]),
        ("batch/legacy-batch", "refused", "tls", "refused", 1, [5432]),
        (OUTSIDE, "refused", "tls", "refused", 2, [5432, 15020]),
    ]


def test_an_open_path_is_the_worst_finding() -> None:
    made = report(seen=broken())
    (path,) = (p for p in made["paths"] if p["source"] == OUTSIDE)
    assert (path["state"], path["passed"], path["failed"]) == ("open", 1, ["c"])
    assert [f["severity"] for f in made["findings"]] == ["open", "machine"]
    assert made["findings"][0]["checks"][0]["id"] == "c"
    assert made["findings"][1]["title"] == "reached: host"


@pytest.mark.parametrize(
    ("number", "how", "state"),
    [(0, "timeout", "broken"), (1, "timeout", "unproven"), (1, "postgres_plain", "open")],
)
def test_states(number: int, how: str, state: str) -> None:
    document = evidence()
    outcome = "error" if how == "timeout" else "allowed"
    document["traffic"][number].update(outcome=outcome, how=how, passed=False)
    assert build(document, DIGEST)["paths"][number]["state"] == state


def test_an_older_evidence_without_versions_and_allow_list() -> None:
    document = evidence()
    del document["workloads"]
    for machine in document["machines"]:
        del machine["versions"]
    made = build(document, DIGEST)
    assert made["versions"] == []
    assert [item["key"] for item in made["workloads"]] == [
        "batch/legacy-batch",
        "payments/payments-db",
    ]


def test_why_a_mode_was_chosen_is_said_where_it_is_known() -> None:
    document = evidence()
    document["machines"][0]["mode_reason"] = "no systemd"
    assert [m["mode_reason"] for m in build(document, DIGEST)["machines"]] == ["no systemd", ""]


def test_what_changed() -> None:
    before = report()
    changed = evidence(seen=broken())
    changed["machines"][1]["versions"]["envoy"] = "1.41.0"
    after = build(changed, "1" * 64, before)
    assert after["changes"]["since"] == before["time"]
    found = {(c["kind"], c["subject"]): (c["before"], c["after"]) for c in after["changes"]["list"]}
    assert found["finding", "c"] == ("", "open")
    assert found["version", "envoy 1.41.0"] == ("", "1 machine")
    assert found["version", "envoy 1.40.0"] == ("2 machines", "")
    assert found["identity", "batch-1"][1] == "none"
    back = build(evidence(), "2" * 64, after)
    assert {"finding", "path", "version"} <= {item["kind"] for item in back["changes"]["list"]}
    jsonschema.validate(back, SCHEMA)


def test_nothing_changed() -> None:
    assert build(evidence(), "1" * 64, report())["changes"]["list"] == []


def test_what_a_limited_run_did_not_look_at_has_not_gone() -> None:
    limited = evidence(hosts=["batch-1"], seen={"batch-1": seen()["batch-1"]})
    made = build(limited, "1" * 64, report())
    assert made["left_out"]
    assert {item["name"] for item in made["machines"]} == {"batch-1"}
    assert made["changes"]["list"] == []
    # Nor has it come back, when all are looked at again.
    assert build(evidence(), "2" * 64, made)["changes"]["list"] == []


def test_a_machine_that_left_the_inventory_has_gone() -> None:
    smaller = evidence()
    smaller["machines"] = [one for one in smaller["machines"] if one["name"] != "db-1"]
    gone = [
        (c["kind"], c["subject"]) for c in build(smaller, "1" * 64, report())["changes"]["list"]
    ]
    assert ("machine", "db-1") in gone


def test_what_a_limited_run_saw_otherwise_is_a_change() -> None:
    limited = evidence(hosts=["batch-1"], seen={"batch-1": seen()["batch-1"]})
    limited["machines"][0]["mode"] = "bridge"
    made = build(limited, "1" * 64, report())
    assert [(c["kind"], c["subject"]) for c in made["changes"]["list"]] == [("machine", "batch-1")]


def test_the_same_evidence_again_says_the_same() -> None:
    first = build(evidence(seen=broken()), "1" * 64, report())
    assert first["changes"]["list"]
    assert build(evidence(seen=broken()), "1" * 64, copy.deepcopy(first)) == first


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"schema_version": 2}, {"schema_version": 1}, {**evidence(), "machines": [1]}],
)
def test_what_is_no_evidence_is_refused(document: Any) -> None:
    with pytest.raises(ReportError, match=r"is not evidence|is damaged"):
        build(document, DIGEST)


@pytest.mark.parametrize("name", ["machines", "time", "changes", "findings"])
def test_a_damaged_report_of_before_is_refused(name: str) -> None:
    damaged = report()
    del damaged[name]
    with pytest.raises(ReportError, match="is damaged"):
        check_report(damaged)
    check_report(report())
    with pytest.raises(ReportError, match="is not a report"):
        check_report(evidence())


@given(st.text())
def test_cleaned_text_is_printable_and_short(text: str) -> None:
    cleaned = clean({text: [text]})
    ((key, (value,)),) = cleaned.items()
    assert key == value
    assert value.isprintable()
    if text.isprintable() and len(text) < 100:
        assert value == text


def test_what_turns_the_direction_of_writing_is_seen() -> None:
    assert clean("db\u202e1\u2066\n") == "db\\u202e1\\u2066\\n"


def test_facts_for_a_diff() -> None:
    assert "machine db-1: payments/payments-db, sidecar\n" in lines(report())
