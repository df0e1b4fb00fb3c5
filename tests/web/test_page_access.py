"""The monitor page for everyone: the keyboard alone, screen readers, contrast, a phone."""

from __future__ import annotations

import re

import pytest

from tests.support.browser import tab
from tests.support.monitor_runs import ago, browser, dialog, failed, good, load, opened, running, site, text

__all__ = ["browser", "opened", "site"]


def test_a_phone_shows_everything_within_its_width(browser, site):
    for hours in (3, 2):
        good(site, ago(hours=hours))
    failed(site, ago(hours=1))
    with tab(browser, width=360, height=740) as one:
        load(one, site)
        assert one.page.evaluate("document.documentElement.scrollWidth") == 360
        one.page.click("#reset")
        box = one.page.locator("#dialog").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
        assert one.complaints == []


def test_the_keyboard_alone_opens_a_run_a_table_and_starts_a_run(opened, site):
    first = good(site, ago(hours=2))
    good(site, ago(hours=1))
    load(opened, site)
    press = opened.page.keyboard.press

    def tab_to(matches: str) -> None:
        for _ in range(60):
            press("Tab")
            if opened.page.evaluate(f"(() => {{ const one = document.activeElement; return {matches}; }})()"):
                return
        raise AssertionError(f"Tab never comes to {matches}")

    tab_to("one.textContent === 'Skip to the content'")
    tab_to("one.closest('thead') && one.getAttribute('aria-pressed') === 'true'")
    press("ArrowLeft")
    press("Enter")
    opened.page.wait_for_function("id => document.querySelector('#run-title').textContent.includes(id)", arg=first)
    assert opened.page.evaluate("document.activeElement.id") == "run-title"

    tab_to("one.closest('#grid') && one.textContent === 'shop.orders'")
    press("Enter")
    opened.page.wait_for_selector("dialog[open] .buttons")
    assert "shop.orders" in text(opened, "#dialog-title")
    press("Escape")
    assert opened.page.is_hidden("#dialog")

    opened.page.focus("#run-now")
    press("Enter")
    tab_to("one.textContent === 'Start the run'")
    press("Enter")
    opened.page.wait_for_selector("#dialog", state="hidden")
    assert [(path, body) for path, body, _ in site.posts] == [("runs", {})]


UNREADABLE = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const shine = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (node) => {
    const [r, g, b, a = 1] = channels(getComputedStyle(node).backgroundColor);
    return a === 0 ? behind(node.parentElement) : [r, g, b];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (node.closest(":disabled, .unseen, option")) continue;
    const [ink, paper] = [shine(channels(getComputedStyle(node).color)), shine(behind(node))];
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) found.push([walker.currentNode.textContent, node.className, ratio]);
  }
  return found;
}"""
"""Texts whose contrast is below the 4.5 to 1 of WCAG 2.2 AA."""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_what_is_behind_it(browser, site, dark):
    site.begin(ago(hours=3))
    cut = {"table": "items", "status": "cancelled", "reason": "the run was cancelled"}
    who = {"at": ago(hours=2).isoformat(), "by": "http"}
    site.finish(
        site.entities["pipeline", "sales"]["holder"]["run_id"], "cancelled", [{"table": "orders"}, cut], cancelled=who
    )
    site.begin(ago(hours=2.5))
    site.finish(
        site.entities["pipeline", "sales"]["holder"]["run_id"], "partial", [{"table": "orders", "warnings": ["w"]}]
    )
    shown = failed(site, ago(hours=1))
    running(site, ago(seconds=20))
    with tab(browser, dark=dark) as one:
        load(one, site)
        assert one.page.evaluate(UNREADABLE) == []
        load(one, site, f"#run={shown}")
        one.page.reload()
        one.page.wait_for_selector("#run .box")
        one.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert one.page.evaluate(UNREADABLE) == []
        dialog(one, "#reset")
        assert one.page.evaluate(UNREADABLE) == []


@pytest.mark.slow
def test_everything_that_can_be_operated_has_a_name_for_screen_readers(opened, site):
    good(site, ago(hours=2))
    failed(site, ago(hours=1))
    load(opened, site)
    for button in (None, "#run-now", "#run-failed", "#backfill", "#reset"):
        if button:
            dialog(opened, button)
        operable = [
            line.strip()
            for line in opened.page.locator("body").aria_snapshot().splitlines()
            if re.match(r"\s*- (button|link|textbox|searchbox|checkbox|combobox|dialog|table|region|img)\b", line)
        ]
        assert len(operable) > 5
        assert [line for line in operable if not re.match(r'- \w+ "[^"]+|- \w+ /', line)] == []
        if button:
            opened.page.keyboard.press("Escape")
    headings = opened.page.locator("h1, h2, h3").all_inner_texts()
    assert headings[0] == "sales" and "Tables and datasets" in headings
