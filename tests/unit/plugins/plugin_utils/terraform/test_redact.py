# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""No secret survives, whatever the nesting, and what is no secret does."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import (
    SENSITIVE,
    UNKNOWN,
    Masker,
    declared_sensitive,
    secrets,
    shown,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = "canary-7f3e"
open_leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["x", "open", ""]))
keys = st.sampled_from(["a", "b", "c", "password", "0"])


@st.composite
def marked(draw: st.DrawFn, depth: int = 4) -> tuple[Any, Any, int, int]:
    """A value, its marks, and how many secrets and how many open leaves are in it."""
    kind = draw(st.sampled_from(["secret", "open", "map", "list"] if depth else ["secret", "open"]))
    if kind == "secret":
        value = draw(
            st.sampled_from([SECRET, [SECRET], {"deep": [{"deeper": SECRET}]}, f"a {SECRET} b"])
        )
        return value, True, 1, 0
    if kind == "open":
        return draw(open_leaves), draw(st.sampled_from([False, None, {}, []])), 0, 1
    parts = draw(st.lists(marked(depth=depth - 1), max_size=3))
    counts = sum(part[2] for part in parts), sum(part[3] for part in parts)
    if kind == "list":
        return [part[0] for part in parts], [part[1] for part in parts], *counts
    names = draw(st.lists(keys, min_size=len(parts), max_size=len(parts), unique=True))
    values = {name: part[0] for name, part in zip(names, parts)}
    # Terraform leaves out what has no mark.
    marks = {name: part[1] for name, part in zip(names, parts) if part[1] or draw(st.booleans())}
    return values, marks, *counts


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@given(marked())
def test_every_secret_is_replaced_and_nothing_else(case: tuple[Any, Any, int, int]) -> None:
    value, marks, hidden, opened = case
    found = shown(value, marks)
    assert SECRET not in json.dumps(found)
    assert leaves(found).count(SENSITIVE) == hidden
    assert len(leaves(found)) == hidden + opened
    assert all(SECRET in text for text in secrets(value, marks))
    assert len(list(secrets(value, marks))) == hidden


@given(marked(), st.recursive(st.booleans(), lambda x: st.lists(x) | st.dictionaries(keys, x)))
def test_marks_that_do_not_fit_hold_back_what_they_may_mean(
    case: tuple[Any, Any, int, int], strange: Any
) -> None:
    """Whatever marks come: just what is held back counts as secret, and a whole mark hides all."""

    def texts(value: Any) -> Counter[str]:
        return Counter(leaf for leaf in leaves(value) if isinstance(leaf, str))

    value = case[0]
    held_back = texts(value) - texts(shown(value, strange))
    assert held_back == Counter(secrets(value, strange))
    assert SECRET not in json.dumps(shown(value, True))


@pytest.mark.parametrize(
    ("value", "marks"),
    [({"a": SECRET}, [True]), ([SECRET], {"a": True}), (SECRET, {"a": True}), (SECRET, [True])],
)
def test_marks_of_another_shape_hide_the_whole(value: Any, marks: Any) -> None:
    assert shown(value, marks) == SENSITIVE
    assert list(secrets(value, marks)) == [SECRET]


def test_what_is_not_known_yet_is_said() -> None:
    value = {"name": "x", "list": [None, 1], "nested": None}
    unknown = {"id": True, "list": [True, False], "nested": {"id": True}, "tags": {}}
    assert shown(value, {}, unknown) == {
        "name": "x",
        "list": [UNKNOWN, 1],
        "nested": {"id": UNKNOWN},
        "id": UNKNOWN,
    }
    assert shown(None, {"id": True}, {"id": True}) == {"id": SENSITIVE}


@given(st.lists(st.text(min_size=5, max_size=30), min_size=1, max_size=5), st.text(max_size=20))
def test_known_secrets_are_in_no_text(known: list[str], between: str) -> None:
    masker = Masker()
    masker.add(known)
    text = masker.text(between.join(known))
    data = masker.data({"a": [known[0]], known[-1]: 1})
    for secret in known:
        if len(secret.strip()) >= 5 and secret.strip() not in SENSITIVE:
            # Part by part: around a word in a secret's place another one could seem to be.
            assert not [part for part in text.split(SENSITIVE) if secret.strip() in part]
            assert secret.strip() not in str(data["a"][0]).replace(SENSITIVE, "")


def test_a_longer_secret_goes_before_its_part_and_lines_count() -> None:
    masker = Masker()
    masker.add(["hunter2", "hunter2-and-more", "short\nline-of-a-private-key-0123456789\n"])
    assert masker.text("x hunter2-and-more y hunter2") == f"x {SENSITIVE} y {SENSITIVE}"
    assert masker.text("line-of-a-private-key-0123456789") == SENSITIVE
    assert masker.text("short") == "short"
    assert masker.text("a later one") == "a later one"
    masker.add(["later"])
    assert masker.text("a later one") == f"a {SENSITIVE} one"


def test_short_values_would_hide_everything() -> None:
    masker = Masker()
    masker.add(["a", "", "  ", "prod"])
    assert masker.text("a prod b") == "a prod b"


def test_declared_variables() -> None:
    text = """
variable "open" { type = string }
variable "one" { sensitive = true }
  variable "indented" {
    type      = string
    validation {
      condition     = var.indented != ""
      error_message = "write it"
    }
    sensitive = true
  }
variable "short_lived" {
  ephemeral = true
}
output "x" {
  value     = 1
  sensitive = true
}
locals { a = 1 }
"""
    assert declared_sensitive(text) == {"one", "indented", "short_lived"}
