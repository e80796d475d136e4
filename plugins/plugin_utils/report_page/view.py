# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What of a report's data the page shows: grouped so that a large fleet stays readable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.report import REASONS, WAYS
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page import topology
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.data import (
    OUTSIDE,
    STATES,
    state,
)

MOST_BOXES = 40  # more workloads than that are shown by namespace
MOST_FINDINGS, MOST_CHECKS, MOST_CHANGES, MOST_NAMES = 150, 25, 300, 60

# Below this part of its life a certificate should have been renewed: the alarm's default, too.
LOW = 0.35

# A state as symbol and words: colour alone says nothing to many people.
SYMBOLS = {"open": "!", "broken": "✗", "unproven": "?", "allowed": "✓", "refused": "\u2013"}
WORDS = {
    "open": "open, but forbidden",
    "broken": "allowed, but does not work",
    "unproven": "refused, but not proven why",
    "allowed": "allowed, and works",
    "refused": "forbidden, and shut",
}


class Groups:
    """Workloads, or their namespaces when there are many."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        workloads = [item["key"] for item in report["workloads"]]
        self.by_namespace = len(workloads) > MOST_BOXES
        tried = {path[end] for path in report["paths"] for end in ("source", "target")}
        self.places = sorted({*workloads, *tried}, key=lambda name: (name == OUTSIDE, name))

    def of(self, place: str) -> str:
        """The group of a workload; what is none is a group of its own."""
        return place.split("/")[0] if self.by_namespace else place


def matrix(report: Mapping[str, Any], groups: Groups) -> dict[str, Any]:
    """Rows of callers, columns of callees; a cell is None where nothing was tried."""
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for path in report["paths"]:
        key = groups.of(path["source"]), groups.of(path["target"])
        cells.setdefault(key, []).append(path)
    names = list(dict.fromkeys(groups.of(place) for place in groups.places))
    rows = [name for name in names if any(source == name for source, dummy in cells)]
    columns = [name for name in names if any(target == name for dummy, target in cells)]
    most = max((sum(p["tried"] for p in paths) for paths in cells.values()), default=1)
    return {
        "names": names,
        "columns": columns,
        "rows": [
            {
                "name": row,
                "number": names.index(row),
                "cells": [
                    _cell(row, column, cells.get((row, column), []), names, most)
                    for column in columns
                ],
            }
            for row in rows
        ],
    }


def _cell(
    row: str, column: str, paths: Sequence[Mapping[str, Any]], names: Sequence[str], most: int
) -> dict[str, Any] | None:
    if not paths:
        return None
    tried = sum(path["tried"] for path in paths)
    passed = sum(path["passed"] for path in paths)
    worst = state(paths)
    return {
        "state": worst,
        "symbol": SYMBOLS[worst],
        "heat": 1 + min(2, 3 * tried // (most + 1)),
        "target": names.index(column),
        "label": "%s to %s: %s. %d of %d calls as expected."
        % (row, column, WORDS[worst], passed, tried),
    }


def details(report: Mapping[str, Any], groups: Groups, names: Sequence[str]) -> dict[str, Any]:
    """What the page's script shows of a cell: rows of numbers, texts told once."""
    places = {name: number for number, name in enumerate(groups.places)}
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    rows = [
        [
            places[path["source"]],
            places[path["target"]],
            STATES.index(path["state"]),
            number(expected(path)),
            number(_seen(path["seen"])),
            number(", ".join(map(str, path["ports"]))),
            path["tried"],
            path["passed"],
            *([path["failed"]] if path["failed"] else []),
        ]
        for path in sorted(report["paths"], key=lambda path: STATES.index(path["state"]))
    ]
    return {
        "places": groups.places,
        "groups": [names.index(groups.of(place)) for place in groups.places],
        "names": names,
        "states": [[name, SYMBOLS[name], WORDS[name]] for name in STATES],
        "rows": rows,
        "texts": list(texts),
    }


def expected(path: Mapping[str, Any]) -> str:
    """What had to come of a path, in words."""
    if path["expected"] == "allowed":
        return "allowed"
    return "refused: %s" % REASONS.get(path["reason"], path["reason"])


def _seen(ways: Mapping[str, int]) -> str:
    parts = [(WAYS.get(how, how.replace("http_", "")), count) for how, count in ways.items()]
    if len(parts) == 1:
        return parts[0][0]
    return ", ".join("%s (%d)" % part for part in parts)


def drawing(report: Mapping[str, Any], groups: Groups) -> dict[str, Any] | None:
    """The topology's boxes and arrows; None where even the namespaces are too many."""
    boxes = _boxes(report, groups)
    edges: dict[tuple[str, str], str] = {}
    unlisted = {}
    tested = {
        (groups.of(p["source"]), groups.of(p["target"])): p["state"]
        for p in sorted(report["paths"], key=lambda path: -STATES.index(path["state"]))
        if p["state"] in ("open", "broken")
    }
    for edge in report["allow_list"]:
        ends = groups.of(edge["caller"]), groups.of(edge["callee"])
        for end in ends:
            boxes.setdefault(
                end, {"title": end, "line": "not in this inventory", "kind": "stranger"}
            )
        edges[ends] = "broken" if tested.get(ends) == "broken" else "works"
    for ends, seen in tested.items():
        if seen == "open":
            for end in ends:
                boxes.setdefault(end, {"title": end, "line": "vantage", "kind": "stranger"})
            unlisted[ends] = "open"
    if len(boxes) > 2 * MOST_BOXES:
        return None
    plan = topology.draw(list(boxes), edges, unlisted)
    edges.update(unlisted)
    return {
        "width": plan.width,
        "height": plan.height,
        "boxes": [
            {**box, "name": name, "x": plan.boxes[name][0], "y": plan.boxes[name][1]}
            for name, box in boxes.items()
        ],
        "arrows": [
            {"path": a.path, "kind": edges[a.source, a.target], "from": a.source, "to": a.target}
            for a in plan.arrows
        ],
    }


def _boxes(report: Mapping[str, Any], groups: Groups) -> dict[str, dict[str, Any]]:
    members: dict[str, list[Mapping[str, Any]]] = {}
    for workload in report["workloads"]:
        members.setdefault(groups.of(workload["key"]), []).append(workload)
    boxes = {}
    for name, workloads in members.items():
        counts = [
            "%s %d" % (symbol, count)
            for mode, symbol in (("sidecar", "●"), ("bridge", "◆"))
            if (count := sum(item["modes"].get(mode, 0) for item in workloads))
        ]
        place = "workloads: %d" % len(workloads) if groups.by_namespace else name.split("/")[0]
        boxes[name] = {
            "title": name if groups.by_namespace else name.split("/")[-1],
            "line": " · ".join([place, *counts]),
            "kind": "good" if all(item["passed"] for item in workloads) else "bad",
        }
    return boxes


def workloads(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each workload with who may call it and whom it calls."""
    callers: dict[str, list[str]] = {}
    callees: dict[str, list[str]] = {}
    for edge in report["allow_list"]:
        callers.setdefault(edge["callee"], []).append(edge["caller"])
        callees.setdefault(edge["caller"], []).append(edge["callee"])
    return [
        {**item, "callers": callers.get(item["key"], []), "callees": callees.get(item["key"], [])}
        for item in report["workloads"]
    ]


def lives(machines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Machines by what is left of their certificate's life, the least first; and how many there
    are in each tenth of it."""
    listed = sorted(
        machines,
        key=lambda m: (m["certificate"]["fraction_left"] if m["certificate"] else -1, m["name"]),
    )
    tenths = [0] * 10
    for machine in listed:
        if machine["certificate"]:
            tenths[min(9, int(machine["certificate"]["fraction_left"] * 10))] += 1
    return {"machines": listed, "tenths": tenths, "most": max(*tenths, 1), "low": LOW}


def life(certificate: Mapping[str, Any] | None) -> tuple[str, str]:
    """A certificate's kind and symbol: ``good``, ``low`` or ``bad`` (ended, or none)."""
    if certificate is None or certificate["seconds_left"] <= 0:
        return "bad", "✗"
    return ("low", "▲") if certificate["fraction_left"] < LOW else ("good", "✓")
