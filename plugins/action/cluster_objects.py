# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Brings the workloads' objects into the cluster, or writes them. Runs on the controller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Prometheus,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import egress_objects
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.changes import applied, written
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.objects import (
    render as metrics_objects,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import egress_guards, render
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

ARGUMENTS: dict[str, dict[str, Any]] = {
    "mesh": {"type": "dict", "required": True},
    "workloads": {"type": "list", "elements": "dict", "required": True},
    "fleet": {"type": "list", "elements": "dict", "default": []},
    "machines": {"type": "list", "elements": "dict", "default": []},
    "cluster": {"type": "dict", "required": True},
    "monitoring": {"type": "list", "elements": "dict", "default": []},
    "output": {"type": "str", "choices": ["apply", "write"], "default": "apply"},
    "path": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
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
        """One batch; every problem becomes the task's one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec=ARGUMENTS, required_if=[("output", "write", ("path",))]
        )
        try:
            # Through JSON: what Ansible hands over are tagged values, and we want plain ones.
            data = json.loads(json.dumps({key: arguments[key] for key in ARGUMENTS}))
            result.update(_run(data, bool(self._task.check_mode)))
        except ClusterError as error:
            raise AnsibleActionFail(str(error)) from None
        except (AttributeError, KeyError, StopIteration, TypeError):
            raise AnsibleActionFail(
                "mesh, workloads and cluster are not what brownfield.mesh.plan returns"
            ) from None
        return result


def _run(data: Mapping[str, Any], check: bool) -> dict[str, Any]:
    mesh = from_data(Mesh, data["mesh"])
    workloads = [from_data(Workload, item) for item in data["workloads"]]
    facts = from_data(ClusterFacts, data["cluster"])
    machines = [from_data(Machine, item) for item in data["machines"]]
    monitoring = [from_data(Prometheus, item) for item in data["monitoring"]]
    objects = render(mesh, workloads, facts, [m for m in machines if m.mode == "bridge"])
    objects += metrics_objects(mesh, workloads, machines, monitoring)
    egress_objects.confine(mesh, objects)
    fleet = [from_data(Workload, item) for item in data["fleet"]] or workloads
    namespaces = sorted({workload.namespace for workload in workloads})
    objects += egress_objects.render(mesh, namespaces, fleet, machines, facts)
    if data["output"] == "write":
        if data["state"] == "absent":
            raise ClusterError(
                "state: absent goes with output: apply only;"
                " to take a workload out of a folder, write it again without that workload"
            )
        return written(Path(data["path"]), objects, check)
    client = Client.of(mesh.cluster)
    if data["state"] == "absent":
        last = {workload.key for workload in fleet} <= {workload.key for workload in workloads}
        shared = egress_objects.former_refs(client, mesh) if last else []
        removal = remove(client, workloads, check, shared)
        kept = [{"object": str(one.ref), "reason": one.reason} for one in removal.kept]
        return {**applied(removal.changes), "kept": kept}
    shared = [guard for namespace in namespaces for guard in egress_guards(namespace)]
    shared += egress_objects.former_refs(client, mesh)
    return applied(apply(client, objects, workloads, check, shared))
