"""The activities of an erasure; as those of a run, each may run twice, at once or in part, with the same outcome."""

from __future__ import annotations

import azure.durable_functions as df

from comboi_core.app.answers import answer
from comboi_core.erasure import bronze as erasure
from comboi_core.erasure import datasets as erasure_datasets
from comboi_core.erasure import keys as erasure_keys
from comboi_core.erasure import records as erasure_records

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def plan_erasure(payload: dict):
    """Freeze what an erasure has to look at."""
    return answer(erasure.plan_erasure, payload)


@bp.activity_trigger(input_name="payload")
def erase_files(payload: dict):
    """Rewrite a table's files without the keys, until the soft deadline."""
    return answer(erasure.erase_files, payload)


@bp.activity_trigger(input_name="payload")
def publish_erasure(payload: dict):
    """Write the manifest that lists the rewritten files."""
    return answer(erasure.publish_erasure, payload)


@bp.activity_trigger(input_name="payload")
def sweep_erased(payload: dict):
    """Delete the table's earlier manifests, and every file that the committed one does not list."""
    return answer(erasure.sweep_erased, payload)


@bp.activity_trigger(input_name="payload")
def open_dataset(payload: dict):
    """Decide what is to be done to a dataset."""
    return answer(erasure_datasets.open_dataset, payload)


@bp.activity_trigger(input_name="payload")
def erase_dataset(payload: dict):
    """Take the rows with a key out of a dataset's files."""
    return answer(erasure_datasets.erase_dataset, payload)


@bp.activity_trigger(input_name="payload")
def erase_records(payload: dict):
    """Take failing rows with a key out of run records, and delete working files."""
    return answer(erasure_records.erase_records, payload)


@bp.activity_trigger(input_name="payload")
def record_erasure(payload: dict):
    """Delete the keys and write the erasure's record."""
    return answer(erasure_records.record_erasure, payload)


@bp.activity_trigger(input_name="payload")
def forget_erasure(payload: dict):
    """Delete the files of an erasure that does not take place."""
    return answer(erasure_keys.forget_erasure, payload)
