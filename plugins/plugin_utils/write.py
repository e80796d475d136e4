# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Writes objects into a folder for a GitOps controller: one file each, and a kustomization."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object

# The first line of every file of ours; by it we know what we may replace and remove.
HEADER = "# Written by brownfield.mesh from the inventory; changes here are lost."
KUSTOMIZATION = "kustomization.yaml"


@dataclass(frozen=True)
class FileChange:
    """What happens to one file. ``action``: created, updated, deleted or unchanged."""

    path: Path
    action: str
    before: str
    after: str


def write(folder: Path, objects: Sequence[Object], check: bool) -> list[FileChange]:
    """Makes ``folder`` hold exactly ``objects``, sorted by file name; others' files stay.

    With ``check`` nothing is written. Raises ClusterError.
    """
    wanted = {_file_name(item): _text(item) for item in objects}
    wanted[KUSTOMIZATION] = _text(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": sorted(wanted),
        }
    )
    try:
        changes = _compare(folder, wanted)
        if not check:
            _carry_out(folder, changes)
    except OSError as error:
        where = error.filename or folder
        raise ClusterError(f"cannot write to {where}: {error.strerror}") from None
    return changes


def _file_name(item: Object) -> str:
    ref = ref_of(item)
    return f"{ref.namespace or ref.name}.{ref.kind.lower()}.{ref.name}.yaml"


def _text(content: dict[str, Any]) -> str:
    return f"{HEADER}\n{yaml.safe_dump(content, sort_keys=False, width=1000)}"


def _compare(folder: Path, wanted: dict[str, str]) -> list[FileChange]:
    present = {path.name: path for path in folder.glob("*.yaml")} if folder.exists() else {}
    found = {name: path.read_text("utf-8", "replace") for name, path in present.items()}
    ours = {name for name, text in found.items() if text.startswith(HEADER)}
    foreign = sorted(name for name in wanted if name in found and name not in ours)
    if foreign:
        raise ClusterError(
            f"{folder} has files that are not ours: {', '.join(foreign)}."
            " Choose another folder as mesh_output_path, or move them away"
        )
    changes = []
    for name in sorted(ours | set(wanted)):
        before, after = found.get(name, ""), wanted.get(name, "")
        if before == after:
            action = "unchanged"
        else:
            action = "deleted" if not after else "updated" if before else "created"
        changes.append(FileChange(folder / name, action, before, after))
    return changes


def _carry_out(folder: Path, changes: Sequence[FileChange]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for change in changes:
        if change.action == "deleted":
            change.path.unlink(missing_ok=True)
        elif change.action != "unchanged":
            _replace(change.path, change.after)


def _replace(path: Path, text: str) -> None:
    """Writes the file whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", delete=False
    ) as file:
        file.write(text)
    temporary = Path(file.name)
    temporary.chmod(0o644)
    temporary.replace(path)
