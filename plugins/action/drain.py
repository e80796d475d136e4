# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Action ``brownfield.mesh.drain``: takes machines out of load balancing (see the module)."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.drain import drain
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

ARGUMENTS: dict[str, dict[str, Any]] = {
    "mesh": {"type": "dict", "required": True},
    "machines": {"type": "list", "elements": "dict", "required": True},
    "seconds": {"type": "int", "default": 0},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only, once per play."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Delete, and give open requests time when something was deleted."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        check = bool(self._task.check_mode)
        try:
            # Through JSON: what Ansible hands over are tagged values, and we want plain ones.
            data = json.loads(json.dumps(arguments))
            mesh = from_data(Mesh, data["mesh"])
            machines = [
                (from_data(Machine, item["machine"]), from_data(Workload, item["workload"]))
                for item in data["machines"]
            ]
            gone = drain(Client.of(mesh.cluster), machines, check)
        except ClusterError as error:
            raise AnsibleActionFail(str(error)) from None
        except (AttributeError, KeyError, StopIteration, TypeError):
            raise AnsibleActionFail(
                "mesh and machines are not what brownfield.mesh.plan returns"
            ) from None
        if gone and not check:
            time.sleep(max(0, arguments["seconds"]))
        names = [str(ref) for ref in gone]
        result.update(changed=bool(gone), objects=names)
        result["diff"] = [{"before": name + "\n", "after": ""} for name in names]
        return result
