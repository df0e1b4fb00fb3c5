"""Each test begins with the environment of the machine: nothing of another test, nothing of the developer's project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FOR_TESTS = "COMBOI_TEST_"
"""How variables begin that tell the tests themselves something, e.g. which server to use."""


@contextmanager
def kept() -> Iterator[None]:
    """Put the environment back at the end: the function app, the commands and the host all write to it."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


def forget_the_developers() -> None:
    """Take the variables of a project out that a shell may have: tests make projects of their own."""
    for name in list(os.environ):
        if name.startswith("COMBOI_") and not name.startswith(FOR_TESTS):
            del os.environ[name]


@pytest.fixture(autouse=True, scope="module")
def environment_of_the_module() -> Iterator[None]:
    """What a module's fixtures set on purpose stays for its tests, and no longer."""
    with kept():
        yield


@pytest.fixture(autouse=True)
def environment_of_the_test(environment_of_the_module: None) -> Iterator[None]:
    """What a test sets, or calls something that sets, ends with it."""
    with kept():
        yield
