"""The app that `benchmarks/host.py` measures: activities that do nothing, and "tables" as an ELT run has them."""

from __future__ import annotations

import azure.durable_functions as df

app = df.DFApp()


@app.activity_trigger(input_name="x")
def nothing(x):
    return x


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext):
    """`input` activities at once."""
    results = yield context.task_all([context.call_activity(nothing, i) for i in range(context.get_input())])
    return len(results)


@app.orchestration_trigger(context_name="context")
def chain(context):
    """`input` activities one after the other."""
    value = 0
    for _ in range(context.get_input()):
        value = yield context.call_activity(nothing, value + 1)
    return value


@app.orchestration_trigger(context_name="context")
def table(context):
    """Three activities and an entity call, as one table of a run."""
    value = context.get_input()
    for _ in range(3):
        value = yield context.call_activity(nothing, value)
    yield context.call_entity(df.EntityId("checkpoint", str(value)), "set", {"v": value})
    return value


@app.orchestration_trigger(context_name="context")
def tables(context):
    """`input` tables at once."""
    results = yield context.task_all([context.call_sub_orchestrator(table, i) for i in range(context.get_input())])
    return len(results)


@app.entity_trigger(context_name="context")
def checkpoint(context: df.DurableEntityContext):
    context.set_state(context.get_input())
    context.set_result(context.get_input())
