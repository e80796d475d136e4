# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus's own parser takes every query of every dashboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import dashboards

from tests.integration.monitoring.test_rules import THRESHOLDS
from tests.integration.monitoring.test_server import run

QUERIES = {
    f"{board['title']}, {panel['title']}, {target['refId']}": target["expr"]
    for board in map(json.loads, dashboards.render(THRESHOLDS, "x").values())
    for panel in board["panels"]
    for target in panel.get("targets", [])
}


def check(tools: Path, folder: Path, queries: dict[str, str]) -> str:
    """What promtool says of the queries as recording rules; empty when it takes them."""
    written = [
        {
            "record": "query",
            "labels": {"panel": name},
            # A duration is the only variable that is not within quotes.
            "expr": expression.replace("$__rate_interval", "1m"),
        }
        for name, expression in queries.items()
    ]
    file = folder / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": written}]}))
    done = run(tools / "promtool", "check", "rules", file)
    return done.stderr if done.returncode else ""


def test_prometheus_takes_every_query(tools: Path, tmp_path: Path) -> None:
    assert len(QUERIES) > 50
    assert check(tools, tmp_path, QUERIES) == ""


@pytest.mark.parametrize("expression", ["sum by (", 'up{job="$job}'])
def test_a_query_that_is_none_is_found(tools: Path, tmp_path: Path, expression: str) -> None:
    assert check(tools, tmp_path, {"broken": expression})
