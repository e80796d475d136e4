# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What happened to objects in the cluster or in a folder, as a task reports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import Change
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object
from ansible_collections.brownfield.mesh.plugins.plugin_utils.write import write


def applied(changes: Sequence[Change]) -> dict[str, Any]:
    """The task's result for ``changes`` in the cluster: changed, objects and diff."""
    different = [change for change in changes if change.action != "unchanged"]
    return {
        "changed": bool(different),
        "objects": [{"object": str(c.ref), "action": c.action} for c in changes],
        "diff": [
            _difference(str(change.ref), _yaml(change.before), _yaml(change.after))
            for change in different
        ],
    }


def written(folder: Path, objects: Sequence[Object], check: bool) -> dict[str, Any]:
    """Makes ``folder`` hold ``objects``; the task's result: changed, files and diff. Raises
    ClusterError."""
    changes = write(folder, objects, check)
    different = [change for change in changes if change.action != "unchanged"]
    return {
        "changed": bool(different),
        "files": [{"path": str(c.path), "action": c.action} for c in changes],
        "diff": [_difference(str(c.path), c.before, c.after) for c in different],
    }


def _difference(name: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _yaml(content: Mapping[str, Any] | None) -> str:
    return yaml.safe_dump(content, width=1000) if content else ""
