# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Join a machine: render its state, ask it what it lacks, supply just that, confirm capture.

At most three remote module calls: ask (which applies by itself when nothing is needed from here),
supply and apply, confirm over a fresh connection.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Workload,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import sidecar_state

MODULE = "brownfield.mesh.join"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.join``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask, supply, apply, confirm."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                name: {"type": "dict", "required": True}
                for name in ("machine", "workload", "cluster")
            }
        )
        # Plain strings: those of Ansible carry tags that a YAML writer does not know.
        options = json.loads(json.dumps(options))
        machine = from_data(Machine, options["machine"])
        workload = from_data(Workload, options["workload"])
        cluster = from_data(ClusterFacts, options["cluster"])
        state = sidecar_state.render(machine, workload, cluster)
        arguments: dict[str, Any] = {"state": to_data(state)}
        calls, needs = 1, []
        result = self._call(arguments, task_vars)
        check = self._task.check_mode
        if result.get("needs") and not result.get("failed") and not check:
            needs, calls = result["needs"], 2
            # The token travels in the connection's stream: no module file holds it on a disk.
            self._connection.always_pipeline_modules = True
            try:
                arguments.update(self._supply(needs, machine, workload))
                result = self._call(arguments, task_vars)
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        if result.get("confirm") and not result.get("failed"):
            calls += 1
            # Not the multiplexed connection: it was made before capture and would outlive it.
            self._connection.reset()
            confirmed = self._call({"state": arguments["state"], "confirm": True}, task_vars)
            result = {**result, **confirmed}
        result.pop("confirm", None)
        result.pop("invocation", None)  # it would repeat the whole desired state
        return {**result, "needs": needs, "mesh_calls": calls}

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name=MODULE,
            module_args={**arguments, "clock": time.time()},
            task_vars=task_vars,
        )
        return result

    def _supply(self, needs: list[str], machine: Machine, workload: Workload) -> dict[str, Any]:
        supplied: dict[str, Any] = {}
        for artifact in machine.mesh.proxy.artifacts:
            if artifacts.need(artifact) not in needs:
                continue
            try:
                path = self._find_needle("files", artifact.path)
            except AnsibleError as error:
                raise AnsibleActionFail(
                    "artefact %s: there is no file %s on the controller; correct `path` in"
                    " mesh.proxy.artifacts" % (artifact.name, artifact.path)
                ) from error
            if not self._connection._shell.tmpdir:
                self._make_tmp_path()
            shell = self._connection._shell
            remote = shell.join_path(shell.tmpdir, artifact.name)
            self._transfer_file(path, remote)
            supplied.setdefault("pushed", {})[artifact.name] = remote
        if "token" in needs:
            # Imported only when a token is needed: the Kubernetes client takes a second to load.
            from ansible_collections.brownfield.mesh.plugins.plugin_utils import token
            from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

            try:
                supplied["token"] = token.request(
                    machine.mesh.cluster, workload.namespace, workload.service_account
                )
            except ClusterError as error:
                raise AnsibleActionFail(str(error)) from None
        return supplied
