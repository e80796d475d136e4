# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the modules that install programs have in common: arguments, and from them to the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.converge import (
    converge,
    retire,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import Installation

ARGUMENTS: dict[str, Any] = {
    "installation": {"type": "dict"},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "pushed": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def run(
    module: Any,
    home: str,
    units: Sequence[str],
    states: Sequence[str],
    outside: Sequence[str] = (),
) -> None:
    """Do what the module's parameters say and end it. ``module`` is an AnsibleModule, of which
    ``params``, ``check_mode``, ``exit_json`` and ``fail_json`` are used; for the rest see
    ``retire``."""
    given = module.params
    try:
        if given["state"] == "absent":
            module.exit_json(**retire(Host(), home, units, states, module.check_mode, outside))
        if given["installation"] is None:
            module.fail_json(msg="the action plugin of the same name renders `installation`")
        wanted = from_data(Installation, given["installation"])
        files = tuple(
            dataclasses.replace(file, content=given["secrets"].get(file.path, file.content))
            for file in wanted.files
        )
        wanted = dataclasses.replace(wanted, files=files)
        module.exit_json(**converge(Host(), wanted, given["pushed"], module.check_mode))
    except (MachineError, OSError) as error:
        module.fail_json(msg=str(error))
