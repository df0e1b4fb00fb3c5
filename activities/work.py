"""The activities. Each may run twice, at once or in part, with the same outcome; errors come back as data."""

from __future__ import annotations

import azure.durable_functions as df

from comboi_core.app.answers import answer
from comboi_core.building import datasets
from comboi_core.landing import landing as bronze
from comboi_core.runs import notifying, planning, record

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def plan_run(payload: dict):
    """Freeze the plan of a run."""
    return answer(planning.plan_run, payload)


@bp.activity_trigger(input_name="payload")
def list_items(payload: dict):
    """Return a page of a lane's items."""
    return answer(planning.list_items, payload)


@bp.activity_trigger(input_name="payload")
def land_tables(payload: dict):
    """Land tables up to the first that has changed, or plan it."""
    return answer(bronze.land_tables, payload)


@bp.activity_trigger(input_name="payload")
def extract_chunks(payload: dict):
    """Land chunks of a load, a Parquet file each, until the soft deadline."""
    return answer(bronze.extract_chunks, payload)


@bp.activity_trigger(input_name="payload")
def keep_files(payload: dict):
    """Keep a list of extracted files in the lake."""
    return answer(bronze.keep_files, payload)


@bp.activity_trigger(input_name="payload")
def publish_load(payload: dict):
    """Write a load's manifest."""
    return answer(bronze.publish_load, payload)


@bp.activity_trigger(input_name="payload")
def fold_loads(payload: dict):
    """Fold a table's newest loads into one, where that is worth it."""
    return answer(bronze.fold_loads, payload)


@bp.activity_trigger(input_name="payload")
def build(payload: dict):
    """Build, check and publish a dataset."""
    return answer(datasets.build, payload)


@bp.activity_trigger(input_name="payload")
def record_items(payload: dict):
    """Keep the outcomes of a lane's items, and sweep the tables that were landed."""
    return answer(record.record_items, payload)


@bp.activity_trigger(input_name="payload")
def record_run(payload: dict):
    """Write the run's record."""
    return answer(record.record_run, payload)


@bp.activity_trigger(input_name="payload")
def tell_unrecorded(payload: dict):
    """Tell of a run that failed and could not be recorded."""
    return answer(notifying.tell_unrecorded, payload)
