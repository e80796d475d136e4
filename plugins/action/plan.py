# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Validates the whole inventory and plans the run. Runs on the controller, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils import modes, plan, validate
from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Unreadable
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import SpecError, printable
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import DEFAULT_LIMIT
from ansible_collections.brownfield.mesh.plugins.plugin_utils import cluster_facts
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

# Variables of others that are read beside ours.
CONNECTION = ("ansible_host", "ansible_port")
OURS = ("mesh", "mesh_workload", "mesh_machine", "mesh_vantage")


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
        try:
            fleet = validate.parse(
                variables((task_vars or {})["hostvars"]),
                exists=lambda path: Path(path).expanduser().is_file(),
                modes=modes.RELEASED,
            )
            facts = cluster_facts.read(fleet.mesh)
        except (SpecError, ClusterError) as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(plan.build(fleet, facts, arguments["max_cases_per_machine"]))
        result["changed"] = False
        return result


def variables(hostvars: Any) -> dict[str, dict[str, Any]]:
    """Of each host that has to do with the mesh, the variables that ``validate`` reads.

    ``hostvars`` is Ansible's, over all hosts of the inventory. Only what holds a template is
    evaluated, since evaluation costs milliseconds for each host.
    """
    hosts = {}
    for name in hostvars:
        raw = hostvars.raw_get(name)
        given = [key for key in raw if str(key).startswith("mesh")]
        if not given:
            continue
        # Of names that are not ours only the name counts: one of them may be misspelt.
        read: dict[str, Any] = {str(key): None for key in given if key not in OURS}
        keys = [key for key in (*OURS, *CONNECTION) if key in raw]
        read.update({key: plain(raw[key]) for key in keys if not _needs_templating(raw[key])})
        templates = [key for key in keys if key not in read]
        evaluated = hostvars[name] if templates else {}
        read.update({key: _evaluate(evaluated, key) for key in templates})
        hosts[str(name)] = read
    return hosts


def _needs_templating(value: Any) -> bool:
    """Whether ``value`` must go through Ansible's templating (a vaulted text must, too)."""
    if isinstance(value, str):
        return any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, Mapping):
        return any(_needs_templating(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return any(_needs_templating(item) for item in value)
    return not (value is None or isinstance(value, (bool, int, float)))


def _evaluate(content: Mapping[str, Any], key: str) -> Any:
    try:
        return plain(content[key])
    except AnsibleError as error:
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
