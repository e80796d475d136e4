# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Tell Prometheus whom to watch: the plan's machines, as the file that it reads by itself."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options as known
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import deliver, targets

MODULE = "brownfield.mesh.monitoring_targets"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.monitoring_targets``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Render and write."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                **known.TARGETS,
                **{
                    name: {**known.TARGETS[name], "required": True} for name in ("machines", "here")
                },
            }
        )
        options = deliver.plain(options)
        pairs = [
            (from_data(Machine, one["machine"]), from_data(Workload, one["workload"]))
            for one in options["machines"].values()
        ]
        content = targets.render(pairs, options["here"], options["owners"], options["without"])
        result: dict[str, Any] = self._execute_module(
            module_name=MODULE,
            module_args={"content": content, "installed": options["installed"]},
            task_vars=task_vars,
        )
        result.pop("invocation", None)
        return result
