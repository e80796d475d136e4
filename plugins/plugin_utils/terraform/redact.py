# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What may be shown of values: nothing under a mark of Terraform's, whatever the nesting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

SENSITIVE = "(sensitive value)"
CHANGED = "(sensitive value, changed)"
UNKNOWN = "(known after apply)"
# Shorter ones would hide half of every message.
SHORTEST_SECRET = 5
# Blocks inside of a variable's are indented, as `terraform fmt` has it.
_BLOCK = re.compile(r'^(?:[ \t]*variable\s+"(?P<variable>[^"]+)"|[a-z]+(?:\s+"[^"]*")*)\s*\{', re.M)
_SENSITIVE = re.compile(r"\b(sensitive|ephemeral)\s*=\s*true")
SHORTEST_LINE = 20


def shown(value: Any, sensitive: Any, unknown: Any = False) -> Any:
    """``value`` with what is sensitive or not yet known replaced by words.

    ``sensitive`` and ``unknown`` are shaped like the value, with true where the mark is (as
    before_sensitive, after_sensitive and after_unknown of Terraform's JSON). Where the shape of a
    mark does not fit the value, the whole value is held back.
    """
    if sensitive is True:
        return SENSITIVE
    if unknown is True:
        return UNKNOWN
    if isinstance(value, dict) or (value is None and _is_mapping(unknown)):
        value = value or {}
        if not isinstance(sensitive, dict):
            if _marks(sensitive):
                return SENSITIVE
            sensitive = {}
        if not isinstance(unknown, dict):
            unknown = {}
        keys = [*value, *(key for key in unknown if key not in value and _marks(unknown[key]))]
        return {key: shown(value.get(key), sensitive.get(key), unknown.get(key)) for key in keys}
    if isinstance(value, list):
        if not isinstance(sensitive, list):
            if _marks(sensitive):
                return SENSITIVE
            sensitive = []
        if not isinstance(unknown, list):
            unknown = []
        return [shown(item, _at(sensitive, n), _at(unknown, n)) for n, item in enumerate(value)]
    # A mark inside of what is a plain value: whatever it was meant for, it is not shown.
    return SENSITIVE if _marks(sensitive) and value is not None else value


def secrets(value: Any, sensitive: Any) -> Iterator[str]:
    """Every text of ``value`` that :func:`shown` holds back."""
    if not sensitive:
        return
    if isinstance(value, dict):
        marks = sensitive if isinstance(sensitive, dict) else None
        all_of_it = marks is None and _marks(sensitive)
        for key, item in value.items():
            yield from secrets(item, all_of_it or (marks or {}).get(key))
    elif isinstance(value, list):
        listed = sensitive if isinstance(sensitive, list) else None
        all_of_it = listed is None and _marks(sensitive)
        for number, item in enumerate(value):
            yield from secrets(item, all_of_it or _at(listed or [], number))
    elif isinstance(value, str) and _marks(sensitive):
        yield value


class Masker:
    """Takes known secrets out of texts and data.

    Marks are not enough: a provider's error may repeat a password, and what a provider computes
    from a sensitive value has no mark (``output`` of terraform_data, in Terraform 1.11).
    """

    def __init__(self) -> None:
        # By their first characters, so that one pass over a text finds the few that may be in it.
        self._known: dict[str, set[str]] = {}
        # Most texts of a plan are there many times: places, types, sizes.
        self._seen: dict[str, str] = {}

    def add(self, values: Iterable[str]) -> None:
        """Hold back each of ``values`` from now on, and each long line of it, as of a key."""
        self._seen.clear()
        for value in values:
            parts = [value.strip(), *(line.strip() for line in value.splitlines())]
            for part, shortest in zip(parts, (SHORTEST_SECRET, *(SHORTEST_LINE for _ in parts))):
                if len(part) >= shortest:
                    self._known.setdefault(part[:SHORTEST_SECRET], set()).add(part)

    def text(self, text: str) -> str:
        """``text`` without any known secret."""
        if (masked := self._seen.get(text)) is None:
            masked = text
            # The longest first: a secret may be part of another one.
            for secret in sorted(self._found(text), key=len, reverse=True):
                masked = masked.replace(secret, SENSITIVE)
            self._seen[text] = masked
        return masked

    def data(self, value: Any) -> Any:
        """``value`` (JSON data) without any known secret, in its keys neither."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.data(item) for item in value]
        return value

    def _found(self, text: str) -> set[str]:
        starts = {text[n : n + SHORTEST_SECRET] for n in range(len(text) - SHORTEST_SECRET + 1)}
        return {
            secret
            for start in starts & self._known.keys()
            for secret in self._known[start]
            if secret in text
        }


def declared_sensitive(configuration: str) -> set[str]:
    """Names of the variables that a configuration's text declares as sensitive.

    Needed only for what fails before there is a plan, which tells it exactly: a block is taken to
    reach up to the next one, and a mark anywhere in it counts.
    """
    heads = list(_BLOCK.finditer(configuration))
    ends = [head.start() for head in heads[1:]] + [len(configuration)]
    found = set()
    for head, end in zip(heads, ends):
        block = configuration[head.end() : end]
        if head["variable"] and _SENSITIVE.search(block):
            found.add(head["variable"])
    return found


def _marks(marks: Any) -> bool:
    """Whether there is a mark anywhere in ``marks``."""
    if isinstance(marks, dict):
        return any(_marks(item) for item in marks.values())
    if isinstance(marks, list):
        return any(_marks(item) for item in marks)
    return marks is True


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and _marks(value)


def _at(items: list[Any], number: int) -> Any:
    return items[number] if number < len(items) else None
