# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Validates the whole inventory and plans the run. Runs on the controller, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.brownfield.mesh.plugins.module_utils import plan, validate
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Unreadable
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import SpecError, printable
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import DEFAULT_LIMIT
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet
from ansible_collections.brownfield.mesh.plugins.plugin_utils import (
    cluster_facts,
    mode_facts,
    proxy_config,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

# Variables of others that are read beside ours.
CONNECTION = ("ansible_host", "ansible_port")
OURS = ("mesh", "mesh_workload", "mesh_machine", "mesh_vantage")

# The group of the machines that watch the others.
MONITORING = "mesh_monitoring"


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the documentation of the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The plan; every problem of the inventory becomes the task's one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"max_cases_per_machine": {"type": "int", "default": DEFAULT_LIMIT}}
        )
        given = task_vars or {}
        magic: dict[str, Any] = {
            name: given[name] for name in ("hostvars", "omit") if name in given
        }
        try:
            hosts = variables(given["hostvars"], self._loader, magic)
            fleet = validate.parse(hosts, self._exists)
            if annotations := proxy_config.problems(fleet):
                raise SpecError(annotations)
            facts = _facts(fleet)
            decisions = mode_facts.decide(fleet, facts)
            if decisions:
                fleet = validate.parse(hosts, self._exists, decisions)
                facts = _facts(fleet)  # bridges must reach gateways that others need not
        except (SpecError, ClusterError) as error:
            raise AnsibleActionFail(str(error)) from None
        limit = arguments["max_cases_per_machine"]
        watching = (given.get("groups") or {}).get(MONITORING, ())
        result.update(plan.build(fleet, facts, limit, decisions, watching))
        result["changed"] = False
        return result

    def _exists(self, what: str, path: str) -> bool:
        if what == "kubeconfig":
            return Path(path).expanduser().is_file()
        try:
            return bool(self._find_needle("files", path))  # where join looks, too
        except AnsibleError:
            return False


def _facts(fleet: Fleet) -> ClusterFacts:
    modes = {workload.mode for workload in fleet.workloads}
    return cluster_facts.read(fleet.mesh, modes, fleet.has_bridges_to_egress)


def variables(hostvars: Any, loader: Any, magic: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each host that has to do with the mesh, the variables that ``validate`` reads.

    ``hostvars`` is Ansible's, over all hosts of the inventory; ``magic`` are variables that
    templates may use beside the host's own. Only what holds a template is evaluated, since that
    costs milliseconds for each host.
    """
    hosts = {}
    for name in hostvars:
        raw = hostvars.raw_get(name)
        given = [key for key in raw if str(key).startswith("mesh")]
        if not given:
            continue
        # Of names that are not ours only the name counts: one of them may be misspelt.
        read: dict[str, Any] = {str(key): None for key in given if key not in OURS}
        templar = Templar(loader=loader, variables={**raw, **magic})
        for key in (*OURS, *CONNECTION):
            if key in raw:
                value = raw[key]
                read[key] = _evaluate(templar, value) if _is_dynamic(value) else plain(value)
        hosts[str(name)] = read
    return hosts


def _is_dynamic(value: Any) -> bool:
    """Whether ``value`` must go through Ansible's templating (a vaulted text must, too)."""
    if isinstance(value, str):
        return any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, Mapping):
        return any(_is_dynamic(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return any(_is_dynamic(item) for item in value)
    return not (value is None or isinstance(value, (bool, int, float)))


def _evaluate(templar: Templar, value: Any) -> Any:
    """``value`` evaluated. Where that fails, its parts are, so that only what fails is missing."""
    try:
        return plain(templar.template(value))
    except AnsibleError as error:
        if isinstance(value, Mapping):
            return {plain(key): _evaluate(templar, item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [_evaluate(templar, item) for item in value]
        reason = printable(str(error).split("\n", 1)[0].strip(" ."), 300)
        return Unreadable(
            "could not be evaluated: %s" % reason,
            "define what it refers to, or correct the template",
        )


def plain(value: Any) -> Any:
    """``value`` without Ansible's tags, as far as it is JSON data; all else as it is."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (str, bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value
