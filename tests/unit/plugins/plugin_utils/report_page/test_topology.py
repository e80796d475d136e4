# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Boxes do not overlap, callers stand to the left, and circles do no harm."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.topology import (
    BOX_HEIGHT,
    BOX_WIDTH,
    draw,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = [chr(97 + number) for number in range(8)]


def test_callers_stand_to_the_left() -> None:
    drawing = draw(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("a", "c")])
    x = {name: box[0] for name, box in drawing.boxes.items()}
    assert x["a"] < x["b"] < x["c"]
    assert x["d"] == x["a"]
    assert len(drawing.arrows) == 3


def test_a_circle_is_drawn() -> None:
    drawing = draw(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
    assert len({box[0] for box in drawing.boxes.values()}) == 3
    assert len(drawing.arrows) == 3


def test_what_is_not_allowed_moves_nothing() -> None:
    plain = draw(["a", "b"], [("a", "b")])
    drawing = draw(["a", "b"], [("a", "b")], [("b", "a"), ("a", "b")])
    assert drawing.boxes == plain.boxes
    assert [(arrow.source, arrow.target) for arrow in drawing.arrows] == [("a", "b"), ("b", "a")]
    assert drawing.height > plain.height


def test_nothing() -> None:
    assert draw([], []).arrows == ()


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))))
def test_boxes_are_inside_and_apart(edges: list[tuple[str, str]]) -> None:
    drawing = draw(NAMES, edges)
    boxes = list(drawing.boxes.values())
    assert set(drawing.boxes) == set(NAMES)
    assert len(drawing.arrows) == len({(a, b) for a, b in edges if a != b})
    for x, y in boxes:
        assert x >= 0 <= y
        assert x + BOX_WIDTH <= drawing.width
        assert y + BOX_HEIGHT <= drawing.height
    for index, (x1, y1) in enumerate(boxes):
        for x2, y2 in boxes[index + 1 :]:
            assert abs(x1 - x2) >= BOX_WIDTH or abs(y1 - y2) >= BOX_HEIGHT
