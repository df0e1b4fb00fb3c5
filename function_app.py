"""The front door: the one DFApp. Timer, HTTP start and status; everything else lies behind it.

Schedule: app setting COMBOI_TIMER_SCHEDULE (NCRONTAB, six fields). Configuration: COMBOI_CONFIG.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

from activities.erasing import bp as erasing_activities
from activities.work import bp as activities
from comboi_core.app.workspace import open_workspace
from comboi_core.domain.errors import ComboiError, InternalError, RunRefused
from comboi_core.telemetry.redaction import redactor
from comboi_core.web import cancel, erasing, maintenance, monitoring, openapi, paging, reports, starting
from comboi_core.web.answers import Answer, MethodNotAllowed, RouteNotFound, problem
from comboi_core.web.overview import overview
from comboi_core.web.page.page import page
from entities.hub import DurableHub
from entities.memory import bp as entities
from orchestrators.build import bp as build
from orchestrators.erase import bp as erase
from orchestrators.load import bp as load
from orchestrators.run import bp as run

os.environ.setdefault("COMBOI_CONFIG", str(Path(__file__).parent / "configs" / "initial.yml"))

log = logging.getLogger("comboi")

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (activities, erasing_activities, entities, run, load, build, erase):
    app.register_functions(blueprint)


async def _respond(work: Callable[[], Awaitable[Answer]]) -> func.HttpResponse:
    """Turn an answer, or the error in its place, into a response."""
    try:
        answer = await work()
    except ComboiError as error:
        answer = problem(error)
    except Exception as error:
        log.error("unforeseen error: %s", redactor.text(traceback.format_exc()))
        answer = problem(InternalError(f"{type(error).__name__}: {error}"))
    return func.HttpResponse(
        answer.text, status_code=answer.status, headers=answer.headers, mimetype=answer.content_type
    )


def _path(req: func.HttpRequest) -> str:
    return req.url.split("?")[0].rstrip("/")


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


@app.route(route="runs", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/runs"""

    async def work() -> Answer:
        request, key = starting.parse_request(req.get_body()), starting.parse_key(req.headers.get("idempotency-key"))
        run = await starting.start_run(DurableHub(client), open_workspace(), request, _caller(req), key)
        links = client.create_http_management_payload(run.run_id)
        headers = {"Location": f"{_path(req)}/{run.run_id}"} | ({"Idempotent-Replayed": "true"} if run.replayed else {})
        return Answer(202, {"run_id": run.run_id, **links}, headers)

    return await _respond(work)


@app.route(route="runs", methods=["GET"])
@app.durable_client_input(client_name="client")
async def list_runs(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/runs?limit=&status=&from=&to=&table=&cursor="""

    async def work() -> Answer:
        workspace = open_workspace()
        wanted = paging.parse_filter(workspace, dict(req.params))
        return Answer(200, await paging.list_runs(DurableHub(client), workspace, wanted))

    return await _respond(work)


@app.route(route="runs/{run_id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/runs/{run_id}"""

    async def work() -> Answer:
        return Answer(200, await monitoring.get_run(DurableHub(client), open_workspace(), req.route_params["run_id"]))

    return await _respond(work)


@app.route(route="runs/{run_id}/cancel", methods=["POST"])
@app.durable_client_input(client_name="client")
async def cancel_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/runs/{run_id}/cancel"""

    async def work() -> Answer:
        run_id = req.route_params["run_id"]
        body = await cancel.cancel_run(DurableHub(client), open_workspace(), run_id, _caller(req))
        return Answer(202, body, {"Location": _path(req).removesuffix("/cancel")})

    return await _respond(work)


@app.route(route="tables", methods=["GET"])
@app.durable_client_input(client_name="client")
async def list_tables(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/tables"""

    async def work() -> Answer:
        return Answer(200, await monitoring.list_tables(DurableHub(client), open_workspace()))

    return await _respond(work)


@app.route(route="tables/{name}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_table(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/tables/{source}.{table}"""

    async def work() -> Answer:
        return Answer(200, await monitoring.get_table(DurableHub(client), open_workspace(), req.route_params["name"]))

    return await _respond(work)


@app.route(route="datasets/{name}/report", methods=["GET"])
async def get_report(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/datasets/{name}/report"""

    async def work() -> Answer:
        return await reports.match_quality(open_workspace(), req.route_params["name"])

    return await _respond(work)


@app.route(route="plan", methods=["POST"])
@app.durable_client_input(client_name="client")
async def plan_run_ahead(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/plan"""

    async def work() -> Answer:
        request = starting.parse_request(req.get_body())
        return Answer(200, await maintenance.plan(DurableHub(client), open_workspace(), request))

    return await _respond(work)


@app.route(route="tables/{name}/reset", methods=["POST"])
@app.durable_client_input(client_name="client")
async def reset_table(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/tables/{source}.{table}/reset"""

    async def work() -> Answer:
        name = req.route_params["name"]
        return Answer(200, await maintenance.reset_table(DurableHub(client), open_workspace(), name, _caller(req)))

    return await _respond(work)


@app.route(route="checkpoints/rebuild", methods=["POST"])
@app.durable_client_input(client_name="client")
async def rebuild_checkpoints(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/checkpoints/rebuild"""

    async def work() -> Answer:
        return Answer(200, await maintenance.rebuild(DurableHub(client), open_workspace(), _caller(req)))

    return await _respond(work)


@app.route(route="erasures", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_erasure(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """POST /api/erasures"""

    async def work() -> Answer:
        request = erasing.parse_erasure(req.get_body())
        run_id = await erasing.start_erasure(DurableHub(client), open_workspace(), request, _caller(req))
        links = client.create_http_management_payload(run_id)
        runs = req.url.split("?")[0].removesuffix("erasures") + "runs"
        return Answer(202, {"run_id": run_id, **links}, {"Location": f"{runs}/{run_id}"})

    return await _respond(work)


@app.route(route="monitor", methods=["GET"])
async def monitor(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/monitor"""
    html, headers = page()
    return func.HttpResponse(html, headers=headers, mimetype="text/html", charset="utf-8")


@app.route(route="overview", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_overview(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """GET /api/overview"""

    async def work() -> Answer:
        return Answer(200, await overview(DurableHub(client), open_workspace()))

    return await _respond(work)


@app.route(route="health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/health"""

    async def work() -> Answer:
        well, body = await monitoring.health(open_workspace())
        return Answer(200 if well else 503, body)

    return await _respond(work)


@app.route(route="openapi.json", methods=["GET"])
async def describe(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/openapi.json"""

    async def work() -> Answer:
        return Answer(200, openapi.document(_path(req).removesuffix("/openapi.json")))

    return await _respond(work)


@app.route(route="{*path}")
async def nowhere(req: func.HttpRequest) -> func.HttpResponse:
    """What no other route answers."""

    async def work() -> Answer:
        path = req.route_params.get("path", "")
        methods = openapi.methods_of(path)
        if methods:
            raise MethodNotAllowed(f"/api/{path} has no {req.method}, but {', '.join(methods)}", allow=methods)
        raise RouteNotFound(f"there is no /api/{path}")

    return await _respond(work)
