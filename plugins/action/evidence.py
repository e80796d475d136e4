# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Action ``brownfield.mesh.evidence``: judges what a run of verify saw (see the module)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Cluster,
    Machine,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import evidence_document, report
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import (
    Registration,
    workload_entries,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration_checks import (
    silent_seconds,
)

PAUSE_SECONDS = 0.5
_VARIABLES = ("mesh_observed_before", "mesh_probed", "mesh_observed_after")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only, once per play."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The judgement; ``failed`` with the names of all failed checks when there are any."""
        super().run(tmp, task_vars)
        _dummy, options = self.validate_argument_spec(
            {
                "plan": {"type": "dict", "required": True},
                "path": {"type": "str", "default": ""},
            }
        )
        variables = task_vars or {}
        hosts = sorted(variables["ansible_play_hosts_all"])
        evidence = self._judge(options["plan"], variables["hostvars"], hosts)
        path = options["path"]
        if path and not self._task.check_mode:
            try:
                evidence_document.write(Path(path).expanduser(), evidence)
            except OSError as error:
                raise AnsibleActionFail(
                    "The evidence cannot be written to %s: %s. Correct `mesh_evidence_path`."
                    % (path, error.strerror)
                ) from error
        self._display.display(report.summary(evidence, colour=bool(ANSIBLE_COLOR)))
        result = {
            "changed": False,
            "failed": not evidence["passed"],
            "failed_checks": [item for item in evidence["checks"] if not item["passed"]],
            "counts": evidence["counts"],
            "path": path,
        }
        if evidence["failed"]:
            result["msg"] = "%d checks failed: %s" % (
                len(evidence["failed"]),
                ", ".join(evidence["failed"]),
            )
        return result

    def _judge(
        self, plan: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: list[str]
    ) -> dict[str, Any]:
        seen = {
            name: evidence_document.Seen(*(hostvars[name].get(key) or {} for key in _VARIABLES))
            for name in hosts
        }
        return evidence_document.document(
            plan, seen, self._registrations(plan), hosts, datetime.now(timezone.utc)
        )

    def _registrations(self, plan: Mapping[str, Any]) -> list[Registration]:
        """What istiod registered, once every probe has spoken or has had the time to."""
        cluster = from_data(Cluster, plan["mesh"]["cluster"])
        pairs = [
            (from_data(Machine, item["machine"]), from_data(Workload, item["workload"]))
            for item in plan["machines"].values()
        ]
        namespaces = sorted({workload.namespace for _, workload in pairs})
        start = time.monotonic()
        while True:
            try:
                registrations = workload_entries(cluster, namespaces)
            except ClusterError as error:
                raise AnsibleActionFail(str(error)) from error
            if time.monotonic() - start >= silent_seconds(pairs, registrations):
                return registrations
            time.sleep(PAUSE_SECONDS)
