"""What the monitor page shows, in a real Chromium, over runs of every kind and hostile data."""

from __future__ import annotations

import re

import pytest

from comboi_core.app import runfiles
from comboi_core.runs.records import record_path
from comboi_core.state import pipeline
from tests.support.browser import tab
from tests.support.monitor_runs import (
    ERROR,
    MARKUP,
    ago,
    browser,
    failed,
    good,
    load,
    opened,
    running,
    short,
    site,
    text,
)
from tests.support.monitor_site import Site, make_project

pytestmark = pytest.mark.few(2)

__all__ = ["browser", "opened", "site"]

STATES = ("succeeded", "failed", "partial", "cancelled", "running", "skipped")


def test_a_pipeline_that_never_ran_says_so(opened, site):
    load(opened, site)

    assert "none has finished yet" in text(opened, "#top") and "free" in text(opened, "#top")
    assert "No runs yet" in text(opened, "#grid") and "stale: never loaded" in text(opened, "#grid")
    assert opened.page.is_hidden("#run")
    assert opened.page.is_disabled("#run-failed") and opened.page.is_enabled("#run-now")


def test_after_a_failed_run_cause_remedy_and_rows_are_on_the_page_at_once(opened, site):
    good(site, ago(hours=2))
    failed(site, ago(hours=1))
    load(opened, site)

    shown = text(opened, "#run")
    for told in ("2 failures", "shop.items", "source_unreachable", ERROR["message"], ERROR["remedy"], "check_failed"):
        assert told in shown
    assert (
        "Look at the rows." in shown and "2 rows are NULL" in shown and "its input orders_clean was not built" in shown
    )
    cells = opened.page.eval_on_selector_all("#run .rows td", "cells => cells.map(cell => cell.textContent)")
    assert cells == ["7", "NULL", MARKUP, "8", "NULL", '{"deep":[1]}']
    assert shown.index("2 failures") < shown.index("Timeline")


def test_a_success_with_shortfalls_is_told_from_a_whole_one_everywhere_on_the_page(opened, site):
    good(site, ago(hours=2))
    short(site, ago(hours=1))
    load(opened, site)

    shown = text(opened, "#run")
    assert "▲ succeeded with shortfalls" in shown and "1 shortfall" in shown
    assert f"3 rows wait: {MARKUP}" in shown and "What to do: Mend the clock." in shown
    assert "▲ succeeded with shortfalls" in text(opened, "#top")
    row = opened.page.locator("#grid tr", has_text="shop.orders").locator("td.cell > span")
    assert [cell.get_attribute("aria-label") for cell in row.all()] == ["succeeded", "succeeded with shortfalls"]
    opened.page.check("#attention")
    assert "shop.orders" in text(opened, "#grid") and "shop.items" not in text(opened, "#grid")


def test_queued_running_and_attempts_have_bars_of_their_own(opened, site):
    failed(site, ago(hours=1))
    load(opened, site)

    bars = (
        opened.page.locator(".gantt tr", has_text="shop.items")
        .locator(".bar")
        .evaluate_all(
            "bars => bars.map(bar => [bar.classList[1], parseFloat(bar.style.left), parseFloat(bar.style.width)])"
        )
    )
    kinds = [kind for kind, _, _ in bars]
    assert kinds == ["queued", "failed", "retried"]
    (_, _, waited), (_, begun, long), (_, attempt, short) = bars
    assert begun == pytest.approx(waited) and long > short > 0 and attempt < begun


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("dark", [False, True])
def test_a_run_in_each_state_is_told_in_words_in_both_themes(browser, site, status, dark):
    good(site, ago(hours=3))
    if status == "running":
        shown = running(site, ago(seconds=20))
    elif status == "failed":
        shown = failed(site, ago(hours=1))
    elif status == "skipped":  # it was refused the lease, so that only its own address shows it
        shown = "sales-20261123T050000Z-aaaaaa"
        holder = {"run_id": "sales-20261123T040000Z-bbbbbb", "since": ago(hours=1).isoformat()}
        empty = {"customStatus": None, "input": None, "createdTime": ago(hours=1).isoformat()}
        site.instances[shown] = {
            "runtimeStatus": "Completed",
            "output": {"status": "skipped", "holder": holder},
            **empty,
        }
    else:
        shown = site.begin(ago(hours=1))
        cut = {"table": "items", "status": "cancelled" if status == "cancelled" else "succeeded"}
        who = {"at": ago(minutes=50).isoformat(), "by": "http"} if status == "cancelled" else None
        site.finish(shown, status, [{"table": "orders"}, cut], cancelled=who)
    with tab(browser, dark=dark) as one:
        load(one, site, f"#run={shown}")
        one.page.wait_for_function("id => document.querySelector('#run-title')?.textContent.includes(id)", arg=shown)
        assert status in text(one, "#run-title")
        ink, paper = one.page.evaluate(
            "() => { const of = getComputedStyle(document.body); return [of.color, of.backgroundColor]; }"
        )
        bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
        assert (bright[0] > bright[1]) == dark
        assert one.complaints == []


def test_a_run_of_another_pipeline_is_said_to_be_one(opened, site):
    good(site, ago(hours=3))
    other = "zoo-20261123T050000Z-aaaaaa"
    record = {"run_id": other, "pipeline": "zoo", "status": "succeeded", "tables": [], "datasets": []}
    runfiles.write_json(site.workspace.lake("bronze"), record_path(other), record)
    load(opened, site, f"#run={other}")
    opened.page.wait_for_function("() => document.querySelector('#run')?.textContent.includes('another pipeline: zoo')")


def test_a_live_run_shows_what_is_under_way_and_the_page_follows_to_its_end(opened, site):
    run_id = running(site, ago(seconds=20))
    load(opened, site)

    assert run_id in text(opened, "#top") and "live" in text(opened, "#updated")
    row = opened.page.locator(".gantt tr", has_text="shop.orders")
    assert "extracting" in row.inner_text() and "4,500" in row.inner_text() and "about 9,000 rows" in row.inner_text()
    assert row.locator(".bar.running").count() == 1
    assert opened.page.is_disabled("#run-now") and opened.page.is_enabled("#cancel")

    site.finish(run_id, "succeeded", [{"table": "orders"}])
    opened.page.wait_for_selector("#run-title .is-succeeded", timeout=120_000)
    opened.page.wait_for_selector("#run-now:enabled", timeout=120_000)
    assert f"Run {run_id}: succeeded" in opened.page.text_content("#said")


def test_updates_leave_the_focus_and_what_was_opened_where_they_are(opened, site):
    failed(site, ago(hours=1))
    shown = site.entities["pipeline", "sales"]["runs"][0]["run_id"]
    running(site, ago(seconds=20))
    load(opened, site, f"#run={shown}")
    opened.page.wait_for_selector("#run details")
    opened.page.locator("#run summary").first.click()
    opened.page.locator("#grid th a", has_text="shop.kinds").focus()
    before = text(opened, "#top")
    opened.page.wait_for_function(
        "before => document.querySelector('#top').innerText !== before", arg=before, timeout=120_000
    )

    assert opened.page.evaluate("document.activeElement.textContent") == "shop.kinds"
    assert opened.page.locator("#run details").first.get_attribute("open") is not None


def test_hostile_data_stays_text(opened, site):
    run_id = site.begin(ago(hours=1))
    error = {"code": MARKUP, "message": f"{MARKUP}\n{'w' * 5000}", "remedy": MARKUP, "transient": False}
    check = {
        "name": MARKUP,
        "severity": "warn",
        "passed": False,
        "failed_rows": 1,
        "sample": [{MARKUP: MARKUP}],
        "message": MARKUP,
    }
    bad = {"name": "orders_clean", "status": "failed", "error": error, "checks": [check]}
    odd = {"table": MARKUP, "warnings": [MARKUP], "schema_changes": [MARKUP], "rows": 10**18, "progress": {}}
    site.finish(
        run_id,
        "failed",
        [odd, {"table": "orders", "status": "a new one"}],
        [bad],
        trigger=MARKUP,
        error=error,
        select=[MARKUP],
    )
    load(opened, site)
    opened.page.locator("#run summary").first.click()

    assert opened.page.locator("#run img, #run b, #run script").count() == 0
    assert text(opened, "#run").count("onerror=alert(1)") > 8
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_run_with_a_broken_record_and_one_without_are_told_with_what_to_do(browser, site):
    good(site, ago(hours=3))
    broken = good(site, ago(hours=2))
    site.workspace.lake("bronze").write(record_path(broken), b'{"run_id": "sales-')
    lost = site.begin(ago(hours=1))
    error = {"code": "lake_unavailable", "message": "No space left", "remedy": "Free space.", "transient": True}
    summary = {"run_id": lost, "status": "failed", "error": error, "unrecorded": True}
    site.entities["pipeline", "sales"], _ = pipeline.finish(
        site.entities["pipeline", "sales"], {"run_id": lost, "summary": summary}
    )
    site.instances[lost] |= {"runtimeStatus": "Completed", "output": summary}
    with tab(browser) as one:
        load(one, site)
        one.page.wait_for_selector("#run .box")
        told = text(one, "#run")
        assert "No space left" in told and "Free space." in told and "no record: the lake did not take it" in told
        assert record_path(broken) in text(one, "#problems") and "Restore the file" in text(one, "#problems")
        assert one.page.locator("#grid [role=img].is-succeeded").count() == 4, "of the run whose record is good"
        assert one.complaints == []
        one.page.evaluate("id => { location.hash = `run=${id}`; }", broken)
        one.page.wait_for_selector("#run:has-text('cannot be shown')")
        assert "record_unreadable" in text(one, "#run") and record_path(broken) in text(one, "#run")


@pytest.mark.slow
def test_five_hundred_tables_are_searched_and_what_needs_attention_comes_first(browser, tmp_path):
    tables = [{"name": f"t{number:03d}"} for number in range(500)]
    with Site(make_project(tmp_path / "project", tables)) as site, tab(browser) as one:
        for hours in range(30, 0, -1):
            run_id = site.begin(ago(hours=hours))
            parts = [{"table": table["name"]} for table in tables]
            if hours == 1:
                parts[437] |= {"status": "failed", "error": ERROR}
            site.finish(run_id, "failed" if hours == 1 else "succeeded", parts)
        load(one, site)
        rows = one.page.locator("#grid tbody tr:not(.layer)")

        assert rows.count() == 100 and "shop.t437" in rows.first.inner_text()
        one.page.get_by_role("button", name="Show all 500", exact=True).click()
        assert rows.count() == 500 and rows.first.locator(".cell").count() == 30
        one.page.fill("#search", "T49")
        assert rows.count() == 10 and "10 of 500 shown" in text(one, "#found")
        one.page.fill("#search", "")
        one.page.check("#attention")
        assert rows.count() == 1 and "shop.t437" in rows.inner_text()
        one.page.fill("#search", "nothing")
        assert "No table or dataset" in text(one, "#table")
        assert one.complaints == []
