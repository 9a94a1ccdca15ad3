"""Examples in alerts: what a changed value looks like now, and never what it is."""

import json
import re
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.record_examples import masked
from detectors.record_tokens import number_tokens
from stream.formats.tokens import _Texts
from tests.detectors.payloads import SPACING_MS, TOPIC, Record, Topic
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


def secrets() -> st.SearchStrategy[str]:
    """Texts as hostile as they come, of every format that is recognised, and so long that chance does not say them."""
    alphabet = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.one_of(
        st.text(alphabet, min_size=9, max_size=200),
        st.text("\"\\{}[]<>'$%:/@.-+eE0123456789", min_size=12, max_size=60),
        st.from_regex(r"[a-z]{9,20}@[a-z]{5,9}\.org", fullmatch=True),
        st.from_regex(r"https://[a-z]{9}\.org/[a-z0-9]{9}", fullmatch=True),
        st.integers(10**14, 10**18 - 1).map(str),
        st.uuids().map(str),
    )


@settings(max_examples=15, deadline=None)
@given(secrets(), st.integers(10**13, 10**17), st.sampled_from(["masked", "none"]))
def test_no_value_leaves_the_process_that_reads_it(secret: str, number: int, examples: str) -> None:
    unexampled = frozenset({TOPIC} if examples == "none" else ())
    topic = Topic(window_ms=200 * SPACING_MS, unexampled_topics=unexampled)
    topic.send([{"id": n, "word": "usual", "amount": 5, "at": "2026-01-01"} for n in range(400)])
    hidden = {
        "word": secret,
        "amount": number,
        "at": secret,
        "new": secret,
        "inner": {"list": [secret, number]},
    }
    topic.send([{"id": n} | hidden for n in range(400, 600)])
    assert topic.end()
    said = msgspec.json.encode([*topic.process.alerts.values()])
    written = [said, *topic.process.payloads["samples"], *topic.process.payloads["anomalies"]]
    spellings = (
        secret.encode(),
        json.dumps(secret)[1:-1].encode(),
        msgspec.json.encode(secret)[1:-1],
        f"{number}".encode(),
    )
    assert not any(it in payload for it in spellings for payload in written)


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
