# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A plan of Terraform's (``show -json``) as typed data, and what of it is shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import (
    CHANGED,
    Masker,
    secrets,
    shown,
)

# What Terraform calls by one or two words, and we by one. Anything else is refused by the policy.
_ACTIONS = {
    ("no-op",): "none",
    ("read",): "read",
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
    ("create", "forget"): "forget",
}
QUIET = ("none", "read")
# Whose diff says most to whoever approves it comes first.
COUNTED = ("create", "update", "replace", "delete", "forget", "move", "import")


@dataclass(frozen=True)
class Change:
    """One resource, or one output, as it is (``before``) and as it will be (``after``)."""

    address: str
    type: str
    action: str
    before: Any
    after: Any
    before_sensitive: Any = False
    after_sensitive: Any = False
    unknown: Any = False
    reason: str = ""
    replaced_by: tuple[str, ...] = ()

    @property
    def deletes(self) -> bool:
        """Whether something that exists is taken away."""
        return self.action in ("delete", "replace")

    def sides(self, masker: Masker) -> tuple[Any, Any]:
        """Before and after, as they may be shown. None where there is nothing."""
        marks = (self.before_sensitive, self.after_sensitive, self.unknown)
        return self._shown(masker, self.before, self.after, *marks)

    def attributes(self, masker: Masker) -> dict[str, dict[str, Any]]:
        """The attributes that change, each with what may be shown of before and after."""
        parts = (
            self.before,
            self.after,
            self.before_sensitive,
            self.after_sensitive,
            self.unknown,
        )
        names = {name for part in (self.before, self.after, self.unknown) for name in _keys(part)}
        readers = [_reader(part) for part in parts]
        found = {}
        for name in sorted(names):
            before, after, *marks = (read(name) for read in readers)
            if before != after or marks[2]:
                old, new = self._shown(masker, before, after, *marks)
                if old != new:
                    found[name] = {"before": old, "after": new}
        return found

    def _shown(
        self, masker: Masker, before: Any, after: Any, before_marks: Any, marks: Any, unknown: Any
    ) -> tuple[Any, Any]:
        old = None if self.action == "create" else masker.data(shown(before, before_marks))
        new = None if self.action == "delete" else masker.data(shown(after, marks, unknown))
        return old, CHANGED if old == new and before != after else new


@dataclass(frozen=True)
class Plan:
    """What Terraform would do, and what it found changed behind its back (``drift``)."""

    version: str
    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    outputs: tuple[Change, ...]
    secrets: frozenset[str]

    @property
    def changed(self) -> bool:
        """Whether applying it changes anything, be it the state or an output only."""
        return bool(self.changes or self.outputs)

    def summary(self) -> dict[str, int]:
        """How many resources by action, all actions named, and how many outputs change."""
        counts = Counter(change.action for change in self.changes)
        named = {action: counts.pop(action, 0) for action in COUNTED}
        return {**named, **counts, "outputs": len(self.outputs)}


def parse(document: bytes) -> Plan:
    """A plan from what ``terraform show -json PLANFILE`` prints. Raises TerraformError.

    Values of variables are dropped here: Terraform prints the sensitive ones among them in clear.
    """
    try:
        data = json.loads(document)
        version = str(data["format_version"])
    except (ValueError, KeyError, TypeError):
        raise TerraformError(
            "what `terraform show -json` printed is not a plan; run the same command by hand"
        ) from None
    if version.split(".")[0] != "1":
        raise TerraformError(
            f"plans of format {version} are newer than this collection (it reads format 1);"
            " update the collection"
        )
    changes = [_resource(item) for item in data.get("resource_changes") or ()]
    drift = [_resource(item) for item in data.get("resource_drift") or ()]
    outputs = [_output(name, item) for name, item in (data.get("output_changes") or {}).items()]
    planned = tuple(change for change in changes if change.action not in QUIET)
    return Plan(
        version=str(data.get("terraform_version", "")),
        changes=planned,
        drift=tuple(_drift(drift, planned)),
        outputs=tuple(change for change in outputs if change.action not in QUIET),
        # Of what does not change as well: it may show up in an output or an error.
        secrets=frozenset(_secrets((*changes, *drift, *outputs), data)),
    )


def listed(changes: Sequence[Change], masker: Masker) -> list[dict[str, Any]]:
    """The changes as the task returns them; attributes where something is updated or replaced."""
    found: list[dict[str, Any]] = []
    for change in changes:
        item: dict[str, Any] = {
            "address": change.address,
            "type": change.type,
            "action": change.action,
        }
        if change.reason:
            item["reason"] = change.reason
        if change.replaced_by:
            item["replaced_by"] = list(change.replaced_by)
        if change.action in ("update", "replace"):
            item["attributes"] = change.attributes(masker)
        found.append(item)
    return found


def outputs(plan: Plan, masker: Masker) -> dict[str, dict[str, Any]]:
    """The outputs that change, by name, as the task returns them."""
    found = {}
    for output in plan.outputs:
        before, after = output.sides(masker)
        found[output.address] = {"action": output.action, "before": before, "after": after}
    return found


def diff(plan: Plan, masker: Masker) -> list[dict[str, str]]:
    """For Ansible's diff mode: of each resource the attributes that change, then the outputs."""
    found = []
    for change in plan.changes:
        attributes = change.attributes(masker)
        before = {name: side["before"] for name, side in attributes.items()}
        after = {name: side["after"] for name, side in attributes.items()}
        header = f"{change.address} ({change.action})"
        found.append(
            _difference(
                header,
                None if change.action == "create" else before,
                None if change.action == "delete" else after,
            )
        )
    for output in plan.outputs:
        found.append(_difference(f"output {output.address}", *output.sides(masker)))
    return found


def _difference(header: str, before: Any, after: Any) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": _text(before),
        "after": _text(after),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _keys(value: Any) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _reader(part: Any) -> Callable[[str], Any]:
    """Gives one attribute's part; what stands for the whole resource stands for each."""
    return part.get if isinstance(part, dict) else lambda _name: part


def _resource(item: Mapping[str, Any]) -> Change:
    change = item["change"]
    action = _action(change["actions"])
    if action == "none" and item.get("previous_address"):
        action = "move"
    if change.get("importing") is not None and action == "none":
        action = "import"
    if item.get("mode") == "data":
        action = "read"
    deposed = f" (deposed {item['deposed']})" if item.get("deposed") else ""
    moved = f"moved from {item['previous_address']}" if item.get("previous_address") else ""
    return Change(
        address=str(item["address"]) + deposed,
        type=str(item["type"]),
        action=action,
        before=change.get("before"),
        after=change.get("after"),
        before_sensitive=change.get("before_sensitive", False),
        after_sensitive=change.get("after_sensitive", False),
        unknown=change.get("after_unknown", False),
        reason=moved or str(item.get("action_reason") or "").replace("_", " "),
        replaced_by=tuple(
            ".".join(str(step) for step in path) for path in change.get("replace_paths") or ()
        ),
    )


def _output(name: str, item: Mapping[str, Any]) -> Change:
    return Change(
        address=name,
        type="output",
        action=_action(item["actions"]),
        before=item.get("before"),
        after=item.get("after"),
        before_sensitive=item.get("before_sensitive", False),
        after_sensitive=item.get("after_sensitive", False),
        unknown=item.get("after_unknown", False),
    )


def _action(actions: Sequence[str]) -> str:
    return _ACTIONS.get(tuple(actions), "+".join(actions))


def _drift(found: Iterable[Change], changes: Iterable[Change]) -> Iterator[Change]:
    """What somebody else changed and this plan repairs, or what is gone; as Terraform's own view.

    The rest is what a provider fills in later (the machine of a network interface): it is in
    Terraform's list on every run until something is applied.
    """
    repaired = {change.address for change in changes if change.action not in ("delete", "forget")}
    for change in found:
        if change.action == "delete" or (change.action == "update" and change.address in repaired):
            yield change


def _secrets(changes: Iterable[Change], data: Mapping[str, Any]) -> Iterator[str]:
    for change in changes:
        yield from secrets(change.before, change.before_sensitive)
        yield from secrets(change.after, change.after_sensitive)
    root = (data.get("configuration") or {}).get("root_module") or {}
    values = data.get("variables") or {}
    for name, variable in (root.get("variables") or {}).items():
        if variable.get("sensitive"):
            yield from secrets((values.get(name) or {}).get("value"), True)
