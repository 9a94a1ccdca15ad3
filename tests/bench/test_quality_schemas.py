"""The corpus of schema changes is what it says, and its streams are found or left alone; here some of each, small."""

import pytest

from bench.quality import schema_avro, schema_second
from bench.quality.plan import Plan
from bench.quality.report import Report, page
from bench.quality.schema_corpus import CORPUS
from bench.quality.schema_runs import judge
from bench.quality.schema_scenario import CHANGED, KNOWN, SHARES, Corpus, Scenario
from bench.quality.schemas import measure

BLOCK = 1000
"""Payloads of a block: what was there all along is told with its first one in the block."""


CORPORA = [pytest.param(CORPUS, id="first"), pytest.param(schema_second.CORPUS, id="second")]


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_corpus_has_each_change_at_each_share_and_as_many_harmless_streams(corpus: Corpus) -> None:
    changes, harmless = corpus
    assert len(changes) >= 60
    assert len(harmless) >= 60
    assert len({(it.name, it.share) for it in changes}) == len(changes)
    assert len({it.name for it in harmless}) == len(harmless)
    assert {it.share for it in changes} >= set(SHARES)


@pytest.mark.parametrize(
    "scenario",
    [*CORPUS.changes[::14], *schema_second.CORPUS.changes[::14], *CORPUS.harmless[::14]],
    ids=lambda it: f"{it.name}, {it.share:.0%}",
)
def test_a_stream_is_the_same_each_time_and_changes_where_it_says(scenario: Scenario) -> None:
    once = list(scenario.records(50, 50))
    assert once == list(scenario.records(50, 50))
    assert len(once) == 100
    assert once[:50] == list(scenario._replace(change=lambda _record, _chance: None).records(50, 0))


def _lengths(scenario: Scenario) -> tuple[int, int]:
    """How many records come before the change and after it: numbers are compared over more of them."""
    slow = scenario.expected is not None and scenario.expected.change == "distribution_changed"
    return (KNOWN, CHANGED) if slow else (3500, 2000)


@pytest.mark.parametrize(
    "scenario", [it for it in CORPUS.changes if it.share > 0.05][::5], ids=lambda it: it.name
)
def test_a_change_is_found_with_its_kind_and_path_and_nothing_else_is_told(scenario: Scenario) -> None:
    outcome = judge(scenario, *_lengths(scenario))
    assert outcome.found_after is not None
    assert outcome.others == []
    assert outcome.first_error is not None
    assert scenario.expected is not None
    if scenario.expected.change in ("enum_removed", "null_rate_changed"):
        assert abs(outcome.first_error) < BLOCK
    else:
        assert 0 <= outcome.first_error < (BLOCK if scenario.rising else 10 / scenario.share)


@pytest.mark.parametrize(
    "scenario", [it for it in CORPUS.changes if it.share > 0.05][1::15], ids=lambda it: it.name
)
def test_a_change_is_found_in_avro_and_nothing_else_is_told(scenario: Scenario) -> None:
    outcome = schema_avro.judge(scenario, *_lengths(scenario))
    assert outcome.found_after is not None
    assert outcome.others == []


@pytest.mark.parametrize("scenario", CORPUS.harmless[1::20], ids=lambda it: it.name)
def test_a_harmless_stream_is_none_in_avro(scenario: Scenario) -> None:
    assert schema_avro.judge(scenario, known=1500, changed=2000).others == []


def test_the_section_makes_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    section = measure("schemas", Plan(quick=True))
    assert section.numbers["false"] <= 1
    text = page(Report({"schemas": section}), ["schemas"])
    assert "### Harmless streams" in text
