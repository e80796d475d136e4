# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: it can be read, filtered, walked by keyboard, darkened, printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

Visit = Callable[..., Page]

SECTIONS = [
    "findings",
    "changes",
    "topology",
    "reachability",
    "certificates",
    "versions",
    "machines",
]

# Texts whose contrast to what is behind them is below WCAG's AA (4.5; 3 for large ones).
PALE = """() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const paint = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
  };
  const light = (rgb) => rgb.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const pale = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = Array.from(element.childNodes).some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest('.unseen, .skip, script')) continue;
    const style = getComputedStyle(element);
    const behind = [];
    for (let e = element; e; e = e.parentElement) {
      behind.unshift(getComputedStyle(e).backgroundColor);
    }
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const a = light(paint(behind)), b = light(paint([...behind, colour]));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (contrast < (large ? 3 : 4.5)) pale.push([element.textContent.trim(), contrast]);
  }
  return pale;
}"""


@pytest.mark.parametrize("name", ["passed", "failed", "large"])
def test_everything_is_there(visit: Visit, name: str) -> None:
    page = visit(name)
    for section in SECTIONS:
        expect(page.locator(f"section#{section} h2")).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("navigation")).to_have_count(1)
    expect(page.get_by_role("search")).to_have_count(1)
    expect(page.get_by_role("grid")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("performance.getEntriesByName('usable').length") == 1


def test_findings_name_what_to_do(visit: Visit) -> None:
    findings = visit("failed").locator("#findings")
    expect(findings).to_contain_text("A forbidden path is open")
    expect(findings).to_contain_text("THE PATH IS OPEN. See that the target's capture covers")


def test_the_filter_leaves_what_was_asked_for(visit: Visit) -> None:
    page = visit("large")
    machines = page.locator("#machines [data-row]:not([hidden])")
    expect(machines).to_have_count(1000)
    page.keyboard.press("/")
    page.keyboard.type("w42-42 ns0")
    expect(machines).to_have_count(10)
    expect(page.get_by_role("status")).to_contain_text("rows shown")
    page.keyboard.press("Escape")
    expect(machines).to_have_count(1000)
    page.get_by_label("only what failed").check()
    expect(machines).to_have_count(page.locator("#machines [data-failed]").count())
    assert 0 < machines.count() < 100
    expect(page.locator("td.cell.refused:not(.dim)")).to_have_count(0)


def test_the_keyboard_reaches_the_matrix_and_a_cell_s_details(visit: Visit) -> None:
    page = visit("large")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.hash === '#reachability'"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = page.locator("td.cell:focus")
    expect(focused).to_have_accessible_name(re.compile("ns0 to ns0: forbidden, and shut"))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_accessible_name(re.compile("ns2 to ns1: allowed, but does not work"))
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Tab")
    expect(page.locator("td.cell:focus")).to_have_count(0)


def test_a_cell_says_expected_and_seen(visit: Visit) -> None:
    page = visit("failed")
    page.locator("td.cell").click()
    detail = page.get_by_role("region", name="Details of the chosen cell")
    expect(detail).to_contain_text("outside the mesh → payments/payments-db")
    expect(detail).to_contain_text("refused: by mutual TLS")
    expect(detail).to_contain_text("PostgreSQL answers")
    expect(detail).to_contain_text("Failed: c")


def test_a_cell_of_many_workloads_names_their_paths(visit: Visit) -> None:
    page = visit("large")
    page.locator("td.cell.open").first.click()
    detail = page.locator("#detail")
    expect(detail.locator("tbody tr").first).to_contain_text("ns0/w14 → ns2/w23")
    assert detail.locator("tr").count() > 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_and_light_can_be_read(visit: Visit, scheme: str) -> None:
    page = visit("failed", color_scheme=scheme)
    page.locator("td.cell").first.click()
    assert page.evaluate(PALE) == []
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = page.get_by_role("button")
    expect(button).to_have_text("Dark" if scheme == "light" else "Light")
    button.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.evaluate(PALE) == []


def test_print(visit: Visit, tmp_path: Path) -> None:
    page = visit("large", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".bar")).to_be_hidden()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    opened = "document.querySelectorAll('details[open]').length"
    assert page.evaluate(f"(dispatchEvent(new Event('beforeprint')), {opened})") > 0
    assert page.evaluate(f"(dispatchEvent(new Event('afterprint')), {opened})") == 0
    document = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert document.count(b"/Type /Page\n") > 10


def test_without_javascript(visit: Visit) -> None:
    page = visit("failed", java_script_enabled=False)
    expect(page.locator("#findings")).to_contain_text("THE PATH IS OPEN")
    expect(page.locator("td.cell")).to_have_count(1)
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator("noscript p.note")).to_be_visible()


def test_the_policy_holds_what_would_come_in(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["passed"].as_uri())
    blocked = page.evaluate(
        """() => new Promise(done => {
          const seen = [];
          document.addEventListener('securitypolicyviolation', event => {
            seen.push(event.effectiveDirective);
            if (seen.length === 3) done(seen.sort());
          });
          const foreign = '<img src="http://127.0.0.1:9/x"><b style="color: red">';
          document.body.insertAdjacentHTML('beforeend', foreign);
          const script = document.createElement('script');
          script.textContent = 'document.title = "changed"';
          document.body.append(script);
        })"""
    )
    page.close()
    assert blocked == ["img-src", "script-src-elem", "style-src-attr"]


def test_a_narrow_screen_needs_no_sideways_scrolling(visit: Visit) -> None:
    page = visit("large", viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
