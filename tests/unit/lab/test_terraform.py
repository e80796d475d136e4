"""The provider's mirror: its version, its layout, and that it is made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import terraform
from lab.config import ARCHITECTURE, LabError

CHANGELOG = """## 5.2.0 (August 20, 2026)

FEATURES:

* **New List Resource**: `azurerm_user_assigned_identity`

## 5.1.0 (August 13, 2026)
"""


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built provider and its module's folder, without Go."""
    tools = tmp_path / "go" / "azurerm-0123"
    tools.mkdir(parents=True)
    (tools / "terraform-provider-azurerm").write_text("a program")
    module = tmp_path / "module"
    module.mkdir()
    (module / "CHANGELOG.md").write_text(CHANGELOG)
    monkeypatch.setattr(terraform, "go_tools", lambda group: tools)
    monkeypatch.setattr(terraform, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(terraform, "run", lambda *argv, **options: json.dumps({"Dir": str(module)}))
    return tmp_path


def test_version_is_the_newest_heading() -> None:
    assert terraform.provider_version(CHANGELOG) == "5.2.0"
    assert terraform.provider_version("# Changes\n\n## 5.10.1 (Unreleased)\n") == "5.10.1"


def test_change_log_without_a_version_is_an_error() -> None:
    with pytest.raises(LabError, match="names no version"):
        terraform.provider_version("## Unreleased\n")


@pytest.mark.parametrize("registry", ["registry.terraform.io", "registry.opentofu.org"])
def test_mirror_has_the_provider_where_it_is_looked_for(built: Path, registry: str) -> None:
    folder = terraform.provider_mirror() / registry / "hashicorp/azurerm/5.2.0"
    provider = folder / f"linux_{ARCHITECTURE}" / "terraform-provider-azurerm_v5.2.0"
    assert provider.read_text() == "a program"


def test_mirror_is_made_once(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = terraform.provider_mirror()
    monkeypatch.setattr(terraform, "run", None)  # a second making would fail
    assert terraform.provider_mirror() == first
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_mirror_that_another_process_made_first_is_taken(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = terraform.provider_mirror()
    real = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: path != winner and real(path))
    assert terraform.provider_mirror() == winner
    assert [path.name for path in winner.parent.iterdir()] == [winner.name]


def test_configuration_names_the_mirror_and_no_registry(built: Path, tmp_path: Path) -> None:
    text = terraform.cli_config(tmp_path).read_text()
    assert str(terraform.provider_mirror()) in text
    assert "direct" not in text
    assert text.count("{") == text.count("}") == 2
