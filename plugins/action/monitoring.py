# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Install Prometheus and Alertmanager with the alarms: render, supply what the machine lacks."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options as known
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import Installation
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    dashboards,
    deliver,
    rules,
    server,
)

MODULE = "brownfield.mesh.monitoring"
# What is only for a Prometheus and an Alertmanager of ours, by variable.
_OURS = {
    "prometheus": "mesh_monitoring_prometheus_artifacts",
    "alertmanager": "mesh_monitoring_alertmanager_artifacts",
    "receivers": "mesh_monitoring_receivers",
    "routes": "mesh_monitoring_routes",
    "watchdog": "mesh_monitoring_watchdog_receiver",
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.monitoring``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask, supply, apply; or take away."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec=known.MONITORING,
            required_if=[("state", "present", ("thresholds",))],
        )
        options = deliver.plain(options)
        if options["state"] == "absent":
            result: dict[str, Any] = self._execute_module(
                module_name=MODULE, module_args={"state": "absent"}, task_vars=task_vars
            )
            return result
        try:
            wanted = _files(options) if options["prometheus_unit"] else _render(options)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        return deliver.deliver(self, MODULE, wanted, task_vars)


def _files(options: dict[str, Any]) -> Installation:
    if unused := [variable for name, variable in _OURS.items() if options[name]]:
        raise AnsibleActionFail(
            "mesh_monitoring_prometheus_unit names a Prometheus of your own, which has an"
            " Alertmanager of its own; leave out what is for ours: %s" % ", ".join(unused)
        )
    thresholds = rules.Thresholds(**options["thresholds"])
    return server.render_files(
        options["prometheus_unit"],
        rules.rules(thresholds),
        options["runbooks"],
        options["scrape_seconds"],
        dashboards.render(thresholds, options["runbooks"]),
        options["grafana"],
    )


def _render(options: dict[str, Any]) -> Installation:
    alerting = server.Alerting(
        **{
            name: options[name]
            for name in (
                "receivers",
                "routes",
                "watchdog",
                "group_wait_seconds",
                "group_interval_seconds",
                "repeat_seconds",
            )
        }
    )
    if problems := server.problems(alerting):
        raise AnsibleActionFail("\n".join(problems))
    given = {
        name: deliver.artifacts(name, "mesh_monitoring_%s_artifacts" % name, options[name])
        for name in ("prometheus", "alertmanager")
    }
    thresholds = rules.Thresholds(**options["thresholds"])
    return server.render(
        every=rules.rules(thresholds),
        runbooks=options["runbooks"],
        boards=dashboards.render(thresholds, options["runbooks"]),
        grafana=options["grafana"],
        alerting=alerting,
        scrape_seconds=options["scrape_seconds"],
        retention_days=options["retention_days"],
        https_proxy=options["https_proxy"],
        **given,
    )
