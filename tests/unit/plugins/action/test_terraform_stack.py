# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the action accepts is what the module documents, and what it is given comes out plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.action import terraform_stack
from ansible_collections.brownfield.mesh.plugins.modules.terraform_stack import DOCUMENTATION
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy

# Not documented, since users cannot choose it.
INTERNAL = ("no_log", "description")


def plain(options: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, option in options.items():
        kept = {key: value for key, value in option.items() if key not in INTERNAL}
        nested = kept.pop("suboptions", None) or kept.pop("options", None)
        found[name] = {**kept, **({"nested": plain(nested)} if nested else {})}
    return found


def test_arguments_are_as_documented() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    assert plain(documented) == plain(terraform_stack.ARGUMENTS)


def test_what_may_hold_secrets_is_not_logged() -> None:
    hidden = {name for name, option in terraform_stack.ARGUMENTS.items() if option.get("no_log")}
    assert hidden == {"variables", "backend", "environment"}


def test_options_become_a_stack() -> None:
    data: dict[str, Any] = {
        name: option.get("default") for name, option in terraform_stack.ARGUMENTS.items()
    }
    policy = {
        "allow_delete": ["x*"],
        "max_deletes": 1,
        "resource_groups": None,
        "max_changes": None,
    }
    data |= {
        "path": "stack",
        "policy": policy,
        "environment": {"ARM_USE_MSI": True, "X": None, "Y": 1},
    }
    stack = terraform_stack._stack({**data, "saved_plan": "plan", "variable_files": ["a.tfvars"]})
    assert stack.path == Path.cwd() / "stack"
    assert stack.saved_plan == Path.cwd() / "plan"
    assert stack.variable_files == (Path("a.tfvars"),)
    assert stack.policy == Policy(allow_delete=("x*",), max_deletes=1)
    assert stack.environment == {"ARM_USE_MSI": "true", "Y": "1"}
