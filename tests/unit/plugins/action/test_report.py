# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The action writes page and data, changes nothing the second time, and names what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.brownfield.mesh.plugins.action import report as module

from tests.unit.plugins.plugin_utils.evidence_fixture import evidence
from tests.unit.plugins.plugin_utils.test_report import broken


def run(folder: Path, check_mode: bool = False, diff: bool = False, **args: Any) -> dict[str, Any]:
    action = module.ActionModule.__new__(module.ActionModule)
    action._task = SimpleNamespace(
        args={
            "evidence": str(folder / "evidence.json"),
            "path": str(folder / "report.html"),
            **args,
        },
        check_mode=check_mode,
        async_val=0,
        action="brownfield.mesh.report",
        diff=diff,
    )
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    result: dict[str, Any] = action.run(task_vars={})
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evidence.json").write_text(json.dumps(evidence()), encoding="utf-8")
    return tmp_path


def test_page_and_data_are_written_once(folder: Path) -> None:
    result = run(folder)
    assert result["changed"] is True
    assert result["passed"] is True
    for name in ("report.html", "report.json"):
        assert (folder / name).stat().st_mode & 0o777 == 0o644
    before = [(p, p.read_bytes(), p.stat().st_ino) for p in sorted(folder.iterdir())]
    assert run(folder)["changed"] is False
    assert [(p, p.read_bytes(), p.stat().st_ino) for p in sorted(folder.iterdir())] == before


def test_the_next_report_says_what_changed_and_goes_on_saying_it(folder: Path) -> None:
    run(folder)
    (folder / "evidence.json").write_text(json.dumps(evidence(seen=broken())), encoding="utf-8")
    result = run(folder, diff=True)
    assert result["changed"] is True
    assert result["passed"] is False
    assert "finding c: open" in result["diff"]["after"]
    assert "finding c: open" not in result["diff"]["before"]
    assert "Since 2026-11-23 03:30 UTC" in (folder / "report.html").read_text(encoding="utf-8")
    assert run(folder)["changed"] is False


def test_what_was_lost_is_made_again(folder: Path) -> None:
    run(folder)
    (folder / "report.html").unlink()
    assert run(folder)["changed"] is True
    assert (folder / "report.html").exists()


def test_check_mode_says_and_writes_nothing(folder: Path) -> None:
    assert run(folder, check_mode=True)["changed"] is True
    assert [path.name for path in folder.iterdir()] == ["evidence.json"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("evidence.json", "{", "evidence.json is not JSON .* `mesh_evidence_path`"),
        ("evidence.json", "{}", "is not evidence .* `mesh_evidence_path`"),
        ("evidence.json", "\xff", "not UTF-8"),
        ("report.json", "[]", "`mesh_report_path`: .*is not a report .* Move it away"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(AnsibleActionFail, match=message):
        run(folder)


def test_paths_that_cannot_be(folder: Path) -> None:
    with pytest.raises(AnsibleActionFail, match=r"mesh_evidence_path.*verify first"):
        run(folder, evidence=str(folder / "none.json"))
    with pytest.raises(AnsibleActionFail, match=r"must end in \.html"):
        run(folder, path=str(folder / "report"))
    with pytest.raises(AnsibleActionFail, match="written over the evidence"):
        run(folder, path=str(folder / "evidence.html"))
    with pytest.raises(AnsibleActionFail, match=r"cannot be .*mesh_report_path"):
        run(folder, path=str(folder / "evidence.json" / "report.html"))
