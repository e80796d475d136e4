# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Reports as files, and a browser that remembers what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.data import build
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.page import render
from playwright.sync_api import Browser, Page

from tests.support.browser import chromium
from tests.support.evidence import large
from tests.unit.plugins.plugin_utils.evidence_fixture import evidence
from tests.unit.plugins.plugin_utils.test_report import broken


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports: ``passed``, ``failed`` (with changes) and ``large`` (1,000 machines)."""
    folder = tmp_path_factory.mktemp("reports")
    passed = build(evidence(), "0" * 64)
    made = {
        "passed": passed,
        "failed": build(evidence(seen=broken()), "1" * 64, passed),
        "large": build(large(1000), "2" * 64),
    }
    for name, report in made.items():
        (folder / (name + ".html")).write_text(render(report), encoding="utf-8")
    return {name: folder / (name + ".html") for name in made}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, reports: dict[str, Path]) -> Iterator[Callable[..., Page]]:
    """Opens a report. At the end nothing was said on the console, and nothing else was loaded."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_report(name: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(reports[name].as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert said == []
    assert set(asked) <= {path.as_uri() for path in reports.values()}
