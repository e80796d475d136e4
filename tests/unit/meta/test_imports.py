"""Imports go one way: modules, action, inventory -> plugin_utils -> module_utils -> spec."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
PLUGINS = CHECKOUT / "plugins"
HOME = "ansible_collections.brownfield.mesh."

# What each room of plugins/ may import from the collection.
MAY_IMPORT = {
    "module_utils": {"module_utils"},
    "plugin_utils": {"plugin_utils", "module_utils"},
    "modules": {"module_utils"},
    "action": {"plugin_utils", "module_utils"},
    "inventory": {"plugin_utils", "module_utils"},
    "filter": {"plugin_utils", "module_utils"},
    "doc_fragments": set(),
}

# Inside module_utils nothing imports from a higher floor, and the two modes know nothing of each
# other. `observe` looks at machines of either mode, so it stands above them, and
# `watch` above it.
FLOOR = {
    "egress": 0,  # a part of spec
    "spec": 0,
    "sidecar": 2,
    "bridge": 2,
    "observe": 3,
    "observe_bridge": 3,
    "watch": 4,
}
COMMON_FLOOR = 1
MODES = {"sidecar", "bridge"}


def imports(source: str) -> Iterator[str]:
    """The full name of everything that is imported, at whatever depth the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def problems(room: str, level: str, names: Iterator[str]) -> list[str]:
    """What a file of plugins/ROOM imports and must not; LEVEL is the file's first name in ROOM."""
    found = []
    for name in names:
        if name.startswith("."):
            found.append(f"{name}: write the full name, as ansible ships it to machines by that")
        elif name.startswith(HOME):
            parts = name[len(HOME) :].split(".")
            other = parts[1] if parts[0] == "plugins" else parts[0]
            if other not in MAY_IMPORT[room]:
                found.append(f"{name}: {room} must not know {other}")
            elif room == "module_utils":
                target = parts[2]
                if FLOOR.get(target, COMMON_FLOOR) > FLOOR.get(level, COMMON_FLOOR):
                    found.append(f"{name}: {level} stands below {target}")
                elif {target, level} == MODES:
                    found.append(f"{name}: {level} must not know the mode {target}")
        elif room == "module_utils":
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and not name.startswith("ansible.module_utils"):
                found.append(f"{name}: only the standard library is on every machine")
        elif name.split(".")[0] in {"lab", "tests", "molecule"}:
            found.append(f"{name}: the collection does not ship it")
    return found


@pytest.mark.parametrize(
    "path", sorted(PLUGINS.rglob("*.py")), ids=lambda p: str(p.relative_to(PLUGINS))
)
def test_imports_go_one_way(path: Path) -> None:
    room, *inner = path.relative_to(PLUGINS).with_suffix("").parts
    assert problems(room, inner[0] if inner else "", imports(path.read_text())) == []


@pytest.mark.parametrize(
    ("room", "level", "statement"),
    [
        ("module_utils", "desired", "import yaml"),
        ("module_utils", "desired", "def f():\n    from kubernetes import client"),
        ("module_utils", "spec", f"from {HOME}plugins.module_utils.units import unit"),
        ("module_utils", "units", f"from {HOME}plugins.module_utils.sidecar.join import join"),
        ("module_utils", "bridge", f"from {HOME}plugins.module_utils.sidecar import capture"),
        ("module_utils", "spec", f"from {HOME}plugins.plugin_utils.client import Client"),
        ("module_utils", "units", "from .spec import Mesh"),
        ("plugin_utils", "apply", f"from {HOME}plugins.action.join import ActionModule"),
        ("modules", "join", f"import {HOME}plugins.plugin_utils.client"),
        ("action", "join", "from lab.config import Lab"),
    ],
)
def test_a_wrong_import_is_found(room: str, level: str, statement: str) -> None:
    assert len(problems(room, level, imports(statement))) == 1


@pytest.mark.parametrize("path", sorted((CHECKOUT / "lab").rglob("*.py")), ids=lambda p: p.name)
def test_the_lab_knows_nothing_of_the_collection(path: Path) -> None:
    assert [name for name in imports(path.read_text()) if name.startswith(HOME)] == []


@pytest.mark.parametrize(
    "path",
    sorted(p for room in ("module_utils", "modules") for p in (PLUGINS / room).rglob("*.py")),
    ids=lambda p: str(p.relative_to(PLUGINS)),
)
def test_what_travels_to_a_machine_is_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))
