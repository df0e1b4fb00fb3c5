"""`comboi doctor`: tries everything that a run needs, and says of each how to mend it."""

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
"""How far this machine's clock may be from a database's: schedules, leases and freshness go by this one."""
_NO_LOGIN = (SourceUnreachable, SourceAuthFailed)


def diagnose(config: Path | None = None) -> Iterator[Finding]:
    """Try everything, one thing after the other; yield what came of each. Never raises.

    Args:
        config: The configuration; default as everywhere.
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
    """Find what `comboi validate` finds."""
    problems = project_problems(workspace.project)
    for problem in problems:
        remedy = "Correct the place named here; `comboi validate` looks again."
        yield finding("configuration", False, problem, remedy)
    if not problems:
        tables = sum(len(source.tables) for source in workspace.project.pipeline_file.sources)
        told = f"pipeline {workspace.project.pipeline}: {tables} tables, {len(workspace.project.datasets())} datasets"
        yield finding("configuration", True, told)


def vault(workspace: Workspace) -> Iterator[Finding]:
    """Read every secret that the configuration refers to."""
    file = workspace.project.pipeline_file
    references = [item for item in dict.fromkeys(find(file.model_dump())) if item.store == "keyvault"]
    if not references:
        yield finding("vault", True, "no secret is referred to")
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
    """Log in to every source, look at its version and clock, and read a row of every table."""
    for source in workspace.project.pipeline_file.sources:
        name = f"source {source.name}"
        with workspace.borrowed_duckdb(source.name) as con:
            try:
                probe = source_type(source.type).probe
                if probe is not None:
                    yield from _server(probe(con, workspace.connection(source.name), name), name)
                read, failures, remarks = _tables(workspace, con, source)
            except ComboiError as error:
                yield finding(name, False, error.message, error.remedy)
                continue
        yield from (finding(name, False, error.message, error.remedy) for error in failures)
        yield from (finding(name, True, remark) for remark in remarks)
        if read:
            yield finding(name, True, f"{read} of {len(source.tables)} tables can be read")


def _tables(
    workspace: Workspace, con: DuckDBPyConnection, source: SourceBase
) -> tuple[int, list[ComboiError], list[str]]:
    """How many tables can be read, why others cannot, and what a first load of each has to say."""
    read, failures, remarks = 0, [], []
    for table in source.tables:
        try:
            load = _read_a_row(workspace, con, source.name, table.name)
            remarks += [f"{table.name}: {said}" for said in load.warnings]
            remarks += [f"{table.name}: {told.message}. {told.remedy}" for told in load.shortfalls]
            read += 1
        except _NO_LOGIN:
            raise  # the other tables would say the same
        except ComboiError as error:
            failures.append(error)
    return read, failures, remarks


def _read_a_row(workspace: Workspace, con: DuckDBPyConnection, source: str, table: str) -> LoadPlan:
    """Read one row as a first load would: only so does the right to read show."""
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
        raise failed  # outside of the handler: the original may hold a secret


def _server(server: Server, name: str) -> Iterator[Finding]:
    """Tell a server's clock, its version, and what the login may not do."""
    start, end = server.asked
    apart = max(start - server.now, server.now - end, 0.0)
    remedy = "Set the clock (NTP) of this machine, or of the database server."
    well = apart <= SKEW_SECONDS
    yield finding(name, well, f"clocks are {apart:.1f} s apart", "" if well else remedy)
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
                raise LakeUnavailable(f"{path} in {lake.describe()} is not what was written")
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
        yield finding("telemetry", True, "off: no connection string is configured")
        return
    try:
        given = str(workspace.resolved(configured, secret=True)) if configured else os.environ[VARIABLE]
        transport = open_transport(given)
    except ComboiError as error:
        yield finding("telemetry", False, error.message, error.remedy)
        return
    except ValueError as unusable:
        remedy = "Copy the connection string anew from the resource's overview in the portal."
        if AUTHENTICATION in str(unusable):
            remedy = f"Correct {AUTHENTICATION}, or take it away: then the connection string's key is all."
        yield finding("telemetry", False, str(unusable), remedy)
        return
    outcome = transport.post([Signal("message", datetime.now(UTC).isoformat(), "comboi doctor was here", code=1)])
    remedies = {
        "sent": "",
        "retry": "Check that the network lets this machine through to the connection string's IngestionEndpoint.",
        "refused": "The endpoint refuses: check the connection string's key and endpoint, and the daily cap.",
    }
    remedies |= {outcome: transport.trouble} if transport.trouble else {}
    yield finding("telemetry", outcome == "sent", f"a message was posted: {outcome}", remedies[outcome])


def webhooks(workspace: Workspace) -> Iterator[Finding]:
    """Look at the webhooks of alerts; they are not called, since that would tell people."""
    for number, notification in enumerate(workspace.project.pipeline_file.notifications, start=1):
        name = f"webhook {number}"
        try:
            url = str(workspace.resolved(notification.webhook, secret=True))
        except ComboiError as error:
            yield finding(name, False, error.message, error.remedy)
            continue
        well = is_webhook(url)
        told = f"{notification.format}, on {', '.join(notification.on)}" if well else "the value is no https:// URL"
        yield finding(name, well, told, "" if well else "Store the URL as Teams or Slack shows it.")


CHECKS: tuple[tuple[str, Callable[[Workspace], Iterator[Finding]]], ...] = (
    ("configuration", configuration),
    ("vault", vault),
    ("sources", sources),
    ("lakes", lakes),
    ("disk", disk),
    ("telemetry", telemetry),
    ("webhooks", webhooks),
)
"""What is tried once the configuration can be read, in this order."""


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings; what it did not foresee is one of them."""
    try:
        yield from check()
    except ComboiError as error:
        yield finding(name, False, error.message, error.remedy)
    except Exception as unforeseen:
        told = f"{type(unforeseen).__name__}: {str(unforeseen).splitlines()[0] if str(unforeseen) else ''}"
        yield finding(name, False, told, "This is not foreseen; please report it.")
