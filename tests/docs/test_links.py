"""Every link of the pages leads somewhere, and every page that the code names is there."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:")
"""The beginning of an absolute address: https:, mailto:."""
NAMED = re.compile(r"(?<![\w/.-])docs/[\w/-]+\.md(?:#[\w-]+)?")
"""A page as code, settings and messages name it: docs/page.md or docs/page.md#part."""
FILE = re.compile(r"`((?:comboi_core|durable_local|infra|tests|benchmarks|orchestrators|activities)/[\w./*-]+)`")
OF_ANOTHER_TREE = {"CHANGELOG.md", "extending.md"}
"""Pages that name files which an earlier version had, or which the reader is about to write."""
READ = {".py", ".md", ".tf", ".tfvars", ".toml", ".txt", ".yml", ".json", ".sh", ""}
"""Endings of the files in which pages are named; the empty one is the Makefile's."""


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    found: list[str] = []
    for heading in headings:
        name = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        again = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", one) is not None for one in found)
        found.append(f"{name}-{again}" if again else name)
    return frozenset(found)


def missing(target: str, page: Path) -> str | None:
    """Return why a link of a page leads nowhere; None if it does lead somewhere."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return f"{page.relative_to(ROOT)}: there is no {target}"
    if anchor and anchor not in anchors(file):
        return f"{page.relative_to(ROOT)}: {file.name} has no heading for #{anchor}"
    return None


def problems(page: Path) -> list[str]:
    links = LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return [told for link in links if not ELSEWHERE.match(link) and (told := missing(link, page))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading(page):
    assert problems(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.docs.test_links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A title, `with code`\n\n[1](#a-title-with-code) [2](gone.md) [3](#gone) [4](https://x.example/y)\n"
    )

    assert problems(page) == ["page.md: there is no gone.md", "page.md: page.md has no heading for #gone"]


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8")))

    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in OF_ANOTHER_TREE], ids=lambda page: page.stem
)
def test_every_file_of_the_project_that_a_page_names_exists(page):
    assert [path for path in FILE.findall(page.read_text(encoding="utf-8")) if not list(ROOT.glob(path))] == []


def test_every_page_that_a_file_names_exists():
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    files = [ROOT / name for name in tracked if Path(name).suffix in READ and (ROOT / name).is_file()]
    named = {
        (file.relative_to(ROOT).as_posix(), target)
        for file in files
        for target in NAMED.findall(file.read_text(encoding="utf-8", errors="replace"))
        if file != Path(__file__).resolve()
    }

    assert len(named) > 20
    assert [f"{file}: {told}" for file, target in sorted(named) if (told := missing(target, ROOT / "README.md"))] == []
