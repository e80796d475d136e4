# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""This machine's Chromium, headless (Debian package ``chromium``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, ended at the end. A missing program is an error, not a skip."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


def usable_seconds(browser: Browser, address: str) -> float:
    """From the start of loading ``address`` until its script has run and the page was painted."""
    page = browser.new_page()
    try:
        page.goto(address)
        page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        return float(page.evaluate("performance.now()")) / 1000
    finally:
        page.close()
