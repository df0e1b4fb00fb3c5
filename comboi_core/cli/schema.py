"""`comboi schema`: writes the JSON schemas for editors, and the configuration reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from comboi_core.cli.options import AsJson, console, print_json, reporting

What = Annotated[
    Literal["pipeline", "transformations", "reference"] | None,
    typer.Argument(
        help="Print the schema of one file, or the reference as Markdown. Default: write both schemas to files."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="The folder to write to. Default for the schemas: .schema beside the configuration."
    ),
]


def schema(what: What = None, out: Out = None, as_json: AsJson = False) -> None:
    """Write the JSON schemas of the YAML files for editors, or print one."""
    with reporting():
        texts = _texts(what)
        written = [] if what and not out else _write(out or _default_folder(), texts)
    if as_json and written:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        console.print(f"✓ {path}", style="green", markup=False)
    if not written:
        typer.echo("".join(texts.values()), nl=False)


def _texts(what: str | None) -> dict[str, str]:
    from comboi_core.config.reference_page import page
    from comboi_core.config.schema import schema_files

    if what == "reference":
        return {"configuration.md": page()}
    found = {Path(path).name: text for path, text in schema_files().items()}
    return {name: text for name, text in found.items() if what in (None, Path(name).stem)}


def _default_folder() -> Path:
    from comboi_core.app.loader import config_path
    from comboi_core.config.schema import FOLDER

    return config_path().parent / Path(FOLDER).name


def _write(folder: Path, texts: dict[str, str]) -> list[Path]:
    from comboi_core.domain.errors import RequestInvalid

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise RequestInvalid(
            f"{error.filename or folder}: cannot be written: {error.strerror}", remedy="Give another folder with --out."
        ) from None
    return [folder / name for name in texts]
