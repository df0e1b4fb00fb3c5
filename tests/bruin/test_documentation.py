"""The page on Bruin: its example is read, runs and passes its own test; its lists are the code's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from comboi_core.bruin.header.loading import load_assets
from comboi_core.bruin.header.models import IGNORED, REFUSED, REFUSED_IN_COLUMNS, STRATEGIES
from comboi_core.bruin.header.pipelines import NOTED
from comboi_core.bruin.run.context import AssetContext
from comboi_core.bruin.run.templates import FILTERS
from comboi_core.bruin.run.unit_tests import run_unit_tests

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bruin.md").read_text(encoding="utf-8")


def test_the_example_is_an_asset_whose_unit_test_passes(tmp_path):
    (example,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "orders.sql").write_text(example)

    loaded = load_assets(tmp_path, tables=["shop.orders"], datasets={})
    (dataset,) = loaded.silver
    context = AssetContext(folder=tmp_path, run_id="r", pipeline="p", started_at=datetime(2026, 11, 23, tzinfo=UTC))
    results = run_unit_tests(dataset, loaded.silver, context)

    assert loaded.problems == ()
    assert [result.problems for result in results] == [()]


def test_every_key_filter_and_strategy_that_is_treated_specially_stands_on_the_page():
    words = {*IGNORED, *REFUSED, *REFUSED_IN_COLUMNS, *NOTED, *FILTERS, *STRATEGIES}

    assert not {word for word in words if not re.search(rf"`{re.escape(word)}`|`{re.escape(word)}[^`]*`", PAGE)}
