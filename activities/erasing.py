"""The activities of an erasure; as those of a run, each may run twice, at once or in part, with the same outcome.

Erasures are rare: what they need is loaded by the first of them, and not when every host and command starts.
"""

from __future__ import annotations

import azure.durable_functions as df

from comboi_core.app.answers import answer

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def plan_erasure(payload: dict):
    """Freeze what an erasure has to look at."""
    from comboi_core.erasure import bronze

    return answer(bronze.plan_erasure, payload)


@bp.activity_trigger(input_name="payload")
def erase_files(payload: dict):
    """Rewrite a table's files without the keys, until the soft deadline."""
    from comboi_core.erasure import bronze

    return answer(bronze.erase_files, payload)


@bp.activity_trigger(input_name="payload")
def publish_erasure(payload: dict):
    """Write the manifest that lists the rewritten files."""
    from comboi_core.erasure import bronze

    return answer(bronze.publish_erasure, payload)


@bp.activity_trigger(input_name="payload")
def sweep_erased(payload: dict):
    """Delete the table's earlier manifests, and every file that the committed one does not list."""
    from comboi_core.erasure import bronze

    return answer(bronze.sweep_erased, payload)


@bp.activity_trigger(input_name="payload")
def open_dataset(payload: dict):
    """Decide what is to be done to a dataset."""
    from comboi_core.erasure import datasets

    return answer(datasets.open_dataset, payload)


@bp.activity_trigger(input_name="payload")
def erase_dataset(payload: dict):
    """Take the rows with a key out of a dataset's files."""
    from comboi_core.erasure import datasets

    return answer(datasets.erase_dataset, payload)


@bp.activity_trigger(input_name="payload")
def erase_records(payload: dict):
    """Take failing rows with a key out of run records, and delete working files."""
    from comboi_core.erasure import records

    return answer(records.erase_records, payload)


@bp.activity_trigger(input_name="payload")
def record_erasure(payload: dict):
    """Delete the keys and write the erasure's record."""
    from comboi_core.erasure import records

    return answer(records.record_erasure, payload)


@bp.activity_trigger(input_name="payload")
def forget_erasure(payload: dict):
    """Delete the files of an erasure that does not take place."""
    from comboi_core.erasure import keys

    return answer(keys.forget_erasure, payload)
