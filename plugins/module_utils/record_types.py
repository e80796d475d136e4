# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Types of fields that hold others: lists, records, mappings with the user's own keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import (
    INVALID,
    TEMPLATE,
    FieldType,
    Report,
    Text,
    mistyped,
    suggestion,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    MAX_SHOWN,
    listed,
    printable,
    shown,
)

MAX_ITEMS = 1000  # in one list or mapping


@dataclass(frozen=True)
class ListOf:
    """A list. ``unique`` are the names of item fields that together may occur once only; an empty
    name stands for the item itself."""

    item: FieldType
    unique: tuple[tuple[str, ...], ...] = ()

    def read(self, value: Any, at: str, report: Report) -> Any:
        if not isinstance(value, (list, tuple)):
            return mistyped(value, at, report, "write a list")
        if len(value) > MAX_ITEMS:
            report(at, "has more than %d items" % MAX_ITEMS, "write fewer")
            return INVALID
        items = [
            self.item.read(item, "%s[%d]" % (at, index), report) for index, item in enumerate(value)
        ]
        twice = [self._twice(items, names, at, report) for names in self.unique]
        return INVALID if INVALID in items or any(twice) else tuple(items)

    def _twice(self, items: list[Any], names: tuple[str, ...], at: str, report: Report) -> bool:
        seen: dict[Any, int] = {}
        found = False
        for index, item in enumerate(items):
            if item is INVALID:
                continue
            key = tuple(getattr(item, name) if name else item for name in names)
            if key in seen:
                found = True
                what = " ".join(shown(part) for part in key)
                report(
                    "%s[%d]%s" % (at, index, "." + names[0] if names[0] else ""),
                    "repeats %s of item %d" % (what, seen[key]),
                    "write each once",
                )
            seen.setdefault(key, index)
        return found

    def schema(self) -> dict[str, Any]:
        items = {"type": "array", "maxItems": MAX_ITEMS, "items": self.item.schema()}
        if ("",) in self.unique:
            items["uniqueItems"] = True
        return {"anyOf": [items, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        item = self.item.argument()
        return {"type": "list", "elements": item.pop("type"), **item}


@dataclass(frozen=True)
class TextMap:
    """A mapping from text to text whose keys are the user's own."""

    key: Text
    value: Text

    def read(self, value: Any, at: str, report: Report) -> Any:
        if not isinstance(value, Mapping):
            return mistyped(value, at, report, "write a mapping")
        if len(value) > MAX_ITEMS:
            report(at, "has more than %d keys" % MAX_ITEMS, "write fewer")
            return INVALID
        read = {}
        for key, item in value.items():
            where = "%s[%s]" % (at, shown(key))
            good = self.key.read(key, where, report)
            read[good] = self.value.read(item, where, report)
        # Sorted, so that the order in which it was written makes no difference.
        return INVALID if INVALID in (*read, *read.values()) else dict(sorted(read.items()))

    def schema(self) -> dict[str, Any]:
        mapping = {
            "type": "object",
            "maxProperties": MAX_ITEMS,
            "propertyNames": {
                "maxLength": self.key.form.limit,
                "pattern": "^(?:%s)$" % self.key.form.pattern,
            },
            "additionalProperties": self.value.schema(),
        }
        return {"anyOf": [mapping, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        return {"type": "dict"}


@dataclass(frozen=True)
class Field:
    """One key of a record. ``about`` is what the reference says of it."""

    name: str
    type: FieldType
    about: str
    required: bool = False


@dataclass(frozen=True)
class Record:
    """A mapping with known keys, which becomes a ``kind``.

    What is not given has the default of the dataclass ``kind``. ``build`` makes the value when
    the keys are not the fields of ``kind``; exactly one key of ``one_of`` must be given.
    """

    kind: Any
    fields: tuple[Field, ...]
    one_of: tuple[str, ...] = ()
    build: Callable[..., Any] | None = None

    def read(self, value: Any, at: str, report: Report) -> Any:
        values = self.values(value, at, report)
        if INVALID in values.values():
            return INVALID
        return (self.build or self.kind)(**values)

    def values(self, value: Any, at: str, report: Report) -> dict[str, Any]:
        """The given keys with their values; those with a problem, and missing ones, are INVALID."""
        names = [field.name for field in self.fields]
        if not isinstance(value, Mapping):
            mistyped(value, at, report, "write a mapping with %s" % listed(self._needed() or names))
            return dict.fromkeys(names, INVALID)
        meant = [self._unknown(key, at, names, report) for key in value if key not in names]
        values: dict[str, Any] = {name: INVALID for name in meant if name}
        for field in self.fields:
            where = "%s.%s" % (at, field.name)
            if field.name in value:
                values[field.name] = field.type.read(value[field.name], where, report)
            elif field.required and field.name not in values:
                report(where, "is missing", "write it: %s" % _lower(field.about))
                values[field.name] = INVALID
        self._count(values, at, report)
        return values

    def _needed(self) -> list[str]:
        return [field.name for field in self.fields if field.required]

    def _unknown(self, key: Any, at: str, names: list[str], report: Report) -> str:
        meant = suggestion(key, names)
        word = printable(key, MAX_SHOWN) if isinstance(key, str) else shown(key)
        fix = "write %s" % meant if meant else "the keys here are %s" % ", ".join(names)
        report("%s.%s" % (at, word), "is an unknown key", fix)
        return meant

    def _count(self, values: dict[str, Any], at: str, report: Report) -> None:
        given = [name for name in self.one_of if name in values]
        if len(given) == 1 or not self.one_of:
            return
        both = " and ".join(given)
        why = "has %s" % both if given else "has neither %s" % " nor ".join(self.one_of)
        report(at, why, "write exactly one of %s" % ", ".join(self.one_of))
        values[self.one_of[0]] = INVALID

    def default(self, field: Field) -> Any:
        """What ``kind`` takes when ``field`` is not given; None when there is no such thing."""
        for known in dataclasses.fields(self.kind):
            if known.name == field.name and known.default is not dataclasses.MISSING:
                return known.default
        return None

    def schema(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {},
        }
        for field in self.fields:
            content = {"description": field.about, **field.type.schema()}
            default = self.default(field)
            if isinstance(default, (str, int)):
                content["default"] = default
            mapping["properties"][field.name] = content
        if self._needed():
            mapping["required"] = self._needed()
        if self.one_of:
            mapping["oneOf"] = [{"required": [name]} for name in self.one_of]
        return {"anyOf": [mapping, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        options = {}
        for field in self.fields:
            option = {"description": [field.about], **field.type.argument()}
            default = self.default(field)
            if field.required:
                option["required"] = True
            elif isinstance(default, (str, int)):
                option["default"] = default
            options[field.name] = option
        result: dict[str, Any] = {"type": "dict", "options": options}
        if self.one_of:
            result["mutually_exclusive"] = [list(self.one_of)]
            result["required_one_of"] = [list(self.one_of)]
        return result


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
