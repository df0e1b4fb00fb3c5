"""The two entities: `pipeline` (lease, fence, run history) and `table` (checkpoint)."""

from __future__ import annotations

import azure.durable_functions as df

from comboi_core.state import checkpoint, pipeline
from entities.reducer import run_operation

bp = df.Blueprint()


@bp.entity_trigger(context_name="context", entity_name="pipeline")
def pipeline_entity(context):
    """One per pipeline; the key is the pipeline's name."""
    run_operation(context, pipeline.initial, pipeline.OPERATIONS)


@bp.entity_trigger(context_name="context", entity_name="table")
def table_entity(context):
    """One per table; the key is `pipeline.source.table`."""
    run_operation(context, checkpoint.initial, checkpoint.OPERATIONS)
