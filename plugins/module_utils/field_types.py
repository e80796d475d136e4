# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The types of the inventory's fields. Each reads a value, and says itself in two other languages:
JSON Schema (for editors) and Ansible's argument specification (for the reference).

Reading never raises for what a user wrote: it reports the path, why, and what to write instead,
and returns INVALID, so that one pass finds everything.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    MAX_SHOWN,
    kind_of,
    shown,
)

Report = Callable[[str, str, str], None]  # path, why, fix

TEMPLATE = {"$ref": "#/$defs/template"}


class _Invalid:
    def __repr__(self) -> str:
        return "INVALID"


INVALID: Any = _Invalid()


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that could not be had, such as a template that failed."""

    why: str
    fix: str


class FieldType(Protocol):
    """What every type of field can do."""

    def read(self, value: Any, at: str, report: Report) -> Any:
        """The typed value, or INVALID after at least one ``report``."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema, 2020-12."""

    def argument(self) -> dict[str, Any]:
        """Ansible's argument specification, without description."""


def is_template(value: Any) -> bool:
    """Whether Jinja is still in ``value``: nobody evaluated it (``!unsafe``, a lookup's result)."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def suggestion(word: Any, known: Iterable[str], likeness: float = 0.7) -> str:
    """The one of ``known`` that was probably meant, or ''. ``likeness`` 1.0 is the same word."""
    if not isinstance(word, str) or len(word) > MAX_SHOWN:
        return ""
    close = difflib.get_close_matches(word.lower(), list(known), 1, likeness)
    return close[0] if close else ""


def mistyped(value: Any, at: str, report: Report, fix: str) -> Any:
    """Report that ``value`` is of another type than the field; INVALID."""
    if isinstance(value, Unreadable):
        report(at, value.why, value.fix)
    elif value is None:
        report(at, "has no value", "%s, or remove the line" % fix)
    elif is_template(value):
        report(
            at,
            "is a template that was not evaluated",
            "write the value itself, without !unsafe",
        )
    else:
        report(at, "is %s" % kind_of(value), fix)
    return INVALID


@dataclass(frozen=True)
class Form:
    """How a text must look. ``pattern`` fits all of it (a subset of regular expressions that
    Python and JSON Schema share), ``what`` names it, ``fix`` says it in words. ``objection`` may
    know a better reason why a text is refused, also one that fits; ``correct`` what was meant."""

    pattern: str
    what: str
    fix: str
    limit: int = 253
    objection: Callable[[str], str] | None = None
    correct: Callable[[str], str] | None = None

    def fits(self, text: str) -> bool:
        """Whether ``text`` is short enough and matches."""
        return len(text) <= self.limit and bool(re.fullmatch(self.pattern, text))

    def refuses(self, text: str) -> str:
        """Why ``text`` is refused, where the form knows a good reason; else ''."""
        return self.objection(text) if self.objection and len(text) <= self.limit else ""


@dataclass(frozen=True)
class Text:
    """A string of a ``form``."""

    form: Form

    def read(self, value: Any, at: str, report: Report) -> Any:
        if not isinstance(value, str) or is_template(value):
            return mistyped(value, at, report, self._fix(value))
        if len(value) > self.form.limit:
            report(at, "is longer than %d characters" % self.form.limit, self.form.fix)
            return INVALID
        objection = self.form.refuses(value)
        if not objection and self.form.fits(value):
            return str(value)
        report(at, objection or "%s is no %s" % (shown(value), self.form.what), self._fix(value))
        return INVALID

    def _fix(self, value: Any) -> str:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if self.form.fits(str(shown(value))):
                return "write it in quotes: '%s'" % shown(value)
        elif isinstance(value, str) and self.form.correct and len(value) <= self.form.limit:
            meant = self.form.correct(value)
            if self.form.fits(meant):
                return "write %s" % meant
        return self.form.fix

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "maxLength": self.form.limit}
        return {"anyOf": [{**text, "pattern": "^(?:%s)$" % self.form.pattern}, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        return {"type": "str"}


@dataclass(frozen=True)
class Whole:
    """A whole number in a range. ``taken`` are numbers in it that somebody else uses."""

    minimum: int
    maximum: int
    taken: tuple[int, ...] = ()
    taken_by: str = ""

    def read(self, value: Any, at: str, report: Report) -> Any:
        fix = "write a number from %d to %d" % (self.minimum, self.maximum)
        if isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value):
            report(at, "is a string", "write the number without quotes: %d" % int(value))
            return INVALID
        if isinstance(value, bool) or not isinstance(value, int):
            return mistyped(value, at, report, fix)
        if not self.minimum <= value <= self.maximum:
            report(at, "%s is out of range" % shown(value), fix)
            return INVALID
        if value in self.taken:
            numbers = ", ".join(str(number) for number in self.taken)
            report(at, "%d is used by %s" % (value, self.taken_by), "use none of %s" % numbers)
            return INVALID
        return int(value)

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {
            "type": "integer",
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
        if self.taken:
            number["not"] = {"enum": list(self.taken)}
        return {"anyOf": [number, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        return {"type": "int"}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: Any, at: str, report: Report) -> Any:
        if isinstance(value, bool):
            return value
        return mistyped(value, at, report, "write true or false")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        return {"type": "bool"}


@dataclass(frozen=True)
class Choice:
    """One of some words. YAML 1.1 reads a bare ``off`` as false: that is understood."""

    words: tuple[str, ...]

    def read(self, value: Any, at: str, report: Report) -> Any:
        if value is False and "off" in self.words:
            return "off"
        fix = "write %s" % " or ".join(self.words)
        if not isinstance(value, str) or is_template(value):
            return mistyped(value, at, report, fix)
        if value not in self.words:
            meant = suggestion(value, self.words)
            report(at, "is %s" % shown(value), "write %s" % meant if meant else fix)
            return INVALID
        return str(value)

    def schema(self) -> dict[str, Any]:
        words: list[Any] = list(self.words)
        return {"anyOf": [{"enum": words + [False] * ("off" in words)}, TEMPLATE]}

    def argument(self) -> dict[str, Any]:
        return {"type": "str", "choices": list(self.words)}
