"""What can be done on the monitor page, in a real Chromium, and how it copes with refusals and lost answers."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import ConfigError, LakeUnavailable, RunRefused
from comboi_core.web.answers import Answer, problem
from tests.support.browser import tab
from tests.support.monitor_runs import ago, browser, confirm, dialog, failed, good, load, opened, running, site, text

__all__ = ["browser", "opened", "site"]


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
    opened.page.goto(f"{site.url}#code=s3cret%2Fkey%3D%3D")
    opened.page.wait_for_selector("#table > *", timeout=120_000)
    dialog(opened, "#run-now")
    confirm(opened)

    assert site.posts[0][2]["x-functions-key"] == site.key
    # The browser's own name for the page has the fragment; what goes over the wire does not.
    asked = [url for url in opened.requests if "/monitor" not in url]
    assert asked and not any("s3cret" in url for url in asked)
    assert "s3cret" not in opened.page.url and "s3cret" not in opened.page.content()
    kept = "JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])"
    assert opened.page.evaluate(kept) == '[0,1,""]', "for this tab alone"
    opened.page.reload()
    opened.page.wait_for_selector("#table > *", timeout=120_000)


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
        one.page.wait_for_selector("#table > *", timeout=120_000)
        assert text(one, "#problems") == ""


def test_a_missing_key_is_explained(browser, site):
    site.key = "k"
    with tab(browser) as one:
        one.page.goto(site.url)
        one.page.wait_for_selector("#problems .box")
        assert "#code=KEY" in text(one, "#problems")


def test_a_key_can_be_typed_and_pasted_behind_the_address_of_an_open_page(browser, site):
    site.key = "k+y/=="
    good(site, ago(hours=1))
    with tab(browser) as one:
        one.page.goto(site.url)
        one.page.fill("#key", "wrong")
        one.page.click("#key-form button")
        one.page.wait_for_selector("#problems .box")
        one.page.fill("#key", "k+y/==")
        one.page.click("#key-form button")
        one.page.wait_for_selector("#table > *", timeout=120_000)
        assert text(one, "#problems") == ""
    with tab(browser) as other:
        other.page.goto(site.url)
        other.page.wait_for_selector("#key-form")
        other.page.evaluate("location.hash = 'code=k+y/=='")
        other.page.wait_for_selector("#table > *", timeout=120_000)
        assert other.page.evaluate("location.hash") == ""


@pytest.mark.slow
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
