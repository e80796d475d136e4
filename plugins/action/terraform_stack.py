# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Brings a Terraform stack to the state that the task names. Runs on the controller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ansible.constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.stack import Run, Stack

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["applied", "planned", "destroyed"], "default": "applied"},
    "variables": {"type": "dict", "default": {}, "no_log": True},
    "variable_files": {"type": "list", "elements": "path", "default": []},
    "backend": {"type": "dict", "default": {}, "no_log": True},
    "workspace": {"type": "str", "default": "default"},
    "binary": {"type": "str", "default": "terraform"},
    "lock_timeout": {"type": "int", "default": 60},
    "timeout": {"type": "int", "default": 3600},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "policy": {
        "type": "dict",
        "default": {},
        "options": {
            "allow_delete": {"type": "list", "elements": "str", "default": []},
            "max_deletes": {"type": "int", "default": 0},
            "protected_types": {"type": "list", "elements": "str", "default": []},
            "max_changes": {"type": "int"},
            "resource_groups": {"type": "list", "elements": "str"},
        },
    },
    "saved_plan": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the documentation of the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The stack's plan, policy and outputs; what goes wrong becomes the task's one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        # Through JSON: what Ansible hands over are tagged values, and we want plain ones.
        # A date of YAML's becomes text, which is all that Terraform knows.
        data = json.loads(json.dumps({key: arguments[key] for key in ARGUMENTS}, default=str))
        display = Display()

        def say(text: str, verbosity: int) -> None:
            if verbosity <= display.verbosity:
                # Not among the results, which a callback may write as one document.
                display.display(f"  {text}", stderr=True)

        try:
            found = Run(
                _stack(data),
                AnsibleVault(self._loader),
                say,
                check=bool(self._task.check_mode),
                diff=bool(self._task.diff),
                temporary=C.DEFAULT_LOCAL_TMP,
            )()
            warnings = [f"{item['summary']}: {item['detail']}" for item in found["diagnostics"]]
            result.update(found, warnings=warnings)
        except TerraformError as error:
            result.update(error.result, failed=True, msg=str(error))
        except OSError as error:
            result.update(failed=True, msg=f"{error.filename}: {error.strerror}")
        return result


class AnsibleVault:
    """Ansible Vault with the secrets of this run."""

    def __init__(self, loader: Any) -> None:
        self._vault = loader._vault

    def encrypt(self, content: bytes) -> bytes:
        """Encrypt by the vault's secret. Raises TerraformError."""
        if not self._vault.secrets:
            raise TerraformError(
                "saved_plan: a plan holds secrets and is kept encrypted only; run with a vault"
                " secret (--vault-password-file, --vault-id, or AWX's vault credential)"
            )
        found: bytes = self._vault.encrypt(content)
        return found

    def decrypt(self, content: bytes) -> bytes:
        """Decrypt by whichever of the run's secrets fits. Raises TerraformError."""
        try:
            found: bytes = self._vault.decrypt(content)
        except AnsibleError:
            raise TerraformError(
                "saved_plan: none of this run's vault secrets opens it; run with the one that the"
                " planning job had"
            ) from None
        return found


def _texts(environment: dict[str, Any]) -> dict[str, str]:
    """As programs expect them: true and false in small letters, and nothing for what is not set."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in environment.items()
        if value is not None
    }


def _stack(data: dict[str, Any]) -> Stack:
    policy: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.pop("policy").items()
    }
    return Stack(
        **{
            **data,
            "path": Path(data["path"]).absolute(),
            "variable_files": tuple(Path(file) for file in data["variable_files"]),
            "environment": _texts(data["environment"]),
            "saved_plan": Path(data["saved_plan"]).absolute() if data["saved_plan"] else None,
            "policy": Policy(**policy),
        }
    )
