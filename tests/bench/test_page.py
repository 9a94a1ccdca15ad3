# ruff: noqa: RUF001  the page has signs that look like letters
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.chart import thousands
from bench.page import page, picture, table
from bench.results import Figure, Results, Section, load, save
from bench.targets import TARGETS

CONTEST = Section(
    "contenders",
    "Side by side",
    "How it was done.",
    [
        Figure("kafka-streams-1", "Kafka Streams, 1 thread", "events/s", [200_000.0, 100_000.0], "parsed"),
        Figure("streamgauge", "Streamgauge, 1 worker", "events/s", [300_000.0, 160_000.0], "detected"),
        Figure("bytewax", "Bytewax & friends", "events/s", error="not to be had\nhere"),
    ],
)


@pytest.fixture
def results() -> Results:
    return Results("python -m bench", {"cores": "2"}, {"Python": "3.11"}, {"contenders": deepcopy(CONTEST)})


def drawn(results: Results) -> ET.Element:
    return ET.fromstring(picture(results))  # noqa: S314  our own picture


def test_contenders_come_fastest_first_with_the_ratio_before_the_rate(results: Results):
    text = page(results, "results.svg")
    assert text.index(
        "| Streamgauge, 1 worker | 1.00 × | 230 k (160 k – 300 k) | 2 | detected |"
    ) < text.index(
        "| Kafka Streams, 1 thread | 1.55 × (1.50 × – 1.60 ×) | 150 k (100 k – 200 k) | 2 | parsed |"
    )


def test_what_could_not_run_says_why(results: Results):
    assert "| Bytewax & friends | – | could not run | 0 | failed: not to be had here |" in page(
        results, "x.svg"
    )


def test_targets_pass_miss_or_were_not_measured(results: Results):
    text = page(results, "results.svg")
    assert "Kafka Streams, 1 worker against 1 thread | 1.55 × (1.50 × – 1.60 ×) | **pass** |" in text
    results.values("streamgauge")[:] = [200_000.0, 100_000.0]
    assert "Kafka Streams, 1 worker against 1 thread | 1.00 × | **miss** |" in page(results, "results.svg")
    assert text.count("not measured") == len(TARGETS) - 2


def test_the_chart_is_well_formed_and_names_only_what_ran(results: Results):
    texts = [it.text for it in drawn(results).iter() if it.tag.endswith("text")]
    assert "Kafka Streams, 1 thread" in texts
    assert "Bytewax & friends" not in texts


def test_a_chart_of_nothing_is_a_chart():
    assert drawn(Results()).tag.endswith("svg")


def test_results_survive_being_written(results: Results, tmp_path: Path):
    save(results, tmp_path / "results.json")
    assert load(tmp_path / "results.json") == results


def test_a_partial_run_keeps_the_other_figures(results: Results):
    results.put(Section("contenders", "", "", [Figure("streamgauge", "", "events/s", [1.0])]))
    assert results.values("streamgauge") == [1.0]
    assert results.values("kafka-streams-1") == [200_000.0, 100_000.0]


def test_what_stands_in_a_table_cannot_break_it():
    assert table(("a",), [("x|y\nz",)]).splitlines()[-1] == "| x\\|y z |"


@pytest.mark.parametrize(
    ("rate", "said"), [(2_814.0, "2.8 k"), (84_600.0, "85 k"), (327_499.0, "327 k"), (1_310_000.0, "1.31 M")]
)
def test_rates_read_as_people_say_them(rate: float, said: str):
    assert thousands(rate) == said
