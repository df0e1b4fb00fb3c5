"""Every error tells people what to do and machines what it is."""

from __future__ import annotations

import importlib
import json
import pickle
import pkgutil
import re

import pytest

import comboi_core
from comboi_core.domain.errors import ComboiError, LeaseLost, SourceUnreachable


def every_error(base: type[ComboiError] = ComboiError) -> list[type[ComboiError]]:
    found = [base]
    for child in base.__subclasses__():
        found += every_error(child)
    return found


@pytest.fixture(scope="module", autouse=True)
def all_modules() -> None:
    """Import what defines errors of its own beside its use."""
    for package in ("domain", "web", "cli"):
        folder = importlib.import_module(f"comboi_core.{package}")
        for module in pkgutil.iter_modules(folder.__path__):
            if module.name != "__main__":
                importlib.import_module(f"comboi_core.{package}.{module.name}")
    assert comboi_core.__path__


def test_codes_are_unique_and_fit_for_a_url():
    codes = [kind.__dict__.get("code") for kind in every_error() if "code" in kind.__dict__]

    assert len(codes) == len(set(codes)) > 20
    assert all(re.fullmatch(r"[a-z][a-z_]*[a-z]", code) for code in codes)


def test_every_error_has_a_remedy_of_a_sentence():
    for kind in every_error():
        assert kind.remedy.strip().endswith("."), kind
        assert kind.remedy[0].isupper(), kind


def test_an_error_as_data_is_json_with_four_fields():
    record = SourceUnreachable("db does not answer", host="db", port=5432).record()

    assert json.loads(json.dumps(record)) == {
        "code": "source_unreachable",
        "message": "db does not answer",
        "remedy": SourceUnreachable.remedy,
        "transient": True,
    }


def test_a_remedy_of_its_own_does_not_change_the_class():
    error = LeaseLost("x", remedy="Do y.", run="a")

    assert (error.record()["remedy"], error.context) == ("Do y.", {"run": "a"})
    assert LeaseLost("x").record()["remedy"] != "Do y."


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(LeaseLost("a newer run", remedy="Wait.", run="a")))

    assert (error.message, error.remedy, error.context) == ("a newer run", "Wait.", {"run": "a"})
