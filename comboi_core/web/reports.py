"""A dataset's match-quality report, out of the lake, with a policy that lets it be read and nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re

from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError, LakeNotFound
from comboi_core.domain.names import did_you_mean
from comboi_core.web.answers import HTML, Answer

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class DatasetNotFound(ComboiError):
    """The configuration has no such dataset."""

    code = "dataset_not_found"
    remedy = "Give the name of a dataset as the configuration has it; GET /api/overview lists them."


class ReportNotFound(ComboiError):
    """The dataset has no match-quality report."""

    code = "report_not_found"
    remedy = "Build the dataset: a build that deduplicates writes the report beside it."


async def match_quality(workspace: Workspace, name: str) -> Answer:
    """Return the match-quality report of a dataset's latest build.

    Args:
        name: The dataset's, as the configuration has it.

    Raises:
        DatasetNotFound: the configuration has no such dataset.
        ReportNotFound: it is not deduplicated, or was not built since it is, or an erasure has removed the report.
        LakeUnavailable, LakeRefused: the lake cannot be read.
    """
    known = {dataset.name: dataset for dataset in workspace.project.datasets()}
    if name not in known:
        raise DatasetNotFound(f"there is no dataset '{name}'{did_you_mean(name, known)}")
    stage, dataset = workspace.project.dataset(name)
    lake, path = workspace.lake(stage), report_path(workspace, name)
    try:
        html = (await asyncio.to_thread(lake.read, path)).decode(errors="replace")
    except LakeNotFound:
        if not dataset.splink:
            remedy = "Only datasets with `splink:` in the configuration have one."
            raise ReportNotFound(f"{name} is not deduplicated, so it has no report", remedy=remedy) from None
        raise ReportNotFound(f"{name} has no match-quality report: {path} is not in the {stage} lake") from None
    return Answer(200, html, _headers(html), content_type=HTML)


def report_path(workspace: Workspace, name: str) -> str:
    """Return where a dataset's report is in its stage's lake."""
    return f"{workspace.project.dataset_path(name).removesuffix('.parquet')}.report.html"


def _headers(html: str) -> dict[str, str]:
    """Allow the styles that the report came with, by their hashes; no script, no request, no frame around it."""
    styles = " ".join(_hash(text) for text in _STYLE.findall(html)) or "'none'"
    policy = f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return {"Content-Security-Policy": f"{policy}; sandbox"}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
