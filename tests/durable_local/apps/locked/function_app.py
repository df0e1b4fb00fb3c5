"""An app with functions of each level, and one whose durable client calls the host."""

from __future__ import annotations

import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
seen: list[str] = []


@app.route(route="locked", methods=["GET", "POST"])
async def locked(req: func.HttpRequest) -> func.HttpResponse:
    seen.append(req.url)
    return func.HttpResponse(f"{len(req.get_body())} bytes", headers={"X-Own": "1"})


@app.route(route="masters", auth_level=func.AuthLevel.ADMIN)
async def administer(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("admin")


@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
async def opened(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("open")


@app.route(route="start", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("echo", client_input=req.get_body().decode())
    status = await client.get_status(instance_id)
    links = client.create_http_management_payload(instance_id)
    return func.HttpResponse(json.dumps({"status": status.name, "links": links}))


@app.orchestration_trigger(context_name="context")
def echo(context: df.DurableOrchestrationContext):
    return context.get_input()
    yield  # makes it the generator that the SDK wants
