# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The summary fits the terminal, names what failed, and is plain text unless asked for colour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import Seen
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report import (
    WIDTH,
    duration,
    summary,
)

from tests.unit.plugins.plugin_utils.evidence_fixture import evidence, seen

GOLDEN = Path(__file__).parents[3] / "golden" / "report"


def broken() -> dict[str, Seen]:
    """A vantage that reaches the database, and a batch machine that is gone."""
    everything = seen()
    everything["outsider-1"].probed["results"][0].update(outcome="allowed", how="postgres_plain")
    everything["batch-1"] = Seen({"unreachable": True}, {"unreachable": True}, {})
    return everything


@pytest.mark.parametrize("name", ["passed", "failed"])
def test_golden(name: str) -> None:
    document = evidence() if name == "passed" else evidence(seen=broken())
    assert summary(document) == (GOLDEN / (name + ".txt")).read_text(encoding="utf-8")


@pytest.mark.parametrize("everything", [seen(), broken()])
def test_lines_fit_and_colour_changes_nothing_but_colour(everything: dict[str, Seen]) -> None:
    document = evidence(seen=everything)
    plain = summary(document)
    assert max(map(len, plain.splitlines())) <= WIDTH
    assert "\033" not in plain
    coloured = summary(document, colour=True)
    assert "\033[" in coloured
    assert re.sub("\033\\[[0-9;]*m", "", coloured) == plain


def test_every_failed_check_is_named_with_its_advice() -> None:
    document = evidence(seen=broken())
    text = " ".join(summary(document).split())
    failed = [item for item in document["checks"] if not item["passed"]]
    assert failed
    for item in failed:
        assert item["id"] in text
        assert " ".join(item["advice"].split()) in text


def test_calls_that_failed_alike_share_their_advice() -> None:
    everything = seen()
    for result in everything["outsider-1"].probed["results"]:
        result.update(outcome="error", how="timeout")
    text = summary(evidence(seen=everything))
    assert "✗ c: error (timeout)" in text
    assert "✗ d: error (timeout)" in text
    assert text.count("nothing is proven") == 1


def test_long_names_give_way() -> None:
    document = evidence()
    document["machines"][0]["name"] = "machine-" * 20
    document["traffic"][0]["host"] = "host." * 40
    assert max(map(len, summary(document).splitlines())) <= WIDTH


def test_what_auto_decided_is_said_once_and_in_full() -> None:
    document = evidence()
    reason = "auto: the cluster refuses WorkloadGroup: " + "pods only, " * 20
    for machine in document["machines"]:
        machine.update(mode="bridge", mode_reason=reason)
    text = summary(document)
    assert " ".join(f"bridge ({reason}): batch-1, db-1".split()) in " ".join(text.split())
    assert text.count("auto:") == 1
    assert max(map(len, text.splitlines())) <= WIDTH


def test_nothing_at_all() -> None:
    document = evidence(hosts=[], seen={})
    assert "0 of 0 checks" in summary(document)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "ended"),
        (0, "ended"),
        (59, "59s"),
        (60, "1m"),
        (3600, "1h 0m"),
        (86399, "23h 59m"),
        (90 * 86400, "90d 0h"),
    ],
)
def test_duration(seconds: int, text: str) -> None:
    assert duration(seconds) == text
