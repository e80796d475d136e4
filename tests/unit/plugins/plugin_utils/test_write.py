# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The folder holds exactly the objects: stable bytes, no leftovers, nothing of others touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render
from ansible_collections.brownfield.mesh.plugins.plugin_utils.write import HEADER, write
from hypothesis import HealthCheck, given, settings

from tests.support.fleet import FACTS, MESH, PAYMENTS_DB, WORKLOADS, fleets

LAB = render(MESH, WORKLOADS, FACTS)


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def _actions(folder: Path, objects: list[dict[str, object]], check: bool = False) -> set[str]:
    return {change.action for change in write(folder, objects, check)}


def test_writes_once(tmp_path: Path) -> None:
    folder = tmp_path / "gitops" / "mesh"
    assert _actions(folder, LAB, check=True) == {"created"}
    assert not folder.exists()
    assert _actions(folder, LAB) == {"created"}
    before = _snapshot(folder)
    assert _actions(folder, LAB) == {"unchanged"}
    assert _snapshot(folder) == before
    assert all(text.startswith(HEADER.encode()) for text in before.values())
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fleets)
def test_the_kustomization_leads_to_exactly_the_objects(
    tmp_path: Path, fleet: list[Workload]
) -> None:
    objects = render(MESH, fleet, FACTS)
    write(tmp_path, objects, check=False)
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    names = kustomization["resources"]
    assert names == sorted(names)
    assert set(names) == {path.name for path in tmp_path.iterdir()} - {"kustomization.yaml"}
    found = [yaml.safe_load((tmp_path / name).read_text()) for name in names]
    assert sorted(map(str, found)) == sorted(map(str, objects))


def test_stale_files_of_ours_go_and_others_stay(tmp_path: Path) -> None:
    write(tmp_path, LAB, check=False)
    (tmp_path / "README.md").write_text("by hand")
    (tmp_path / "extra.yaml").write_text("kind: ConfigMap\n")
    fewer = render(MESH, [PAYMENTS_DB], FACTS)
    predicted = write(tmp_path, fewer, check=True)
    assert len(_snapshot(tmp_path)) == len(LAB) + 3
    assert write(tmp_path, fewer, check=False) == predicted
    assert {c.action for c in predicted} == {"deleted", "updated", "unchanged"}
    assert len(_snapshot(tmp_path)) == len(fewer) + 3
    assert (tmp_path / "extra.yaml").read_text() == "kind: ConfigMap\n"


def test_a_file_of_others_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(ClusterError, match=r"files that are not ours: kustomization\.yaml"):
        write(tmp_path, LAB, check=False)
    assert _snapshot(tmp_path) == {"kustomization.yaml": b"resources: []\n"}


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClusterError, match=r"cannot write to .*file"):
        write(tmp_path / "file" / "sub", LAB, check=False)
