# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The page says it all, needs nothing from outside, and whatever it is given stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.data import build
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.page import (
    embedded,
    render,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.view import (
    MOST_BOXES,
    WORDS,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.evidence_fixture import evidence
from tests.unit.plugins.plugin_utils.test_report import broken

GOLDEN = Path(__file__).parents[4] / "golden" / "report_page"
# Elements that HTML never closes, and those whose end tag the template leaves out.
VOID = {"meta", "input", "br"}
OPTIONAL = {"li", "th"}


class Page(HTMLParser):
    """Elements with their attributes, texts, and the contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID | OPTIONAL:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPTIONAL:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        raw = self._open and self._open[-1] in ("script", "style")
        (self.raw if raw else self.texts).append(data)


def page(**changes: Any) -> str:
    return render(build(evidence(**changes), "0" * 64))


@pytest.mark.parametrize("name", ["passed", "failed"])
def test_golden(name: str) -> None:
    """Style and script are left out: tests in a browser are for them."""
    text = page() if name == "passed" else page(seen=broken())
    body = text[text.index("</head>") : text.rindex("<script>")]
    assert body == (GOLDEN / (name + ".html")).read_text(encoding="utf-8")


def test_the_policy_lets_the_style_and_the_script_in_and_nothing_else() -> None:
    parsed = Page(page())
    (policy,) = (a["content"] for _, a in parsed.elements if "http-equiv" in a)
    style, _data, script = parsed.raw
    hashes = [
        "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    assert policy == (
        "default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'"
        % (hashes[0], hashes[1])
    )


def test_nothing_leads_outside() -> None:
    parsed = Page(page(seen=broken()))
    for tag, attributes in parsed.elements:
        assert tag not in {"img", "link", "iframe", "object", "embed", "form", "base"}
        assert not {"src", "style", "action", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert "url(" not in parsed.raw[0]
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|eval|innerHTML)\b", parsed.raw[2])


def test_what_the_navigation_leads_to_is_there() -> None:
    parsed = Page(page())
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.elements:
        for name in ("href", "aria-labelledby", "for"):
            if name in attributes:
                assert str(attributes[name]).lstrip("#") in ids


def test_findings_come_with_their_advice_and_states_in_words() -> None:
    document = evidence(seen=broken())
    text = " ".join(Page(render(build(document, "0" * 64))).texts)
    for check in document["checks"]:
        if not check["passed"]:
            assert check["id"] in text
            assert check["advice"] in text
    assert WORDS["open"] in text


HOSTILE = ["<script>alert(1)</script>", "{{ 7*7 }}{% raw %}", "\"'><b onclick=x>", "&lt;"]


def page_with(value: str) -> Page:
    """A page with ``value`` in every place that somebody else than this collection writes."""
    document = evidence(seen=broken())
    document["machines"][0].update(name=value, workload="a/" + value, mode_reason=value)
    document["machines"][1]["versions"]["envoy"] = "x" + value
    document["mesh"] = dict.fromkeys(document["mesh"], value)
    document["traffic"][0].update(source=value, target=value, how=value, id=value, passed=False)
    for check in document["checks"]:
        if not check["passed"]:
            check.update(id=value, seen=value, expected=value, advice=value)
    document["workloads"][0]["calls"] = [{"host": value, "port": 1}]
    return Page(render(build(document, "0" * 64)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HOSTILE) | st.text(min_size=1))
def test_hostile_values_stay_text(value: str) -> None:
    plain, parsed = page_with("harmless"), page_with(value)
    data = json.loads(parsed.raw[1])
    assert set(data) == {"places", "groups", "names", "states", "rows", "texts"}
    assert len(parsed.raw) == 3
    assert {tag for tag, _ in parsed.elements} <= {tag for tag, _ in plain.elements}
    names = {name for _, attributes in plain.elements for name in attributes}
    assert {name for _, attributes in parsed.elements for name in attributes} <= names
    shown = "".join(parsed.texts)
    assert all(c.isprintable() or c == "\n" for c in shown)
    if value.isprintable():
        assert value in shown


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_data_is_the_data_and_ends_nothing(value: Any) -> None:
    text = embedded(value)
    assert json.loads(text) == value
    assert not set("<>&") & set(text)


def test_many_workloads_are_shown_by_namespace() -> None:
    document = evidence()
    more = MOST_BOXES + 1
    document["workloads"] = [
        {**document["workloads"][0], "key": "ns%d/w%d" % (number % 3, number)}
        for number in range(more)
    ]
    text = render(build(document, "0" * 64))
    assert "workloads: 14" in text
    assert "by namespace" in text


def test_without_machines_and_calls() -> None:
    text = " ".join(Page(page(hosts=[], seen={})).texts)
    assert "No call was tried." in text
    assert "This run saw no machine." in text
