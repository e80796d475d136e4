# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What each host of the inventory says, read field by field but not yet compared with others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import (
    INVALID,
    Report,
    Text,
    Unreadable,
    suggestion,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.fields import (
    MACHINE,
    MESH,
    PORT,
    VANTAGE,
    VARIABLES,
    WORKLOAD,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import IPV4
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decisions
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import kind_of
from ansible_collections.brownfield.mesh.plugins.module_utils.record_types import Record

KNOWN = tuple(field.name for field in VARIABLES)
SSH_PORT = 22


@dataclass(frozen=True)
class Entry:
    """One host that is a machine or a vantage.

    ``mesh`` and ``workload`` have defaults filled in, ``machine`` only what was given; a key whose
    value has a problem is missing, so that a rule can tell that it has nothing to look at. They
    are empty when the variable itself is not usable. ``address`` is then empty and ``ssh_port`` 0.
    """

    name: str
    is_vantage: bool
    mesh: Mapping[str, Any]
    workload: Mapping[str, Any]
    machine: Mapping[str, Any]
    address: str
    ssh_port: int
    auto: str = ""  # the fact that made mode `auto` what it is in `workload`; empty if chosen

    @property
    def key(self) -> str:
        """``Workload.key``, or '' when it is not known."""
        if "namespace" in self.workload and "name" in self.workload:
            return "%s/%s" % (self.workload["namespace"], self.workload["name"])
        return ""

    def decided(self, decisions: Decisions) -> Entry:
        """This entry with the mode that ``auto`` became, where that was decided."""
        decision = decisions.get(self.key)
        if decision is None or self.workload.get("mode") != "auto":
            return self
        workload = {**self.workload, "mode": decision.mode}
        return dataclasses.replace(self, workload=workload, auto=decision.reason)

    def because(self, why: str) -> str:
        """``why``, a problem of the mode, with where that mode comes from if nobody wrote it."""
        if not self.auto:
            return why
        return "%s (auto decided for %s: %s)" % (why, self.workload["mode"], self.auto)

    def merged(self, part: str) -> Any:
        """``proxy`` or ``capture`` of the mesh with this machine's overrides, or None when one of
        them has a problem."""
        if part not in self.mesh or (part in self.machine and self.machine[part] is INVALID):
            return None
        return dataclasses.replace(self.mesh[part], **self.machine.get(part, {}))


def read(name: str, variables: Any, report: Report) -> Entry | None:
    """The entry of host ``name``; None when it has nothing to do with the mesh."""
    if not isinstance(variables, Mapping):
        report("hostvars", "is %s" % kind_of(variables), "give the host a mapping of variables")
        return None
    for variable in variables:
        meant = _misspelt(variable, variables)
        if meant:
            report(variable, "is an unknown variable", "write %s" % meant)
    is_vantage = _vantage(variables, report)
    if "mesh_workload" not in variables and not is_vantage:
        return None
    if "mesh_workload" in variables and is_vantage:
        report(
            "mesh_vantage",
            "is set on a host with mesh_workload",
            "remove one of them: a vantage is outside of the mesh",
        )
    machine = _values(MACHINE, "mesh_machine", variables, report, {})
    workload: dict[str, Any] = {}
    mesh: dict[str, Any] = {}
    if not is_vantage:
        workload = _values(WORKLOAD, "mesh_workload", variables, report, _defaults(WORKLOAD))
        if "service_account" not in variables_of(variables, "mesh_workload"):
            workload["service_account"] = workload.get("name", INVALID)
        mesh = _values(MESH, "mesh", variables, report, _defaults(MESH))
    return Entry(
        name=name,
        is_vantage=is_vantage,
        mesh=_valid(mesh),
        workload=_valid(workload),
        machine=machine,
        address=_address(name, variables, machine, report),
        ssh_port=_ssh_port(variables, machine, report),
    )


def variables_of(variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The mapping ``name``, or an empty one when it is none."""
    value = variables.get(name)
    return value if isinstance(value, Mapping) else {}


def _misspelt(variable: Any, variables: Mapping[str, Any]) -> str:
    """The variable of ours that ``variable`` was probably meant to be, and that is not there."""
    if not isinstance(variable, str) or not variable.startswith("mesh") or variable in KNOWN:
        return ""
    meant = suggestion(variable, KNOWN, 0.9)
    return "" if meant in variables else meant


def _vantage(variables: Mapping[str, Any], report: Report) -> bool:
    return VANTAGE.read(variables.get("mesh_vantage", False), "mesh_vantage", report) is True


def _defaults(record: Record) -> dict[str, Any]:
    names = {field.name for field in record.fields}
    made = {}
    for field in dataclasses.fields(record.kind):
        if field.name in names and field.default is not dataclasses.MISSING:
            made[field.name] = field.default
        elif field.name in names and field.default_factory is not dataclasses.MISSING:
            made[field.name] = field.default_factory()
    return made


def _values(
    record: Record,
    variable: str,
    variables: Mapping[str, Any],
    report: Report,
    defaults: Mapping[str, Any],
) -> dict[str, Any]:
    if variable not in variables:
        if variable == "mesh":
            report("mesh", "is missing", "describe the mesh in group_vars/all.yml")
        return {}
    return {**defaults, **record.values(variables[variable], variable, report)}


def _valid(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not INVALID}


def _address(
    name: str, variables: Mapping[str, Any], machine: Mapping[str, Any], report: Report
) -> str:
    if "address" in machine:
        return "" if machine["address"] is INVALID else str(machine["address"])
    host = variables.get("ansible_host", name)
    if isinstance(host, Unreadable) or (
        isinstance(host, str) and (IPV4.fits(host) or IPV4.refuses(host))
    ):
        address = Text(IPV4).read(host, "ansible_host", report)
        return "" if address is INVALID else str(address)
    report(
        "mesh_machine.address",
        "is missing, and ansible_host is no IP address",
        "write mesh_machine: {address: IPV4_ADDRESS} for each of these hosts",
    )
    return ""


def _ssh_port(variables: Mapping[str, Any], machine: Mapping[str, Any], report: Report) -> int:
    if "ssh_port" in machine:
        return 0 if machine["ssh_port"] is INVALID else int(machine["ssh_port"])
    port = variables.get("ansible_port")
    if port is None:
        return SSH_PORT
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) <= 5:
        port = int(port)  # Ansible takes both
    read_port = PORT.read(port, "ansible_port", report)
    return 0 if read_port is INVALID else int(read_port)
