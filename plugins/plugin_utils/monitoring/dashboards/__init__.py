# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Grafana's dashboards: the files beside this one, with what the user's variables say of them.

The files are rendered from code in the repository's folder ``dashboards``. In place of the alarms'
thresholds and of where their pages are, they have marks.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.rules import Thresholds

RUNBOOKS = "@runbooks@"


def threshold(name: str) -> str:
    """The mark of a threshold: the field of that name of Thresholds. Raises ValueError."""
    if name not in {field.name for field in dataclasses.fields(Thresholds)}:
        raise ValueError("there is no threshold %r" % name)
    return "@%s@" % name


def render(thresholds: Thresholds, runbooks: str) -> dict[str, str]:
    """The dashboards as JSON, by file name. ``runbooks`` is where the alarms' pages are."""
    marks = {RUNBOOKS: json.dumps(runbooks.rstrip("/"))[1:-1]}
    for name, value in dataclasses.asdict(thresholds).items():
        # A number where it stands alone, and a part of the text within a query.
        marks[json.dumps(threshold(name))] = marks[threshold(name)] = json.dumps(value)
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.json")):
        text = file.read_text(encoding="utf-8")
        for mark, value in marks.items():
            text = text.replace(mark, value)
        found[file.name] = text
    return found


def provider(folder: str) -> str:
    """The file by which Grafana finds the dashboards in ``folder``
    (https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards)."""
    entry = {
        "name": "brownfield.mesh",
        "folder": "Mesh",
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": folder},
    }
    return yaml.safe_dump({"apiVersion": 1, "providers": [entry]}, sort_keys=False)
