"""The monitor page of a served project, in a real Chromium: what broke, why, and what to do, from the page alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.browser import Tab, tab
from tests.support.monitor_runs import browser, confirm
from tests.support.project import Project

__all__ = ["browser"]

INITIAL = "configs/initial.yml"
PATIENCE = 120_000
"""Milliseconds that a run may take here."""
WAITING = """import os, time

def transform(con, inputs):
    while not os.path.exists("go"):
        time.sleep(0.02)
"""


@pytest.fixture
def page(browser, project: Project) -> Iterator[Tab]:
    """The page of the served project."""
    project.edit(INITIAL, "first_delay: 0.2s", "first_delay: 0.05s")
    server = project.start("serve", "--port", "0", "--schedule", "0 0 6 29 2 *")
    try:
        said = None
        while said is None:
            line = server.stdout.readline()
            assert line, "comboi serve ended"
            said = re.search(r"http://[^/ ]+/api/monitor#\S+", line)
        with tab(browser) as opened:
            opened.page.goto(said[0])
            opened.page.wait_for_selector("#table table")
            yield opened
            assert opened.complaints == []
    finally:
        server.terminate()
        server.wait(300)


def run_now(page: Tab) -> None:
    """Press the button and wait until the run has ended."""
    page.page.click("#run-now:enabled", timeout=PATIENCE)
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector("#run-title", timeout=PATIENCE)
    page.page.wait_for_selector("#run-now:enabled", timeout=PATIENCE)


@pytest.mark.slow
def test_the_button_starts_a_run_that_the_page_follows_to_its_end(page: Tab):
    assert "29 Feb" in page.page.inner_text("#top")
    run_now(page)
    page.page.wait_for_selector("#run-title .is-succeeded", timeout=PATIENCE)

    assert page.page.locator("#grid [role=img].is-succeeded").count() == 6
    assert page.page.locator(".gantt .bar.succeeded").count() == 6
    assert "5,000" in page.page.locator(".gantt tr", has_text="shop.orders").inner_text()
    page.page.locator("#grid th a", has_text="shop.orders").click()
    page.page.wait_for_selector("#dialog table")
    assert "2026-01-04 11:20:00+00" in page.page.inner_text("#dialog")


@pytest.mark.slow
def test_a_reset_is_asked_for_by_name_and_shows(page: Tab):
    run_now(page)
    page.page.click("#reset")
    page.page.get_by_label("Type the table's name").fill("shop.orders")
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector("#grid tr:has-text('shop.orders'):has-text('read whole next time')", timeout=PATIENCE)


@pytest.mark.slow
def test_a_run_is_cancelled_from_the_page_and_what_was_under_way_is_kept(page: Tab, project: Project):
    script = "transformations/events_per_kind.py"
    project.edit(script, "def transform(con, inputs):\n", WAITING)
    page.page.click("#run-now")
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector(".gantt tr:has-text('events_per_kind') .bar.running", timeout=PATIENCE)
    page.page.click("#cancel:enabled")
    confirm(page)
    (project.folder / "go").touch()
    page.page.wait_for_selector("#run-title .is-cancelled", timeout=PATIENCE)

    assert "cancelled by http" in page.page.inner_text("#run")
    outcomes = {
        name: page.page.locator(".gantt tr", has_text=name).locator(".badge").inner_text()
        for name in ("shop.orders", "events_per_kind", "revenue")
    }
    assert outcomes == {"shop.orders": "\u2713", "events_per_kind": "\u2713", "revenue": "\u2013"}


def table_dropped(project: Project, database: EmbeddedPostgres) -> list[str]:
    database.psql("DROP TABLE shop.events")
    return ["shop.events", "source_object_missing"]


def column_renamed(project: Project, database: EmbeddedPostgres) -> list[str]:
    database.psql("ALTER TABLE shop.orders RENAME updated_at TO changed_at")
    return ["shop.orders", "source_object_missing", "updated_at"]


def rows_that_fail_a_check(project: Project, database: EmbeddedPostgres) -> list[str]:
    database.psql("UPDATE shop.customers SET name = NULL WHERE customer_id = 7")
    return ["orders_clean", "check_failed", "not_null(name)", "NULL"]


def query_that_is_wrong(project: Project, database: EmbeddedPostgres) -> list[str]:
    project.write("transformations/orders_clean.sql", "SELECT nowhere FROM orders")
    return ["orders_clean", "orders_clean.sql", "nowhere"]


def user_that_is_unknown(project: Project, database: EmbeddedPostgres) -> list[str]:
    place = "{{env:SHOP_POSTGRES}}"
    project.edit(INITIAL, place, database.uri.replace("//postgres@", "//nobody_at_all:wr0ng-w0rd@", 1))
    return ["shop.orders", "source_auth_failed", "nobody_at_all"]


def configuration_that_is_wrong(project: Project, database: EmbeddedPostgres) -> list[str]:
    project.edit(INITIAL, "primary_key:", "primary_keys:")
    return ["config_invalid", "unknown key 'primary_keys'", "did you mean 'primary_key'?"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "breaking", [table_dropped, column_renamed, rows_that_fail_a_check, query_that_is_wrong, user_that_is_unknown]
)
@pytest.mark.few(1)
def test_cause_and_remedy_of_a_failed_run_are_on_the_page(
    page: Tab, project: Project, database: EmbeddedPostgres, breaking: Callable[[Project, EmbeddedPostgres], list[str]]
):
    expected = breaking(project, database)
    run_now(page)
    page.page.wait_for_selector("#run .box", timeout=PATIENCE)

    told = page.page.inner_text("#run")
    assert all(text in told for text in expected), told
    assert "What to do: " in told
    assert page.page.is_enabled("#run-failed")


@pytest.mark.slow
def test_what_failed_alone_is_run_again_once_it_is_mended(page: Tab, project: Project, database: EmbeddedPostgres):
    rows_that_fail_a_check(project, database)
    run_now(page)
    database.psql("UPDATE shop.customers SET name = 'mended' WHERE customer_id = 7")
    page.page.click("#run-failed:enabled", timeout=PATIENCE)
    assert "orders_clean" in page.page.inner_text("#dialog")
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector("#run .facts:has-text('only orders_clean, revenue')", timeout=PATIENCE)


@pytest.mark.slow
def test_a_configuration_that_cannot_be_read_is_told_in_place_of_old_data(
    browser, page: Tab, project: Project, database: EmbeddedPostgres
):
    expected = configuration_that_is_wrong(project, database)
    with tab(browser) as other:
        other.page.goto(
            f"{page.page.url.partition('#')[0]}#code={project.hub.with_name('hub.db.key').read_text().strip()}"
        )
        other.page.wait_for_selector("#problems .box")
        assert all(text in other.page.inner_text("#problems") for text in expected)
    project.edit(INITIAL, "primary_keys:", "primary_key:")
    page.complaints.clear()  # the page that was open may have asked while the file was broken


@pytest.mark.slow
def test_a_lake_that_is_gone_is_told_with_its_place_and_what_to_do(browser, page: Tab, project: Project):
    run_now(page)
    page.page.wait_for_selector("#run-title .is-succeeded", timeout=PATIENCE)
    bronze = project.folder / "lake" / "bronze"
    bronze.rename(project.folder / "elsewhere")
    bronze.write_text("a file where the folder was")
    with tab(browser) as other:
        other.page.goto(
            f"{page.page.url.partition('#')[0]}#code={project.hub.with_name('hub.db.key').read_text().strip()}"
        )
        other.page.wait_for_selector("#run .box")
        told = other.page.inner_text("main")
    assert "lake_unavailable" in told and "lake/bronze" in told and "What to do: " in told
    page.complaints.clear()  # the page that was open may have asked while the lake was gone
