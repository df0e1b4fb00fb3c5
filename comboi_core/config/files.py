"""Files in a folder or a container as a source."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from comboi_core.config.base import MAY_BE_EMPTY, NO_LIST, Bytes, Model, Text
from comboi_core.config.lakes import LakeConfig
from comboi_core.config.tables import BaseTable, SourceBase, listed
from comboi_core.config.written import Json, given, is_one_of, text_like, where
from comboi_core.domain.load import Mode

Format = Literal["csv", "json", "parquet"]
Encoding = Literal[
    "utf-8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"
]  # fmt: skip

_LIMITS = {"max_line_bytes"}
"""Options that change nothing about how a file is read, if it is."""
_ENDINGS: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "parquet": "parquet",
}
TYPES = ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR")
_DECIMAL = re.compile(r"DECIMAL\((\d{1,2}),\s*(\d{1,2})\)")
_ANY_CASE = "|".join("".join(f"[{letter}{letter.lower()}]" for letter in name) for name in TYPES)
_ANY_DECIMAL = r"[Dd][Ee][Cc][Ii][Mm][Aa][Ll]\([0-9]{1,2},\s*[0-9]{1,2}\)"
ColumnType = Annotated[
    str,
    WithJsonSchema(
        {"anyOf": [{"enum": [*TYPES]}, {"type": "string", "pattern": rf"^\s*(?:{_ANY_CASE}|{_ANY_DECIMAL})\s*$"}]}
    ),
]
_PATH = text_like(
    r"(?!/)(?!.*\\)(?!.*(?:^|/)\.{0,2}(?:/|$))(?!.*[^/]\*\*)(?!.*\*\*[^/])(?!.*\*\*$)",
    "A glob inside the source's folder: folder/*.csv, without ..; ** stands for folders, between slashes.",
)
"""What `_inside` accepts, for editors."""
_CHARACTER: Json = {"pattern": r"^[^\n\r\u0000]*$", "patternErrorMessage": "A character, no line break."}


class CsvOptions(Model):
    """How a CSV file is written.

    Attributes:
        delimiter: The character between values; default: a comma, a tab for files that end on `.tsv`.
        quote: The character around values, or empty: none.
        escape: What stands before a quote within quotes; default: the quote itself, doubled.
        header: Whether the first line holds the columns' names; without, they are `column0`, `column1`, ...
        skip: Lines before the header.
        null_text: A text that stands for NULL, beside the empty one.
        quoted_nulls: Whether the empty text in quotes is NULL as well.
        encoding: The encoding of the files' characters. `utf-16` and `utf-32` take the byte order from the mark that
            such files begin with; the others say it.
        mixed_line_ends: Whether lines end in different ways (LF, CRLF, CR) within one file. Files whose first 32,000
            characters show it need not be told; it costs time.
        max_line_bytes: The longest line, in bytes.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1, json_schema_extra=_CHARACTER)
    quote: str = Field(default='"', max_length=1, json_schema_extra=_CHARACTER)
    escape: str | None = Field(default=None, max_length=1, json_schema_extra=_CHARACTER)
    header: bool = True
    skip: int = Field(default=0, ge=0)
    null_text: Text | None = None
    quoted_nulls: bool = False
    encoding: Encoding = "utf-8"
    mixed_line_ends: bool = False
    max_line_bytes: int = Field(default=2 * 2**20, ge=1024, le=2**28)

    @model_validator(mode="after")
    def _characters(self) -> CsvOptions:
        given = [text for text in (self.delimiter, self.quote, self.escape) if text]
        if any(text in "\n\r\x00" for text in given) or self.delimiter == self.quote:
            raise ValueError("delimiter, quote and escape are characters of their own, no line breaks")
        return self


class FilesTable(BaseTable):
    """Files that make up one table.

    Attributes:
        path: A glob below the source's folder, e.g. `orders/*.csv` or `**/*.parquet`.
        format: What the files are; default: as the ending of `path` says.
        options: How CSV files are written.
        types: Types of columns, in place of those that the first CSV and JSON files suggest or that Parquet files have:
            BOOLEAN, INTEGER, BIGINT, DOUBLE, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, VARCHAR, DECIMAL(12,2). A value that
            is not the same in its type fails the load.
        mode: `full`: the files as they are now are the table. `append`: each file is added once. `merge`: a row takes
            the place of the one with its key. Default: `merge` with a key, else `append`.
        lag: Files younger than that wait for the next run: they may still be written to. Default: `2s`.
        max_unzipped: How many bytes one zipped file may unzip to; a file with more fails the load.
    """

    model_config = ConfigDict(json_schema_extra=where(is_one_of("mode", "merge"), given("primary_key", [])))

    path: Text = Field(json_schema_extra=_PATH)
    format: Format | None = None
    options: CsvOptions | None = None
    types: dict[str, ColumnType] = Field(default_factory=dict)
    max_unzipped: Bytes = Field(default=4 * 2**30, ge=1)

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        pieces = value.split("/")
        if any("**" in piece and piece != "**" for piece in pieces) or pieces[-1] == "**":
            raise ValueError("path: ** stands for folders, between slashes: orders/**/*.csv")
        if value.startswith("/") or "\\" in value or any(piece in ("", ".", "..") for piece in pieces):
            raise ValueError("path: stays inside the source's folder: folder/*.csv, without .. and without / in front")
        return value

    @field_validator("types")
    @classmethod
    def _types(cls, value: dict[str, str]) -> dict[str, str]:
        return {column: _type(name) for column, name in value.items()}

    @model_validator(mode="after")
    def _consistent(self) -> FilesTable:
        if self.mode == "merge" and not self.primary_key:
            raise ValueError("mode: merge needs primary_key:")
        if self.format is None and self._ending() is None:
            raise ValueError(f"the ending of path: does not tell what the files are; give format: {_said(_ENDINGS)}")
        if self.options is not None and self.effective_format != "csv":
            raise ValueError("options: are for CSV files")
        return self

    def _ending(self) -> Format | None:
        return _ENDINGS.get(self.path.removesuffix(".gz").rpartition(".")[2].lower())

    @property
    def effective_format(self) -> Format:
        """The format: as given, else as the ending says."""
        return self.format or self._ending() or "csv"

    @property
    def effective_options(self) -> CsvOptions:
        """How the CSV files are written; `.tsv` files have tabs between values."""
        tabs = self.path.removesuffix(".gz").lower().endswith(".tsv")
        return self.options or CsvOptions(delimiter="\t" if tabs else ",")

    @property
    def effective_mode(self) -> Mode:
        """The mode: as given; else merge with a key, append without."""
        return self.mode or ("merge" if self.primary_key else "append")

    @property
    def made_from(self) -> dict[str, str]:
        """See BaseTable: which files, and how they are read."""
        found = {"path": self.path, "format": self.effective_format, "types": listed(self.types)}
        if self.effective_format == "csv":
            found["options"] = listed(self.effective_options.model_dump(exclude=_LIMITS, exclude_defaults=True))
        return super().made_from | {name: text for name, text in found.items() if text}

    @property
    def incremental_column(self) -> None:
        """None: which files are new decides what a load reads."""
        return None


def _type(name: str) -> str:
    wanted = " ".join(name.upper().split())
    decimal = _DECIMAL.fullmatch(wanted)
    if decimal and 0 < int(decimal[1]) <= 38 and int(decimal[2]) <= int(decimal[1]):
        return f"DECIMAL({int(decimal[1])},{int(decimal[2])})"
    if wanted not in TYPES:
        raise ValueError(f"'{name}' is no type that files can have: {', '.join(TYPES)} or DECIMAL(12,2)")
    return wanted


def _said(endings: dict[str, Format]) -> str:
    return ", ".join(dict.fromkeys(endings.values()))


class FilesSource(SourceBase):
    """A folder of files, local or in a container; the keys of `connection` are those of a stage's `data_lake`."""

    type: Literal["files"]
    connection: LakeConfig
    tables: Annotated[tuple[FilesTable, ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)]  # type: ignore[assignment]
