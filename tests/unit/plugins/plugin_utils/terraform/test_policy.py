# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a plan may do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.plan import Change, Plan
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import (
    Policy,
    judge,
    matches,
)
from hypothesis import given
from hypothesis import strategies as st

SUBSCRIPTION = "/subscriptions/0000"
names = st.text(st.sampled_from('ab["].*_'), min_size=1, max_size=12)


def change(action: str, address: str = "terraform_data.x", **more: Any) -> Change:
    kind = address.rsplit(".", 2)[-2] if "." in address else address
    side: dict[str, Any] = {"before": {}, "after": {}}
    return Change(address, more.pop("type", kind), action, **{**side, **more})


def plan(*changes: Change) -> Plan:
    return Plan("1.11.4", changes, (), (), frozenset())


def rules(found: Plan, **policy: Any) -> list[str]:
    return [reason.rule for reason in judge(found, Policy(**policy))]


actions = st.sampled_from(["create", "update", "delete", "replace", "move", "import", "forget"])
changes = st.lists(st.builds(change, actions, names), max_size=8)


@given(changes, st.integers(0, 8), st.lists(names, max_size=2))
def test_no_more_is_taken_away_than_is_allowed(
    found: list[Change], limit: int, allowed: list[str]
) -> None:
    reasons = judge(plan(*found), Policy(allow_delete=tuple(allowed), max_deletes=limit))
    taken = [c for c in found if c.deletes and not matches(c.address, allowed)]
    assert bool(reasons) == (len(taken) > limit)
    assert not reasons or [reason.address for reason in reasons] == [c.address for c in taken]


@given(changes, st.sampled_from(["*", "a*", "x"]))
def test_a_protected_type_is_never_taken_away(found: list[Change], pattern: str) -> None:
    policy = Policy(allow_delete=("*",), protected_types=(pattern,))
    protected = [c for c in found if c.deletes and matches(c.type, [pattern])]
    assert [r.address for r in judge(plan(*found), policy)] == [c.address for c in protected]


@given(names, names, names)
def test_a_star_stands_for_any_text_and_all_else_for_itself(a: str, b: str, c: str) -> None:
    assert matches(a, [a])
    assert matches(a + b + c, [f"{a}*{c}"])
    assert matches(a, ["*"])
    plain = a.replace("*", "")
    assert matches(plain + b, [plain]) == (not b)
    assert not matches(a, [])


def test_creating_and_updating_needs_no_leave() -> None:
    assert rules(plan(change("create"), change("update"), change("move"), change("forget"))) == []


def test_the_number_of_changes_counts_all_but_moves() -> None:
    found = plan(change("create"), change("update"), change("move"), change("import"))
    assert rules(found, max_changes=3) == []
    assert rules(found, max_changes=2) == ["max_changes"]
    assert rules(plan(), max_changes=0) == []


def test_an_action_that_is_not_known_is_refused() -> None:
    [reason] = judge(plan(change("delete+teleport")), Policy(allow_delete=("*",)))
    assert reason.rule == "unknown_action"


def test_reasons_are_data() -> None:
    [reason] = judge(plan(change("replace", reason="replace because tainted")), Policy())
    assert reason.to_data() == {
        "rule": "allow_delete",
        "address": "terraform_data.x",
        "action": "replace",
        "message": "terraform_data.x: replace is not allowed (replace because tainted); name it in"
        " allow_delete, or raise max_deletes (now 0, the plan has 1)",
    }


VM = f"{SUBSCRIPTION}/resourceGroups/RG-Mesh/providers/Microsoft.Compute/virtualMachines/x"
OTHER = f"{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Network/x/y"


@pytest.mark.parametrize(
    ("kind", "after", "unknown", "refused"),
    [
        ("azurerm_x", {"resource_group_name": "rg-mesh"}, {"id": True}, ""),
        ("azurerm_x", {"resource_group_name": "other"}, {"id": True}, "is in other"),
        ("azurerm_x", {"resource_group_name": None}, {"resource_group_name": True}, "known after"),
        ("azurerm_x", {"id": VM, "resource_group_name": "RG-MESH"}, {}, ""),
        ("azurerm_resource_group", {"name": "rg-mesh"}, {"id": True}, ""),
        ("azurerm_resource_group", {"name": "other"}, {"id": True}, "is in other"),
        ("azurerm_resource_group", {"name": None}, {"name": True}, "known after"),
        ("azurerm_role_assignment", {"scope": VM}, {"id": True}, ""),
        ("azurerm_role_assignment", {"scope": OTHER}, {"id": True}, "is in other"),
        ("azurerm_role_assignment", {"scope": SUBSCRIPTION}, {"id": True}, "no resource group"),
        ("azurerm_association", {"subnet_id": VM, "nsg_id": VM}, {"id": True}, ""),
        ("azurerm_association", {"subnet_id": OTHER, "nsg_id": VM}, {"id": True}, "is in other"),
        ("azurerm_association", {}, {"id": True, "subnet_id": True}, ""),
        ("azurerm_policy_definition", {"name": "x"}, {"id": True}, "no resource group"),
        ("azapi_resource", {"parent_id": OTHER}, {"id": True}, "is in other"),
        ("terraform_data", {"input": OTHER}, {}, ""),
        ("random_password", {"id": OTHER}, {}, ""),
    ],
)
def test_nothing_outside_of_the_given_resource_groups(
    kind: str, after: dict[str, Any], unknown: dict[str, Any], refused: str
) -> None:
    found = change("create", f"{kind}.x", before=None, after=after, unknown=unknown)
    reasons = judge(plan(found), Policy(resource_groups=("rg-mesh",)))
    assert bool(reasons) == bool(refused)
    assert not reasons or refused in reasons[0].message
    assert judge(plan(found), Policy()) == []


def test_a_move_out_of_a_group_touches_both() -> None:
    found = change(
        "replace", "azurerm_x.x",
        before={"resource_group_name": "other"}, after={"resource_group_name": "rg-mesh"},
    )  # fmt: skip
    policy = Policy(allow_delete=("*",), resource_groups=("rg-mesh",))
    assert [reason.rule for reason in judge(plan(found), policy)] == ["resource_groups"]
    gone = change("delete", "azurerm_x.x", before={"id": OTHER}, after=None)
    assert [r.rule for r in judge(plan(gone), policy)] == ["resource_groups"]
