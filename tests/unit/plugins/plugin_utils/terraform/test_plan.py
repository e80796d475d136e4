# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform's JSON as typed data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import plan
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import (
    CHANGED,
    SENSITIVE,
    UNKNOWN,
    Masker,
)

from tests.benchmark.terraform import document


def parse(**parts: Any) -> plan.Plan:
    return plan.parse(json.dumps({"format_version": "1.2", **parts}).encode())


def resource(actions: list[str], change: dict[str, Any] | None = None, **more: Any) -> Any:
    return {
        "address": "terraform_data.x",
        "mode": "managed",
        "type": "terraform_data",
        "change": {"actions": actions, "before": {}, "after": {}, **(change or {})},
        **more,
    }


def masker(found: plan.Plan) -> Masker:
    made = Masker()
    made.add(found.secrets)
    return made


@pytest.mark.parametrize(
    ("item", "action"),
    [
        (resource(["create"]), "create"),
        (resource(["update"]), "update"),
        (resource(["delete"]), "delete"),
        (resource(["delete", "create"]), "replace"),
        (resource(["create", "delete"]), "replace"),
        (resource(["forget"]), "forget"),
        (resource(["no-op"], previous_address="terraform_data.old"), "move"),
        (resource(["no-op"], {"importing": {"id": "1"}}), "import"),
        (resource(["teleport"]), "teleport"),
    ],
)
def test_actions_have_one_word(item: Any, action: str) -> None:
    found = parse(resource_changes=[item])
    assert [change.action for change in found.changes] == [action]
    assert found.changed
    assert found.summary()[action] == 1


@pytest.mark.parametrize("item", [resource(["no-op"]), resource(["read"]),
                                  resource(["read"], mode="data")])  # fmt: skip
def test_reading_is_no_change(item: Any) -> None:
    found = parse(resource_changes=[item], resource_drift=[item])
    assert not found.changed
    assert not found.drift


def test_a_deposed_object_and_paths_of_a_replacement_are_named() -> None:
    item = resource(["delete"], {"replace_paths": [["disk", 0, "size"]]}, deposed="00ff")
    [change] = parse(resource_changes=[item]).changes
    assert change.address == "terraform_data.x (deposed 00ff)"
    assert change.replaced_by == ("disk.0.size",)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"not json", b'{"format_version": "2.0"}'])
def test_what_is_no_plan_is_said(text: bytes) -> None:
    with pytest.raises(TerraformError, match="plan"):
        plan.parse(text)


SIZE = {"before": {"size": "s", "x": 1}, "after": {"size": "l", "x": 1}}


def test_drift_is_told_with_its_attributes() -> None:
    gone = resource(["delete"], address="terraform_data.gone")
    found = parse(
        resource_drift=[resource(["update"], SIZE), gone], resource_changes=[resource(["update"])]
    )
    update, delete = plan.listed(found.drift, Masker())
    assert update["attributes"] == {"size": {"before": "s", "after": "l"}}
    assert (delete["address"], delete["action"]) == ("terraform_data.gone", "delete")


@pytest.mark.parametrize("actions", [["no-op"], ["delete"], ["read"]])
def test_what_a_provider_fills_in_later_is_no_drift(actions: list[str]) -> None:
    found = parse(resource_drift=[resource(["update"], SIZE)], resource_changes=[resource(actions)])
    assert found.drift == ()


def test_secrets_are_known_from_marks_variables_and_what_does_not_change() -> None:
    secret = {
        "before": {"p": "of-a-mark"},
        "after": {"p": "of-a-mark"},
        "after_sensitive": {"p": True},
    }
    found = parse(
        resource_changes=[resource(["no-op"], secret)],
        output_changes={"o": {"actions": ["no-op"], "after": "of-output", "after_sensitive": True}},
        variables={"open": {"value": "visible"}, "v": {"value": {"deep": ["of-variable"]}}},
        configuration={"root_module": {"variables": {"open": {}, "v": {"sensitive": True}}}},
    )
    assert found.secrets == {"of-a-mark", "of-output", "of-variable"}


def test_a_diff_shows_what_changes_and_no_secret() -> None:
    change = {
        "before": {
            "same": 1,
            "size": "s",
            "p": "old-secret",
            "copy": "has old-secret",
            "n": {"q": "old-secret"},
        },
        "after": {"same": 1, "size": "l", "p": "new-secret", "n": {"q": "new-secret"}},
        "after_unknown": {"copy": True},
        "before_sensitive": {"p": True, "n": {"q": True}},
        "after_sensitive": {"p": True, "n": {"q": True}},
    }
    outputs = {
        "open": {"actions": ["update"], "before": "x", "after": "has new-secret"},
        "made": {"actions": ["create"], "before": None, "after": "new-secret",
                 "before_sensitive": True, "after_sensitive": True},
        "gone": {"actions": ["delete"], "before": ["old-secret"], "after": None,
                 "before_sensitive": True, "after_sensitive": True},
        "kept": {"actions": ["update"], "before": "old-secret", "after": "new-secret",
                 "before_sensitive": True, "after_sensitive": True},
    }  # fmt: skip
    found = parse(resource_changes=[resource(["update"], change)], output_changes=outputs)
    [listed] = plan.listed(found.changes, masker(found))
    assert listed["attributes"] == {
        "copy": {"before": f"has {SENSITIVE}", "after": UNKNOWN},
        "n": {"before": {"q": SENSITIVE}, "after": CHANGED},
        "p": {"before": SENSITIVE, "after": CHANGED},
        "size": {"before": "s", "after": "l"},
    }
    assert plan.outputs(found, masker(found)) == {
        "open": {"action": "update", "before": "x", "after": f"has {SENSITIVE}"},
        "made": {"action": "create", "before": None, "after": SENSITIVE},
        "gone": {"action": "delete", "before": SENSITIVE, "after": None},
        "kept": {"action": "update", "before": SENSITIVE, "after": CHANGED},
    }
    text = json.dumps(plan.diff(found, masker(found)))
    assert "secret" not in text.replace("sensitive", "")
    assert "same" not in text


def test_a_plan_of_many_machines_is_shown_without_a_secret() -> None:
    found = plan.parse(json.dumps(document(8)).encode())
    assert found.summary()["create"] == found.summary()["update"] == found.summary()["delete"] == 8
    text = json.dumps(
        [
            plan.diff(found, masker(found)),
            plan.listed(found.changes, masker(found)),
            plan.listed(found.drift, masker(found)),
        ]
    )
    assert "password-of" not in text
    assert "not-to-be-seen" not in text
    assert "Standard_B2s" in text
