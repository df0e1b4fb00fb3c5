"""The page as a document: one file that needs no other, and the policy that holds it to that."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from pathlib import Path

from comboi_core.web.answers import HEADERS
from comboi_core.web.page.page import page

ROOT = Path(__file__).resolve().parents[2]


def test_the_policy_allows_exactly_the_style_and_the_script_of_the_page():
    html, headers = page()
    for tag in ("style", "script"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        assert len(inline) == 1 and len(inline[0]) > 1000
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_page_names_no_other_host():
    html, headers = page()
    named = set(re.findall(r"https?://[^\s'\"<>]+", html))
    assert named == {"http://www.w3.org/2000/svg"}, "a name of a format, nothing that is fetched"
    assert not re.search(r"\b(src|href)=\"(?!#|data:)", html)
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert HEADERS["Referrer-Policy"] == "no-referrer"


def test_data_never_becomes_markup_and_the_key_is_kept_for_the_tab_alone():
    html, _ = page()
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in html
    for store in ("localStorage", "document.cookie", "indexedDB"):
        assert store not in html


def test_the_pages_files_are_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    patterns = settings["comboi_core.web.page"]
    files = [
        file for file in (ROOT / "comboi_core" / "web" / "page").iterdir() if file.suffix in (".html", ".css", ".js")
    ]
    assert len(files) > 3 and all(any(file.match(pattern) for pattern in patterns) for file in files)
