"""The monitor page and the API's answers that it asks for, over runs that a test makes up.

The answers come from the shipped code over a project's lake and entities as their reducers make them; only Durable
Functions itself is stood in for. The tests of whole runs use the real host.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from comboi_core.app import runfiles
from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.names import run_id
from comboi_core.runs.record import summary
from comboi_core.runs.records import record_path
from comboi_core.state import checkpoint, pipeline
from comboi_core.web import monitoring, paging, reports
from comboi_core.web.answers import Answer, problem
from comboi_core.web.overview import overview
from comboi_core.web.page.page import page

Item = dict[str, Any]


def make_project(folder: Path, tables: list[Item], datasets: list[str] = (), gold: list[str] = ()) -> Workspace:  # type: ignore[assignment]
    """Write a project over the source `shop`; each dataset reads its first table."""
    source = {"name": "shop", "type": "postgres", "connection": {"conn_str": "{{env:PAGE_TEST_SHOP}}"}}
    source["tables"] = [{"table": table["name"]} | table for table in tables]
    reads = [{"alias": "i", "source": "shop", "table": tables[0]["name"]}]
    files: dict[str, Any] = {
        "initial": {
            "pipeline": "sales",
            "sources": [source],
            "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
        },
        "transformations": {
            "silver": [{"name": name, "inputs": reads} for name in datasets],
            "gold": [{"name": name, "inputs": reads} for name in gold],
        },
    }
    (folder / "configs").mkdir(parents=True)
    (folder / "transformations").mkdir()
    for name, content in files.items():
        (folder / "configs" / f"{name}.yml").write_text(yaml.safe_dump(content))
    for name in (*datasets, *gold):
        (folder / "transformations" / f"{name}.sql").write_text("SELECT * FROM i")
    return Workspace(load(folder / "configs" / "initial.yml"))


@dataclass
class Site:
    """A hub's memory and a server of the page over it; `url` is the page's address.

    Attributes:
        posts: What was posted: path below `api/`, body, headers by their names in lower case.
        posted: What a POST is answered with; None: the newest run has started.
        key: The function key that is asked for; None: none is.
        slow: Seconds that the answer to a path takes.
        broken: An error that every question for the overview is answered with, or None.
    """

    workspace: Workspace
    entities: dict[tuple[str, str], Any] = field(default_factory=dict)
    instances: dict[str, Item] = field(default_factory=dict)
    posts: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    posted: Callable[[str, Any], Answer] | None = None
    broken: ComboiError | None = None
    key: str | None = None
    slow: dict[str, float] = field(default_factory=dict)
    url: str = ""

    # comboi_core.web.hub.Hub, as far as reading goes

    async def read(self, entity: str, key: str) -> Any:
        """See Hub."""
        return self.entities.get((entity, key))

    async def status(self, instance_id: str) -> Item | None:
        """See Hub."""
        return self.instances.get(instance_id)

    # What a test makes up

    def begin(self, at: datetime, *, trigger: str = "timer") -> str:
        """Let a run take the lease; return its id."""
        new_id = run_id("sales", at, f"{int(at.timestamp()) % 0xFFFFFF:06x}")
        request = {"run_id": new_id, "trigger": trigger, "stage": None, "started_at": at.isoformat()}
        state, answer = pipeline.begin(self.entities.get(("pipeline", "sales"), pipeline.initial()), request)
        assert answer["granted"]
        self.entities["pipeline", "sales"] = state
        empty = {"output": None, "input": request | {"pipeline": "sales"}, "createdTime": at.isoformat()}
        self.instances[new_id] = {"runtimeStatus": "Running", "customStatus": {"phase": "planning"}, **empty}
        return new_id

    def finish(self, finished: str, status: str, tables: list[Item], datasets: list[Item] = (), **extra: Any) -> None:  # type: ignore[assignment]
        """Write a run's record and let it give the lease back; items get the fields that they do not name."""
        state = self.entities["pipeline", "sales"]
        started = state["runs"][0]["started_at"]
        at = datetime.fromisoformat(started)
        items = [*tables, *datasets]
        for place, item in enumerate(items):
            begun = at + timedelta(seconds=1 + place)
            item.setdefault("status", "succeeded")
            if item["status"] in ("succeeded", "failed"):
                times = {"queued_at": at.isoformat(), "started_at": begun.isoformat()}
                item |= {"attempts": 1, "seconds": 1.5, "rows": 100 + 7 * place, **times, **item}
        record = {
            **{"run_id": finished, "pipeline": "sales", "trigger": "timer", "fence": state["fence"], "error": None},
            **{"started_at": started, "finished_at": (at + timedelta(seconds=len(items) + 3)).isoformat()},
            **{"seconds": len(items) + 3.0, "status": status, "stage": None, "select": [], "full_refresh": False},
            **{"tables": [{"source": "shop", "mode": "merge", **table} for table in tables]},
            **{"datasets": [{"stage": "silver", "checks": [], "duplicates": None, **one} for one in datasets]},
            **extra,
        }
        runfiles.write_json(self.workspace.lake("bronze"), record_path(finished), record)
        done = {"run_id": finished, "summary": summary(record)}
        self.entities["pipeline", "sales"], _ = pipeline.finish(state, done)
        self.instances[finished]["runtimeStatus"] = "Completed"

    def commit(
        self, table: str, at: datetime, *, rows: int = 5, watermark: str | None = None, mode: str = "merge"
    ) -> None:
        """Commit a load of a table."""
        state = self.entities.get(("table", f"sales.shop.{table}"), checkpoint.initial())
        number = state["sequence"] + 1
        request = {"sequence": number, "fence": 1, "run_id": "sales-20261101T060000Z-aaaaaa", "mode": mode}
        request |= {"rows": rows, "bytes": 4096, "watermark": watermark, "manifest": f"{number:08d}"}
        request |= {"committed_at": at.isoformat()}
        self.entities["table", f"sales.shop.{table}"], _ = checkpoint.commit(state, request)

    # Serving

    async def _get(self, request: web.Request) -> Answer:
        path = request.match_info["path"]
        await asyncio.sleep(self.slow.get(path, 0))
        if self.key is not None and request.headers.get("x-functions-key") != self.key:
            return Answer(401, {})
        if path == "overview":
            if self.broken:
                raise self.broken
            return Answer(200, await overview(self, self.workspace))  # type: ignore[arg-type]
        if path == "runs":
            wanted = paging.parse_filter(self.workspace, dict(request.query))
            return Answer(200, await paging.list_runs(self, self.workspace, wanted))  # type: ignore[arg-type]
        kind, _, name = path.partition("/")
        if kind == "datasets":
            return await reports.match_quality(self.workspace, name.removesuffix("/report"))
        ask = {"runs": monitoring.get_run, "tables": monitoring.get_table}[kind]
        return Answer(200, await ask(self, self.workspace, name))  # type: ignore[arg-type]

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path == "monitor":
            html, headers = page()
            return web.Response(text=html, headers=headers, content_type="text/html", charset="utf-8")
        try:
            if request.method == "POST":
                text = await request.text()
                body = json.loads(text) if text else None
                self.posts.append((path, body, {name.lower(): value for name, value in request.headers.items()}))
                newest = self.entities.get(("pipeline", "sales"), {"runs": [{}]})["runs"][0]
                answer = self.posted(path, body) if self.posted else Answer(202, {"run_id": newest["run_id"]})
            else:
                answer = await self._get(request)
        except ComboiError as error:
            answer = problem(error)
        return web.Response(
            text=answer.text, status=answer.status, headers=answer.all_headers, content_type=answer.content_type
        )

    def __enter__(self) -> Site:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(30)
        return self

    async def _serve(self) -> str:
        application = web.Application()
        application.router.add_route("*", "/api/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/monitor"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
