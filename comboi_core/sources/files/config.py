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
"""Options that do not change which rows and values a file gives."""
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
    "A glob inside the source's folder, such as folder/*.csv, without .. in it; ** is a whole folder name: a/**/*.csv.",
)
"""What `_inside` accepts, for editors."""
_CHARACTER: Json = {"pattern": r"^[^\n\r\u0000]*$", "patternErrorMessage": "One character, not a line break."}


class CsvOptions(Model):
    """The format of CSV files.

    Attributes:
        delimiter: The character between values. Default: a comma, or a tab for files that end in `.tsv`.
        quote: The character around quoted values. Empty text: values are never quoted.
        escape: The character before a quote inside a quoted value. Default: the quote character, so a quote is doubled.
        header: Whether the first line holds the column names. If `false`, the columns are called `column0`, `column1`
            and so on.
        skip: How many lines to skip before the header.
        null_text: A text that means NULL, e.g. `NA`. An empty value without quotes is always NULL.
        quoted_nulls: Whether an empty value in quotes (`""`) is NULL too.
        encoding: The files' character encoding. `utf-16` and `utf-32` need a byte order mark; names with `-le` and
            `-be` do not.
        mixed_line_ends: Set it to `true` if one file has different line ends (LF, CRLF, CR). comboi notices it by
            itself if the first 32,000 characters show it. Reading is slower.
        max_line_bytes: The longest line, in bytes. A longer line fails the load.
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
            raise ValueError("delimiter and quote have to differ, and neither they nor escape may be a line break")
        return self


class FilesTable(BaseTable):
    """Files that make up one table.

    Attributes:
        path: Which files: a glob below the source's folder, e.g. `orders/*.csv` or `**/*.parquet`.
        format: The format of the files. Default: what the ending of `path` says.
        options: The format of CSV files.
        types: Types of columns, e.g. `{amount: "DECIMAL(12,2)"}`. Possible: BOOLEAN, INTEGER, BIGINT, DOUBLE, DATE,
            TIME, TIMESTAMP, TIMESTAMPTZ, VARCHAR, DECIMAL(12,2). Default: the first CSV or JSON files decide, and
            Parquet files have types. A value that does not fit its type without loss fails the load.
        mode: `full`: the table is what the files hold now. `append`: each file's rows are added once. `merge`: as
            `append`, and readers see the latest row per key. Default: `merge` with a primary key, otherwise `append`.
        lag: Files that changed less than this ago wait for the next run, because somebody may still be writing them.
            Default: `2s`.
        max_unzipped: The largest size that one gzip file may unzip to. A larger file fails the load.
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
            raise ValueError("path: ** has to stand alone between slashes, such as orders/**/*.csv")
        if value.startswith("/") or "\\" in value or any(piece in ("", ".", "..") for piece in pieces):
            raise ValueError(
                "path: has to stay inside the source's folder: write folder/*.csv, without .., \\ and a / in front"
            )
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
            raise ValueError(f"the ending of path: does not show the format of the files; add format: ({_formats()})")
        if self.options is not None and self.effective_format != "csv":
            raise ValueError("options: is for CSV files only; remove it")
        return self

    def _ending(self) -> Format | None:
        return _ENDINGS.get(self.path.removesuffix(".gz").rpartition(".")[2].lower())

    @property
    def effective_format(self) -> Format:
        """The given format, or what the ending of the path says."""
        return self.format or self._ending() or "csv"

    @property
    def effective_options(self) -> CsvOptions:
        """The format of the CSV files. In `.tsv` files tabs separate values."""
        tabs = self.path.removesuffix(".gz").lower().endswith(".tsv")
        return self.options or CsvOptions(delimiter="\t" if tabs else ",")

    @property
    def effective_mode(self) -> Mode:
        """The given mode. Without one: merge with a key, append without."""
        return self.mode or ("merge" if self.primary_key else "append")

    @property
    def made_from(self) -> dict[str, str]:
        """See BaseTable: which files, and how they are read."""
        found = {"path": self.path, "format": self.effective_format, "types": listed(self.types)}
        if self.effective_format == "csv":
            found["options"] = listed(self.effective_options.model_dump(exclude=_LIMITS, exclude_defaults=True))
        return super().made_from | {name: text for name, text in found.items() if text}


def _type(name: str) -> str:
    wanted = " ".join(name.upper().split())
    decimal = _DECIMAL.fullmatch(wanted)
    if decimal and 0 < int(decimal[1]) <= 38 and int(decimal[2]) <= int(decimal[1]):
        return f"DECIMAL({int(decimal[1])},{int(decimal[2])})"
    if wanted not in TYPES:
        raise ValueError(f"types: '{name}' is not a known type; write one of {', '.join(TYPES)}, DECIMAL(12,2)")
    return wanted


def _formats() -> str:
    return ", ".join(dict.fromkeys(_ENDINGS.values()))


class FilesSource(SourceBase):
    """A folder of files, local or in a container. `connection` has the same keys as a stage's `data_lake`."""

    type: Literal["files"]
    connection: LakeConfig
    tables: Annotated[tuple[FilesTable, ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)]
