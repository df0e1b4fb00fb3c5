"""The API's description (OpenAPI 3.1), served at /api/openapi.json; the tests check it against the answers."""

from __future__ import annotations

import re
from typing import Any

from comboi_core.config.project import STAGES
from comboi_core.domain.contracts.fields import RUN_STATES
from comboi_core.erasure.keys import MOST_KEYS
from comboi_core.web.answers import STATUS_OF_CODE
from comboi_core.web.paging import DEFAULT_LIMIT, MAX_LIMIT
from comboi_core.web.starting import MOST_KEY

Json = dict[str, Any]

VERSION = "1.0"
"""Of the API, not of the program: it grows with what a client can see."""

JSON = "application/json"
TEXT: Json = {"type": "string"}
NAME: Json = {"type": "string", "minLength": 1}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
SECONDS: Json = {"type": "number", "minimum": 0}
MOMENT: Json = {"type": "string", "format": "date-time"}

ITEM_STATES = ("pending", "queued", "running", "succeeded", "failed", "cancelled", "skipped")

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


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: Json, optional: Json | None = None, *, closed: bool = False) -> Json:
    shape: Json = {"type": "object", "properties": required | (optional or {}), "required": list(required)}
    return shape | {"additionalProperties": False} if closed else shape


def _content(schema: Json, kind: str = JSON) -> Json:
    return {"content": {kind: {"schema": schema}}}


def _answers(
    status: int, text: str, schema: Json, *problems: int, headers: Json | None = None, kind: str = JSON
) -> Json:
    """Return an operation's answers: the good one, the problems it is known for, and those that any may have."""
    found: Json = {str(status): {"description": text, **_content(schema, kind)}}
    if headers:
        found[str(status)]["headers"] = headers
    for code in sorted({*problems, 500, 503}):
        problem = _content(_ref("Problem"), "application/problem+json")
        found.setdefault(str(code), {"description": TITLES[code], **problem})
    return found | {"401": {"description": TITLES[401]}, "403": {"description": TITLES[403]}}


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
            "requestBody": _body("RunRequest", required=False),
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
            "responses": _answers(200, "Its record.", _ref("Run"), 404),
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
            "responses": _answers(200, "The table.", _ref("Table"), 404),
        },
    },
    "/tables/{name}/reset": {
        "post": {
            "operationId": "resetTable",
            "summary": "Let the next load of a table read it anew, whole. Readers see what they see until then.",
            "parameters": [NAMED_TABLE],
            "responses": _answers(200, "The table.", _ref("Table"), 404),
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
            "requestBody": _body("RunRequest", required=False),
            "responses": _answers(200, "The plan.", _ref("Plan"), 400, 413),
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
            "requestBody": _body("ErasureRequest", required=True),
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
            "responses": _answers(200, "The overview.", {"type": "object"}),
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

RANGE = _object({"from": NAME, "to": NAME}, closed=True)
TIMES: Json = {"queued_at": MOMENT, "started_at": MOMENT, "finished_at": MOMENT, "seconds": SECONDS}
RETRIED = _list(_object({"code": TEXT, "message": TEXT}, {"activity": TEXT, "started_at": MOMENT, "failed_at": MOMENT}))
RUN_FIELDS: Json = {"run_id": TEXT, "status": {"type": "string", "enum": [*RUN_STATES, "unfinished", "unreadable"]}}
TABLE_FIELDS: Json = {
    "source": TEXT,
    "table": TEXT,
    "sequence": COUNT,
    "watermark": _or_null(TEXT),
    "manifest": _or_null(TEXT),
    "reload": FLAG,
    "loads": _list(_ref("Load")),
    "audit": _list({"type": "object"}),
}

SCHEMAS: Json = {
    "Problem": _object(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer", "enum": sorted({*STATUS_OF_CODE.values(), 500})}}
        | {"detail": TEXT, "code": TEXT, "remedy": TEXT, "transient": FLAG},
        {"holder": _ref("Holder")},
    ),
    "Error": _object({"code": TEXT, "message": TEXT, "remedy": TEXT, "transient": FLAG}),
    "Shortfall": _object({"code": TEXT, "message": TEXT, "remedy": TEXT, "rows": _or_null(COUNT)}),
    "Cancellation": _object({"at": MOMENT, "by": TEXT}),
    "Holder": _object({"run_id": TEXT, "since": MOMENT}, {"cancelled": _ref("Cancellation")}),
    "RunRequest": _object(
        {},
        {"stage": _or_null({"type": "string", "enum": list(STAGES)}), "select": _or_null(_list(TEXT))}
        | {"full_refresh": _or_null(FLAG), "backfill": _or_null(RANGE), "interval": _or_null(RANGE)},
        closed=True,
    ),
    "RunStarted": _object({"run_id": TEXT}, {"statusQueryGetUri": TEXT}),
    "Cancelling": _object(
        {"run_id": TEXT, "status": {"type": "string", "enum": ["cancelling"]}, "cancelled": _ref("Cancellation")}
    ),
    "RunSummary": _object(
        RUN_FIELDS,
        {"trigger": _or_null(TEXT), "stage": _or_null(TEXT), "started_at": _or_null(MOMENT), "fence": _or_null(COUNT)}
        | {"finished_at": MOMENT, "seconds": SECONDS, "rows": COUNT, "counts": {"type": "object"}, "shortfalls": COUNT}
        | {"error": _ref("Error"), "unrecorded": FLAG, "path": TEXT},
    ),
    "RunPage": _object(
        {"pipeline": TEXT, "runs": _list(_ref("RunSummary")), "next": _or_null(TEXT)},
        {"problems": _list(_ref("Error"))},
    ),
    "Progress": _object(
        {},
        {"phase": TEXT, "since": MOMENT, "attempt": COUNT, "error": {"type": "object"}, "sequence": COUNT}
        | {"chunks": COUNT, "chunks_done": COUNT, "rows": COUNT, "estimated_rows": _or_null(COUNT)},
    ),
    "RunTable": _object(
        {"source": TEXT, "table": TEXT, "status": {"type": "string", "enum": list(ITEM_STATES)}},
        TIMES
        | {"mode": TEXT, "sequence": COUNT, "rows": COUNT, "bytes": COUNT, "files": COUNT, "attempts": COUNT}
        | {"watermark": _or_null(TEXT), "window": _or_null({"type": "object"}), "retried": RETRIED}
        | {"schema_changes": _list(TEXT), "warnings": _list(TEXT), "reason": TEXT}
        | {"shortfalls": _list(_ref("Shortfall")), "progress": _ref("Progress"), "error": _ref("Error")},
    ),
    "RunDataset": _object(
        {"stage": TEXT, "name": TEXT, "status": {"type": "string", "enum": list(ITEM_STATES)}},
        TIMES
        | {"rows": _or_null(COUNT), "bytes": COUNT, "path": TEXT, "attempts": COUNT, "retried": RETRIED}
        | {"checks": _list({"type": "object"}), "shortfalls": _list(_ref("Shortfall")), "reason": TEXT}
        | {"progress": _ref("Progress"), "error": _ref("Error")},
    ),
    "Run": _object(
        RUN_FIELDS | {"tables": _list(_ref("RunTable")), "datasets": _list(_ref("RunDataset"))},
        {"pipeline": TEXT, "trigger": _or_null(TEXT), "stage": _or_null(TEXT), "phase": TEXT, "fence": _or_null(COUNT)}
        | {"started_at": _or_null(MOMENT), "finished_at": _or_null(MOMENT), "seconds": SECONDS}
        | {"lake": TEXT, "path": TEXT}
        | {"holder": _ref("Holder"), "cancelled": _or_null(_ref("Cancellation")), "error": _or_null(_ref("Error"))}
        | {"unrecorded": FLAG, "problem": _ref("Error"), "interrupted": _object({"parts": COUNT, "message": TEXT})},
    ),
    "Load": _object({"sequence": COUNT, "run_id": TEXT}, {"rows": COUNT, "bytes": COUNT, "mode": TEXT}),
    "Table": _object(TABLE_FIELDS),
    "Tables": _object({"pipeline": TEXT, "tables": _list(_ref("Table"))}),
    "Plan": _object(
        {"pipeline": TEXT, "tables": _list(_object({"source": TEXT, "table": TEXT}))}
        | {"datasets": _list(_object({"stage": TEXT, "name": TEXT, "warnings": _list(TEXT)}))}
    ),
    "Rebuilt": _object({"restored": {"type": "object", "additionalProperties": COUNT}, "reload": _list(NAME)}),
    "ErasureRequest": _object(
        {"table": NAME, "keys": {"type": "array", "minItems": 1, "maxItems": MOST_KEYS, "items": {
            "anyOf": [TEXT, {"type": "object", "minProperties": 1, "additionalProperties": TEXT}]}}},
        {"columns": _list(NAME), "by": TEXT}, closed=True,
    ),
    "Health": _object({"status": {"type": "string", "enum": ["ok", "unhealthy"]}, "reasons": _list(TEXT)}),
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
        "components": {"schemas": SCHEMAS, "securitySchemes": KEY_SCHEMES},
    }


def methods_of(path: str) -> list[str]:
    """Return the methods of a path below /api, such as `runs/x/cancel`; none for one that does not exist."""
    wanted = "/" + path.strip("/")
    for template, operations in PATHS.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template.replace(".", r"\.")), wanted, re.IGNORECASE):
            return sorted(method.upper() for method in operations)
    return []
