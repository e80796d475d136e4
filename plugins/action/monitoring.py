# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Install Prometheus and Alertmanager with the alarms: render, supply what the machine lacks."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import Installation
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    deliver,
    rules,
    server,
)

MODULE = "brownfield.mesh.monitoring"
THRESHOLDS: dict[str, Any] = {
    "unreachable_seconds": {"type": "int", "required": True},
    "control_plane_seconds": {"type": "int", "required": True},
    "stale_seconds": {"type": "int", "required": True},
    "certificate_fraction": {"type": "float", "required": True},
    "disk_fraction": {"type": "float", "required": True},
    "clock_seconds": {"type": "float", "required": True},
}
ROUTES: dict[str, Any] = {
    "receiver": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "severity": {"type": "str", "choices": ["page", "ticket"]},
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
            argument_spec={
                "prometheus": deliver.ARTIFACTS,
                "alertmanager": deliver.ARTIFACTS,
                "thresholds": {"type": "dict", "options": THRESHOLDS},
                "runbooks": {"type": "str", "default": "docs/runbooks"},
                "receivers": {"type": "list", "elements": "dict", "default": [], "no_log": True},
                "routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTES},
                "watchdog": {"type": "str", "default": ""},
                "group_wait_seconds": {"type": "int", "default": 30},
                "group_interval_seconds": {"type": "int", "default": 300},
                "repeat_seconds": {"type": "int", "default": 14400},
                "scrape_seconds": {"type": "int", "default": 30},
                "retention_days": {"type": "int", "default": 15},
                "https_proxy": {"type": "str", "default": ""},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            },
            required_if=[("state", "present", ("thresholds",))],
        )
        options = deliver.plain(options)
        if options["state"] == "absent":
            result: dict[str, Any] = self._execute_module(
                module_name=MODULE, module_args={"state": "absent"}, task_vars=task_vars
            )
            return result
        return deliver.deliver(self, MODULE, _render(options), task_vars)


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
    return server.render(
        every=rules.rules(rules.Thresholds(**options["thresholds"])),
        runbooks=options["runbooks"],
        alerting=alerting,
        scrape_seconds=options["scrape_seconds"],
        retention_days=options["retention_days"],
        https_proxy=options["https_proxy"],
        **given,
    )
