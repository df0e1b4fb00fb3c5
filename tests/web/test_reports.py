"""Match-quality reports over HTTP: found by the dataset's name, and let nothing be done but reading."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json

import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import LakeUnavailable
from comboi_core.web.answers import problem
from comboi_core.web.reports import DatasetNotFound, ReportNotFound, match_quality

STYLE = "body{color:#123456}"
HTML = f"<!DOCTYPE html><html><head><style>{STYLE}</style></head><body>Jürgen &amp; 山田</body></html>"
SPLINK = {
    "link_type": "dedupe_only",
    "unique_id_column_name": "id",
    "comparisons": [{"type": "ExactMatch", "column": "name"}],
    "blocking_rules_to_generate_predictions": [["name"]],
    "threshold_match_probability": 0.9,
    "survivor": {"order_by": "id"},
    "training": {"deterministic_rules": [["name"]], "em_blocking": [["id"]]},
}


@pytest.fixture
def deduplicating(workspace: Workspace) -> Workspace:
    """The project with two deduplicated datasets, one of them in a schema of its own."""
    file = workspace.project.root / "configs" / "transformations.yml"
    inputs = [{"alias": "i", "source": "shop", "table": "orders"}]
    plain = yaml.safe_load(file.read_text())["silver"]
    more = [{"name": name, "inputs": inputs, "splink": SPLINK} for name in ("people", "silver.orders")]
    file.write_text(yaml.safe_dump({"silver": [*plain, *more]}))
    for name in ("people", "silver.orders"):
        (workspace.project.transformations_folder / f"{name}.sql").write_text("SELECT * FROM i")
    return Workspace(load(workspace.project.root / "configs" / "initial.yml"))


def asked(workspace: Workspace, name: str):
    return asyncio.run(match_quality(workspace, name))


@pytest.mark.parametrize(
    ("name", "path"), [("people", "refined/people.report.html"), ("silver.orders", "silver/orders.report.html")]
)
def test_a_report_is_served_as_it_is_with_a_policy_for_its_style_and_nothing_else(deduplicating, name, path):
    deduplicating.lake("silver").write(path, HTML.encode())

    answer = asked(deduplicating, name)

    assert (answer.status, answer.content_type, answer.text) == (200, "text/html", HTML)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["style-src"] == f"'sha256-{digest}'" and "sandbox" in policy
    assert answer.all_headers["X-Content-Type-Options"] == "nosniff"
    assert answer.all_headers["Content-Security-Policy"] == answer.headers["Content-Security-Policy"]


def test_a_report_without_a_style_may_have_none(deduplicating):
    deduplicating.lake("silver").write("refined/people.report.html", b"<p style='color:red'>x")

    assert "style-src 'none'" in asked(deduplicating, "people").headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["peopel", "orders", "", "../people", "people.report", "\x00", "\ud800"])
def test_what_is_no_dataset_is_not_looked_up(deduplicating, name):
    with pytest.raises(DatasetNotFound) as caught:
        asked(deduplicating, name)
    assert problem(caught.value).status == 404 and problem(caught.value).text.encode()


def test_a_misspelt_dataset_is_answered_with_the_right_one(deduplicating):
    with pytest.raises(DatasetNotFound, match="did you mean 'people'"):
        asked(deduplicating, "peopel")


def test_a_dataset_that_was_not_built_yet_says_where_its_report_will_be(deduplicating):
    with pytest.raises(ReportNotFound, match="silver/orders.report.html is not in the silver lake") as caught:
        asked(deduplicating, "silver.orders")
    told = json.loads(problem(caught.value).text)
    assert (told["status"], told["code"]) == (404, "report_not_found") and "Build the dataset" in told["remedy"]


def test_a_dataset_that_is_not_deduplicated_says_so(deduplicating):
    with pytest.raises(ReportNotFound, match="a is not deduplicated") as caught:
        asked(deduplicating, "a")
    assert "splink" in caught.value.remedy


def test_a_lake_that_is_down_is_no_missing_report(deduplicating):
    folder = deduplicating.project.root / "lake"
    folder.mkdir()
    (folder / "silver").write_text("a file where the folder was")

    with pytest.raises(LakeUnavailable):
        asked(deduplicating, "people")
