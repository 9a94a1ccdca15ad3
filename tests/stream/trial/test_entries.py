"""A proposal names its series letter by letter."""

from hypothesis import given
from hypothesis import strategies as st

from stream.trial.noise import Candidate
from stream.trial.proposals import can_be_named, entry_of
from stream.trial.samples import Name

texts = st.text(alphabet="ab*?[]!-\n\u00e9", min_size=1, max_size=6)


@given(texts, texts)
def test_an_entry_matches_its_series_and_no_other(value: str, other: str) -> None:
    entry = entry_of(Name("volume", (("pipeline", value),)), Candidate("min_effect", "30%", ""))
    assert entry.min_effect == 0.3
    rule = entry.rule()
    assert rule.matches("volume", {"pipeline": value})
    assert rule.matches("volume", {"pipeline": other}) == (value == other)
    assert not rule.matches("latency", {"pipeline": value})


def test_what_no_entry_can_name_is_left_alone() -> None:
    assert can_be_named(Name("value", (("name", "a" * 1_000),)))
    assert can_be_named(Name("value", ()))
    assert not can_be_named(Name("value", (("name", "a" * 1_001),)))
    assert not can_be_named(Name("value", (("name", "*" * 400),)))
    assert not can_be_named(Name("value", (("signal", "a"),)))
