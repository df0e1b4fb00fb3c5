"""T-SQL's types: how they are spelled, what DuckDB keeps them as, and their bytes on the wire.

DuckDB keeps dates and times as text of fixed width, which sorts as they do; datetimeoffset as its UTC moment with seven
digits, followed by the offset. sql_variant is kept as `basetype|text`. Text may hold the characters of `SURROGATES`,
each of which stands for half of a surrogate pair, which SQL Server keeps and DuckDB cannot.
"""

from __future__ import annotations

import re
import struct
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.doubles.tds import moments

SURROGATES = {"\U0010fff0": b"\x3d\xd8", "\U0010fff1": b"\x00\xde"}
_COLLATIONS = {"": (bytes.fromhex("0904d00034"), "cp1252"), "Japanese": (bytes.fromhex("1104d00000"), "cp932")}
"""By the first word of a collation's name: its bytes (MS-TDS 2.2.5.1.2) and its code page."""
_SPELLED = re.compile(r"(\w+)(?:\((\w+)(?:,\s*(\d+))?\))?")
_KEPT = {
    "tinyint": "UTINYINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "bit": "BOOLEAN",
    "real": "FLOAT", "float": "DOUBLE", "money": "DECIMAL(19,4)", "smallmoney": "DECIMAL(10,4)",
    "binary": "BLOB", "varbinary": "BLOB", "image": "BLOB", "rowversion": "BLOB", "uniqueidentifier": "UUID",
}  # fmt: skip
_DEFAULTS = {"decimal": (18, 0), "numeric": (18, 0), "datetime2": (7,), "datetimeoffset": (7,), "time": (7,)}
MOMENTS = ("date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset")
CLR = ("hierarchyid", "geography", "geometry")
MAX = -1


@dataclass(frozen=True)
class SqlType:
    """A T-SQL type with its numbers; MAX stands for `max`. A text has a collation; empty for the database's."""

    base: str
    numbers: tuple[int, ...] = ()
    collation: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> SqlType:
        """Read a type as T-SQL spells it."""
        match = _SPELLED.fullmatch(text.strip().lower())
        assert match, text
        base = {"timestamp": "rowversion", "numeric": "decimal", "sysname": "nvarchar", "dec": "decimal"}.get(
            match[1], match[1]
        )
        numbers = tuple(MAX if part == "max" else int(part) for part in match.groups()[1:] if part is not None)
        if base == "float":
            return cls("real" if numbers and numbers[0] <= 24 else "float")
        return cls(base, numbers or _DEFAULTS.get(base, ()))

    @property
    def scale(self) -> int:
        """Digits after the point, of seconds too."""
        if self.base == "datetime":
            return 3
        return self.numbers[-1] if self.numbers else 0

    @property
    def kept(self) -> str:
        """The DuckDB type that keeps it."""
        if self.base == "decimal":
            return f"DECIMAL({self.numbers[0]},{(*self.numbers, 0)[1]})"
        return _KEPT.get(self.base, "VARCHAR")

    @property
    def spelled(self) -> str | None:
        """The type as the catalog views spell it; None for CLR types."""
        if self.base in CLR:
            return None
        base = "timestamp" if self.base == "rowversion" else self.base
        numbers = (*self.numbers, 0)[:2] if base == "decimal" else self.numbers
        if base in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary") and not numbers:
            numbers = (1,)
        shown = ",".join("max" if number == MAX else str(number) for number in numbers)
        return f"{base}({shown})" if shown else base

    def info(self) -> bytes:
        """TYPE_INFO of COLMETADATA."""
        base, first = self.base, self.numbers[0] if self.numbers else MAX
        if base in ("tinyint", "smallint", "int", "bigint"):
            return bytes([0x26, {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}[base]])
        if base == "decimal":
            return bytes([0x6C, _decimal_size(self), self.numbers[0], (*self.numbers, 0)[1]])
        if base in ("nvarchar", "nchar"):
            return b"\xe7" + (b"\xff\xff" if first == MAX else struct.pack("<H", 2 * first)) + self._coded[0]
        if base in ("varchar", "char"):
            return b"\xa7" + (b"\xff\xff" if first == MAX else struct.pack("<H", first)) + self._coded[0]
        if base in ("varbinary", "binary"):
            return b"\xa5" + (b"\xff\xff" if first == MAX else struct.pack("<H", first))
        fixed = {
            "bit": b"\x68\x01", "real": b"\x6d\x04", "float": b"\x6d\x08", "money": b"\x6e\x08",
            "smallmoney": b"\x6e\x04", "uniqueidentifier": b"\x24\x10", "date": b"\x28", "datetime": b"\x6f\x08",
            "smalldatetime": b"\x6f\x04", "rowversion": b"\xad\x08\x00", "xml": b"\xf1\x00",
        }  # fmt: skip
        if base in fixed:
            return fixed[base]
        return bytes([{"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}[base], self.scale])

    @property
    def _coded(self) -> tuple[bytes, str]:
        return _COLLATIONS.get(self.collation.partition("_")[0], _COLLATIONS[""])

    @property
    def _plp(self) -> bool:
        return self.base == "xml" or (self.base in ("nvarchar", "varchar", "varbinary") and self.numbers[:1] == (MAX,))

    def encode(self, value: Any) -> bytes:
        """A value of a ROW token, from what DuckDB gives."""
        wide = self.base in ("nvarchar", "nchar", "varchar", "char", "varbinary", "binary", "rowversion", "xml")
        if value is None:
            return b"\xff" * 8 if self._plp else b"\xff\xff" if wide else b"\x00"
        data = self._bytes(value)
        if self._plp:
            # In chunks, as large values come.
            pieces = [data[place : place + 8000] for place in range(0, len(data), 8000)]
            sent = b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces)
            return struct.pack("<Q", len(data)) + sent + b"\x00\x00\x00\x00"
        return (struct.pack("<H", len(data)) if wide else bytes([len(data)])) + data

    def _bytes(self, value: Any) -> bytes:
        base = self.base
        if base in ("tinyint", "smallint", "int", "bigint"):
            size = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}[base]
            return int(value).to_bytes(size, "little", signed=size > 1)
        if base == "bit":
            return b"\x01" if value else b"\x00"
        if base in ("real", "float"):
            return struct.pack("<f" if base == "real" else "<d", value)
        if base == "decimal":
            scaled = int(Decimal(value).scaleb((*self.numbers, 0)[1], _EXACT))
            sign = b"\x00" if scaled < 0 else b"\x01"
            return sign + abs(scaled).to_bytes(_decimal_size(self) - 1, "little")
        if base == "money":
            raw = int(Decimal(value).scaleb(4, _EXACT)).to_bytes(8, "big", signed=True)
            return raw[3::-1] + raw[:3:-1]
        if base == "smallmoney":
            return int(Decimal(value).scaleb(4, _EXACT)).to_bytes(4, "little", signed=True)
        if base == "uniqueidentifier":
            return uuid.UUID(str(value)).bytes_le
        if base in ("nvarchar", "nchar", "xml"):
            return _utf16(str(value))
        if base in ("varchar", "char"):
            return str(value).encode(self._coded[1])
        if base in MOMENTS:
            return self._moment(str(value))
        return bytes(value)

    def _moment(self, text: str) -> bytes:
        local, offset = moments.parse(text)
        days, inside = divmod(local, moments.DAY)
        day = days.to_bytes(3, "little")
        if self.base == "date":
            return day
        if self.base == "datetime":
            return struct.pack("<iI", days - 693_595, (inside * 300 + moments.SECOND // 2) // moments.SECOND)
        if self.base == "smalldatetime":
            return struct.pack("<HH", days - 693_595, inside // (60 * moments.SECOND))
        clock = (inside // 10 ** (7 - self.scale)).to_bytes((3, 3, 3, 4, 4, 5, 5, 5)[self.scale], "little")
        if self.base == "time":
            return clock
        return clock + day + (struct.pack("<h", offset) if self.base == "datetimeoffset" else b"")


def metadata(columns: list[tuple[str, SqlType]]) -> bytes:
    """COLMETADATA."""
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for name, kind in columns:
        user = 80 if kind.base == "rowversion" else 0
        parts.append(struct.pack("<IH", user, 9) + kind.info() + bytes([len(name)]) + name.encode("utf-16-le"))
    return b"".join(parts)


def row(columns: list[tuple[str, SqlType]], values: tuple[Any, ...]) -> bytes:
    """ROW."""
    return b"\xd1" + b"".join(kind.encode(value) for (_, kind), value in zip(columns, values, strict=True))


def _decimal_size(kind: SqlType) -> int:
    precision = kind.numbers[0]
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def _utf16(text: str) -> bytes:
    data = text.encode("utf-16-le")
    for stand_in, half in SURROGATES.items():
        data = data.replace(stand_in.encode("utf-16-le"), half)
    return data


def _exact():
    import decimal

    return decimal.Context(prec=60)


_EXACT = _exact()
