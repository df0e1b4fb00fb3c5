"""What every use case works with: the project, its lakes, its sources and DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.app.loader import SCRIPTS, config_path, load
from comboi_core.app.watched import refuse_watched
from comboi_core.bruin.header.finding import asset_files
from comboi_core.config.lakes import LakeConfig
from comboi_core.config.project import Project, Stage
from comboi_core.config.secrecy import secrets_of
from comboi_core.config.source_registry import source_type
from comboi_core.config.sources import SourceConfig
from comboi_core.domain.errors import ComboiError, ConfigChanged, ConfigError
from comboi_core.domain.names import table_id
from comboi_core.domain.ports import Lake, Source
from comboi_core.domain.redaction import redactor
from comboi_core.secrets.stores import resolve, stores_of
from comboi_core.telemetry.logs import guard_logs, log_to_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PATHS = ("path", "tls_ca")
"""Keys of a connection that name files."""
_PLACE = "the connection of the source {}"


@dataclass(frozen=True)
class Workspace:
    """A project, ready to work with. Cheap to make; connections are opened when asked for."""

    project: Project

    @contextmanager
    def duckdb(self) -> Iterator[DuckDBPyConnection]:
        """Open a DuckDB with the configured limits, for one activity that reads the lake or runs user code.

        Raises:
            LakeUnavailable, LakeRefused, LakeNotFound: DuckDB could not read files of a lake in Azure.
        """
        from comboi_core.duckdb.engine import open_duckdb
        from comboi_core.lake.azure.errors import lake_reads

        with open_duckdb(**self._limits()) as con, lake_reads():
            yield con

    def borrowed_duckdb(self, source: str) -> AbstractContextManager[DuckDBPyConnection]:
        """Borrow one that keeps its extensions, for an activity that reads a source and leaves nothing behind in it."""
        from comboi_core.duckdb.engine import borrow_duckdb

        threads = {"threads": 1} if source_type(self.project.source(source).type).one_stream else {}
        return borrow_duckdb(**self._limits() | threads)

    def _limits(self) -> dict[str, Any]:
        engine = self.project.pipeline_file.engine
        return {key: getattr(engine, key) for key in ("memory_limit", "threads", "temp_directory")}

    def lake(self, stage: Stage) -> Lake:
        """Return the lake of a stage; references are resolved here and nowhere earlier.

        Raises:
            ConfigError: what the references stand for is no account, key or container.
            ReferenceMissing, VaultUnavailable: a value cannot be had.
        """
        from comboi_core.lake.registry import open_lake

        data_lake = getattr(self.project.pipeline_file.stages, stage).data_lake
        config = self._resolved_lake(data_lake, f"stages.{stage}.data_lake")
        temporary = self.project.pipeline_file.engine.temp_directory
        return open_lake(config, base=self.project.lake_base, temp_directory=temporary)

    def _resolved_lake(self, config: LakeConfig, where: str) -> LakeConfig:
        from pydantic import ValidationError

        try:
            return LakeConfig.model_validate(self.resolved(config.model_dump(exclude_none=True)))
        except ValidationError as invalid:
            problems = "; ".join(error["msg"].removeprefix("Value error, ") for error in invalid.errors())
        raise ConfigError(f"{where}, its references resolved: {problems}")

    @contextmanager
    def source(self, con: DuckDBPyConnection, source: str, table: str) -> Iterator[Source]:
        """Open a table of a source on a DuckDB connection; references are resolved here and nowhere earlier."""
        config = self.project.source(source)
        connection = self.connection(source)
        opened = source_type(config.type).open(
            con, source=source, table=self.project.table(source, table), connection=connection
        )
        try:
            yield opened
        finally:
            opened.close()

    def connection(self, source: str) -> dict[str, Any]:
        """Return a source's `connection:` with its references resolved; relative paths count from the project's folder.

        Raises:
            ReferenceMissing, VaultUnavailable: a value cannot be had.
        """
        config = self.project.source(source).connection
        if isinstance(config, LakeConfig):
            found = self._place_of_files(config, _PLACE.format(source))
        else:
            found = dict(self.resolved(config.model_dump(exclude_none=True)))
        paths = {key: str(self.project.root / found[key]) for key in _PATHS if key in found}
        return found | paths

    def address(self, source: str) -> dict[str, str]:
        """Return which database or place of files a source is: part -> text; no credentials, not who signs in.

        Paths are as they are written: a project that moves with its files reads the same ones.
        """
        config = self.project.source(source)
        if not isinstance(config.connection, LakeConfig):
            address = source_type(config.type).address
            if address is None:
                return {}
            connection = self.resolved(config.connection.model_dump(exclude_none=True))
            return {name: text for name, text in address(connection).items() if text}
        lake = self._resolved_lake(config.connection, _PLACE.format(source))
        if lake.path is not None:
            return {"path": lake.path}
        from comboi_core.lake.azure.account import account_of

        parts = {"account": account_of(lake).endpoint, "file_system": lake.file_system, "folder": lake.folder}
        return {name: text for name, text in parts.items() if text}

    def _place_of_files(self, config: LakeConfig, where: str) -> dict[str, Any]:
        from comboi_core.lake.registry import open_container

        resolved = self._resolved_lake(config, where)
        return {"container": open_container(resolved)} if resolved.path is None else {"path": resolved.path}

    def salt(self) -> str | None:
        """Return the key of masked values; None where the configuration has none."""
        masking = self.project.pipeline_file.masking
        if masking is None:
            return None
        return str(self.resolved(masking.salt, secret=True))

    def table_sizes(self, sources: Iterable[SourceConfig]) -> dict[str, int]:
        """Return the expected rows per `source.table`; of a source that cannot be asked, its loads will tell more."""
        sizes: dict[str, int] = {}
        for source in sources:
            ask = source_type(source.type).sizes
            if ask is None:
                continue
            with self.borrowed_duckdb(source.name) as con, suppress(ComboiError):
                rows_of = ask(con, source, self.connection(source.name))
                sizes |= {table_id(source.name, name): rows for name, rows in rows_of.items()}
        return sizes

    def resolved(self, value: Any, *, secret: bool = False) -> Any:
        """Return a part of the configuration with its references resolved; its secrets are hidden from now on.

        Args:
            secret: Whether the value is one by its place, e.g. a webhook.

        Raises:
            ReferenceMissing, VaultUnavailable: a value cannot be had.
        """
        filled, values = resolve(value, stores_of(self.project.pipeline_file.key_vault))
        for secret_value in secrets_of(value, values, secret=secret):
            redactor.add(secret_value)
        return filled


@lru_cache(maxsize=4)
def _load(path: Path, _stamps: tuple[int, ...]) -> Project:
    return load(path)


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def open_workspace(*, config_hash: str | None = None) -> Workspace:
    """Open the project that COMBOI_CONFIG names; the files are read again only after they changed.

    Args:
        config_hash: The configuration that the run was planned with, if it was.

    Raises:
        ConfigError: The configuration cannot be used, or its folders would restart the Functions host.
        ConfigChanged: The configuration is another one by now.
    """
    guard_logs()
    path = config_path()
    # Assets say in their headers what they are: a change of one changes the configuration.
    files = [*path.parent.glob("*.y*ml"), *asset_files(path.resolve().parent.parent / SCRIPTS)]
    stamps = (_stamp(path), *sorted(_stamp(other) for other in files))
    project = _load(path.resolve(), stamps)
    if project.pipeline_file.transformations_file:  # it may lie in another folder
        stamps = (*stamps, _stamp(project.root / project.pipeline_file.transformations_file))
        project = _load(path.resolve(), stamps)
    if config_hash and project.config_hash != config_hash:
        raise ConfigChanged(f"the configuration changed from {config_hash} to {project.config_hash} during the run")
    refuse_watched(project)  # before the first line of the log, which makes a folder
    if project.pipeline_file.monitoring.log_path:
        log_to_file(project.root / project.pipeline_file.monitoring.log_path)
    return Workspace(project)
