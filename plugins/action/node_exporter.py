# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Make a machine say how it is: render what it is to run, supply what it lacks."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Vantage,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options as known
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.prober import Probes
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import Loki
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    deliver,
    exporter,
    pinned,
)

MODULE = "brownfield.mesh.node_exporter"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.node_exporter``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask, supply, apply; or take away."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec=known.EXPORTER,
            required_together=[("machine", "workload")],
            required_if=[("state", "present", ("machine", "vantage"), True)],
            mutually_exclusive=[("machine", "vantage")],
        )
        options = deliver.plain(options)
        if options["state"] == "absent":
            result: dict[str, Any] = self._execute_module(
                module_name=MODULE, module_args={"state": "absent"}, task_vars=task_vars
            )
            return result
        artifacts = deliver.artifacts("node_exporter", exporter.VARIABLE, options["artifacts"])
        cases = tuple(from_data(Case, case) for case in options["cases"])
        probes = Probes(options["probe_seconds"], options["probe_cases"], cases)
        if options["vantage"] and not options["clients"] and not self._task.check_mode:
            raise AnsibleActionFail(
                "no machine of the group mesh_monitoring has a key yet by which vantages know it;"
                " run brownfield.mesh.monitor without --limit"
            )
        try:
            if options["vantage"]:
                wanted = exporter.render_vantage(
                    from_data(Vantage, options["vantage"]),
                    artifacts,
                    options["collectors"],
                    probes,
                    pinned.clients(options["clients"]),
                )
            else:
                wanted = exporter.render(
                    from_data(Machine, options["machine"]),
                    from_data(Workload, options["workload"]),
                    artifacts,
                    options["collectors"],
                    options["state_seconds"],
                    probes,
                    Loki(**options["loki"]) if options["loki"].get("url") else None,
                )
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        return deliver.deliver(self, MODULE, wanted, task_vars)
