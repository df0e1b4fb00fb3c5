"""The sample app of most tests: one orchestrator per behaviour."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

calls: Counter[str] = Counter()
seen: list[str] = []
guard = threading.Lock()
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=3)


def count(name: str) -> int:
    with guard:
        calls[name] += 1
        return calls[name]


# ---- activities


@app.activity_trigger(input_name="n")
def square(n: int) -> int:
    count("square")
    return n * n


@app.activity_trigger(input_name="n")
async def async_square(n: int) -> int:
    return n * n


@app.activity_trigger(input_name="text")
def boom(text: str):
    count("boom")
    raise ValueError(text)


@app.activity_trigger(input_name="spec")
def flaky(spec: dict):
    """Fails the first `failures` calls for its key."""
    attempt = count(f"flaky-{spec['key']}")
    if attempt <= spec["failures"]:
        raise RuntimeError(f"attempt {attempt}")
    return attempt


@app.activity_trigger(input_name="x", activity="RenamedActivity")
def original_name(x):
    return {"got": x}


@app.activity_trigger(input_name="x")
def not_json(x):
    return {1, 2}


@app.activity_trigger(input_name="x")
def quits(x):
    raise SystemExit(3)


@app.activity_trigger(input_name="size")
def big(size: int) -> str:
    return "x" * size


@app.activity_trigger(input_name="spec")
def append_line(spec: dict) -> str:
    """Leave a trace outside the host, slowly enough to be killed in the middle."""
    time.sleep(spec.get("sleep", 0))
    with open(spec["file"], "a", encoding="utf-8") as file:
        file.write(spec["line"] + "\n")
    return spec["line"]


@app.activity_trigger(input_name="spec")
def hold(spec: dict) -> str:
    """Stay until a file appears."""
    Path(spec["started"]).touch()
    while not Path(spec["release"]).exists():
        time.sleep(0.01)
    return "released"


@app.activity_trigger(input_name="x")
def with_context(x, context: func.Context) -> str:
    return context.function_name


# ---- orchestrators


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext):
    n = context.get_input()["n"]
    for _ in range(3):
        n = yield context.call_activity("square", n)
    return n


@app.orchestration_trigger(context_name="context")
def fan(context):
    tasks = [context.call_activity(square, i) for i in range(context.get_input()["n"])]
    context.set_custom_status({"phase": "waiting"})
    results = yield context.task_all(tasks)
    context.set_custom_status({"phase": "done"})
    return {"sum": sum(results)}


@app.orchestration_trigger(context_name="context")
def passes(context):
    result = yield context.call_activity(context.get_input()["activity"], context.get_input().get("input"))
    return result


@app.orchestration_trigger(context_name="context")
def catches(context):
    try:
        yield context.call_activity(context.get_input()["activity"], context.get_input().get("input"))
    except Exception as error:
        return {"type": type(error).__name__, "text": str(error)}


@app.orchestration_trigger(context_name="context")
def retries(context):
    spec = context.get_input()
    first = yield context.call_activity("square", 2)
    try:
        result = yield context.call_activity_with_retry("flaky", RETRY, spec)
    except Exception as error:
        result = str(error)
    last = yield context.call_activity("square", 3)
    return [first, result, last]


@app.orchestration_trigger(context_name="context")
def retries_in_parallel(context):
    keys = context.get_input()
    tasks = [
        context.call_activity_with_retry("flaky", RETRY, {"key": key, "failures": i % 3}) for i, key in enumerate(keys)
    ]
    results = yield context.task_all(tasks)
    return results


@app.orchestration_trigger(context_name="context")
def parent(context):
    spec = context.get_input()
    results = yield context.task_all(
        [context.call_sub_orchestrator("chain", {"n": n}) for n in spec["children"]]
        + [context.call_sub_orchestrator("chain", {"n": 2}, f"{context.instance_id}-named")]
    )
    return results


@app.orchestration_trigger(context_name="context")
def failing_parent(context):
    try:
        yield context.call_sub_orchestrator("passes", {"activity": "boom", "input": "inner"})
    except Exception as error:
        return str(error)


@app.orchestration_trigger(context_name="context")
def flaky_child(context):
    result = yield context.call_activity("flaky", context.get_input())
    return result


@app.orchestration_trigger(context_name="context")
def retries_child(context):
    result = yield context.call_sub_orchestrator_with_retry("flaky_child", RETRY, context.get_input())
    return result


@app.orchestration_trigger(context_name="context")
def sleeps(context):
    before = context.current_utc_datetime
    yield context.create_timer(before + timedelta(**context.get_input()))
    after = context.current_utc_datetime
    return (after - before).total_seconds()


@app.orchestration_trigger(context_name="context")
def race(context):
    """The loser is an hour's timer, cancelled or not."""
    timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    task = context.call_activity("square", 5)
    winner = yield context.task_any([task, timer])
    if context.get_input()["cancel"]:
        timer.cancel()
    return winner.result


@app.orchestration_trigger(context_name="context")
def any_twice(context):
    """The second task_any sends only the child that was not scheduled before."""
    left = context.wait_for_external_event("left")
    middle = context.call_activity("square", 2)
    right = context.wait_for_external_event("right")
    first = yield context.task_any([left, middle])
    second = yield context.task_any([left, right])
    last = yield context.call_activity("square", 3)
    return [first.result, second.result, last]


@app.orchestration_trigger(context_name="context")
def waits(context):
    one = yield context.wait_for_external_event("go")
    two = yield context.wait_for_external_event("go")
    return [one, two]


@app.orchestration_trigger(context_name="context")
def counts_down(context):
    spec = context.get_input()
    context.set_custom_status({"left": spec["left"]})
    squared = yield context.call_activity("square", spec["left"])
    if spec["left"]:
        context.continue_as_new({"left": spec["left"] - 1, "sum": spec["sum"] + squared})
        return None
    return spec["sum"]


@app.orchestration_trigger(context_name="context")
def drops_events(context):
    """Generation 1 leaves event 'extra' unconsumed; generation 2 waits for it."""
    if context.get_input() == 2:
        value = yield context.wait_for_external_event("extra")
        return value
    yield context.wait_for_external_event("go")
    context.continue_as_new(2)


@app.orchestration_trigger(context_name="context")
def calls_entity(context):
    entity = df.EntityId("Counter", context.get_input())
    context.signal_entity(entity, "add", 5)
    yield context.call_entity(entity, "add", 2)
    both = yield context.task_all([context.call_entity(entity, "get"), context.call_entity(entity, "add", 10)])
    return both


@app.orchestration_trigger(context_name="context")
def entity_errors(context):
    entity = df.EntityId("counter", context.get_input())
    try:
        yield context.call_entity(entity, "fail", 1)
    except Exception as error:
        text = str(error)
    value = yield context.call_entity(entity, "get")
    return [text, value]


@app.orchestration_trigger(context_name="context")
def calls_any_entity(context):
    name, key, operation, value = context.get_input()
    try:
        result = yield context.call_entity(df.EntityId(name, key), operation, value)
    except Exception as error:
        return f"error: {error}"
    return result


@app.orchestration_trigger(context_name="context")
def calls_http(context):
    response = yield context.call_http("POST", context.get_input(), {"a": 1}, {"X-Test": "yes"})
    return response


@app.orchestration_trigger(context_name="context")
def hidden_state(context):
    """Another activity in each replay."""
    yield context.call_activity(("square", "async_square")[count("hidden_state") % 2], 1)


@app.orchestration_trigger(context_name="context")
def big_status(context):
    context.set_custom_status("x" * context.get_input())
    yield context.call_activity("square", 1)


@app.orchestration_trigger(context_name="context")
def bad_output(context):
    yield context.call_activity("square", 1)
    return datetime(2026, 1, 1)


@app.orchestration_trigger(context_name="context")
def no_yield(context):
    return {"input": context.get_input(), "version": context.version, "parent": context.parent_instance_id}


@app.orchestration_trigger(context_name="context")
def guids(context):
    first = [str(context.new_guid()), context.new_uuid()]
    yield context.call_activity("square", 1)
    second = [str(context.new_guid()), context.new_uuid()]
    yield context.call_activity("square", 2)
    return first + second


@app.orchestration_trigger(context_name="context")
def missing_activity(context):
    yield context.call_activity("sqare", 1)


@app.orchestration_trigger(context_name="context")
def missing_child(context):
    yield context.call_sub_orchestrator("chian")


@app.orchestration_trigger(context_name="context")
def traced(context):
    """Leaves a line per activity, in a chain and a fan, for the kill tests."""
    spec = context.get_input()
    lines = []
    for i in range(spec["chain"]):
        lines.append((yield context.call_activity("append_line", {**spec["trace"], "line": f"chain {i}"})))
    lines += yield context.task_all(
        [context.call_activity("append_line", {**spec["trace"], "line": f"fan {i}"}) for i in range(spec["fan"])]
    )
    children = yield context.task_all([context.call_sub_orchestrator("chain", {"n": i}) for i in range(4)])
    total = 0
    for _ in range(3):
        total = yield context.call_entity(df.EntityId("counter", context.instance_id), "add", 1)
    return {"lines": lines, "children": children, "total": total}


@app.orchestration_trigger(context_name="context")
def holds(context):
    result = yield context.call_activity("hold", context.get_input())
    return result


# ---- entities


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    operation = context.operation_name
    if operation == "add":
        value += context.get_input()
        context.set_result(value)
    elif operation == "get":
        context.set_result(value)
    elif operation == "fail":
        context.set_state(value + context.get_input())
        raise ValueError("entity boom")
    elif operation == "delete":
        context.destruct_on_exit()
        return
    context.set_state(value)


@app.entity_trigger(context_name="context")
def quirky(context):
    """One operation per quirk of the SDK."""
    operation = context.operation_name
    if operation == "set":
        context.set_state(context.get_input())
        context.set_result("was set")
    elif operation == "mutate":
        context.get_state()["mutated"] = True
    elif operation == "silent":
        context.get_state()
    elif operation == "resurrect":
        context.destruct_on_exit()
        context.set_result("gone?")
    elif operation == "new?":
        context.set_result(context.is_newly_constructed)
    elif operation == "read":
        context.set_result(context.get_state())
    elif operation == "poison":
        context.set_state({1, 2})


# ---- HTTP


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client):
    body = json.loads(req.get_body() or b"null")
    instance_id = await client.start_new(req.route_params["name"], req.params.get("id"), body)
    return client.create_check_status_response(req, instance_id)


@app.route(route="client/{method}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def client_call(req: func.HttpRequest, client) -> func.HttpResponse:
    """Call any method of the durable client and show what came back."""
    arguments = req.get_json()
    if "entity" in arguments:
        arguments["entityId"] = df.EntityId(*arguments.pop("entity"))
    for name in ("created_time_from", "created_time_to"):
        if name in arguments:
            arguments[name] = datetime.fromisoformat(arguments[name])
    if "runtime_status" in arguments:
        arguments["runtime_status"] = [df.OrchestrationRuntimeStatus(text) for text in arguments["runtime_status"]]
    try:
        result = await getattr(client, req.route_params["method"])(**arguments)
    except Exception as error:
        return func.HttpResponse(json.dumps({"error": str(error)}), mimetype="application/json")
    return func.HttpResponse(json.dumps({"result": show(result)}), mimetype="application/json")


def show(value):
    if isinstance(value, list):
        return [show(item) for item in value]
    if isinstance(value, DurableOrchestrationStatus):
        return value.to_json() | {"historyEvents": getattr(value, "historyEvents", None)} if value else None
    if hasattr(value, "entity_exists"):
        return {"exists": value.entity_exists, "state": value.entity_state}
    return getattr(value, "instances_deleted", value)


@app.route(route="items/{id:int}/{part?}", methods=["GET"])
def item(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(req.route_params)), headers={"X-Item": "1"}, mimetype="application/json")


@app.route(route="items/{name}", methods=["GET"])
def item_by_name(req: func.HttpRequest) -> str:
    return f"name {req.route_params['name']}"


@app.route(route="items/special", methods=["GET"])
def a_special_item(req: func.HttpRequest) -> str:
    return "special"


@app.route(route="files/{*rest}")
def files(req: func.HttpRequest) -> str:
    return f"{req.method} {req.route_params.get('rest', '')} {req.params.get('q', '')}"


@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("http boom")


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok", status_code=201, headers={"Set-Cookie": "a=b; Path=/"})


@app.route()
def default_route(req: func.HttpRequest, context: func.Context) -> str:
    return context.function_name


# ---- for control and rewind


@app.orchestration_trigger(context_name="context")
def failing_parent_of_waiting_child(context):
    try:
        yield context.call_sub_orchestrator("waits", None, f"{context.instance_id}-child")
    except Exception as error:
        return str(error)


@app.orchestration_trigger(context_name="context")
def square_then_flaky(context):
    first = yield context.call_activity("square", 2)
    second = yield context.call_activity("flaky", context.get_input())
    return [first, second]


@app.orchestration_trigger(context_name="context")
def retry_only(context):
    result = yield context.call_activity_with_retry("flaky", RETRY, context.get_input())
    return result


@app.orchestration_trigger(context_name="context")
def parent_of_flaky(context):
    result = yield context.call_sub_orchestrator("flaky_child", context.get_input())
    return result


@app.orchestration_trigger(context_name="context")
def waits_after_square(context):
    first = yield context.call_activity("square", 3)
    value = yield context.wait_for_external_event("go")
    last = yield context.call_activity("square", 4)
    return [first, value, last]


@app.orchestration_trigger(context_name="context")
def waits_after(context):
    """Schedules one thing, then waits for the event `go`."""
    kind = context.get_input()
    if kind == "activity":
        yield context.call_activity("square", 3)
    elif kind == "child":
        yield context.call_sub_orchestrator("chain", {"n": 1}, f"{context.instance_id}-c")
    elif kind == "timer":
        yield context.create_timer(context.current_utc_datetime)
    else:
        context.signal_entity(df.EntityId("counter", "waits"), "add", 1)
    context.set_custom_status("waits")
    yield context.wait_for_external_event("go")


@app.orchestration_trigger(context_name="context")
def appends(context):
    spec = context.get_input()
    yield context.task_all([context.call_activity("append_line", {**spec, "line": str(i)}) for i in range(20)])


@app.orchestration_trigger(context_name="context")
def sums_events(context):
    """An event per generation."""
    seen = context.get_input() or []
    value = yield context.wait_for_external_event("add")
    if len(seen) == 4:
        return [*seen, value]
    context.continue_as_new([*seen, value])


@app.orchestration_trigger(context_name="context")
def calls_and_sleeps(context):
    name, key, operation, value = context.get_input()
    yield context.call_entity(df.EntityId(name, key), operation, value)
    yield context.create_timer(context.current_utc_datetime)
    yield context.call_activity("square", 3)


@app.activity_trigger(input_name="x")
def no_numbers(x) -> list:
    return [float("nan"), float("inf"), float("-inf"), "NaN", 1.5]


@app.orchestration_trigger(context_name="context")
def waits_for_nothing(context):
    return len(context.get_input())


@app.activity_trigger(input_name="x")
def shows_context(x, context: func.Context) -> list:
    trace, retry = context.trace_context, context.retry_context
    return [trace.trace_parent, trace.trace_state, dict(trace.attributes), retry.retry_count, retry.max_retry_count]
