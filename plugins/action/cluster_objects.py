# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Brings the workloads' objects into the cluster, or writes them. Runs on the controller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Mesh,
    Prometheus,
    Vantage,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import (
    egress_objects,
    ingress_objects,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.changes import applied, written
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ClusterError,
    IdentityError,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.objects import (
    render as metrics_objects,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    Object,
    egress_guards,
    render,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

ARGUMENTS: dict[str, dict[str, Any]] = {
    "mesh": {"type": "dict", "required": True},
    "workloads": {"type": "list", "elements": "dict", "required": True},
    "fleet": {"type": "list", "elements": "dict", "default": []},
    "machines": {"type": "list", "elements": "dict", "default": []},
    "cluster": {"type": "dict", "required": True},
    "monitoring": {"type": "list", "elements": "dict", "default": []},
    "vantages": {"type": "list", "elements": "dict", "default": []},
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
            result.update(self._run(data))
        except (ClusterError, IdentityError) as error:
            raise AnsibleActionFail(str(error)) from None
        except (AttributeError, KeyError, StopIteration, TypeError):
            raise AnsibleActionFail(
                "mesh, workloads and cluster are not what brownfield.mesh.plan returns"
            ) from None
        return result

    def _run(self, data: Mapping[str, Any]) -> dict[str, Any]:
        mesh = from_data(Mesh, data["mesh"])
        workloads = [from_data(Workload, item) for item in data["workloads"]]
        facts = from_data(ClusterFacts, data["cluster"])
        machines = [from_data(Machine, item) for item in data["machines"]]
        monitoring = [from_data(Prometheus, item) for item in data["monitoring"]]
        vantages = [from_data(Vantage, item) for item in data["vantages"]]
        fleet = [from_data(Workload, item) for item in data["fleet"]] or workloads
        namespaces = sorted({workload.namespace for workload in workloads})
        check, present = bool(self._task.check_mode), data["state"] == "present"
        objects: list[Object] = []
        if present:
            objects += render(mesh, workloads, facts, [m for m in machines if m.mode == "bridge"])
            objects += metrics_objects(mesh, workloads, machines, monitoring, vantages)
            egress_objects.confine(mesh, objects)
            objects += egress_objects.render(mesh, namespaces, fleet, machines, facts)
            objects += ingress_objects.render(mesh, fleet, facts, self._revoked(mesh, facts))
        if data["output"] == "write":
            if not present:
                raise ClusterError(
                    "state: absent goes with output: apply only;"
                    " to take a workload out of a folder, write it again without that workload"
                )
            return written(Path(data["path"]), objects, check)
        client = Client.of(mesh.cluster)
        if present:
            shared = [guard for namespace in namespaces for guard in egress_guards(namespace)]
            shared += _former_refs(client, mesh, fleet)
            return applied(apply(client, objects, workloads, check, shared))
        last = {workload.key for workload in fleet} <= {workload.key for workload in workloads}
        removal = remove(
            client, workloads, check, _former_refs(client, mesh, fleet) if last else []
        )
        kept = [{"object": str(one.ref), "reason": one.reason} for one in removal.kept]
        return {**applied(removal.changes), "kept": kept}

    def _revoked(self, mesh: Mesh, facts: ClusterFacts) -> str:
        """The user's revocation lists (PEM), where the gateway is given them."""
        asked = mesh.bridge.revocation
        if mesh.bridge.gateway is None or asked is None:
            return ""
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import revocation

        try:
            paths = [Path(self._find_needle("files", path)) for path in asked.lists]
        except AnsibleError as error:
            raise IdentityError(f"mesh.bridge.revocation.lists: {error}") from None
        return revocation.read(paths, facts.root_certificate)


def _former_refs(client: Client, mesh: Mesh, fleet: Sequence[Workload]) -> list[Ref]:
    """What lies at the gateways by an earlier run. Raises ClusterError."""
    return [
        *egress_objects.former_refs(client, mesh),
        *ingress_objects.former_refs(client, mesh, fleet),
    ]
