"""A role's documented options are its defaults, and no task reads what is not shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) or {}


def test_there_are_roles() -> None:
    assert ROLES


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_documented_defaults_are_the_defaults(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    documented = {name: o["default"] for name, o in options.items() if "default" in o}
    assert documented == load(role / "defaults" / "main.yml")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_an_option_without_default_is_required(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [n for n, o in options.items() if "default" not in o and not o.get("required")] == []


@pytest.mark.parametrize(
    "path",
    sorted(p for room in ("roles", "playbooks") for p in (CHECKOUT / room).rglob("*.yml")),
    ids=lambda p: str(p.relative_to(CHECKOUT)),
)
def test_no_path_leads_out_of_the_collection(path: Path) -> None:
    text = path.read_text()
    assert [word for word in ("../", "lab_", "molecule", "terraform/") if word in text] == []
