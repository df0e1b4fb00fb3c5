"""All assets of a project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.header.convert import Reading, readings, to_dataset
from comboi_core.bruin.header.files import AssetFile, AssetProblem, read_asset_file
from comboi_core.bruin.header.finding import PIPELINE_FILES, LoadedAssets, candidates, is_foreign
from comboi_core.bruin.header.names import Known
from comboi_core.bruin.header.pipelines import AssetPipeline, read_pipeline
from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.errors import ConfigError

_FOREIGN = {
    ".r": "comboi does not run assets in R; write it in SQL or Python",
    ".yml": "YAML assets have to be called NAME.asset.yml; rename this file",
    ".yaml": "YAML assets have to be called NAME.asset.yml; rename this file",
}


def load_assets(
    folder: Path,
    *,
    tables: Collection[str],
    datasets: Mapping[str, str],
    complete: bool = True,
    shown: str | None = None,
) -> LoadedAssets:
    """Read every asset below a folder.

    Args:
        folder: The project's `transformations/`; there may be none.
        tables: `source.table` of all tables that are landed.
        datasets: Names of the datasets that the YAML file has, with their stages.
        complete: Whether `tables` and `datasets` are all there are; else unknown names are not reported.
        shown: The folder, as messages name it; default: as it is.
    """
    problems: list[str] = []
    notes: list[str] = []
    read = list(_read_all(folder, shown or str(folder), problems, notes))
    broken = {name for name in read if isinstance(name, str)}
    files = _distinct([item for item in read if isinstance(item, AssetFile)], tables, datasets, problems)
    enabled = [file for file in files if file.asset.header.enabled]
    disabled = [file for file in files if not file.asset.header.enabled]
    notes += [
        f"{file.asset.at('enabled')}: {file.asset.name}: has `enabled: false` and is not built" for file in disabled
    ]
    known = Known(
        tables=tables,
        natives=datasets,
        assets={file.asset.name for file in enabled} | broken,
        disabled={file.asset.name for file in disabled},
        complete=complete,
    )
    reading = {file.asset.name: readings(file, known, problems) for file in enabled}
    stages = _stages([file.asset for file in enabled], reading, datasets)
    built: dict[str, DatasetConfig] = {}
    for file in enabled:
        notes += file.notes
        path = file.asset.file.relative_to(folder).as_posix()
        dataset = to_dataset(file, reading[file.asset.name], known, path, problems)
        if dataset is not None:
            built[file.asset.name] = dataset
    return LoadedAssets(
        silver=tuple(dataset for name, dataset in built.items() if stages[name] == "silver"),
        gold=tuple(dataset for name, dataset in built.items() if stages[name] == "gold"),
        problems=tuple(problems),
        notes=tuple(notes),
        places={file.asset.name: file.asset.at() for file in enabled},
        input_places={name: tuple(item.place for item in items) for name, items in reading.items()},
        stages={name: _by_schema(name) for name in broken} | stages,
        symbolic={file.asset.name: file.asset.symbolic for file in enabled if file.asset.symbolic},
    )


def read_asset(file: Path, folder: Path) -> Asset:
    """Return the asset in a file that has been loaded with its project.

    Args:
        folder: The project's `transformations/`, where the search for pipeline.yml ends.

    Raises:
        ConfigError: the file has changed since, and is no asset any more.
    """
    stamps = tuple(_stamp(path) for path in (file, *_pipeline_files(file.parent, folder)))
    return _read_asset(file, folder, stamps)


@lru_cache(maxsize=256)
def _read_asset(file: Path, folder: Path, _stamps: tuple[int, ...]) -> Asset:
    problems: list[str] = []
    pipeline = _Pipelines(folder, str(folder), problems, []).above(file)
    try:
        found = read_asset_file(file, str(file), pipeline, name=_inferred(file, pipeline.folder))
    except AssetProblem as error:
        problems += error.problems
        found = None
    if found is None or problems:
        raise ConfigError("\n".join(problems) or f"{file}:1: no longer has a Bruin header", problems=problems)
    return found.asset


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _pipeline_files(inner: Path, folder: Path) -> Iterator[Path]:
    for place in (inner, *inner.parents):
        yield from (place / name for name in PIPELINE_FILES)
        if place == folder:
            return


class _Pipelines:
    """The pipelines of a project, each read once."""

    def __init__(self, folder: Path, shown: str, problems: list[str], notes: list[str]) -> None:
        self._folder, self._shown, self._problems, self._notes = folder, shown, problems, notes
        self._read: dict[Path, AssetPipeline | None] = {}

    def above(self, file: Path) -> AssetPipeline:
        """Return the pipeline that a file belongs to: the nearest one; without any, one that says nothing."""
        place = file.parent
        while True:
            found = self.at(place)
            if found is not None:
                return found
            if place == self._folder or place == place.parent:
                return AssetPipeline(self._folder)
            place = place.parent

    def at(self, place: Path) -> AssetPipeline | None:
        if place not in self._read:
            relative = place.relative_to(self._folder).as_posix()
            shown = self._shown if relative == "." else f"{self._shown}/{relative}"
            self._read[place] = read_pipeline(place, shown, self._problems, self._notes)
        return self._read[place]


def _read_all(folder: Path, shown: str, problems: list[str], notes: list[str]) -> Iterator[AssetFile | str]:
    """Yield every asset; of one that cannot be used, its name."""
    pipelines = _Pipelines(folder, shown, problems, notes)
    for path in candidates(folder):
        name = f"{shown}/{path.relative_to(folder).as_posix()}"
        if is_foreign(path):
            problems.append(f"{name}:1: {_FOREIGN[path.suffix.lower()]}")
            continue
        pipeline = pipelines.above(path)
        inferred = _inferred(path, pipeline.folder)
        try:
            found = read_asset_file(path, name, pipeline, name=inferred)
        except AssetProblem as error:
            problems += error.problems
            if error.name:
                yield error.name
            continue
        if found is not None:
            yield found


def _inferred(file: Path, folder: Path) -> str:
    """Return the name that a file's path gives: `assets/silver/orders.sql` is `silver.orders`."""
    parts = list(file.relative_to(folder).parts)
    if "assets" in parts[:-1]:
        parts = parts[parts.index("assets") + 1 :]
    return ".".join((*parts[:-1], file.name.split(".")[0]))


def _distinct(
    files: list[AssetFile], tables: Collection[str], datasets: Mapping[str, str], problems: list[str]
) -> list[AssetFile]:
    """Return the assets whose names are their own; SQL does not tell `Orders` from `orders`."""
    natives = {name.lower(): name for name in datasets}
    landed = {name.lower() for name in tables}
    seen: dict[str, AssetFile] = {}
    for file in files:
        name = file.asset.name.lower()
        if name in natives:
            problems.append(
                f"{file.asset.at('name')}: the YAML file already has a dataset '{natives[name]}'; choose another name"
            )
        elif name in landed:
            problems.append(f"{file.asset.at('name')}: '{file.asset.name}' is a table of a source; choose another name")
        elif name in seen:
            problems.append(
                f"{file.asset.at('name')}: the name '{seen[name].asset.name}' is already used in "
                f"{seen[name].asset.at('name')}"
            )
        else:
            seen[name] = file
    return list(seen.values())


def _by_schema(name: str) -> str:
    return "gold" if name.lower().startswith("gold.") else "silver"


def _stages(assets: list[Asset], reading: Mapping[str, list[Reading]], datasets: Mapping[str, str]) -> dict[str, str]:
    """Return each asset's stage: what it says in `meta`, else gold by its schema or by what it reads, else silver."""
    said = {asset.name: str(asset.header.meta["stage"]) for asset in assets if "stage" in asset.header.meta}
    stages = {asset.name: _by_schema(asset.name) for asset in assets} | said
    moved = True
    while moved:
        moved = False
        for asset in assets:
            read = [item.target for item in reading[asset.name] if not item.is_table]
            reads = {datasets.get(target) or stages.get(target) for target in read}
            if stages[asset.name] == "silver" and asset.name not in said and "gold" in reads:
                stages[asset.name] = "gold"
                moved = True
    return stages
