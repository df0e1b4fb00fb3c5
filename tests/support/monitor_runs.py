"""Runs as the monitor page may have to show them, and what tests of the page do again and again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from comboi_core.runs.planning import plan_run
from tests.support.browser import Tab, chromium, tab
from tests.support.monitor_site import Site, make_project

ERROR = {
    "code": "source_unreachable",
    "message": 'shop.items: connection to "db.example.com" failed',
    "remedy": "Check that the server runs.",
    "transient": True,
}
MARKUP = "<img src=x onerror=alert(1)>\u202egnp.\"'`&amp;</script><b>"


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
        assert not one.complaints, one.complaints
        assert {urlsplit(url).netloc for url in one.requests if not url.startswith("data:")} == {
            urlsplit(site.url).netloc
        }


def ago(**units: float) -> datetime:
    """Return an instant of the past."""
    return datetime.now(UTC) - timedelta(**units)


def good(site: Site, at: datetime) -> str:
    """Let a run succeed; return its id."""
    run_id = site.begin(at)
    site.finish(
        run_id, "succeeded", [{"table": name} for name in ("orders", "items", "kinds")], [{"name": "orders_clean"}]
    )
    return run_id


def short(site: Site, at: datetime) -> str:
    """Let a run succeed although readers do not see all of a table; return its id."""
    run_id = site.begin(at)
    shortfall = {"code": "future_cursor", "message": f"3 rows wait: {MARKUP}", "remedy": "Mend the clock.", "rows": 3}
    tables = [{"table": "orders", "shortfalls": [shortfall]}, {"table": "items"}]
    site.finish(run_id, "succeeded", tables, shortfalls=1)
    return run_id


def failed(site: Site, at: datetime) -> str:
    """Let a run fail in a table, at its second attempt, and in a check of a dataset; return its id."""
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
    """Let a run extract its first table; return its id."""
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
    """Open the page and wait until it shows the tables."""
    opened.page.goto(site.url + fragment)
    opened.page.wait_for_selector("#table > *", timeout=30_000)


def text(opened: Tab, selector: str) -> str:
    """Return what is to be read in a part of the page."""
    return opened.page.inner_text(selector)


def dialog(opened: Tab, button: str) -> None:
    """Press a button and wait for its dialog."""
    opened.page.click(button)
    opened.page.wait_for_selector("dialog[open]")


def confirm(opened: Tab) -> None:
    """Confirm the dialog; it has to close."""
    opened.page.click("dialog[open] button[type=submit]")
    opened.page.wait_for_selector("#dialog", state="hidden")
