"""The hosts of these tests ask for a key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.keyed import adding_keys


@pytest.fixture(scope="session", autouse=True)
def _keys() -> Iterator[None]:
    with adding_keys():
        yield
