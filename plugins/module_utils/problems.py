# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an inventory, in words for the person who wrote it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SHOWN = 60  # characters of a user's value that a message repeats
MAX_NAMES = 5  # names or ranges of names that a message lists

_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """One thing to correct.

    ``host`` names the hosts that have it (``compact``), ``variable`` is the path of the value
    (``mesh_workload.ports[0].port``), ``why`` what is wrong with it and ``fix`` what to write.
    """

    host: str
    variable: str
    why: str
    fix: str

    def __str__(self) -> str:
        return "%s: %s %s; %s" % (self.host, self.variable, self.why, self.fix)


class SpecError(Exception):
    """The inventory cannot be used. ``problems`` are all there are, ``str()`` one readable text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        found = "1 problem" if count == 1 else "%d problems" % count
        lines = ["The inventory has %s; nothing was touched." % found]
        return "\n".join(lines + ["  - %s" % problem for problem in self.problems])


class Collector:
    """Gathers problems host by host; the same problem on many hosts becomes one."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, str, str], list[str]] = {}

    def add(self, host: str, variable: str, why: str, fix: str) -> None:
        """Note a problem of one host."""
        self._hosts.setdefault((variable, why, fix), []).append(host)

    def problems(self) -> tuple[Problem, ...]:
        """All problems, in the order in which they were found."""
        return tuple(Problem(compact(hosts), *what) for what, hosts in self._hosts.items())


def compact(names: Iterable[str]) -> str:
    """Host names as an Ansible pattern would have them: ``db-[1:20], web-1``."""
    numbered: dict[tuple[str, str, int], list[int]] = {}
    parts = []
    for name in sorted(set(names)):
        found = _NUMBERED.fullmatch(name)
        if found is None:
            parts.append(name)
            continue
        head, digits, tail = found.groups()
        width = len(digits) if digits.startswith("0") else 0
        numbered.setdefault((head, tail, width), []).append(int(digits))
    for (head, tail, width), numbers in numbered.items():
        numbers.sort()
        for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
            parts.append(_range(head, tail, width, [number for _, number in run]))
    return printable(listed(sorted(parts)), 10 * MAX_SHOWN)


def _range(head: str, tail: str, width: int, run: Sequence[int]) -> str:
    first, last = (str(number).zfill(width) for number in (run[0], run[-1]))
    numbers = first if len(run) == 1 else "[%s:%s]" % (first, last)
    return head + numbers + tail


def listed(words: Sequence[str]) -> str:
    """``words`` with commas, the first few of them."""
    if len(words) <= MAX_NAMES:
        return ", ".join(words)
    return "%s and %d more" % (", ".join(words[: MAX_NAMES - 1]), len(words) - MAX_NAMES + 1)


def shown(value: Any) -> str:
    """``value`` for a message: short, printable, and what it is rather than what is in it."""
    if isinstance(value, str):
        return "'%s'" % printable(value, MAX_SHOWN)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, float):
        return repr(value)
    return kind_of(value)


def printable(text: str, limit: int) -> str:
    """``text`` without what a terminal or a log cannot take, cut after ``limit`` characters."""
    short = text if len(text) <= limit else text[:limit] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def kind_of(value: Any) -> str:
    """What ``value`` is, in YAML's words."""
    if value is None:
        return "empty"
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return "a value of type %s" % printable(type(value).__name__, MAX_SHOWN)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number with a fraction"),
    (str, "a string"),
    (list, "a list"),
    (tuple, "a list"),
    (dict, "a mapping"),
)
