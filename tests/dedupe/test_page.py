"""The match-quality report: what it shows, and what it must not."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import duckdb
import pytest

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import Deduplicated, deduplicate
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import BASE, config, people

pytestmark = pytest.mark.slow

VOID = {"meta", "rect", "line"}


class Outline(HTMLParser):
    """Reads a page as a browser without network would; complains of tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def explained(con: duckdb.DuckDBPyConnection, settings: SplinkConfig | None = None, **options: Any) -> Deduplicated:
    return deduplicate(con, "people", settings or config(), into="kept", crosswalk="links", **options)


def text_of(html: str) -> str:
    return " ".join(" ".join(Outline(html).text).split())


def test_it_shows_figures_weights_sizes_merges_and_settings(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    text = text_of(explained(con, title="Customers").html)
    for said in ("Customers", "Records 90", "Entities 60", "Duplicates 30", "Precision 1.0000", "F1 1.0000"):
        assert said in text
    for said in ("ExactMatch(city); the weight of an agreement is adjusted", "Exact match on email", "log2(m / u)"):
        assert said in text
    for said in (
        "Nearest to the threshold",
        "p000-0 and p000-1",
        '"unique_id_column_name": "id"',
        "1 40 40",
        "3 10 30",
    ):
        assert said in text
    assert "comboi_" not in text


def test_it_asks_nothing_of_the_network_and_runs_nothing(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    html = explained(con).html
    outline = Outline(html)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object", "base"}
    assert not {name for _, attrs in outline.tags for name in attrs} & {"src", "href", "onclick", "onload"}
    assert not re.search(r"https?:|url\(|@import", html)


def test_a_screen_reader_finds_language_headings_and_table_heads(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    outline = Outline(explained(con).html)
    tags = [tag for tag, _ in outline.tags]
    assert ("html", {"lang": "en"}) in outline.tags
    assert tags.count("h1") == 1 and tags.count("main") == 1
    assert tags.count("table") == tags.count("caption") > 5
    assert all("scope" in attrs for tag, attrs in outline.tags if tag == "th")
    assert all(attrs.get("aria-hidden") == "true" for tag, attrs in outline.tags if tag == "svg")


def test_markup_in_values_and_names_is_text(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET city = '<script>alert(1)</script>' || city")
    con.execute('ALTER TABLE people RENAME city TO "<b>city&"')
    comparisons = [BASE["comparisons"][0], {"type": "ExactMatch", "column": "<b>city&"}, BASE["comparisons"][2]]
    rules = {"em_blocking": [["email"], ["<b>city&"]], "deterministic_rules": [["email"]]}
    settings = config(comparisons=comparisons, training=rules, blocking_rules_to_generate_predictions=[["email"]])
    html = explained(con, settings, title="<i>x</i>").html
    assert "<script" not in html and "<b>" not in html and "<i>" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_file_itself_lets_nothing_run_wherever_it_is_opened_from(
    con: duckdb.DuckDBPyConnection,
) -> None:
    people(con)
    html = explained(con).html
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}' blob:; base-uri 'none'; form-action 'none'"
    assert html.index("<meta http-equiv") < html.index("<style>") and " style=" not in html


def test_sensitive_values_are_not_shown(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    mails = [mail for (mail,) in con.execute("SELECT email FROM people").fetchall()]
    html = explained(con, sensitive={"EMAIL", "id"}).html
    assert not [mail for mail in mails if mail in html]
    assert "p000-" not in html
    assert html.count("***") > 20


def test_sensitive_ids_are_not_in_errors(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET id = 'secret' WHERE person = 1 OR person = 2")
    with pytest.raises(DedupeError) as raised:
        explained(con, sensitive=["ID"])
    assert raised.value.message == "1 value of id not unique: *** (2 times)"


def test_which_values_are_shown_is_a_setting_of_splink_s(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    settings = config(
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
        additional_columns_to_retain=["updated"],
    )
    text = text_of(explained(con, settings).html)
    assert "updated 0 1" in text and "@example.com" not in text and "What made the weight" not in text


def test_wrong_merges_are_shown_where_labels_tell(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("INSERT INTO people SELECT 'q', 999, name, city, email, 9 FROM people WHERE id = 'p001-0'")
    text = text_of(explained(con).html)
    assert "Merged although the labels differ p001-0 and q" in text
    assert "Not merged although" not in text


def test_missed_merges_are_shown_where_labels_tell(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("INSERT INTO people VALUES ('q', 1, 'quite other', 'Elsewhere', 'other@example.com', 9)")
    text = text_of(explained(con).html)
    assert "Not merged although the labels agree p001-0 and q: not merged" in text
    assert "Merged although" not in text


GIVEN = {
    "JaroWinklerAtThresholds": ([0.8, 0.1, 0.1], [0.01, 0.02, 0.97]),
    "ExactMatch": ([0.9, 0.1], [0.01, 0.99]),
}


def near(con: duckdb.DuckDBPyConnection, pairs: int = 1) -> SplinkConfig:
    """Add records with the e-mail of another one and nothing else of it; return settings that leave them apart."""
    people(con)
    con.execute(f"""
        INSERT INTO people
        SELECT 'q' || id, 1000 + person, 'nobody ' || person, 'Elsewhere ' || person, email, 9 FROM people
        WHERE id LIKE '%-0' ORDER BY id LIMIT {pairs}""")
    comparisons = [
        comparison | dict(zip(("m_probabilities", "u_probabilities"), GIVEN[comparison["type"]], strict=True))
        for comparison in BASE["comparisons"]
    ]
    return config(comparisons=comparisons, training=None, probability_two_random_records_match=0.1)


def below(html: str) -> str:
    return html.partition("<h2>Just below the threshold</h2>")[2].partition("<h2>")[0]


def test_pairs_just_below_the_threshold_are_shown_with_what_pulled_them_down(con: duckdb.DuckDBPyConnection) -> None:
    text = text_of(below(explained(con, near(con)).html))
    found = re.search(r"p000-0 and qp000-0: ([-+][0-9.]+) bits, probability 0\.\d+, ([0-9.]+) bits short", text)
    weight, short = map(float, found.groups())
    # log2(0.1 / 0.9), then an e-mail in common and two columns that differ; 0.9 is 3.17 bits.
    assert weight == pytest.approx(-3.17 + 6.49 - 3.28 - 3.31, abs=0.1)
    assert weight + short == pytest.approx(3.17, abs=0.1)
    pulled = re.search(r"Pulled down by (.*?)\. The two", text)[1]
    assert pulled == (
        "ExactMatch(city): All other comparisons (-3.3); JaroWinklerAtThresholds(name): All other comparisons (-3.3)"
    )
    assert "nobody 0" in text


def test_that_a_value_is_frequent_is_part_of_what_pulled_a_pair_down(con: duckdb.DuckDBPyConnection) -> None:
    settings = near(con)
    con.execute("UPDATE people SET city = 'Köln'")
    text = text_of(below(explained(con, settings.model_copy(update={"threshold_match_probability": 0.999})).html))
    assert re.search(r"Pulled down by how frequent the values are: term frequencies \(-6\.6\)", text)


def test_a_pair_that_was_merged_by_way_of_other_records_is_not_below_the_threshold(
    con: duckdb.DuckDBPyConnection,
) -> None:
    settings = near(con)
    for other, changed in (("r", "city = 'Elsewhere 0'"), ("s", "name = 'nobody 0', city = 'Elsewhere 0'")):
        con.execute(f"INSERT INTO people SELECT '{other}', 0, name, city, email, 9 FROM people WHERE id = 'p000-0'")
        con.execute(f"UPDATE people SET {changed} WHERE id = '{other}'")
    done = explained(con, settings)
    clusters = "SELECT count(DISTINCT cluster_id) FROM links WHERE id IN ('p000-0', 'qp000-0')"
    assert con.execute(clusters).fetchone() == (1,)
    assert "qp000-0" not in below(done.html)


def test_the_section_is_bounded_and_keeps_secrets(con: duckdb.DuckDBPyConnection) -> None:
    settings = near(con, 60)
    mails = [mail for (mail,) in con.execute("SELECT email FROM people").fetchall()]
    shown = below(explained(con, settings, sensitive={"EMAIL", "id"}).html)
    assert shown.count("<h3>") == 8 and shown.count("***") > 16
    assert not [secret for secret in (*mails, "p000-") if secret in shown]
    assert "nobody" in shown


def test_that_no_pair_is_near_is_said(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    assert "No pair that was left apart is within 7 bits" in text_of(explained(con).html)


def test_a_label_that_is_no_identity_is_no_trouble(con: duckdb.DuckDBPyConnection) -> None:
    people(con, 600)
    con.execute("UPDATE people SET person = NULL WHERE person > 300; UPDATE people SET person = 1 WHERE person >= 0")
    done = explained(con)
    assert done.report.recall < 0.01
    assert "Not merged although" not in done.html


def test_the_parts_of_a_pair_s_weight_add_up_to_it(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    plain = [{**comparison, "term_frequency_adjustments": False} for comparison in BASE["comparisons"]]
    text = text_of(explained(con, config(comparisons=plain)).html)
    prior = float(re.search(r"Every pair begins at ([-+][0-9.]+)", text)[1])
    total, parts = re.search(r"p000-0 and p000-1: ([-+][0-9.]+) bits.*?What made the weight (.*?) p0", text).groups()
    weights = [float(weight) for weight in re.findall(r"[-+][0-9]+\.[0-9](?= |$)", parts)]
    assert len(weights) == 3
    assert prior + sum(weights) == pytest.approx(float(total), abs=0.21)


@pytest.mark.parametrize("rows", [0, 1])
def test_there_is_a_page_for_hardly_any_input(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    people(con)
    con.execute(f"DELETE FROM people WHERE id NOT IN (SELECT id FROM people ORDER BY id LIMIT {rows})")
    text = text_of(explained(con).html)
    assert f"Records {rows}" in text and "no two records agree on any blocking rule" in text


@pytest.mark.slow
def test_the_same_data_give_the_same_page(con: duckdb.DuckDBPyConnection) -> None:
    pages = set()
    for shuffled, threads in ((1, 1), (2, 3)):
        con.execute(f"SET threads = {threads}")
        people(con, shuffled=shuffled)
        pages.add(explained(con).html)
        con.execute("DROP TABLE kept; DROP TABLE links")
    assert len(pages) == 1
