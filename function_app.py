"""The front door: the one DFApp. Timer, HTTP start and status; everything else lies behind it.

Schedule: app setting COMBOI_TIMER_SCHEDULE (NCRONTAB, six fields). Configuration: COMBOI_CONFIG.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import azure.durable_functions as df
import azure.functions as func

from activities.erasing import bp as erasing_activities
from activities.work import bp as activities
from comboi_core.app.workspace import open_workspace
from comboi_core.domain.errors import ComboiError, InternalError, RunRefused
from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.logs import guard_logs
from comboi_core.web import (
    cancel,
    erasing,
    forgetting,
    maintenance,
    monitoring,
    openapi,
    paging,
    reports,
    restarting,
    starting,
)
from comboi_core.web.addresses import own_address
from comboi_core.web.answers import (
    HTML,
    Answer,
    MethodNotAllowed,
    RouteNotFound,
    problem,
    refuse_foreign,
)
from comboi_core.web.overview import overview
from comboi_core.web.page.page import page
from entities.hub import DurableHub
from entities.memory import bp as entities
from orchestrators.build import bp as build
from orchestrators.erase import bp as erase
from orchestrators.load import bp as load
from orchestrators.run import bp as run

os.environ.setdefault("COMBOI_CONFIG", str(Path(__file__).parent / "configs" / "initial.yml"))

guard_logs()
log = logging.getLogger("comboi")

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (activities, erasing_activities, entities, run, load, build, erase):
    app.register_functions(blueprint)


async def _respond(req: func.HttpRequest, work: Callable[[], Awaitable[Answer]]) -> func.HttpResponse:
    """Turn an answer, or the error in its place, into a response."""
    try:
        refuse_foreign(req.headers)
        answer = await work()
    except ComboiError as error:
        answer = problem(error)
    except Exception as error:
        log.error("unforeseen error: %s", redactor.text(traceback.format_exc()))
        answer = problem(InternalError(f"{type(error).__name__}: {error}"))
    return func.HttpResponse(
        answer.text,
        status_code=answer.status,
        headers=answer.all_headers,
        mimetype=answer.content_type,
        charset="utf-8",
    )


def _address(req: func.HttpRequest) -> str:
    return own_address(req.url, req.headers)


def _caller(req: func.HttpRequest) -> str:
    return "cli" if req.headers.get("x-comboi-trigger") == "cli" else "http"


@app.timer_trigger(arg_name="timer", schedule="%COMBOI_TIMER_SCHEDULE%", use_monitor=True)
@app.durable_client_input(client_name="client")
async def scheduled_run(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Start a run on schedule; while another one is on, this slot is passed over."""
    request = starting.parse_request(b"")
    try:
        await starting.start_run(DurableHub(client), open_workspace(), request, "timer")
    except RunRefused as refused:
        log.warning("scheduled run skipped: %s", refused.message)
    except ComboiError as error:
        log.error("scheduled run not started: %s", redactor.text(error.message))


@app.timer_trigger(arg_name="timer", schedule=restarting.SCHEDULE, use_monitor=False)
@app.durable_client_input(client_name="client")
async def restart_run(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Look whether the host has ended a run in the middle; if so, start it again, once."""
    try:
        await restarting.restart_run(DurableHub(client), open_workspace())
    except RunRefused:  # another one was started meanwhile, and carries on
        return
    except ComboiError as error:
        log.error("cannot look after the runs: %s", redactor.text(error.message))


@app.timer_trigger(arg_name="timer", schedule=forgetting.SCHEDULE, use_monitor=False)
@app.durable_client_input(client_name="client")
async def forget_runs(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Delete from the task hub what ended long ago."""
    try:
        await forgetting.forget_runs(DurableHub(client), open_workspace())
    except ComboiError as error:
        log.error("the task hub keeps what it has: %s", redactor.text(error.message))


@app.route(route="runs", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/runs"""

    async def work() -> Answer:
        request, key = starting.parse_request(req.get_body()), starting.parse_key(req.headers.get("idempotency-key"))
        with_links = starting.parse_links(req.params)
        run = await starting.start_run(DurableHub(client), open_workspace(), request, _caller(req), key)
        links = client.create_http_management_payload(run.run_id) if with_links else {}
        headers = {"Location": f"{_address(req)}/{run.run_id}"} | (
            {"Idempotent-Replayed": "true"} if run.replayed else {}
        )
        return Answer(202, {"run_id": run.run_id, **links}, headers)

    return await _respond(req, work)


@app.route(route="runs", methods=["GET"])
@app.durable_client_input(client_name="client")
async def list_runs(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/runs?limit=&status=&from=&to=&table=&cursor="""

    async def work() -> Answer:
        workspace = open_workspace()
        wanted = paging.parse_filter(workspace, dict(req.params))
        return Answer(200, await paging.list_runs(DurableHub(client), workspace, wanted))

    return await _respond(req, work)


@app.route(route="runs/{run_id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/runs/{run_id}"""

    async def work() -> Answer:
        return Answer(200, await monitoring.get_run(DurableHub(client), open_workspace(), req.route_params["run_id"]))

    return await _respond(req, work)


@app.route(route="runs/{run_id}/cancel", methods=["POST"])
@app.durable_client_input(client_name="client")
async def cancel_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/runs/{run_id}/cancel"""

    async def work() -> Answer:
        run_id = req.route_params["run_id"]
        body = await cancel.cancel_run(DurableHub(client), open_workspace(), run_id, _caller(req))
        return Answer(202, body, {"Location": _address(req).removesuffix("/cancel")})

    return await _respond(req, work)


@app.route(route="tables", methods=["GET"])
@app.durable_client_input(client_name="client")
async def list_tables(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/tables"""

    async def work() -> Answer:
        return Answer(200, await monitoring.list_tables(DurableHub(client), open_workspace()))

    return await _respond(req, work)


@app.route(route="tables/{name}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_table(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/tables/{source}.{table}"""

    async def work() -> Answer:
        return Answer(200, await monitoring.get_table(DurableHub(client), open_workspace(), req.route_params["name"]))

    return await _respond(req, work)


@app.route(route="datasets/{name}/report", methods=["GET"])
async def get_report(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/datasets/{name}/report"""

    async def work() -> Answer:
        return await reports.match_quality(open_workspace(), req.route_params["name"])

    return await _respond(req, work)


@app.route(route="plan", methods=["POST"])
@app.durable_client_input(client_name="client")
async def plan_run_ahead(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/plan"""

    async def work() -> Answer:
        request = starting.parse_request(req.get_body())
        return Answer(200, await maintenance.plan(DurableHub(client), open_workspace(), request))

    return await _respond(req, work)


@app.route(route="tables/{name}/reset", methods=["POST"])
@app.durable_client_input(client_name="client")
async def reset_table(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/tables/{source}.{table}/reset"""

    async def work() -> Answer:
        name = req.route_params["name"]
        return Answer(200, await maintenance.reset_table(DurableHub(client), open_workspace(), name, _caller(req)))

    return await _respond(req, work)


@app.route(route="checkpoints/rebuild", methods=["POST"])
@app.durable_client_input(client_name="client")
async def rebuild_checkpoints(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/checkpoints/rebuild"""

    async def work() -> Answer:
        return Answer(200, await maintenance.rebuild(DurableHub(client), open_workspace(), _caller(req)))

    return await _respond(req, work)


@app.route(route="erasures", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_erasure(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/erasures"""

    async def work() -> Answer:
        request, with_links = erasing.parse_erasure(req.get_body()), starting.parse_links(req.params)
        run_id = await erasing.start_erasure(DurableHub(client), open_workspace(), request, _caller(req))
        links = client.create_http_management_payload(run_id) if with_links else {}
        api = _address(req).removesuffix("/erasures")
        return Answer(202, {"run_id": run_id, **links}, {"Location": f"{api}/runs/{run_id}"})

    return await _respond(req, work)


# Without a key: the page holds no data. It asks for them with the key, which it has from the part of its address that
# no browser sends, or from whoever types it.
@app.route(route="monitor", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def monitor(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/monitor"""

    async def work() -> Answer:
        html, headers = page()
        return Answer(200, html, headers, content_type=HTML)

    return await _respond(req, work)


@app.route(route="overview", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_overview(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/overview"""

    async def work() -> Answer:
        return Answer(200, await overview(DurableHub(client), open_workspace()))

    return await _respond(req, work)


@app.route(route="health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/health"""

    async def work() -> Answer:
        well, body = await monitoring.health(open_workspace())
        return Answer(200 if well else 503, body)

    return await _respond(req, work)


@app.route(route="openapi.json", methods=["GET"])
async def describe(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/openapi.json"""

    async def work() -> Answer:
        return Answer(200, openapi.document(_address(req).removesuffix("/openapi.json")))

    return await _respond(req, work)


@app.route(route="{*path}")
async def unknown_route(req: func.HttpRequest) -> func.HttpResponse:
    """What no other route answers. Its name sorts last: the Functions host tries routes in the order of names."""

    async def work() -> Answer:
        path = urlsplit(req.url).path
        methods = openapi.methods_of(req.route_params.get("path", ""))
        if methods and req.method not in methods:
            raise MethodNotAllowed(f"{path} has no {req.method}, but {', '.join(methods)}", allow=methods)
        raise RouteNotFound(f"there is no {path}")

    return await _respond(req, work)
