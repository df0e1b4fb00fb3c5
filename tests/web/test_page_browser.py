"""The monitor page in a real Chromium, over runs of every kind and hostile data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from comboi_core.app.planning import plan_run
from comboi_core.domain.errors import ConfigError, LakeUnavailable, RunRefused
from comboi_core.web.answers import Answer, problem
from tests.support.browser import Tab, chromium, tab
from tests.support.monitor_site import Site, make_project

ERROR = {
    "code": "source_unreachable",
    "message": 'shop.items: connection to "db.example.com" failed',
    "remedy": "Check that the server runs.",
    "transient": True,
}
MARKUP = "<img src=x onerror=alert(1)>\u202egnp.\"'`&amp;</script><b>"
STATES = ("succeeded", "failed", "partial", "cancelled", "running", "skipped")


@pytest.fixture(scope="module")
def browser():
    """One Chromium for this module."""
    with chromium() as started:
        yield started


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    """A page over three tables and two datasets, without runs."""
    tables = [
        {"name": "orders", "primary_key": ["id"], "incremental_column": "at", "freshness": "2h"},
        {"name": "items", "primary_key": ["id"], "incremental_column": "at"},
        {"name": "kinds"},
    ]
    with Site(make_project(tmp_path / "project", tables, ["orders_clean"], ["sums"])) as served:
        yield served


@pytest.fixture
def opened(browser, site) -> Iterator[Tab]:
    """A tab that must not complain, nor ask any other host; nothing is loaded yet."""
    with tab(browser) as one:
        yield one
        assert one.complaints == []
        assert {urlsplit(url).netloc for url in one.requests if not url.startswith("data:")} == {
            urlsplit(site.url).netloc
        }


def ago(**units: float) -> datetime:
    return datetime.now(UTC) - timedelta(**units)


def good(site: Site, at: datetime) -> str:
    run_id = site.begin(at)
    site.finish(
        run_id, "succeeded", [{"table": name} for name in ("orders", "items", "kinds")], [{"name": "orders_clean"}]
    )
    return run_id


def failed(site: Site, at: datetime) -> str:
    run_id = site.begin(at)
    sample = [{"id": 7, "customer": None, "note": MARKUP}, {"id": 8, "customer": None, "note": {"deep": [1]}}]
    check = {"name": "not_null(customer)", "severity": "error", "passed": False, "failed_rows": 2, "sample": sample}
    first = {"code": "source_unreachable", "message": "refused", "activity": "plan_table"}
    first |= {
        "started_at": (at + timedelta(seconds=1)).isoformat(),
        "failed_at": (at + timedelta(seconds=2)).isoformat(),
    }
    broken = {"table": "items", "status": "failed", "error": ERROR, "attempts": 2, "seconds": 4.0, "retried": [first]}
    error = {
        "code": "check_failed",
        "message": "orders_clean: 1 check failed",
        "remedy": "Look at the rows.",
        "transient": False,
    }
    clean = {
        "name": "orders_clean",
        "status": "failed",
        "error": error,
        "checks": [check | {"message": "2 rows are NULL"}],
    }
    skipped = {"stage": "gold", "name": "sums", "status": "skipped", "reason": "its input orders_clean was not built"}
    site.finish(run_id, "failed", [{"table": "orders"}, broken], [clean, skipped])
    return run_id


def running(site: Site, at: datetime) -> str:
    run_id = site.begin(at, trigger="http")
    request = {
        "run_id": run_id,
        "pipeline": "sales",
        "trigger": "http",
        "stage": None,
        "select": [],
        "full_refresh": False,
    }
    plan_run(site.workspace, request)
    site.instances[run_id]["customStatus"] = {"phase": "bronze", "wave": 0, "lanes": 3, "fence": 1}
    lane = {"runtimeStatus": "Running", "output": None, "input": None, "createdTime": at.isoformat()}
    site.instances[f"{run_id}:0:0"] = lane | {"customStatus": {"item": "shop.orders", "done": []}}
    progress = {"phase": "extracting", "started_at": at.isoformat(), "chunks": 1, "estimated_rows": 9000, "rows": 4500}
    site.instances[f"{run_id}:0:0:shop.orders"] = lane | {"customStatus": progress}
    return run_id


def load(opened: Tab, site: Site, fragment: str = "") -> None:
    opened.page.goto(site.url + fragment)
    opened.page.wait_for_selector("#table > *", timeout=30_000)


def text(opened: Tab, selector: str) -> str:
    return opened.page.inner_text(selector)


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


def test_a_live_run_shows_what_is_under_way_and_the_page_follows_to_its_end(opened, site):
    run_id = running(site, ago(seconds=20))
    load(opened, site)

    assert run_id in text(opened, "#top") and "live" in text(opened, "#updated")
    row = opened.page.locator(".gantt tr", has_text="shop.orders")
    assert "extracting" in row.inner_text() and "4,500" in row.inner_text() and "about 9,000 rows" in row.inner_text()
    assert row.locator(".bar.running").count() == 1
    assert opened.page.is_disabled("#run-now") and opened.page.is_enabled("#cancel")

    site.finish(run_id, "succeeded", [{"table": "orders"}])
    opened.page.wait_for_selector("#run-title .is-succeeded", timeout=30_000)
    opened.page.wait_for_selector("#run-now:enabled", timeout=30_000)
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
        "before => document.querySelector('#top').innerText !== before", arg=before, timeout=30_000
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
    odd = {"table": MARKUP, "warnings": [MARKUP], "schema_changes": [MARKUP, {"a": 1}], "rows": 10**18, "progress": {}}
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


def dialog(opened: Tab, button: str) -> None:
    opened.page.click(button)
    opened.page.wait_for_selector("dialog[open]")


def confirm(opened: Tab) -> None:
    opened.page.click("dialog[open] button[type=submit]")
    opened.page.wait_for_selector("#dialog", state="hidden")


def test_each_button_asks_first_and_posts_what_it_says(opened, site):
    run_id = failed(site, ago(hours=1))
    load(opened, site)

    dialog(opened, "#run-now")
    assert site.posts == []
    opened.page.get_by_role("button", name="Leave it").click()
    assert site.posts == []

    dialog(opened, "#run-failed")
    assert all(
        name in text(opened, "#dialog") for name in (run_id, "shop.items", "orders_clean", "the 1 item that it skipped")
    )
    confirm(opened)
    assert site.posts.pop()[:2] == ("runs", {"select": ["shop.items", "orders_clean", "sums"]})
    opened.page.goto(site.url)
    opened.page.wait_for_selector("#run-failed:enabled")

    dialog(opened, "#backfill")
    assert opened.page.locator("#dialog option").all_inner_texts() == ["shop.orders", "shop.items"]
    opened.page.select_option("#dialog select", "shop.items")
    assert opened.page.is_disabled("dialog button[type=submit]")
    opened.page.get_by_label("From").fill("2026-01-01")
    opened.page.get_by_label("To", exact=True).fill("2026-02-01")
    confirm(opened)
    backfill = {"from": "2026-01-01", "to": "2026-02-01"}
    assert site.posts.pop()[:2] == ("runs", {"stage": "bronze", "select": ["shop.items"], "backfill": backfill})


def test_a_table_is_reset_only_after_its_name_is_typed(opened, site):
    site.posted = lambda path, body: Answer(200, {})
    load(opened, site)
    dialog(opened, "#reset")
    typed, submit = opened.page.get_by_label("Type the table's name"), opened.page.locator("dialog button[type=submit]")
    for wrong in ("", "orders", "shop.items", "SHOP.ORDERS"):
        typed.fill(wrong)
        assert submit.is_disabled()
        typed.press("Enter")
    assert site.posts == []

    typed.fill("shop.orders")
    confirm(opened)

    assert site.posts[0][:2] == ("tables/shop.orders/reset", None)
    assert "shop.orders is reset" in opened.page.text_content("#said")


def test_the_run_that_is_on_can_be_cancelled(opened, site):
    run_id = running(site, ago(seconds=5))
    site.posted = lambda path, body: Answer(202, {})
    load(opened, site)
    dialog(opened, "#cancel")
    assert run_id in text(opened, "#dialog")
    confirm(opened)
    assert site.posts[0][:2] == (f"runs/{run_id}/cancel", None)


def test_a_refusal_stays_in_the_dialog_with_what_to_do(browser, site):
    refusal = problem(RunRefused("pipeline 'sales' is being run by another"))
    site.posted = lambda path, body: refusal
    with tab(browser) as one:
        load(one, site)
        dialog(one, "#run-now")
        one.page.click("dialog button[type=submit]")
        one.page.wait_for_selector("#dialog .box")
        told = text(one, "#dialog")
        assert "run_in_progress" in told and "is being run by another" in told and RunRefused.remedy in told
        assert one.page.is_visible("#dialog") and one.page.is_enabled("dialog button[type=submit]")
        keys = {headers["idempotency-key"] for _, _, headers in site.posts}
        one.page.click("dialog button[type=submit]")
        one.page.wait_for_function("() => !document.querySelector('dialog button[type=submit]').disabled")
        assert {headers["idempotency-key"] for _, _, headers in site.posts} == keys, "asked again it is the same run"


def test_a_table_shows_where_it_stands_and_its_loads(opened, site):
    site.commit("orders", ago(hours=5), rows=1234, watermark="2026-11-23 05:00:00+00")
    good(site, ago(hours=1))
    load(opened, site)
    opened.page.locator("#grid th a", has_text="shop.orders").click()
    opened.page.wait_for_selector("#dialog table")

    told = text(opened, "#dialog")
    assert "2026-11-23 05:00:00+00" in told and "1,234" in told and "4.1 kB" in told and "met" in told


def test_the_key_of_the_pages_address_goes_along_in_a_header_only(opened, site):
    site.key = "s3cret/key=="
    good(site, ago(hours=1))
    opened.page.goto(f"{site.url}?code=s3cret%2Fkey%3D%3D")
    opened.page.wait_for_selector("#table > *", timeout=30_000)
    dialog(opened, "#run-now")
    confirm(opened)

    assert site.posts[0][2]["x-functions-key"] == site.key
    asked = [url for url in opened.requests if "/monitor" not in url]
    assert asked and not any("s3cret" in url for url in asked)
    kept = "JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])"
    assert opened.page.evaluate(kept) == '[0,0,""]'
    assert "s3cret" not in opened.page.content()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (ConfigError("configs/initial.yml:7: unknown key 'primary_keys'"), "configs/initial.yml:7"),
        (LakeUnavailable("the lake does not answer"), "the lake does not answer"),
    ],
)
def test_where_there_is_no_overview_the_page_says_why_and_recovers(browser, site, broken, told):
    site.broken = broken
    with tab(browser) as one:
        one.page.goto(site.url)
        one.page.wait_for_selector("#problems .box")
        assert told in text(one, "#problems") and broken.remedy in text(one, "#problems")
        assert one.page.is_disabled("#run-now")
        site.broken = None
        one.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        one.page.wait_for_selector("#table > *", timeout=30_000)
        assert text(one, "#problems") == ""


def test_a_missing_key_is_explained(browser, site):
    site.key = "k"
    with tab(browser) as one:
        one.page.goto(site.url)
        one.page.wait_for_selector("#problems .box")
        assert "?code=KEY" in text(one, "#problems")


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


def test_the_answer_for_a_run_that_is_no_longer_chosen_is_dropped(opened, site):
    slow, quick = failed(site, ago(hours=2)), good(site, ago(hours=1))
    good(site, ago(minutes=30))
    load(opened, site)
    site.slow[f"runs/{slow}"] = 0.7
    opened.page.evaluate(f"location.hash = 'run={slow}'; setTimeout(() => {{ location.hash = 'run={quick}'; }}, 100)")
    opened.page.wait_for_function("id => document.querySelector('#run-title').textContent.includes(id)", arg=quick)
    opened.page.wait_for_timeout(1500)

    assert quick in text(opened, "#run-title")
    assert "Timeline" in text(opened, "#run") and "failures" not in text(opened, "#run")
