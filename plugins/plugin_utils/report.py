# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The evidence as a person reads it: plain text, 100 columns, colour only where it is asked for."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.problems import compact

WIDTH = 100

_COLOURS = {"good": "32", "bad": "31;1", "title": "1", "dim": "2"}
REASONS = {
    "rbac": "by policy (RBAC)",
    "tls": "by mutual TLS",
    "firewall": "by the firewall",
    "no_route": "no way there",
    "closed": "nothing listens",
}
WAYS = {
    "http_403_rbac": "403",
    "http_503_reset": "503, hung up",
    "http_503_refused": "503, refused",
    "http_502_no_route": "502, no route",
    "reset": "reset",
    "closed": "closed",
    "refused": "connection refused",
    "dns_failure": "no such name",
    "unreachable": "unreachable",
    "timeout": "timed out",
    "open": "open",
    "postgres_tls": "PostgreSQL answers",
    "postgres_plain": "PostgreSQL answers",
    "postgres_error": "PostgreSQL answers",
}


class _Page:
    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.lines: list[str] = []

    def paint(self, text: str, style: str) -> str:
        return "\033[%sm%s\033[0m" % (_COLOURS[style], text) if self.colour else text

    def mark(self, good: bool) -> str:
        return self.paint("✓", "good") if good else self.paint("✗", "bad")

    def title(self, text: str, note: str = "") -> None:
        self.lines += [
            "",
            "  " + self.paint(text, "title") + ("   " + self.paint(note, "dim") if note else ""),
        ]

    def table(self, rows: Sequence[tuple[bool, Sequence[str]]], *headings: str) -> None:
        """Columns as wide as what is in them; the widest gives way when the page is too narrow."""
        cells = [list(headings), *(list(row) for dummy, row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        room = WIDTH - 4 - 2 * (len(widths) - 1)
        while sum(widths) > room:
            widths[widths.index(max(widths))] -= 1

        def line(row: Iterable[str]) -> str:
            return "  ".join(
                _clip(c, w).ljust(w) for c, w in zip(row, widths, strict=True)
            ).rstrip()

        if any(headings):
            self.lines.append("    " + self.paint(line(headings), "dim"))
        self.lines += ["  %s %s" % (self.mark(good), line(row)) for good, row in rows]

    def failure(self, text: str) -> None:
        first, *rest = textwrap.wrap(text, WIDTH - 6, break_on_hyphens=False)
        self.lines.append("  %s %s" % (self.mark(False), self.paint(first, "title")))
        self.lines += ["      " + line for line in rest]

    def note(self, text: str) -> None:
        self.lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="      ",
            break_on_hyphens=False,
        )

    def field(self, name: str, text: str) -> None:
        indent = " " * 14
        self.lines += textwrap.wrap(
            text or "-",
            WIDTH,
            initial_indent="    %s" % name.ljust(10),
            subsequent_indent=indent,
            break_on_hyphens=False,
        )


def summary(evidence: Mapping[str, Any], colour: bool = False) -> str:
    """Who joined, what may reach what, what was refused and why, and what failed."""
    page = _Page(colour)
    _head(page, evidence)
    _machines(page, evidence)
    _allowed(page, evidence)
    _refused(page, evidence)
    _failed(page, evidence)
    _foot(page, evidence)
    return "\n".join(page.lines) + "\n"


def _head(page: _Page, evidence: Mapping[str, Any]) -> None:
    mesh = evidence["mesh"]
    parts = [
        "trust domain %s" % mesh["trust_domain"],
        "revision %s" % mesh["revision"],
        evidence["time"].replace("T", " ").replace("Z", " UTC"),
    ]
    page.lines += ["", "  " + page.paint("MESH EVIDENCE", "title") + "   " + " · ".join(parts)]


def _machines(page: _Page, evidence: Mapping[str, Any]) -> None:
    machines = evidence["machines"]
    if not machines:
        return
    page.title("WHO JOINED")
    rows = []
    for machine in machines:
        identity = machine["identity"]
        rows.append(
            (
                machine["passed"],
                (
                    machine["name"],
                    machine["address"],
                    machine["mode"],
                    identity["spiffe_id"] if identity else "no identity",
                    duration(identity["seconds_left"]) if identity else "-",
                ),
            )
        )
    page.table(rows, "machine", "address", "mode", "identity", "lives")
    for (mode, reason), group in _grouped(machines, "mode", "mode_reason").items():
        if reason:
            page.note("%s (%s): %s" % (mode, reason, compact(item["name"] for item in group)))


def _allowed(page: _Page, evidence: Mapping[str, Any]) -> None:
    cases = [case for case in evidence["traffic"] if case["expected"] == "allowed"]
    if not cases:
        return
    page.title("WHAT MAY REACH WHAT, AND DID", "by name, through mutual TLS")
    rows = []
    for key, group in _grouped(cases, "source", "host", "port").items():
        source, host, port = key
        passed = [case for case in group if case["passed"]]
        where = "%s:%s" % (host or group[0]["address"], port)
        rows.append(
            (
                len(passed) == len(group),
                (source, "→ " + where, _tally(passed, group), _ways(group), _times(group)),
            )
        )
    page.table(rows, "from", "to", "", "seen", "time")


def _refused(page: _Page, evidence: Mapping[str, Any]) -> None:
    cases = [case for case in evidence["traffic"] if case["expected"] == "refused"]
    if not cases:
        return
    page.title("WHAT WAS REFUSED, FOR THE RIGHT REASON")
    rows = []
    for key, group in sorted(_grouped(cases, "reason", "source").items()):
        reason, source = key
        passed = [case for case in group if case["passed"]]
        targets = len({(case["target"], case["port"]) for case in group})
        rows.append(
            (
                len(passed) == len(group),
                (
                    REASONS.get(reason, reason),
                    source,
                    "%d port%s" % (targets, "" if targets == 1 else "s"),
                    _tally(passed, group),
                    _ways(group),
                ),
            )
        )
    page.table(rows, "refused", "from", "tried", "", "seen")


def _failed(page: _Page, evidence: Mapping[str, Any]) -> None:
    failed = [item for item in evidence["checks"] if not item["passed"]]
    if not failed:
        return
    page.title("WHAT FAILED")
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in failed:
        groups.setdefault(item["advice"] if item["kind"] == "traffic" else item["id"], []).append(
            item
        )
    for group in groups.values():
        if len(group) == 1:
            page.failure(group[0]["id"])
            page.field("expected", group[0]["expected"])
            page.field("seen", group[0]["seen"])
        else:  # many calls that failed alike: one line each, the advice once
            for item in group:
                page.failure("%s: %s" % (item["id"], item["seen"]))
        page.field("do", group[0]["advice"])


def _foot(page: _Page, evidence: Mapping[str, Any]) -> None:
    counts = evidence["counts"]
    checks, cases = counts["checks"], counts["cases"]
    refused, allowed = cases["refused"], cases["allowed"]
    text = "%d of %d checks passed" % (checks["total"] - checks["failed"], checks["total"])
    if cases["judged"]:
        text += ": %d of %d allowed paths work, %d of %d forbidden are shut" % (
            allowed["passed"],
            allowed["expected"],
            refused["passed"],
            refused["expected"],
        )
    page.lines += ["", "  %s %s." % (page.mark(evidence["passed"]), text)]
    if cases["open"]:
        text = "OPEN, but forbidden: %d. See above." % cases["open"]
        page.lines.append("    " + page.paint(text, "bad"))
    if cases["judged"] < cases["planned"]:
        page.lines.append(
            "    %d of %d planned cases were judged; the others start or end at hosts that this run"
            " did not see." % (cases["judged"], cases["planned"])
        )


def duration(seconds: int) -> str:
    """``seconds`` in its two largest units, e.g. ``23h 59m``; ``ended`` when none are left."""
    if seconds <= 0:
        return "ended"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 1:
        return "%ds" % seconds
    if hours < 1:
        return "%dm" % minutes
    if hours < 48:
        return "%dh %dm" % (hours, minutes % 60)
    return "%dd %dh" % (hours // 24, hours % 24)


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _grouped(
    cases: Sequence[Mapping[str, Any]], *names: str
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for case in cases:
        groups.setdefault(tuple(case[name] for name in names), []).append(case)
    return groups


def _tally(passed: Sequence[Any], group: Sequence[Any]) -> str:
    return "%d of %d" % (len(passed), len(group))


def _ways(group: Sequence[Mapping[str, Any]]) -> str:
    ways = Counter(str(WAYS.get(case["how"], case["how"].replace("http_", ""))) for case in group)
    if len(ways) == 1:
        return next(iter(ways))
    return ", ".join("%s (%d)" % item for item in ways.most_common())


def _times(group: Sequence[Mapping[str, Any]]) -> str:
    times = sorted(round(case["seconds"] * 1000) for case in group)
    low, high = times[0], times[-1]
    return "%d ms" % low if low == high else "%d to %d ms" % (low, high)
