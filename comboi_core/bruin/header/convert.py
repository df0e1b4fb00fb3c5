"""From an asset to the dataset that comboi builds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from comboi_core.bruin.header.asset import SEED, SQL, Asset
from comboi_core.bruin.header.checks import checks_of
from comboi_core.bruin.header.files import AssetFile
from comboi_core.bruin.header.names import Known
from comboi_core.bruin.header.strategies import materialization_of
from comboi_core.bruin.header.tables import cte_names, table_names
from comboi_core.config.checks import Check
from comboi_core.config.datasets import ColumnNote, DatasetConfig, Input
from comboi_core.config.materialization import Materialization
from comboi_core.domain.names import DATASET_NAME_PATTERN

_ALIAS = re.compile(DATASET_NAME_PATTERN)
_THIS = re.compile(r"\{\{\s*this\b")


@dataclass(frozen=True)
class Reading:
    """One table or dataset that an asset reads.

    Attributes:
        alias: As the asset writes it.
        target: The dataset's name, or `source.table`.
        is_table: Whether it is a landed table.
        place: `file:line`.
    """

    alias: str
    target: str
    is_table: bool
    place: str


def readings(file: AssetFile, known: Known, problems: list[str]) -> list[Reading]:
    """Return what an asset reads: what `depends` names, and what its SQL names where a table stands."""
    found: dict[str, Reading] = {}
    own = file.asset.name.lower()
    for name, place, where in _named(file, known):
        try:
            target = known.find(name) if name.lower() != own else None
            if name.lower() == own and where != "check":
                raise ValueError("it reads itself; use strategy: merge or append to combine existing and new rows")
            if target is None and where == "depends" and name.lower() != own:
                raise ValueError(known.missing(name))
            if target is not None and not _ALIAS.match(name):
                raise ValueError(
                    f"'{name}' cannot be used as a table name in SQL; write bronze.TABLE with letters, digits and _"
                )
        except ValueError as error:
            problems.append(f"{place}: {file.asset.name}: {error}")
            continue
        if target is not None:
            found.setdefault(name.lower(), Reading(name, target, known.is_table(target), place))
    return list(found.values())


def _named(file: AssetFile, known: Known) -> Iterator[tuple[str, str, str]]:
    """Yield each name, where it stands, and whether in `depends`, in the `query`, or in a `check`."""
    asset = file.asset
    for position, item in enumerate(asset.header.depends):
        if item.mode == "full" and item.asset is not None and known.complete:
            yield item.asset, file.asset.at("depends", position), "depends"
    if asset.type == SQL:
        for name, line in _in_sql(asset.body):
            yield name, f"{asset.shown}:{line}", "query"
        this = _THIS.search(asset.body)
        if this:
            yield asset.name, f"{asset.shown}:{1 + asset.body.count(chr(10), 0, this.start())}", "query"
    for position, hook in enumerate(asset.header.hooks.pre):
        for name, _ in _in_sql(hook.query):
            yield name, file.asset.at("hooks", "pre", position), "query"
    for position, check in enumerate(asset.header.custom_checks):
        for name, _ in _in_sql(check.query):
            yield name, file.asset.at("custom_checks", position), "check"


def _in_sql(text: str) -> Iterator[tuple[str, int]]:
    ctes = cte_names(text)
    for table in table_names(text):
        if table.name.lower() not in ctes:
            yield table.name, table.line


def to_dataset(
    file: AssetFile, read: list[Reading], known: Known, path: str, problems: list[str]
) -> DatasetConfig | None:
    """Return the dataset that an asset makes; None if something is wrong, which `problems` then says.

    Args:
        read: What `readings` gave.
        path: The asset's file, below `transformations/`.
    """
    before = len(problems)
    asset = file.asset
    materialization = _materialization(file, problems)
    checks = _checks(file, known, problems)
    _code_problems(file, problems)
    if len(problems) > before or materialization is None:
        return None
    try:
        dataset = DatasetConfig(
            name=asset.name,
            asset=path,
            inputs=tuple(_input(item) for item in read),
            materialization=materialization,
            columns=tuple(
                ColumnNote(
                    name=column.name,
                    type=column.sql_type,
                    description=column.description,
                    sensitive=bool(column.meta.get("sensitive")),
                )
                for column in asset.header.columns
            ),
            on_change=asset.header.meta.get("on_change", "warn"),
            allow_empty=asset.is_ddl or asset.header.meta.get("allow_empty") is True,
            description=asset.header.description,
        )
    except ValidationError as invalid:
        problems += [f"{file.asset.at()}: {asset.name}: {said(invalid)}"]
        return None
    # The checks are complete already, where the YAML file's would have to be parsed.
    return dataset.model_copy(update={"quality_checks": (tuple(checks),) if checks else ()})


def said(error: ValueError) -> str:
    """Return the text of a ValueError, pydantic's included, in one line."""
    if isinstance(error, ValidationError):
        return "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
    return str(error)


def _input(item: Reading) -> Input:
    if item.is_table:
        source, _, table = item.target.partition(".")
        return Input(alias=item.alias, source=source, table=table)
    return Input(alias=item.alias, dataset=item.target)


def _materialization(file: AssetFile, problems: list[str]) -> Materialization | None:
    try:
        return materialization_of(file.asset)
    except ValueError as error:
        problems.append(f"{file.asset.at('materialization')}: {file.asset.name}: {said(error)}")
        return None


def _checks(file: AssetFile, known: Known, problems: list[str]) -> list[Check]:
    def resolve(name: str) -> str | None:
        return file.asset.name if name.lower() == file.asset.name.lower() else known.find(name)

    found = []
    for place, check in checks_of(file.asset.header, resolve):
        if isinstance(check, Check):
            found.append(check)
        elif known.complete or "there is no table" not in str(check):
            problems.append(f"{file.asset.at(*place)}: {file.asset.name}: {said(check)}")
    return found


def _code_problems(file: AssetFile, problems: list[str]) -> None:
    """Add what is wrong with the code itself, as far as its header tells."""
    asset = file.asset
    if asset.type == SQL and not asset.is_ddl and not asset.body.strip():
        problems.append(f"{file.asset.at()}: {asset.name}: there is no query after the header")
    if asset.header.meta.get("on_change") == "reload":
        problems += _reload_problems(asset)
    if asset.type == SEED:
        problems += _seed_problems(file)
    elif asset.header.parameters:
        problems.append(
            f"{file.asset.at('parameters')}: {asset.name}: parameters: is only for seeds, not for type: {asset.type}"
        )
    hooks = (*asset.header.hooks.pre, *asset.header.hooks.post)
    if hooks and asset.type != SQL:
        problems.append(
            f"{file.asset.at('hooks')}: {asset.name}: hooks: is only for SQL assets, not for type: {asset.type}"
        )
    if asset.header.unit_tests and asset.type != SQL:
        problems.append(
            f"{file.asset.at('unit_tests')}: {asset.name}: unit_tests: is only for SQL assets; test Python with pytest"
        )
    fixtures = {fixture.name for fixture in asset.pipeline.fixtures}
    for position, test in enumerate(asset.header.unit_tests):
        for name in set(test.fixtures) - fixtures:
            problems.append(
                f"{file.asset.at('unit_tests', position)}: {asset.name}: no pipeline.yml has a fixture '{name}'"
            )


def _reload_problems(asset: Asset) -> Iterator[str]:
    """Yield what prevents rebuilding a changed asset, so that rows of the former script would stay."""
    place = f"{asset.at('meta', 'on_change')}: {asset.name}: meta.on_change: reload"
    if asset.full_refresh_restricted:
        yield f"{place} does not work with full_refresh_restricted, which keeps the rows; write warn or refuse"
    elif asset.windowed and asset.start_date is None:
        yield f"{place} needs a start_date:, because the query reads the run's interval"


def _seed_problems(file: AssetFile) -> Iterator[str]:
    asset: Asset = file.asset
    given: dict[str, Any] = asset.header.parameters
    place = file.asset.at("parameters")
    for key in given.keys() - {"path", "enforce_schema"}:
        yield f"{place}: {asset.name}: parameters.{key}: is not known; a seed has path: and enforce_schema:"
    path = str(given.get("path") or "")
    if not path:
        yield f"{place}: {asset.name}: parameters.path: is missing; give the CSV file, relative to the asset's folder"
    elif "://" in path:
        yield (
            f"{place}: {asset.name}: parameters.path: a seed has to be a file in the project; to read {path}, "
            "configure a source"
        )
    elif not (asset.file.parent / path).is_file():
        yield f"{place}: {asset.name}: parameters.path: there is no file {path} beside {asset.shown}"
    if str(given.get("enforce_schema", "true")).lower() not in ("true", "false"):
        yield f"{place}: {asset.name}: parameters.enforce_schema: has to be true or false"
