# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Machines as infrastructure tells of them: what every source says of one, and what Ansible gets.

One contract for all sources, so that playbooks do not care where a machine comes from. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Hosts and workloads are named as Kubernetes names things (DNS labels).
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
DEFAULT_SSH_PORT = 22
GROUP = "mesh_machines"
# Names that Ansible, or we, have already.
_TAKEN = frozenset({"all", "ungrouped", "localhost", GROUP})


class MachinesError(Exception):
    """Machines that cannot be used. ``problems`` are all there are, ``str()`` one readable text."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = ["%d problems:" % len(self.problems)]
        return "\n".join(lines + ["  - %s" % problem for problem in self.problems])


@dataclass(frozen=True)
class Machine:
    """One machine. ``tags`` are the user's own; None and '' mean that the source does not say."""

    name: str
    address: str
    user: str
    workload: str
    environment: str
    ssh_port: int = DEFAULT_SSH_PORT
    location: str | None = None
    zone: str | None = None
    resource_id: str | None = None
    power_state: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, Any]:
        """The host's variables in the inventory."""
        found: dict[str, Any] = {
            "ansible_host": self.address,
            "ansible_user": self.user,
            "mesh_environment": self.environment,
            "mesh_location": self.location or "",
            "mesh_zone": self.zone or "",
            "mesh_resource_id": self.resource_id or "",
            "mesh_tags": dict(self.tags),
        }
        if self.ssh_port != DEFAULT_SSH_PORT:
            found["ansible_port"] = self.ssh_port
        if self.power_state is not None:
            found["mesh_power_state"] = self.power_state
        return found

    def groups(self) -> list[str]:
        """The groups that the host belongs to."""
        names = [GROUP, group_name(self.workload), group_name("environment", self.environment)]
        if self.location and self.zone:
            names.append(group_name("zone", self.location, self.zone))
        return names


def group_name(*parts: str) -> str:
    """A group's name: what Ansible does not take in one becomes ``_``."""
    return re.sub(r"[^a-z0-9_]", "_", "_".join(parts).lower())


def of_sources(
    sources: Iterable[Mapping[str, Any]],
    allow_empty: bool = False,
    words: Mapping[str, str] | None = None,
) -> list[Machine]:
    """The machines of all ``sources``, each ``{"source": its name, "machines": by name}``.

    ``words`` are what the source calls fields of the contract. Raises MachinesError with all that
    is wrong, and where one has no machines unless ``allow_empty``.
    """
    problems: list[str] = []
    parts: list[tuple[str, list[Machine]]] = []
    for item in sources:
        source, value = item["source"], item["machines"]
        try:
            parts.append((source, parse(source, value, words)))
        except MachinesError as error:
            problems += error.problems
        if value == {} and not allow_empty:
            problems.append(
                "%s: there are no machines; if that is right, say allow_empty: true" % source
            )
    problems += _clashes(parts)
    if problems:
        raise MachinesError(problems)
    return [machine for _source, found in parts for machine in found]


def parse(source: str, value: Any, words: Mapping[str, str] | None = None) -> list[Machine]:
    """The machines of an output ``mesh_machines``, by name. Raises MachinesError.

    ``source`` says in messages where it comes from, ``words`` what it calls fields.
    """
    if not isinstance(value, Mapping):
        raise MachinesError(
            ["%s: mesh_machines is %s; write a map of machines by name" % (source, _kind(value))]
        )
    problems: list[str] = []
    machines = []
    for name in sorted(value, key=str):
        found = _machine(str(name), value[name], words or {})
        if isinstance(found, Machine):
            machines.append(found)
        else:
            problems += ["%s: machine %s: %s" % (source, name, problem) for problem in found]
    if problems:
        raise MachinesError(problems)
    return machines


def _clashes(parts: Iterable[tuple[str, list[Machine]]]) -> list[str]:
    """Where two machines have one name or address, or a name means two things in an inventory."""
    problems: list[str] = []
    names: dict[str, str] = {}
    addresses: dict[str, str] = {}
    workloads: dict[str, str] = {}
    others: set[str] = set()
    for source, found in parts:
        for machine in found:
            if machine.name in names:
                problems.append(
                    "%s: machine %s is in %s, too; give one of them another name"
                    % (source, machine.name, names[machine.name])
                )
            elif machine.address in addresses:
                problems.append(
                    "%s: machine %s has the address %s of machine %s; correct one of them"
                    % (source, machine.name, machine.address, addresses[machine.address])
                )
            names.setdefault(machine.name, source)
            addresses.setdefault(machine.address, machine.name)
            workloads.setdefault(group_name(machine.workload), machine.workload)
            general, _workload, *places = machine.groups()
            others.update((general, *places))
    problems += [
        "workload %s: its group would be that of an environment or zone, %s; give it another name"
        % (workloads[group], group)
        for group in sorted(others & set(workloads))
    ]
    # Ansible would give the variables of such a machine to the whole group.
    problems += [
        "%s: machine %s is called as a group; give it another name, such as %s-1"
        % (names[name], name, name)
        for name in sorted(set(names) & (others | set(workloads)))
    ]
    return problems


def _machine(name: str, value: Any, words: Mapping[str, str]) -> Machine | list[str]:
    """The machine, or what is wrong with it."""
    if not isinstance(value, Mapping):
        return ["it is %s; write an object: address, user, workload, environment" % _kind(value)]
    problems = []
    if not _LABEL.match(name) or name in _TAKEN:
        problems.append("its name is to be another one: " + _A_LABEL)
    given: dict[str, Any] = {}
    for key, (required, right, wanted) in _FIELDS.items():
        word = words.get(key, key)
        if value.get(key) is None:
            if required:
                problems.append("%s is missing; write %s" % (word, wanted))
        elif right(value[key]):
            given[key] = value[key]
        else:
            problems.append("%s is %s; write %s" % (word, repr(value[key])[:60], wanted))
    # Azure writes both in several ways; what is the same is to look the same.
    if "location" in given:
        given["location"] = given["location"].lower().replace(" ", "")
    if "resource_id" in given:
        given["resource_id"] = given["resource_id"].lower()
    return problems or Machine(name=name, **given)


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.IPv4Address(value))
    except ValueError:
        return False


def _is_workload(value: Any) -> bool:
    return _is_label(value) and group_name(value) not in _TAKEN


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and bool(_LABEL.match(value))


def _is_user(value: Any) -> bool:
    return isinstance(value, str) and bool(_USER.match(value))


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_tags(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(item, str) for key, item in value.items()
    )


_A_LABEL = "up to 63 lower-case letters, digits and inner dashes"
# Field: whether it is required, what is right, and what to write.
_FIELDS: dict[str, tuple[bool, Callable[[Any], bool], str]] = {
    "address": (True, _is_address, "the IPv4 address at which the machine is reached"),
    "user": (True, _is_user, "the user that connects by SSH, such as azureuser"),
    "workload": (True, _is_workload, "the mesh workload that it runs: " + _A_LABEL),
    "environment": (True, _is_label, "the environment, such as prod: " + _A_LABEL),
    "ssh_port": (False, _is_port, "a port from 1 to 65535"),
    "location": (False, _is_text, "a text, or null"),
    "zone": (False, _is_text, "a text, or null"),
    "resource_id": (False, _is_text, "a text, or null"),
    "power_state": (False, _is_text, "a text, or null"),
    "tags": (False, _are_tags, "a map of texts"),
}


def _kind(value: Any) -> str:
    kinds = {
        dict: "a map",
        list: "a list",
        str: "a text",
        type(None): "null",
        bool: "a truth value",
    }
    return kinds.get(type(value), "a number" if isinstance(value, (int, float)) else "unreadable")
