# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Where the boxes and arrows of the topology stand: callers to the left of whom they call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT = 208, 54
COLUMN, ROW = BOX_WIDTH + 92, BOX_HEIGHT + 18
MARGIN = 16
BEND = 46  # how far an arrow that does not lead to the next column goes around


@dataclass(frozen=True)
class Arrow:
    """An arrow as an SVG path."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """Upper left corners of the boxes, the arrows, and the size of it all, in pixels."""

    boxes: Mapping[str, tuple[int, int]]
    arrows: tuple[Arrow, ...]
    width: int
    height: int


def draw(
    names: Sequence[str],
    edges: Iterable[tuple[str, str]],
    others: Iterable[tuple[str, str]] = (),
) -> Drawing:
    """Layers by the longest way of calls; a call that leads back in a circle is drawn all the same
    and moves nothing, nor do ``others``. Inside a layer a box stands near its callers' middle.
    """
    edges = sorted({edge for edge in edges if edge[0] != edge[1]})
    calls: dict[str, list[str]] = {name: [] for name in names}
    called: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        calls[source].append(target)
        called[target].append(source)
    layer = _layers(names, calls)
    columns: dict[int, list[str]] = {}
    for name in names:
        columns.setdefault(layer[name], []).append(name)
    row: dict[str, float] = {}
    for number in sorted(columns):
        wish = {}
        for index, name in enumerate(columns[number]):
            left = [row[caller] for caller in called[name] if caller in row]
            wish[name] = sum(left) / len(left) if left else float(index)
        columns[number].sort(key=lambda name: (wish[name], name))
        row.update((name, float(index)) for index, name in enumerate(columns[number]))
    tallest = max((len(column) for column in columns.values()), default=0)
    boxes = {}
    for number, column in columns.items():
        top = MARGIN + (tallest - len(column)) * ROW // 2
        for index, name in enumerate(column):
            boxes[name] = (MARGIN + number * COLUMN, top + index * ROW)
    arrows = tuple(
        Arrow(source, target, _curve(boxes[source], boxes[target]))
        for source, target in [*edges, *sorted({o for o in others if o[0] != o[1]} - set(edges))]
    )
    around = not all(_is_next(boxes[arrow.source], boxes[arrow.target]) for arrow in arrows)
    width = 2 * MARGIN + max(columns, default=0) * COLUMN + BOX_WIDTH
    height = 2 * MARGIN + max(tallest, 1) * ROW - (ROW - BOX_HEIGHT)
    return Drawing(boxes, arrows, width + around * BEND, height + around * BEND)


def _layers(names: Sequence[str], calls: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many calls lead to each name at most, calls that close a circle left out."""
    order: list[str] = []  # who calls stands after whom it calls
    forward: dict[str, list[str]] = {name: [] for name in names}
    state: dict[str, int] = {}  # 1 while a name's calls are followed, 2 afterwards
    for root in sorted(names, key=lambda name: sum(name in c for c in calls.values())):
        stack = [(root, iter(calls[root]))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                order.append(name)
                stack.pop()
            elif state.get(following) != 1:
                forward[name].append(following)
                if following not in state:
                    state[following] = 1
                    stack.append((following, iter(calls[following])))
    layer = dict.fromkeys(names, 0)
    for name in reversed(order):
        for target in forward[name]:
            layer[target] = max(layer[target], layer[name] + 1)
    return layer


def _is_next(source: tuple[int, int], target: tuple[int, int]) -> bool:
    return target[0] - source[0] == COLUMN


def _curve(source: tuple[int, int], target: tuple[int, int]) -> str:
    """From the right side of one box to the left side of the next; underneath where it is not the
    next, so that no box is in between."""
    x1, y1 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT // 2
    x2, y2 = target[0] - 7, target[1] + BOX_HEIGHT // 2
    if _is_next(source, target):
        bend = (x2 - x1) // 2
        return "M%d %d C%d %d %d %d %d %d" % (x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2)
    low = max(y1, y2) + BOX_HEIGHT // 2 + BEND
    return "M%d %d C%d %d %d %d %d %d" % (x1, y1, x1 + BEND, low, x2 - BEND, low, x2, y2)
