# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a plan may do: judged before anything is applied. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.plan import (
    COUNTED,
    Change,
    Plan,
)

# Where Azure's resources tell where they are, the first that is there counts.
_OWN_PLACE = ("id", "resource_group_name", "scope", "parent_id")
_AZURE = ("azurerm_", "azapi_")
_GROUP = re.compile(r"/subscriptions/[^/]+(?:/resourceGroups/([^/]+))?", re.IGNORECASE)
NO_GROUP = "no resource group"


@dataclass(frozen=True)
class Policy:
    """The limits. Patterns match a whole address or type; ``*`` stands for any text."""

    allow_delete: tuple[str, ...] = ()
    max_deletes: int = 0
    protected_types: tuple[str, ...] = ()
    max_changes: int | None = None
    resource_groups: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reason:
    """Why a plan is refused: the rule's name, the resource where there is one, and words."""

    rule: str
    address: str
    action: str
    message: str

    def to_data(self) -> dict[str, str]:
        """As the task returns it."""
        return asdict(self)


def judge(plan: Plan, policy: Policy) -> list[Reason]:
    """Every reason for which ``policy`` refuses ``plan``; none: it may be applied."""
    reasons = [*_unknown(plan.changes), *_protected(plan.changes, policy)]
    reasons += _deletes(plan.changes, policy)
    limit = policy.max_changes
    touched = sum(1 for change in plan.changes if change.action != "move")
    if limit is not None and touched > limit:
        reasons.append(
            Reason(
                "max_changes", "", "", f"{touched} resources would change, max_changes is {limit}"
            )
        )
    if policy.resource_groups is not None:
        allowed = {group.casefold() for group in policy.resource_groups}
        for change in plan.changes:
            reasons += _outside(change, allowed)
    return reasons


def _unknown(changes: Iterable[Change]) -> Iterator[Reason]:
    for change in changes:
        if change.action not in COUNTED:
            yield Reason(
                "unknown_action", change.address, change.action,
                f"{change.address}: this collection does not know the action {change.action};"
                " update the collection",
            )  # fmt: skip


def _protected(changes: Iterable[Change], policy: Policy) -> Iterator[Reason]:
    for change in changes:
        if change.deletes and matches(change.type, policy.protected_types):
            yield Reason(
                "protected_types", change.address, change.action,
                f"{change.address}: {change.action} of a protected type",
            )  # fmt: skip


def _deletes(changes: Iterable[Change], policy: Policy) -> list[Reason]:
    found = [
        change
        for change in changes
        if change.deletes and not matches(change.address, policy.allow_delete)
    ]
    if len(found) <= policy.max_deletes:
        return []
    return [
        Reason(
            "allow_delete", change.address, change.action,
            f"{change.address}: {change.action} is not allowed"
            + (f" ({change.reason})" if change.reason else "")
            + "; name it in allow_delete, or raise max_deletes"
            + f" (now {policy.max_deletes}, the plan has {len(found)})",
        )
        for change in found
    ]  # fmt: skip


def _outside(change: Change, allowed: set[str]) -> Iterator[Reason]:
    if not change.type.startswith(_AZURE):
        return
    groups: set[str | None] = set()
    for side in (change.before, change.after):
        if isinstance(side, Mapping):
            groups |= _groups(change, side)
    for group in sorted(groups, key=str):
        if group is None:
            words = "its resource group is known after apply only; give it a name known before"
        elif group.casefold() in allowed:
            continue
        else:
            words = f"is in {group}, not in one of resource_groups"
        yield Reason("resource_groups", change.address, change.action, f"{change.address}: {words}")


def _groups(change: Change, side: Mapping[str, Any]) -> set[str | None]:
    """The resource groups that one side of a change touches; None where that is not known."""
    if change.type == "azurerm_resource_group":
        return {_text(side.get("name"))}
    for name in _OWN_PLACE:
        value = side.get(name)
        if isinstance(value, str) and value:
            if name == "resource_group_name":
                return {value}
            if found := _GROUP.match(value):
                return {found.group(1) or NO_GROUP}
    unknown = change.unknown if isinstance(change.unknown, Mapping) else {}
    if unknown.get("resource_group_name") is True:
        return {None}
    # An association has no place of its own: it changes what it ties together. What of that is
    # not known yet is made by this plan too, and judged there.
    names = [name for name in {*side, *unknown} if name.endswith("_id")]
    tied = [_GROUP.match(side[name]) for name in names if isinstance(side.get(name), str)]
    known = {(found.group(1) or NO_GROUP) for found in tied if found}
    if not known and not any(unknown.get(name) is True for name in names):
        return {NO_GROUP}
    return {*known}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` stands for the whole text; brackets mean themselves."""
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL)
        for pattern in patterns
    )
