"""The API's description (OpenAPI 3.1), served at /api/openapi.json; the tests check it against the answers."""

from __future__ import annotations

import re
from typing import Any

from comboi_core.domain.contracts.fields import RUN_STATES
from comboi_core.web.paging import DEFAULT_LIMIT, MAX_LIMIT
from comboi_core.web.schemas import schemas
from comboi_core.web.starting import MOST_KEY

Json = dict[str, Any]

VERSION = "1.0"
"""Of the API, not of the program: it grows with what a client can see."""

JSON = "application/json"
TEXT: Json = {"type": "string"}
NAME: Json = {"type": "string", "minLength": 1}
TITLES = {
    400: "The request cannot be understood; `detail` names the field.",
    401: "The function key is missing or wrong (from Azure itself, without a body).",
    403: "The embedded host answers to this machine only.",
    404: "There is no such thing.",
    405: "The path has other methods; `Allow` lists them.",
    409: "It cannot be done now; `detail` says why, `holder` which run is on.",
    413: "The body is too large.",
    422: "The idempotency key belongs to another request.",
    500: "Something unforeseen.",
    503: "The configuration, the lake or the vault is not usable now.",
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: Json, kind: str = JSON) -> Json:
    return {"content": {kind: {"schema": schema}}}


def _answers(
    status: int, text: str, schema: Json, *problems: int, headers: Json | None = None, kind: str = JSON
) -> Json:
    """Return an operation's answers: the good one, the problems it is known for, and those that any may have."""
    answers: Json = {str(status): {"description": text, **_content(schema, kind)}}
    if headers:
        answers[str(status)]["headers"] = headers
    for code in sorted({*problems, 500, 503}):
        problem = _content(_ref("Problem"), "application/problem+json")
        answers.setdefault(str(code), {"description": TITLES[code], **problem})
    return answers | {"401": {"description": TITLES[401]}, "403": {"description": TITLES[403]}}


def _in_path(name: str, text: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": TEXT}


def _query(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _body(name: str, *, required: bool) -> Json:
    return {"required": required, **_content(_ref(name))}


NAMED_RUN = _in_path("run_id", "A run's id, such as sales-20261123T060000Z-7f3a91.")
NAMED_TABLE = _in_path("name", "`source.table`, or the table's name where it is unique.")
LINKS = _query(
    "links", "Whether the answer has Durable's management links, each with a key in it.", {"type": "boolean"}
)
LOCATION: Json = {"Location": {"description": "Where to look at the run.", "schema": TEXT}}
REPLAYED: Json = {
    "Idempotent-Replayed": {
        "description": "`true` where an earlier request with this key started the run.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}

PATHS: Json = {
    "/runs": {
        "get": {
            "operationId": "listRuns",
            "summary": "Runs, newest first, a page at a time.",
            "parameters": [
                _query("limit", "Runs of a page at most.",
                       {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
                _query("status", "Only runs in this state.", {"type": "string", "enum": list(RUN_STATES)}),
                _query("from", "Only runs that started at this moment or later; UTC without a zone.", TEXT),
                _query("to", "Only runs that started before this moment.", TEXT),
                _query("table", "Only runs that were to work on this table or dataset.", NAME),
                _query("cursor", "`next` of the page before.", NAME),
            ],
            "responses": _answers(200, "A page.", _ref("RunPage"), 400),
        },
        "post": {
            "operationId": "startRun",
            "summary": "Start a run. An empty body asks for everything.",
            "parameters": [
                {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {
                    "type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": "^[!-~]+$"},
                 "description": "However often a request is sent with this key, there is one run of it."},
                LINKS,
            ],
            "requestBody": _body("RunBody", required=False),
            "responses": _answers(
                202, "The run has begun.", _ref("RunStarted"), 400, 409, 413, 422, headers=LOCATION | REPLAYED
            ),
        },
    },
    "/runs/{run_id}": {
        "get": {
            "operationId": "getRun",
            "summary": "One run; while it is on, as far as it has come.",
            "parameters": [NAMED_RUN],
            "responses": _answers(200, "Its record.", _ref("RunRecord"), 404),
        },
    },
    "/runs/{run_id}/cancel": {
        "post": {
            "operationId": "cancelRun",
            "summary": "End a run before its next item; what is in flight is finished.",
            "parameters": [NAMED_RUN],
            "responses": _answers(202, "The run will end.", _ref("Cancelling"), 404, 409, headers=LOCATION),
        },
    },
    "/tables": {
        "get": {
            "operationId": "listTables",
            "summary": "Every table with its checkpoint and latest load.",
            "responses": _answers(200, "The tables.", _ref("Tables")),
        },
    },
    "/tables/{name}": {
        "get": {
            "operationId": "getTable",
            "summary": "One table's checkpoint, latest loads and audit.",
            "parameters": [NAMED_TABLE],
            "responses": _answers(200, "The table.", _ref("TableShown"), 404),
        },
    },
    "/tables/{name}/reset": {
        "post": {
            "operationId": "resetTable",
            "summary": "Let the next load of a table read it anew, whole. Readers see what they see until then.",
            "parameters": [NAMED_TABLE],
            "responses": _answers(200, "The table.", _ref("TableShown"), 404),
        },
    },
    "/datasets/{name}/report": {
        "get": {
            "operationId": "getReport",
            "summary": "The match-quality report of a dataset's latest build, for people.",
            "parameters": [_in_path("name", "The dataset's name as the configuration has it, such as silver.orders.")],
            "responses": _answers(200, "The report.", TEXT, 404, kind="text/html"),
        },
    },
    "/plan": {
        "post": {
            "operationId": "plan",
            "summary": "What a run would do; nothing is read or written.",
            "requestBody": _body("RunBody", required=False),
            "responses": _answers(200, "The plan.", _ref("Preview"), 400, 413),
        },
    },
    "/checkpoints/rebuild": {
        "post": {
            "operationId": "rebuildCheckpoints",
            "summary": "Bring task hub and lake in step after one of them was lost.",
            "responses": _answers(200, "What was restored.", _ref("Rebuilt"), 409),
        },
    },
    "/erasures": {
        "post": {
            "operationId": "startErasure",
            "summary": "Remove keys of a table from every layer.",
            "parameters": [LINKS],
            "requestBody": _body("ErasureBody", required=True),
            "responses": _answers(
                202, "The erasure has begun.", _ref("RunStarted"), 400, 404, 409, 413, headers=LOCATION
            ),
        },
    },
    "/monitor": {
        "get": {
            "operationId": "monitor",
            "summary": "The page for people. It holds no data and needs no key.",
            "security": [],
            "responses": {
                "200": {"description": "The page.", **_content(TEXT, "text/html")},
                "403": {"description": TITLES[403]},
            },
        },
    },
    "/overview": {
        "get": {
            "operationId": "overview",
            "summary": "What the page shows of runs, tables and datasets.",
            "responses": _answers(200, "The overview.", _ref("Overview")),
        },
    },
    "/health": {
        "get": {
            "operationId": "health",
            "summary": "Whether runs can start.",
            "responses": _answers(200, "They can.", _ref("Health")) | {
                "503": {"description": "They cannot; the reasons say why.", **_content(_ref("Health"))}},
        },
    },
    "/openapi.json": {
        "get": {
            "operationId": "describe",
            "summary": "This document.",
            "responses": _answers(200, "OpenAPI 3.1.", {"type": "object"}),
        },
    },
}  # fmt: skip

KEY_SCHEMES: Json = {
    "header": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "query": {"type": "apiKey", "in": "query", "name": "code"},
}


def document(server: str = "/api") -> Json:
    """Return the OpenAPI document.

    Args:
        server: The URL below which the paths are.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "comboi",
            "version": VERSION,
            "description": "Runs, tables and checkpoints of a pipeline. Errors are application/problem+json with "
            "`code`, `detail` and `remedy`. A key is needed: a function key; the embedded host's own is in a file.",
        },
        "servers": [{"url": server}],
        "security": [{"header": []}, {"query": []}],
        "paths": PATHS,
        "components": {"schemas": schemas(), "securitySchemes": KEY_SCHEMES},
    }


def methods_of(path: str) -> list[str]:
    """Return the methods of a path below /api, such as `runs/x/cancel`; none for one that does not exist."""
    wanted = "/" + path.strip("/")
    for template, operations in PATHS.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template.replace(".", r"\.")), wanted, re.IGNORECASE):
            return sorted(method.upper() for method in operations)
    return []
