"""Examples in alerts: what a changed value looks like now, and never what it is."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.record_examples import masked
from detectors.record_tokens import number_tokens
from stream.formats.tokens import _Texts
from tests.detectors.payloads import TOPIC, Record, Topic
from tests.detectors.test_record_drift import KNOWN, put, rename


def example(change: Any, **tuned: Any) -> tuple[str | None, str]:
    """The example of the one change, and the sentence of its alert."""
    topic = Topic(**tuned)
    topic.ordinary(KNOWN)
    topic.ordinary(2_000, change)
    (change,) = topic.end()
    (alert,) = [it for it in topic.process.alerts.values() if it.kind == "schema" and it.sequence == 1]
    return change.example, alert.summary


def remove(record: Record) -> None:
    del record["paid"]


@pytest.mark.parametrize(("change", "expected"), [
    pytest.param(put("channel", "secret"), '"a…" (text, 6 characters)', id="added"),
    pytest.param(put("id", "2026-03-01"), '"9999-99-99" (date, 10 characters)', id="type"),
    pytest.param(put("customer.address.zip", "a@example.org"), '"a…@a….a…" (e-mail, 13 characters)', id="format"),
    pytest.param(rename("total", "total_amount"), "99", id="renamed"),
    pytest.param(put("items", ["ab"]), '"a…" (text, 2 characters)', id="in an array"),
    pytest.param(put("channel", {"a": 1}), None, id="an object"),
    pytest.param(remove, None, id="removed"),
])  # fmt: skip
def test_a_change_shows_what_stands_there_now(change: Any, expected: str | None) -> None:
    found, sentence = example(change)
    assert found == expected
    assert ("; such as " in sentence) is (expected is not None)


def test_a_source_may_leave_examples_out() -> None:
    found, sentence = example(put("channel", "secret"), unexampled_topics=frozenset({TOPIC}))
    assert found is None
    assert "such as" not in sentence


@given(st.text(max_size=400))
def test_two_texts_of_one_form_and_length_look_the_same(text: str) -> None:
    shown = masked(_Texts()[text])
    letters = re.sub(r"[a-z]", lambda it: chr((ord(it.group()) - 97 + 1) % 26 + 97), text)
    if shown and "(text," in shown and "(text," in (other := masked(_Texts()[letters]) or ""):
        assert shown == other


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_shows_its_digits_and_no_more(number: float) -> None:
    shown = masked(int(number_tokens(np.array([number]))[0]))
    assert shown is not None
    assert re.fullmatch(r"0|-?(9{1,15}|0\.0*9|9e-?\d+)", shown)
