"""A new user's folder as it comes: each file is read as it is meant, or the run names it; no row is passed over."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import yaml

from tests.support.project import CONFIG, Project

FINE = {
    "plain.csv": b"id,v\n1,a\n2,b\n",
    "bom.csv": "\ufeffid,v\n3,é\n".encode(),
    "windows ends.csv": b"id,v\r\n4,d\r\n",
    "mixed ends.csv": b"id,v\n5,e\r\n6,f\n",
    "no last end.csv": b"id,v\n7,g",
    "blank lines first.csv": b"\n\nid,v\n8,h\n",
    "OTHER CASE.CSV": b"ID,V\n9,i\n",
    "other order.csv": b"v,id\nj,10\n",
    "a line break.csv": b'id,v\n11,"two\nlines"\n',
    "zipped.csv.gz": gzip.compress(b"id,v\n12,l\n"),
    "blanks and quotes.csv": b'"id", "v"\n13,m\n',
    "blank.csv": b"",
    "only a mark.csv": b"\xef\xbb\xbf",
    "only lines.csv": b"\r\n\n \n",
    "empty.csv.gz": gzip.compress(b""),
    "no byte.csv.gz": b"",
}
"""They have the rows 1 to 13."""
GOOD = b"id,v\n1,a\n"
WRONG = {
    "windows": ("prices.csv", "id,v\n2,caf\u00e9\n".encode("cp1252"), "encoding"),
    "preamble": ("report.csv", b'Report "A\nfor us\nid,v\n2,b\n', "options:"),
    "collision": ("twice.csv", b"id,ID,v\n2,2,b\n", "first line"),
    "nameless": ("nameless.csv", b"id,v,\n2,b,\n", "first line"),
    "quote": ("open.csv", b'id,v\n2,"b\n3,c\n', "options:"),
    "ragged": ("ragged.csv", b"id,v\n2,b,c\n", "options:"),
    "cut": ("half.csv.gz", gzip.compress(b"id,v\n" + b"2,b\n" * 9_000)[:-20], "again"),
    "other": ("picture.csv", bytes(range(128, 256)) * 20, "encoding"),
    "wide": ("utf16.csv", "\ufeffid,v\n2,b\n".encode("utf-16-le"), "encoding"),
}
"""By table: a file that cannot be read as it is, beside a good one, and a word of the remedy."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    folders = {name: {"good.csv": GOOD, file: content} for name, (file, content, _) in WRONG.items()}
    for folder, files in {"fine": FINE, **folders}.items():
        (made.folder / "incoming" / folder).mkdir(parents=True)
        for name, content in files.items():
            (made.folder / "incoming" / folder / name).write_bytes(content)
    for folder in ("configs", "transformations"):
        (made.folder / folder).mkdir()
    tables = [{"name": name, "path": f"{name}/*", "format": "csv"} for name in ("fine", *WRONG)]
    source = {"name": "drop", "type": "files", "connection": {"path": "incoming"}, "tables": tables}
    made.write("configs/initial.yml", yaml.safe_dump(CONFIG | {"sources": [source]}, sort_keys=False))
    made.write("configs/transformations.yml", "silver: []\n")
    return made


@pytest.mark.slow
def test_each_file_of_a_messy_folder_is_read_right_or_named(project: Project):
    done = project.comboi("run", "bronze", "--json")
    items = {item["table"]: item for item in json.loads(done.stdout)["tables"]}
    assert done.returncode == 1
    assert items["fine"]["rows"] == 13 and "error" not in items["fine"]
    assert sorted(row[0] for row in project.contents()["drop.fine"]) == list(range(1, 14))
    for name, (file, _, remedy) in WRONG.items():
        error = items[name]["error"]
        assert error["code"] == "unsupported_value" and not error["transient"], name
        assert f"drop.{name}: {name}/{file}" in error["message"] and remedy in error["remedy"], (name, error)
        assert "Traceback" not in error["message"] and "read_csv" not in error["message"], error
    assert set(project.contents()) == {"drop.fine"}, "of a table with a wrong file nothing lands"

    for name, (file, _, _) in WRONG.items():
        path = project.folder / "incoming" / name / file
        right = b"id,v\n2,b\n"
        path.write_bytes(gzip.compress(right) if file.endswith("gz") else right)
    again = {item["table"]: item["rows"] for item in project.run("bronze")["tables"]}
    assert again == {"fine": 0, **dict.fromkeys(WRONG, 2)}
