"""The keys of an erasure: read from a request, kept in a file of the lake until the erasure has ended, nowhere else.

The task hub keeps what orchestrations are given for as long as it lives. So they are given the path of that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.codec import decode_json
from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.contracts.erasure import ErasureRequest
from comboi_core.domain.contracts.pipeline import RunOf
from comboi_core.domain.contracts.record import ErasureRecord
from comboi_core.domain.contracts.table import TableName
from comboi_core.domain.errors import CheckpointLost, ComboiError, InternalError, LakeNotFound, RequestInvalid
from comboi_core.domain.load import Checkpoint, Column
from comboi_core.domain.manifest import LOADS_FOLDER, Manifest, loads_of, table_folder
from comboi_core.domain.names import did_you_mean, table_id
from comboi_core.domain.redaction import HIDDEN
from comboi_core.erasure.columns import find_slip
from comboi_core.erasure.files import Sought, hashed
from comboi_core.landing.continuity import refuse_other_loader, refuse_other_table
from comboi_core.sources.common.equality import texts_of

MOST_KEYS = 100


def secret_folder(run_id: str) -> str:
    """Return the folder of what may name a person; it goes when the erasure ends."""
    return f"{runfiles.WORK}/{run_id}/secret"


def request_path(run_id: str) -> str:
    """Return the path of what the record says of the keys, which names nobody."""
    return f"{runfiles.WORK}/{run_id}/request.json"


def settle_keys(workspace: Workspace, source: str, table: str, manifest: str | None, request: ErasureRequest) -> Sought:
    """Return what a request asks to erase of a table.

    A column that the request names and the table has is what the table is searched by; else the primary key is.

    Args:
        manifest: Path of the table's committed manifest, or None.

    Raises:
        RequestInvalid: the keys do not fit the table, or a column is neither there nor in a dataset that is made of it;
            the message does not repeat the keys.
        LakeUnavailable: a lake does not answer.
        CheckpointLost: the lake has loads that the task hub does not know of.
        NotOwner: the table is another pipeline's.
    """
    from comboi_core.lake.bronze import read_manifest

    name, lake = table_id(source, table), workspace.lake("bronze")
    item: TableName = {"name": name, "source": source, "table": table}
    owners = workspace.project.owners
    if manifest is None:
        refuse_other_loader(lake, item, Checkpoint(), owners)
        if loads_of(lake.list(f"{table_folder(source, table)}/{LOADS_FOLDER}")):
            raise CheckpointLost(f"{name}: the lake holds loads, but the checkpoint knows of none")
        raise RequestInvalid(f"{name} has never been loaded: there is nothing to erase", remedy="Check the table.")
    landed = read_manifest(lake, manifest)
    refuse_other_table(lake, item, Checkpoint(landed.sequence), landed, None, owners)
    columns_of_table = {column.name.lower(): column for column in landed.columns}
    named = [columns_of_table[column.lower()] for column in request["columns"] if column.lower() in columns_of_table]
    if len(named) > 1:
        raise RequestInvalid(f"columns: {name} has more than one of them; ask for one erasure after the other")
    if named:
        columns = named
    elif landed.primary_key:
        columns = [columns_of_table[key.lower()] for key in landed.primary_key]
    else:
        raise RequestInvalid(
            f"{name} has no primary key{_unknown(request['columns'], landed)}: name the column that holds the key",
            remedy="Give it with --column (`columns` over HTTP).",
        )
    if len(columns) > 1 and request["columns"]:
        raise RequestInvalid(
            f"columns: {name} has none of them, and its primary key has several columns: "
            f"{', '.join(column.name for column in columns)}",
            remedy="Name a column of the table, or leave --column out.",
        )
    _refuse_masked(name, columns)
    names = tuple(column.name for column in columns)
    keys = tuple(dict.fromkeys(_key(key, names, position) for position, key in enumerate(request["keys"], 1)))
    aliases = tuple(column for column in request["columns"] if column.lower() not in columns_of_table)
    kind = workspace.project.source(source).type
    texts = tuple(texts_of(kind, column) for column in columns)
    sought = Sought(names, tuple(column.type for column in columns), keys, aliases, texts=texts)
    with unspoken(sought):
        slip = find_slip(workspace, landed, downstream(workspace, name), sought)
    if slip:
        raise slip
    return sought


def _unknown(columns: list[str], landed: Manifest) -> str:
    if not columns:
        return ""
    known = [column.name for column in landed.columns]
    return f" and no column '{columns[0]}'{did_you_mean(columns[0], known)}"


def _refuse_masked(name: str, columns: list[Column]) -> None:
    for column in columns:
        if column.masked not in ("", "hash"):
            raise RequestInvalid(
                f"{name}: the values of {column.name} are masked with {column.masked}: no key can be found there",
                remedy="Name another column with --column.",
            )


def _key(key: Any, names: tuple[str, ...], position: int) -> tuple[str, ...]:
    """Return a key's texts in the order of the columns."""
    if isinstance(key, str) and len(names) == 1:
        values = {names[0].lower(): key}
    elif isinstance(key, str):
        pattern = "|".join(re.escape(name) for name in names)
        parts = re.split(rf"(?:^|,)\s*({pattern})=", key, flags=re.IGNORECASE)
        values = (
            {name.lower(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)} if not parts[0] else {}
        )
    else:
        values = {name.lower(): text for name, text in key.items()}
    if set(values) != {name.lower() for name in names}:
        shape = ",".join(f"{name}=..." for name in names) if len(names) > 1 else f"a value of {names[0]}"
        raise RequestInvalid(f"key {position}: expected {shape}")
    texts = tuple(values[name.lower()] for name in names)
    if not all(texts) or any("\x00" in text or text != text.encode(errors="replace").decode() for text in texts):
        raise RequestInvalid(f"key {position}: a value is empty, or holds what is no character")
    return texts


def keep_keys(workspace: Workspace, run_id: str, sought: Sought, asked: dict[str, str]) -> str:
    """Keep the keys for the erasure, and what its record says of them; return the path of the former.

    Args:
        asked: `by` and `at`.
    """
    lake, path = workspace.lake("bronze"), f"{secret_folder(run_id)}/keys.json"
    salt = workspace.salt()
    about: ErasureRecord = {
        "columns": list(sought.columns),
        "also_named": list(sought.aliases),
        "requested": asked,
        "key_hash": "hmac-sha256" if salt else "sha256",
        "keys": [hashed(salt, spoken(sought.columns, key)) for key in sought.keys],
    }
    runfiles.write_json(lake, request_path(run_id), about)
    runfiles.write_work(lake, path, asdict(sought))
    return path


def spoken(columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    """Return a key as people write it: the value, or `a=1,b=2` where it has several columns."""
    if len(columns) == 1:
        return key[0]
    return ",".join(f"{column}={text}" for column, text in zip(columns, key, strict=True))


def read_keys(workspace: Workspace, path: str) -> Sought:
    """Return the keys that were kept.

    Raises:
        RequestInvalid: they are gone: a later erasure has ended before this one began.
    """
    with suppress(LakeNotFound):
        return replace(decode_json(Sought, workspace.lake("bronze").read(path)), salt=workspace.salt())
    raise RequestInvalid("the keys of this erasure are gone", remedy="Ask for the erasure again.")


def forget_erasure(workspace: Workspace, job: RunOf) -> Mapping[str, Any]:
    """Delete the files of an erasure that does not take place."""
    lake = workspace.lake("bronze")
    lake.delete(lake.list(f"{runfiles.WORK}/{job['run_id']}"))
    return {}


def downstream(workspace: Workspace, table: str) -> list[DatasetConfig]:
    """Return every dataset that is made of a table, directly or not, each after those that it is made of.

    Args:
        table: `source.table`.
    """
    from comboi_core.domain.graph import waves

    datasets = {item.name: item for item in workspace.project.datasets()}
    needs = {name: {part.dataset for part in item.inputs if part.dataset} for name, item in datasets.items()}
    reached: dict[str, DatasetConfig] = {}
    for name in (name for wave in waves(needs) for name in wave):
        item = datasets[name]
        tables = {table_id(str(part.source), str(part.table)) for part in item.inputs if part.source}
        if table in tables or needs[name] & reached.keys():
            reached[name] = item
    return list(reached.values())


@contextmanager
def unspoken(sought: Sought) -> Iterator[None]:
    """Keep the keys out of errors and their tracebacks: what DuckDB says may repeat a statement, and with it a key."""
    try:
        yield
        return
    except ComboiError as error:
        failed = error
    except Exception as error:
        failed = InternalError(f"{type(error).__name__}: {error}")
    parts = [part for key in sought.keys for part in enumerate(key)]
    texts = {spelled for position, text in parts for spelled in sought.equal(position).spellings(text)}
    for text in sorted({*texts, *(text.replace("'", "''") for text in texts)}, key=len, reverse=True):
        failed.message = failed.message.replace(text, HIDDEN)
    failed.args = (failed.message,)
    raise failed from None
