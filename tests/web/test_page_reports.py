"""Match-quality reports from the monitor page, in a real Chromium: with and without a function key."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.support.browser import tab
from tests.support.monitor_runs import ago, browser, load, opened, site, text

__all__ = ["browser", "opened", "site"]

REPORT = (
    "<!DOCTYPE html><html><head>"
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'sha256-HASH' blob:\">"
    "<title>orders_clean: match quality</title>"
    "<style>body{color:rgb(1, 2, 3)}</style></head>"
    "<body><h1>Ōsaka &amp; more</h1><img src='https://example.com/x.png'><script>document.title = 'ran'</script>"
    "</body></html>"
).replace("HASH", base64.b64encode(hashlib.sha256(b"body{color:rgb(1, 2, 3)}").digest()).decode())


@pytest.fixture
def deduplicated(site):
    """A run that deduplicated a dataset, whose report somebody has put a script and a picture into."""
    run_id = site.begin(ago(hours=1))
    merged = {"records": 9, "clusters": 8, "duplicates": 1, "report": "refined/orders_clean.report.html"}
    site.finish(run_id, "succeeded", [{"table": "orders"}], [{"name": "orders_clean", "duplicates": merged}])
    site.workspace.lake("silver").write("refined/orders_clean.report.html", REPORT.encode())
    return site


@pytest.mark.parametrize("key", [None, "s3cret&key"])
def test_a_click_opens_the_report_in_a_tab_where_nothing_of_it_runs(browser, deduplicated, key):
    deduplicated.key = key
    with tab(browser) as one:
        one.page.goto(deduplicated.url + ("#code=s3cret%26key" if key else ""))
        one.page.wait_for_selector("#run a:has-text('orders_clean')", timeout=120_000)
        assert "refined/orders_clean.report.html" in text(one, "#run")
        failed = []
        one.page.context.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
        with one.page.context.expect_page() as opening:
            one.page.locator("#run li a", has_text="orders_clean").click()
        report = opening.value
        report.wait_for_selector("h1", timeout=120_000)

        assert report.inner_text("h1") == "Ōsaka & more" and report.title() == "orders_clean: match quality"
        assert report.eval_on_selector("h1", "one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
        assert report.evaluate("document.compatMode") == "CSS1Compat"
        assert "s3cret" not in report.url and (report.url.startswith("blob:") == bool(key))
        assert report.evaluate("window.opener") is None
        assert failed == [("https://example.com/x.png", "csp")]
        assert one.complaints == []


def test_a_report_that_is_gone_is_told_in_place_of_an_empty_tab(browser, deduplicated):
    deduplicated.key = "key"
    deduplicated.workspace.lake("silver").delete(["refined/orders_clean.report.html"])
    with tab(browser) as one:
        one.page.goto(deduplicated.url + "#code=key")
        one.page.locator("#run li a", has_text="orders_clean").click(timeout=120_000)
        one.page.wait_for_selector("dialog[open] .box")

        assert "report_not_found" in text(one, "#dialog") and "What to do" in text(one, "#dialog")
        assert len(one.page.context.pages) == 1


@pytest.mark.slow
def test_a_run_without_deduplication_shows_no_reports(opened, site):
    site.finish(site.begin(ago(hours=1)), "succeeded", [{"table": "orders"}], [{"name": "orders_clean"}])
    load(opened, site)

    assert "Match-quality" not in text(opened, "#run")
