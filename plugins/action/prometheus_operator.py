# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Tell a Prometheus of the user's own whom to watch and when to call: objects of its Operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options as known
from ansible_collections.brownfield.mesh.plugins.plugin_utils.changes import applied, written
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    dashboards,
    deliver,
    operator,
    rules,
    server,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the documentation of the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One batch; every problem becomes the task's one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec=known.OPERATOR, required_if=[("output", "write", ("path",))]
        )
        try:
            result.update(_run(deliver.plain(options), bool(self._task.check_mode)))
        except (ClusterError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None
        return result


def _run(options: dict[str, Any], check: bool) -> dict[str, Any]:
    mesh = from_data(Mesh, options["mesh"])
    if mesh.prometheus is None:
        raise AnsibleActionFail(
            "mesh.prometheus is missing; write the namespace and the service account of the"
            " Prometheus that is to watch the machines"
        )
    names = ("receivers", "routes", "watchdog")
    times = ("group_wait_seconds", "group_interval_seconds", "repeat_seconds")
    alerting = server.Alerting(**{name: options[name] for name in (*names, *times)})
    variable = "mesh_monitoring_operator_receivers"
    problems = server.problems(alerting, variable)
    problems += operator.problems(alerting.receivers, variable)
    if problems:
        raise AnsibleActionFail("\n".join(problems))
    thresholds = rules.Thresholds(**options["thresholds"])
    objects = operator.render(
        namespace=mesh.prometheus.namespace,
        machines=[
            (from_data(Machine, one["machine"]), from_data(Workload, one["workload"]))
            for one in options["machines"].values()
        ],
        owners=options["owners"],
        without=options["without"],
        every=rules.rules(thresholds),
        runbooks=options["runbooks"],
        alerting=alerting,
        scrape_seconds=options["scrape_seconds"],
        selected_by=options["labels"],
        boards=dashboards.render(thresholds, options["runbooks"]),
        boards_selected_by=options["dashboard_labels"],
    )
    if options["output"] == "write":
        return written(Path(options["path"]), objects, check)
    client = Client.of(mesh.cluster)
    return applied(operator.bring(client, mesh.prometheus.namespace, objects, check))
