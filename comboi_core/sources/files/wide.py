"""Parquet decimals of more digits than DuckDB holds, as text: a file is written anew with such columns as text."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow import Array

_BATCH = 2**14


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data = b"".join(self._written)
        self._written.clear()
        return data


def with_text(path: str, columns: Collection[str]) -> Iterator[bytes]:
    """Give the bytes of a Parquet file like another one, some of whose decimal columns are text with all their digits.

    Args:
        path: Of a file on this machine.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile, ParquetWriter

    source, sink = ParquetFile(path), _Sink()
    schema = source.schema_arrow.remove_metadata()
    places = [place for place, name in enumerate(schema.names) if name in columns]
    for place in places:
        schema = schema.set(place, schema.field(place).with_type(pa.string()))
    with ParquetWriter(sink, schema) as writer:
        for batch in source.iter_batches(_BATCH):
            arrays = [_spelled(array) if place in places else array for place, array in enumerate(batch.columns)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


def _spelled(array: Array) -> Array:
    """Decimals as text without exponents; Arrow itself writes small ones with."""
    import pyarrow as pa

    return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())
