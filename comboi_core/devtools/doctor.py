"""`comboi doctor`: tries everything that a run needs, and says how to fix each problem."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.app.loader import load
from comboi_core.app.logs import VARIABLE
from comboi_core.app.workspace import Workspace
from comboi_core.building.validation.project import project_problems
from comboi_core.config.monitoring import is_webhook
from comboi_core.config.project import STAGES, Stage
from comboi_core.config.references import find
from comboi_core.config.source_registry import source_type
from comboi_core.config.source_type import Server
from comboi_core.config.tables import SourceBase
from comboi_core.devtools.doctor_machine import Finding, disk, finding, function_app, packages
from comboi_core.domain.errors import ComboiError, LakeUnavailable, SourceAuthFailed, SourceUnreachable
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.domain.sql import literal
from comboi_core.duckdb.rows import one_row
from comboi_core.secrets.stores import vault_address

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SKEW_SECONDS = 60.0
"""The largest allowed difference between this machine's clock and a database's."""
_NO_LOGIN = (SourceUnreachable, SourceAuthFailed)


def diagnose(config: Path | None = None) -> Iterator[Finding]:
    """Try everything and yield each result. Never raises.

    Args:
        config: The pipeline's file. Default: COMBOI_CONFIG, else configs/initial.yml.
    """
    yield from _guarded("versions", packages)
    workspace: Workspace | None = None
    try:
        workspace = Workspace(load(config))
    except ComboiError as error:
        for line in error.message.split("\n"):
            yield finding("configuration", False, line, error.remedy)
    if workspace is None:
        return
    for name, check in CHECKS:
        yield from _guarded(name, partial(check, workspace))
    yield from _guarded("function app", lambda: function_app(config))


def configuration(workspace: Workspace) -> Iterator[Finding]:
    """Yield the problems that `comboi validate` finds."""
    problems = project_problems(workspace.project)
    for problem in problems:
        remedy = "Correct it, then run `comboi validate` again."
        yield finding("configuration", False, problem, remedy)
    if not problems:
        tables = len(workspace.project.tables)
        summary = (
            f"pipeline {workspace.project.pipeline}: {tables} tables, {len(workspace.project.datasets())} datasets"
        )
        yield finding("configuration", True, summary)


def vault(workspace: Workspace) -> Iterator[Finding]:
    """Read every secret that the configuration refers to."""
    file = workspace.project.pipeline_file
    references = [item for item in dict.fromkeys(find(file.model_dump())) if item.store == "keyvault"]
    if not references:
        yield finding("vault", True, "the configuration uses no secret of a vault")
        return
    failed = 0
    for reference in references:
        try:
            workspace.resolved(str(reference))
        except ComboiError as error:
            failed += 1
            yield finding("vault", False, error.message, error.remedy)
    if file.key_vault is not None and not failed:
        yield finding("vault", True, f"{len(references)} secrets can be read from {vault_address(file.key_vault)}")


def sources(workspace: Workspace) -> Iterator[Finding]:
    """Sign in to every source, check its version and clock, and read one row of every table."""
    for source in workspace.project.pipeline_file.sources:
        name = f"source {source.name}"
        with workspace.borrowed_duckdb(source.name) as con:
            try:
                probe = source_type(source.type).probe
                if probe is not None:
                    yield from _server(probe(con, workspace.connection(source.name), name), name)
                yield from _feed(workspace, con, source)
                read, failures, remarks = _tables(workspace, con, source)
            except ComboiError as error:
                yield finding(name, False, error.message, error.remedy)
                continue
        yield from (finding(name, False, error.message, error.remedy) for error in failures)
        yield from (finding(name, True, remark) for remark in remarks)
        if read:
            yield finding(name, True, f"{read} of {len(source.tables)} tables can be read")


def _feed(workspace: Workspace, con: DuckDBPyConnection, source: SourceBase) -> Iterator[Finding]:
    """Tell how the change feed of a source stands, where tables follow it."""
    feed = source_type(source.type).feed
    if feed is None or not any(table.follows_feed for table in source.tables):
        return
    name = f"change feed of {source.name}"
    status = feed.status(con, source, workspace.connection(source.name))
    yield from (finding(name, False, message, remedy) for message, remedy in status.problems)
    if status.since:
        yield finding(name, True, status.told)


def _tables(
    workspace: Workspace, con: DuckDBPyConnection, source: SourceBase
) -> tuple[int, list[ComboiError], list[str]]:
    """Return how many tables can be read, the errors of the others, and the warnings of a first load."""
    read, failures, remarks = 0, [], []
    for table in source.tables:
        try:
            load = _read_a_row(workspace, con, source.name, table.name)
            remarks += [f"{table.name}: {warning}" for warning in load.warnings]
            remarks += [f"{table.name}: {shortfall.message}. {shortfall.remedy}" for shortfall in load.shortfalls]
            read += 1
        except _NO_LOGIN:
            raise  # it would be the same for the other tables
        except ComboiError as error:
            failures.append(error)
    return read, failures, remarks


def _read_a_row(workspace: Workspace, con: DuckDBPyConnection, source: str, table: str) -> LoadPlan:
    """Read one row as a first load would, because only that shows whether the role may read."""
    with workspace.source(con, source, table) as opened:
        load = opened.plan(Checkpoint(), full_refresh=False)
        if not load.chunks:
            return load
        select = opened.select(load, load.chunks[0])
        try:
            con.execute(f"SELECT * FROM ({select}) LIMIT 1").fetchall()
            return load
        except Exception as error:
            failed = opened.translate(error)
        raise failed  # outside of the handler, because the original error may contain a secret


def _server(server: Server, name: str) -> Iterator[Finding]:
    """Tell a server's clock, its version, and what the login may not do."""
    start, end = server.asked
    apart = max(start - server.now, server.now - end, 0.0)
    remedy = "Synchronise the clock of this machine, or of the database server, with NTP."
    well = apart <= SKEW_SECONDS
    yield finding(
        name, well, f"the clocks of this machine and the server differ by {apart:.1f} s", "" if well else remedy
    )
    yield finding(name, not server.too_old, server.product, server.too_old)
    yield from (finding(name, True, remark) for remark in server.remarks)


def lakes(workspace: Workspace) -> Iterator[Finding]:
    """Write, read (also with DuckDB) and delete a file in the lake of every stage."""
    for stage in STAGES:
        try:
            where = _probe(workspace, stage)
        except ComboiError as error:
            yield finding(f"lake {stage}", False, error.message, error.remedy)
        else:
            yield finding(f"lake {stage}", True, f"{where}: a file can be written, read and deleted")


def _probe(workspace: Workspace, stage: Stage) -> str:
    lake = workspace.lake(stage)
    path = f"_doctor/{secrets.token_hex(8)}.parquet"
    with workspace.duckdb() as con:
        lake.attach(con)
        try:
            with lake.stage(path) as staged:
                con.execute(f"COPY (SELECT 42 AS answer) TO {literal(str(staged))} (FORMAT parquet)")
            (answer,) = one_row(con, f"SELECT answer FROM read_parquet({literal(lake.uri(path))})")
            if answer != 42 or path not in lake.list("_doctor") or not lake.read(path).startswith(b"PAR1"):
                raise LakeUnavailable(f"{path} in {lake.describe()} does not have the content that was written")
        finally:
            lake.delete([path])
    return lake.describe()


def telemetry(workspace: Workspace) -> Iterator[Finding]:
    """Send a message to Application Insights, if it is configured."""
    from comboi_core.telemetry.identity import VARIABLE as AUTHENTICATION
    from comboi_core.telemetry.insights import open_transport
    from comboi_core.telemetry.signals import Signal

    configured = workspace.project.pipeline_file.monitoring.azure_connection_string
    if configured is None and not os.environ.get(VARIABLE):
        yield finding("telemetry", True, "off, because no connection string is configured")
        return
    try:
        given = str(workspace.resolved(configured, secret=True)) if configured else os.environ[VARIABLE]
        transport = open_transport(given)
    except ComboiError as error:
        yield finding("telemetry", False, error.message, error.remedy)
        return
    except ValueError as unusable:
        remedy = "Copy the connection string again from the portal (overview page of the resource)."
        if AUTHENTICATION in str(unusable):
            remedy = f"Correct {AUTHENTICATION}, or remove it to sign in with the connection string's key."
        yield finding("telemetry", False, str(unusable), remedy)
        return
    outcome = transport.post([Signal("message", datetime.now(UTC).isoformat(), "comboi doctor was here", code=1)])
    remedies = {
        "sent": "",
        "retry": "Check that this machine can reach the connection string's IngestionEndpoint over the network.",
        "refused": (
            "The endpoint refused it: check the connection string's key and endpoint, and the resource's daily cap."
        ),
    }
    remedies |= {outcome: transport.trouble} if transport.trouble else {}
    yield finding("telemetry", outcome == "sent", f"a test message was posted: {outcome}", remedies[outcome])


def webhooks(workspace: Workspace) -> Iterator[Finding]:
    """Check the webhooks of alerts. They are not called, because that would send messages to people."""
    for number, notification in enumerate(workspace.project.pipeline_file.notifications, start=1):
        name = f"webhook {number}"
        try:
            url = str(workspace.resolved(notification.webhook, secret=True))
        except ComboiError as error:
            yield finding(name, False, error.message, error.remedy)
            continue
        well = is_webhook(url)
        summary = (
            f"{notification.format}, on {', '.join(notification.on)}" if well else "the value is not an https:// URL"
        )
        yield finding(name, well, summary, "" if well else "Copy the URL from Teams or Slack, and store it again.")


CHECKS: tuple[tuple[str, Callable[[Workspace], Iterator[Finding]]], ...] = (
    ("configuration", configuration),
    ("vault", vault),
    ("sources", sources),
    ("lakes", lakes),
    ("disk", disk),
    ("telemetry", telemetry),
    ("webhooks", webhooks),
)
"""What is tried after the configuration was read, in this order."""


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings. An unexpected error becomes a finding too."""
    try:
        yield from check()
    except ComboiError as error:
        yield finding(name, False, error.message, error.remedy)
    except Exception as unexpected:
        text = f"{type(unexpected).__name__}: {str(unexpected).splitlines()[0] if str(unexpected) else ''}"
        yield finding(name, False, text, "This is an unexpected error; please report it.")
