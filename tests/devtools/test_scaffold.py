"""Entries put into YAML files by text: everything that was there stays, letter for letter."""

from __future__ import annotations

import itertools

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from comboi_core.devtools.scaffold.yaml import Item, appended, flow, mapping_lines

NEW = {"name": "new", "inputs": [{"alias": "a b", "table": "t: #x"}, {"alias": "c"}]}
ITEM = Item(NEW, mapping_lines(NEW, {"name": "a note"}))

BLOCK = """\
# top
silver:   # the middle
  - name: a   # first
    inputs:
      - {alias: x, table: t}
      # below the inputs

  # about b
  - name: b
    text: |
      SELECT 1
      # not a comment

    # still about b
# about gold
gold: []   # none yet
# the end
"""


def removed(longer: str, shorter: str) -> bool:
    """Tell whether `shorter` is `longer` with one piece taken out."""
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(longer, shorter, strict=False)))
    left = len(shorter) - same
    return left == 0 or longer.endswith(shorter[same:])


def test_an_entry_goes_behind_the_last_one_and_its_comments():
    changed = appended(BLOCK, ("silver",), ITEM)

    added = "  - name: new  # a note\n    inputs:\n      - {alias: a b, table: 't: #x'}\n      - alias: c\n"
    assert changed == BLOCK.replace("# about gold", f"\n{added}# about gold")
    assert removed(changed, BLOCK)


def test_an_empty_list_becomes_a_block_and_the_comment_behind_it_stays():
    changed = appended(BLOCK, ("gold",), Item.plain("x"))

    assert changed == BLOCK.replace("gold: []   # none yet\n", "gold:   # none yet\n  - x\n")


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("", ("silver",), "silver:\n  - x\n"),
        ("# only this", ("silver",), "# only this\nsilver:\n  - x\n"),
        ("silver:", ("silver",), "silver:\n  - x\n"),
        ("silver: null  # none\ngold: [a]\n", ("silver",), "silver:  # none\n  - x\ngold: [a]\n"),
        ("silver: ~\n", ("silver",), "silver:\n  - x\n"),
        ("silver:\n- a\n- b\n", ("silver",), "silver:\n- a\n- b\n- x\n"),
        ("silver:\n  - a", ("silver",), "silver:\n  - a\n  - x\n"),
        ("silver:\n  - a\n\n  - b\n\ngold: 1\n", ("silver",), "silver:\n  - a\n\n  - b\n\n  - x\n\ngold: 1\n"),
        ("silver: [a]", ("silver",), "silver: [a, x]"),
        ("silver: [a,]  # c\n", ("silver",), "silver: [a, x,]  # c\n"),
        ("silver: [\n  a,  # c\n]\n", ("silver",), "silver: [\n  a, x,  # c\n]\n"),
        ("silver: [\n  a,\n  b\n]\n", ("silver",), "silver: [\n  a,\n  b,\n  x\n]\n"),
        ("gold: 1\n# end\n", ("silver",), "gold: 1\n# end\n\nsilver:\n  - x\n"),
        ("s:\n  - n: 1  # c\n  - n: 2\n", ("s", 0, "t"), "s:\n  - n: 1  # c\n    t:\n      - x\n  - n: 2\n"),
        ("s:\n  - {n: 1}\n", ("s", 0, "t"), "s:\n  - {n: 1, t: [x]}\n"),
        ("s:\n  - {n: 1, t: []}\n", ("s", 0, "t"), "s:\n  - {n: 1, t: [x]}\n"),
        ("s: [{n: 1, t: [a]}]\n", ("s", 0, "t"), "s: [{n: 1, t: [a, x]}]\n"),
        ("s:\n  -\n    t:\n    - a\n  - 2\n", ("s", 0, "t"), "s:\n  -\n    t:\n    - a\n    - x\n  - 2\n"),
        ('s:\n  - "a\n    b"\n', ("s",), 's:\n  - "a\n    b"\n  - x\n'),
        ("s:\n  - >-\n    folded\n\n\nt: 1\n", ("s",), "s:\n  - >-\n    folded\n  - x\n\n\nt: 1\n"),
        ("\ufeffs:\n  - a\n", ("s",), "\ufeffs:\n  - a\n  - x\n"),
        ("---\ns:\n  - a\n", ("s",), "---\ns:\n  - a\n  - x\n"),
        ("s:\n  - k:\nt: 1\n", ("s",), "s:\n  - k:\n  - x\nt: 1\n"),
    ],
)  # fmt: skip
def test_every_way_to_write_a_list_is_kept(text, path, expected):
    assert appended(text, path, Item.plain("x")) == expected


def test_line_breaks_stay_as_they_are():
    text = "silver:\r\n  - a\r\n\r\n  - b\r\ngold: 1\r\n"

    changed = appended(text, ("silver",), ITEM)

    assert "\n" not in changed.replace("\r\n", "") and removed(changed, text)


@pytest.mark.parametrize(
    "text",
    [
        "silver: &all [a]\ngold: *all\n",  # an insertion into one would change the other
        "base: &all\n  - a\nsilver: *all\n",
        "silver: text\n",
        "silver: {a: 1}\n",
        "- silver\n",
        "silver: [a\n",
        "silver:\n  - a\n---\nb: 1\n",
        "silver: [  # why\n]\n",
        "gold: 1\n...\n",
        "{}\n",
        "a: &a [*a]\n",
    ],
)
def test_what_cannot_be_done_safely_is_not_done(text):
    assert appended(text, ("silver",), Item.plain("x")) is None


@pytest.mark.parametrize(
    "value", ["yes", "1", "a: b", "# x", "ü'\"", "", " x ", "2026-01-01", "a\nb", "\x85", "\u2028", ["x", "1"], True]
)
def test_values_on_one_line_read_back_as_they_are(value):
    assert yaml.safe_load(f"k: {flow(value)}") == {"k": value} and "\n" not in flow(value)


_scalars = st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.none(), st.dates())
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)
_noise = st.sampled_from(["", "# c", "    # far in", "  # in"])


def _same(text: str, value: object) -> bool:
    """Whether noise in the text is a comment; between the lines of a value it would be a part of that."""
    try:
        return yaml.safe_load(text) == value
    except yaml.YAMLError:
        return False


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(_values, max_size=4), st.sampled_from([True, False, None]), st.integers(1, 8), st.data())
def test_whatever_the_list_holds_all_of_the_text_stays_and_one_item_is_added(items, style, indent, data):
    value = {"first": 1, "silver": items, "last": [{"x": "y"}]}
    dumped = yaml.safe_dump(value, default_flow_style=style, indent=indent, sort_keys=False, allow_unicode=True)
    assume(_same(dumped, value))  # PyYAML does not write every text so that it can read it
    lines = dumped.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines)))
    noisy = "".join([*lines[:at], data.draw(_noise) + "\n", *lines[at:]])
    text = noisy if _same(noisy, value) else dumped

    changed = appended(text, ("silver",), ITEM)

    assert changed is not None and yaml.safe_load(changed) == value | {"silver": [*items, NEW]}
    assert not items or removed(changed, text)
