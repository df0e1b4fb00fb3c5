"""Order of datasets, names, run ids and the paths made of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.domain.errors import CycleError
from comboi_core.domain.graph import waves
from comboi_core.domain.manifest import DataFile, Manifest, data_path, manifest_path
from comboi_core.domain.names import RUN_ID_PATTERN, did_you_mean, run_id, table_id


def test_no_names_make_no_waves():
    assert waves({}) == []


def test_what_is_needed_but_not_asked_for_is_taken_as_given():
    assert waves({"b": ["a", "shop.orders"]}) == [["b"]]


def test_each_wave_depends_on_earlier_ones_and_is_sorted():
    assert waves({"d": ["b", "c"], "c": ["a"], "b": ["a"], "a": [], "e": []}) == [["a", "e"], ["b", "c"], ["d"]]


@pytest.mark.parametrize(
    ("dependencies", "members"),
    [({"a": ["a"]}, {"a"}), ({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": []}, {"a", "b", "c"})],
)
def test_a_circle_is_named_by_its_members_only(dependencies, members):
    with pytest.raises(CycleError) as caught:
        waves(dependencies)

    named = caught.value.message.split(": ")[1].split(" -> ")
    assert set(named) == members and named[0] == named[-1]
    assert caught.value.context["members"] == named
    assert all(needed in dependencies[name] for name, needed in zip(named, named[1:], strict=False))


@given(edges=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_waves_hold_each_name_once_and_after_what_it_needs(edges):
    dependencies: dict[str, set[str]] = {f"n{number}": set() for number in range(13)}
    for low, high in edges:
        if low != high:
            dependencies[f"n{max(low, high)}"].add(f"n{min(low, high)}")

    grouped = waves(dependencies)

    wave_of = {name: index for index, wave in enumerate(grouped) for name in wave}
    assert sorted(wave_of) == sorted(dependencies) and sum(map(len, grouped)) == len(dependencies)
    assert all(wave_of[needed] < wave_of[name] for name, needs in dependencies.items() for needed in needs)


@given(
    earlier=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)),
    later=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)),
    token=st.text("0123456789abcdef", min_size=6, max_size=6),
)
def test_run_ids_fit_their_pattern_and_sort_by_time(earlier, later, token):
    ids = [run_id("nyc_flights-2", moment.replace(tzinfo=UTC), token) for moment in (earlier, later)]

    assert all(RUN_ID_PATTERN.match(made) for made in ids)
    seconds = [moment.replace(microsecond=0) for moment in (earlier, later)]
    assert (ids[0] < ids[1]) == (seconds[0] < seconds[1])


@pytest.mark.parametrize(
    "hostile",
    [
        "", "sales", "../../etc/passwd", "sales-20261123T060000Z-7f3a91\n", "sales-20261123T060000Z-7f3a91/../x",
        "sales-٢٠٢٦١١٢٣T060000Z-7f3a91", "sales-20261123T060000Z-7F3A91", "sales-20261123T060000Z-7f3",
        "-20261123T060000Z-7f3a91", "sales.x-20261123T060000Z-7f3a91", f"{'a' * 64}-20261123T060000Z-7f3a91",
        "sales-20261123T060000Z-7f3a91:0:1", "sales\x00-20261123T060000Z-7f3a91",
    ],
)  # fmt: skip
def test_what_is_no_run_id_is_told_from_one(hostile):
    assert not RUN_ID_PATTERN.match(hostile)


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("ordrs", ["orders", "items"], " (did you mean 'orders'?)"),
        ("zzz", ["orders"], ""),
        ("", ["orders"], ""),
        ("orders", [], ""),
        ("[(*", ["orders"], ""),
    ],
)
def test_the_nearest_word_is_offered_if_one_is_near(word, known, expected):
    assert did_you_mean(word, known) == expected


def test_paths_sort_as_their_numbers_do_and_carry_what_makes_them_unique():
    assert table_id("shop", "orders") == "shop.orders"
    assert data_path("shop", "orders", 41, 3, "ab12") == "shop/orders/load=00000041/00003-ab12.parquet"
    assert manifest_path("shop", "orders", 41, 7) == "shop/orders/_loads/00000041-00000007.json"
    paths = [manifest_path("s", "t", sequence, fence) for sequence in (1, 9, 10, 99, 100) for fence in (1, 10)]
    assert paths == sorted(paths) and len(set(paths)) == len(paths)


def test_a_manifest_counts_the_rows_of_its_own_load_only():
    files = (DataFile("a", 1, 100, 1), DataFile("b", 2, 5, 1), DataFile("c", 2, 6, 1))

    manifest = Manifest("s", "t", 2, 1, "run", "merge", ("id",), None, None, (), files)

    assert manifest.rows == 11
