# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Azure's lists say of machines, as the contract of the inventory has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import (
    DEFAULT_SSH_PORT,
    MachinesError,
)

# Tags by which a machine says what it is; terraform/modules/machine writes them.
OURS = "mesh-"
WORKLOAD, ENVIRONMENT, USER, SSH_PORT = (
    OURS + "workload",
    OURS + "environment",
    OURS + "user",
    OURS + "ssh-port",
)
# What to look at, in Azure, when a field of the contract is not right.
WORDS = {
    "address": "the private address of its primary interface",
    "workload": "tag " + WORKLOAD,
    "environment": "tag " + ENVIRONMENT,
    "user": "tag " + USER,
    "ssh_port": "tag " + SSH_PORT,
}
_POWER = "PowerState/"


@dataclass(frozen=True)
class Filter:
    """Which machines, of those that carry our tags. Empty fields ask for nothing.

    Azure knows names of resource groups and of tags without regard to case, tags' values with it.
    """

    resource_groups: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def takes_group(self, resource_id: str) -> bool:
        """Whether the resource is in a group that is asked for."""
        groups = {group.lower() for group in self.resource_groups}
        return not groups or part(resource_id, "resourceGroups").lower() in groups

    def takes_tags(self, tags: Mapping[str, str]) -> bool:
        """Whether a machine with these tags, names in lower case, is asked for."""
        return WORKLOAD in tags and all(
            tags.get(name.lower()) == str(value) for name, value in self.tags.items()
        )


@dataclass(frozen=True)
class Lists:
    """What Azure answered, as its JSON is. ``tags`` are those of the scale set around it.

    A thousand of the SDK's models would take a second to be made and read.
    """

    machines: Iterable[Mapping[str, Any]]
    statuses: Iterable[Mapping[str, Any]]
    interfaces: Iterable[Mapping[str, Any]]
    tags: Mapping[str, str] = field(default_factory=dict)


def described(lists: Lists, wanted: Filter) -> list[tuple[str, dict[str, Any]]]:
    """The machines that are asked for: name and what the contract has of each."""
    power = {item["id"].lower(): _power_state(item) for item in lists.statuses}
    addresses = {item["id"].lower(): _address(item) for item in lists.interfaces}
    found = []
    for item in lists.machines:
        own = {**lists.tags, **tags_of(item)}
        tags = {name.lower(): value for name, value in own.items()}
        if not wanted.takes_tags(tags) or not wanted.takes_group(item["id"]):
            continue
        port = tags.get(SSH_PORT, str(DEFAULT_SSH_PORT))
        described_as = {
            "address": addresses.get(_primary_interface(item)),
            "user": tags.get(USER),
            "ssh_port": int(port) if port.isdecimal() else port,
            "workload": tags.get(WORKLOAD),
            "environment": tags.get(ENVIRONMENT),
            "location": item.get("location"),
            "zone": next(iter(item.get("zones") or ()), None),
            "resource_id": item["id"],
            "power_state": power.get(item["id"].lower()) or "unknown",
            "tags": {
                name: value for name, value in own.items() if not name.lower().startswith(OURS)
            },
        }
        # A scale set's instance is called NAME_NUMBER, which is no host's name.
        found.append((item["name"].lower().replace("_", "-"), described_as))
    return found


def by_name(found: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Raises MachinesError where two have one name: Azure's are unique in a resource group only."""
    machines: dict[str, Any] = {}
    problems = []
    for name, machine in found:
        if name in machines:
            problems.append(
                "machine %s is there twice, as %s and %s; rename one, or choose one by"
                " resource_groups or tags"
                % (name, machines[name]["resource_id"], machine["resource_id"])
            )
        machines.setdefault(name, machine)
    if problems:
        raise MachinesError(problems)
    return machines


def part(resource_id: str, name: str) -> str:
    """What follows ``name`` in an Azure resource's identifier; '' where it has no such part."""
    parts = resource_id.split("/")
    lowered = [item.lower() for item in parts]
    at = lowered.index(name.lower()) + 1 if name.lower() in lowered else len(parts)
    return parts[at] if at < len(parts) else ""


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a resource."""
    return {str(name): str(value) for name, value in (item.get("tags") or {}).items()}


def _primary_interface(machine: Mapping[str, Any]) -> str:
    """The identifier, in lower case, of the interface that Azure calls primary; '' for none."""
    profile = _properties(machine).get("networkProfile") or {}
    chosen = _primary(profile.get("networkInterfaces"))
    return str(chosen.get("id") or "").lower()


def _address(interface: Mapping[str, Any]) -> Any:
    chosen = _primary(_properties(interface).get("ipConfigurations"))
    return _properties(chosen).get("privateIPAddress")


def _power_state(machine: Mapping[str, Any]) -> str:
    """Such as running, stopped or deallocated; '' when Azure does not say."""
    view = _properties(machine).get("instanceView") or {}
    codes = [status.get("code") or "" for status in view.get("statuses") or ()]
    return next((code[len(_POWER) :] for code in codes if code.startswith(_POWER)), "")


def _properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return item.get("properties") or {}


def _primary(items: Sequence[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    """The one that Azure calls primary, else the first, else an empty one."""
    found = items or ({},)
    return next((item for item in found if _properties(item).get("primary")), found[0])
