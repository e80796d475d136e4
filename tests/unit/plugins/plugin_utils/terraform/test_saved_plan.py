# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a saved plan is bound to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import saved_plan
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.cli import StateId
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

ORIGIN = saved_plan.origin("digest", "default", "1.11.4", StateId("lineage", 7))


def digest(folder: Path) -> str:
    return saved_plan.digest(folder, folder / ".terraform")


class Reversing:
    """Stands for the vault: nothing is readable without it."""

    def encrypt(self, content: bytes) -> bytes:
        return content[::-1]

    def decrypt(self, content: bytes) -> bytes:
        return content[::-1]


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(bytes(range(256)))
    bundle = tmp_path / "bundle"
    bundle.write_text("an older one")
    saved_plan.write(bundle, tmp_path / "plan", ORIGIN, Reversing())
    assert bundle.stat().st_mode & 0o777 == 0o600
    assert saved_plan.read(bundle, Reversing()) == (bytes(range(256)), ORIGIN)
    assert {path.name for path in tmp_path.iterdir()} == {"plan", "bundle"}


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "plan").touch()
    with pytest.raises(TerraformError, match="cannot be written: No such file"):
        saved_plan.write(tmp_path / "no/bundle", tmp_path / "plan", ORIGIN, Reversing())


@pytest.mark.parametrize(
    "data", [{}, [], {"plan": "!", "origin": {}}, {"plan": "eA==", "origin": {"x": 1}}]
)
def test_another_content_is_refused(tmp_path: Path, data: object) -> None:
    (tmp_path / "bundle").write_bytes(json.dumps(data).encode()[::-1])
    with pytest.raises(TerraformError, match=r"is not what .state: planned. of this version wrote"):
        saved_plan.read(tmp_path / "bundle", Reversing())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"workspace": "prod"}, "workspace default, this task says prod"),
        ({"lineage": "other"}, "another state"),
        ({"serial": 8}, "from serial 7 of the state, which is at 8 now"),
        ({"serial": 6}, "stale"),
        ({"configuration": "x"}, "configuration is not the one"),
        ({"version": "1.12.0"}, "version 1.11.4, binary is 1.12.0"),
    ],
)
def test_whatever_differs_makes_it_stale(change: dict[str, object], words: str | None) -> None:
    reason = saved_plan.stale(ORIGIN, replace(ORIGIN, **change))  # type: ignore[arg-type]
    assert (reason is None) == (words is None)
    assert words is None or words in str(reason)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks/one"
    (folder / ".terraform/modules").mkdir(parents=True)
    (tmp_path / "modules/a").mkdir(parents=True)
    (folder / "main.tf").write_text("# main")
    (folder / ".terraform.lock.hcl").write_text("# lock")
    (tmp_path / "modules/a/main.tf").write_text("# a")
    modules = {"Modules": [{"Dir": "."}, {"Dir": "../../modules/a"}]}
    (folder / ".terraform/modules/modules.json").write_text(json.dumps(modules))
    return folder


@pytest.mark.parametrize(
    "file",
    ["main.tf", ".terraform.lock.hcl", "new.tf", "prod.auto.tfvars", "../../modules/a/main.tf"],
)
def test_the_digest_covers_folder_modules_and_lock(configuration: Path, file: str) -> None:
    before = digest(configuration)
    (configuration / file).write_text("# other")
    assert digest(configuration) != before


def test_the_digest_does_not_depend_on_place_or_other_files(
    configuration: Path, tmp_path: Path
) -> None:
    before = digest(configuration)
    (configuration / "terraform.tfstate").write_text("{}")
    (configuration / "approved.plan").write_text("x")
    assert digest(configuration) == before
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    assert digest(moved / "stacks/one") == before


def test_a_broken_list_of_modules_is_said(configuration: Path) -> None:
    (configuration / ".terraform/modules/modules.json").write_text("{")
    with pytest.raises(TerraformError, match="which init makes anew"):
        digest(configuration)
