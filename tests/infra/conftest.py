"""Terraform for the tests that evaluate expressions; they need the binary, but no provider and no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform import MINIMUM, evaluate, terraform


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Any]:
    """Evaluate an expression over the module, as `terraform.evaluate` does."""
    if not terraform():
        pytest.skip(f"no terraform binary, {'.'.join(map(str, MINIMUM))} or newer, on this machine")

    def run(output: str, *, var_file: Path | None = None, **values: Any) -> Any:
        return evaluate(tmp_path, values, output, var_file=var_file)

    return run
