# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the options, all at once and before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import Problems
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.stack import Run, Stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.tf").touch()
    (tmp_path / "prod.tfvars").touch()
    return tmp_path


def problems(path: Path, state: str = "applied", **options: Any) -> list[str]:
    return Stack(path, state, **options).problems()


def test_usual_options_are_right(folder: Path) -> None:
    assert problems(folder, variables={"a": 1}, variable_files=(Path("prod.tfvars"),)) == []
    assert problems(folder, "planned", saved_plan=Path("x"), variables={"a": 1}) == []
    assert problems(folder, saved_plan=Path("x")) == []


def test_a_folder_must_be_there_and_hold_a_configuration(folder: Path) -> None:
    assert "is not a folder" in problems(folder / "none")[0]
    (folder / "empty").mkdir()
    assert "holds no Terraform configuration" in problems(folder / "empty")[0]
    (folder / "empty/main.tofu").touch()
    assert problems(folder / "empty") == []


def test_a_saved_plan_goes_with_some_options_only(folder: Path) -> None:
    assert (
        "goes with state planned and applied"
        in problems(folder, "destroyed", saved_plan=Path("x"))[0]
    )
    for given in ({"variables": {"a": 1}}, {"variable_files": (Path("prod.tfvars"),)}):
        assert "the saved plan carries" in problems(folder, saved_plan=Path("x"), **given)[0]


def test_everything_is_said_at_once_and_nothing_is_started(folder: Path) -> None:
    stack = Stack(
        folder, "destroyed", timeout=0, lock_timeout=-1, saved_plan=Path("x"),
        variable_files=(Path("none.tfvars"),), environment={"TF_LOG": "x"},
        backend={"password": "x"},
    )  # fmt: skip
    runner = Mock()
    with pytest.raises(Problems) as caught:
        Run(stack, Mock(), Mock(), runner=runner)()
    names = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert names == [
        "environment",
        "backend",
        "variable_files",
        "timeout",
        "lock_timeout",
        "saved_plan",
    ]
    runner.assert_not_called()
