# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Planned in one job, applied in another."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import Finished, run

from tests.integration.terraform.conftest import Folder

CANARY = "canary-5b1d-travels"


@pytest.fixture
def bundle(folder: Folder) -> Path:
    """The plan of the stack with one resource more, which holds a secret."""
    folder.write(
        """
        variable "password" {
          type      = string
          sensitive = true
        }
        resource "terraform_data" "secret" { input = var.password }
        """,
        "secret.tf",
    )
    path = folder.path.parent / "approved.plan"
    folder.run("planned", saved_plan=path, variables={"password": CANARY})
    assert not folder.state.exists()
    return path


def test_the_approved_plan_is_applied_in_another_checkout(folder: Folder, bundle: Path) -> None:
    text = bundle.read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.1;AES256")
    assert CANARY not in text
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert [path.name for path in bundle.parent.iterdir() if "approved" in path.name] == [
        "approved.plan"
    ]
    other = Folder(folder.path.parent / "other-job", folder.binary)
    shutil.copytree(folder.path, other.path, ignore=shutil.ignore_patterns(".terraform"))
    would = other.run(saved_plan=bundle, check=True)
    assert would["changed"]
    assert not folder.state.exists()
    applied = other.run(saved_plan=bundle)
    assert applied["plan"]["summary"]["create"] == 3
    assert CANARY in folder.state.read_text()
    assert CANARY not in str(applied)


def test_a_plan_is_judged_again_before_it_is_applied(folder: Folder, bundle: Path) -> None:
    assert folder.fails(saved_plan=bundle, policy={"max_changes": 1}).result["reasons"]
    assert not folder.state.exists()


def test_a_plan_of_an_older_state_is_refused(folder: Folder, bundle: Path) -> None:
    folder.run(saved_plan=bundle)
    second = bundle.with_name("second.plan")
    variables = {"password": CANARY, "size": "large"}
    folder.run("planned", saved_plan=second, variables=variables)
    folder.run(variables={**variables, "size": "medium"})
    refused = folder.fails(saved_plan=second)
    assert "saved_plan is stale: it was made from serial" in str(refused)
    assert "Plan again" in str(refused)
    # The first one was made before there was a state at all.
    assert "another state than there is now" in str(folder.fails(saved_plan=bundle))


def test_a_plan_of_another_configuration_is_refused(folder: Folder, bundle: Path) -> None:
    folder.write("# a comment", "more.tf")
    assert "the configuration is not the one" in str(folder.fails(saved_plan=bundle))


def test_a_plan_of_another_workspace_is_refused(folder: Folder, bundle: Path) -> None:
    words = str(folder.fails(saved_plan=bundle, workspace="staging"))
    assert "made for workspace default, this task says staging" in words


def test_without_the_right_vault_secret_there_is_no_plan(folder: Folder, bundle: Path) -> None:
    folder.password = "another"
    assert "none of this run's vault secrets opens it" in str(folder.fails(saved_plan=bundle))
    folder.password = None
    assert "vault secret" in str(folder.fails(saved_plan=bundle))
    second = bundle.with_name("second.plan")
    words = str(folder.fails("planned", saved_plan=second, variables={"password": CANARY}))
    assert "kept encrypted only; run with a vault secret" in words
    assert not second.exists()


def test_a_refused_plan_is_not_saved(folder: Folder) -> None:
    path = folder.path.parent / "refused.plan"
    folder.fails("planned", saved_plan=path, policy={"max_changes": 1})
    assert not path.exists()


def test_check_mode_saves_no_plan(folder: Folder) -> None:
    path = folder.path.parent / "check.plan"
    assert folder.run("planned", saved_plan=path, check=True)["changed"]
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "no vault at all", "$ANSIBLE_VAULT;1.1;AES256\n00\n"])
def test_what_is_no_saved_plan_is_refused_in_words(folder: Folder, content: str) -> None:
    path = folder.path.parent / "broken.plan"
    assert "cannot be read" in str(folder.fails(saved_plan=path))
    path.write_text(content)
    assert "saved_plan" in str(folder.fails(saved_plan=path))


def test_terraforms_own_check_of_staleness_is_told_with_advice(
    folder: Folder, tmp_path: Path
) -> None:
    """Somebody applies between our check and Terraform's."""
    folder.run()
    path = tmp_path / "late.plan"
    folder.run("planned", saved_plan=path, variables={"size": "large"})

    def with_interloper(argv: Sequence[str], *arguments: Any) -> Finished:
        if argv[1] == "apply":
            command = [argv[0], "apply", "-auto-approve", "-input=false", "-var=size=medium"]
            subprocess.run(command, cwd=folder.path, check=True, capture_output=True, timeout=60)
        return run(argv, *arguments)

    words = str(folder.fails(saved_plan=path, runner=with_interloper))
    assert "Saved plan is stale" in words
    assert "What to do: something was applied since this plan was made" in words
