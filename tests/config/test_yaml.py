"""Files that are no YAML, too much of it, or YAML with a trap in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comboi_core.app.loader import MAX_BYTES, config_path, load
from comboi_core.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ("\tx: 1\n", "'\\t'"),
        ("retry: {attempts: 1\n", "expected ',' or '}'"),
        ("retry: *nowhere\n", "undefined alias"),
        ("retry: !!python/object/apply:os.system [id]\n", "python/object/apply"),
        ("queue: 2026-13-45\n", "month must be in 1..12"),
        ("queue: !!int abc\n", "abc"),
        (f"queue: {'9' * 5000}\n", "4300 digits"),
        ('queue: "\\ud800"\n', "surrogates not allowed"),
        ("---\na: 1\n", "another document"),
    ],
)
def test_broken_yaml_is_named_with_its_line(files, added, says):
    last = files.pipeline.read_text().count("\n") + 1
    files.write(files.pipeline, files.pipeline.read_text() + added)

    problem = files.problem()

    assert says in problem
    named = int(problem.removeprefix(f"{files.pipeline}:").split(":")[0])
    assert last <= named <= last + 1


@pytest.mark.parametrize("content", [b"\x00\x01\xff\xfe", b"pipeline: a\x00b\n", "pipeline: sales".encode("utf-16")])
def test_binary_files_are_an_error_of_one_line(files, content):
    files.write(files.pipeline, content)

    assert files.problem().startswith(f"{files.pipeline}: ")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(files):
    before = files.load().config_hash
    files.write(files.pipeline, b"\xef\xbb\xbf" + files.pipeline.read_bytes().replace(b"\n", b"\r\n"))

    assert files.load().config_hash == before


def test_a_file_without_end_is_refused(files):
    files.write(files.pipeline, "#" * (MAX_BYTES + 1))

    assert "larger than" in files.problem()


def test_aliases_that_multiply_are_refused_before_they_are_walked(files):
    bomb = ["queue:", "  a: &a [x, x, x, x, x, x, x, x, x]"]
    bomb += [
        f"  {name}: &{name} [{', '.join([f'*{of}'] * 9)}]" for of, name in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    files.write(files.pipeline, files.pipeline.read_text() + "\n".join(bomb) + "\n")

    assert "aliases count at each use" in files.problem()


def test_merge_keys_that_multiply_are_refused_before_they_are_merged(files):
    bomb = ["queue:", "  a: &a {k: 1}"]
    bomb += [
        f"  {name}: &{name} {{<<: [{', '.join([f'*{of}'] * 9)}]}}"
        for of, name in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    files.write(files.pipeline, files.pipeline.read_text() + "\n".join(bomb) + "\n")

    assert "aliases count at each use" in files.problem()


@pytest.mark.parametrize("added", ["queue: &q [*q]\n", "queue: &q {a: *q}\n", f"queue: {'[' * 3000}{']' * 3000}\n"])
def test_structures_without_end_or_bottom_are_refused(files, added):
    files.write(files.pipeline, files.pipeline.read_text() + added)

    assert "nested too deeply" in files.problem()


def test_anchors_and_merge_keys_work_as_yaml_has_them(files):
    files.replace("- {name: orders, ", "- &orders {name: orders, ").replace(
        "- {name: items, table: public.items}", "- {<<: *orders, name: items}"
    )

    assert files.load().table("shop", "items").table == "public.orders"


def test_a_key_given_twice_is_named_with_both_lines(files):
    files.write(files.pipeline, files.pipeline.read_text() + "engine: {}\n")

    assert files.problem() == f"{files.pipeline}:15: the key 'engine' is already given in line 3; remove one of them"


def test_a_key_given_twice_in_one_line_is_found(files):
    files.replace("table: public.items}", "table: public.items, table: other}")

    assert "the key 'table' is already given" in files.problem()


def test_a_key_that_yaml_takes_for_a_truth_value_is_text(files):
    added = 'notifications: [{on: [failed], webhook: "{{env:HOOK}}"}]'
    files.write(files.pipeline, files.pipeline.read_text() + f"{added}\n")

    assert files.load().pipeline_file.notifications[0].on == ("failed",)


@pytest.mark.parametrize("key", ["1", "~", "2026-01-01", "1.5", "? [a, b]\n", "? {a: b}\n"])
def test_keys_that_are_no_text_are_refused_with_their_line(files, key):
    files.write(files.pipeline, files.pipeline.read_text() + f"{key}: x\n")

    problem = files.problem()

    assert problem.startswith(f"{files.pipeline}:15: a key has to be text")


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n- b\n", "hello\n", "~\n"])
def test_a_file_that_is_no_mapping_says_which_keys_it_takes(files, content):
    files.write(files.pipeline, content)

    assert "expected a mapping with the keys pipeline" in files.problem()


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(ConfigError, match="no such file") as caught:
        load(tmp_path / "nowhere.yml")
    assert "COMBOI_CONFIG" in caught.value.remedy


def test_a_folder_in_place_of_a_file_is_an_error_not_a_crash(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_missing_transformations_file_is_named(files):
    files.datasets.unlink()

    assert files.problem() == f"{files.datasets}: no such file"


def test_the_transformations_file_may_lie_elsewhere_in_the_project(files):
    files.datasets.rename(files.pipeline.parent.parent / "datasets.yml")
    files.replace("failure_policy: stop", "transformations_file: datasets.yml")

    assert [dataset.name for dataset in files.load().datasets()] == ["orders_clean", "daily_sales"]


def test_a_transformations_file_with_a_nul_in_its_name_is_an_error_not_a_crash(files):
    files.replace("failure_policy: stop", 'transformations_file: "a\\0b"')

    assert "no such file" in files.problems()[0]


def test_the_file_is_found_by_argument_then_environment_then_default(monkeypatch):
    monkeypatch.delenv("COMBOI_CONFIG", raising=False)
    assert config_path() == Path("configs/initial.yml")
    monkeypatch.setenv("COMBOI_CONFIG", "other.yml")
    assert config_path() == Path("other.yml")
    assert config_path("given.yml") == Path("given.yml")
    monkeypatch.setenv("COMBOI_CONFIG", "")
    assert config_path() == Path("configs/initial.yml")


def test_paths_below_the_working_directory_are_shown_as_typed(files, monkeypatch):
    monkeypatch.chdir(files.pipeline.parent.parent)
    monkeypatch.delenv("COMBOI_CONFIG", raising=False)
    files.replace("failure_policy: stop", "failure_policy: stopp")

    with pytest.raises(ConfigError) as caught:
        load()
    assert caught.value.message.startswith(os.path.join("configs", "initial.yml") + ":2: ")
