"""The published JSON Schema of run events and the decoder accept the same events."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream
from tests.stream.formats.reading import read

SCHEMA = json.loads((Path(stream.__file__).parent / "schemas" / "run-event.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NUMBERS = st.sampled_from([0, -1, 1, 0.5, -0.5, 10**18, 10**18 + 10**6, 2**63, 10**30, 1e300])
DECLARED = st.recursive(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["", "a"]) | ANYTHING}, optional={"type": ANYTHING, "nullable": ANYTHING}
    ),
    lambda inner: st.fixed_dictionaries({"name": st.just("b"), "fields": st.lists(inner, max_size=2)}),
    max_leaves=3,
)
TIMES = st.sampled_from(
    ["2026-11-23T02:18:57Z", "2026-11-23 02:18:57", "2026-11-23T02:18z", "2026-11-23T25:00:00Z", "2026-11-23", "",
     "2026-00-01T00:00:00Z", "2026-11-23T02:18:60,5+0100", "2026-11-23T02:18:57+24:00", "2026-11-23T02:18:57Z[UTC]",
     0, 1.5, -1, 1_700_000_000_000, 253_402_300_800_000, 1e300]
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {
        "pipeline": st.just("p") | st.text(max_size=3),
        "state": st.sampled_from(["started", "FAILED", "Skipped", "running", "done", ""]),
        "time": TIMES,
    },
    optional={
        **dict.fromkeys(
            ["task", "dataset", "owner", "error", "scheduled_at"], st.text(max_size=3) | ANYTHING
        ),
        "run_id": st.text(max_size=3)
        | st.none()
        | st.booleans()
        | st.integers(-(2**65), 2**65)
        | st.just(0.5),
        **dict.fromkeys(["duration_ms", "rows", "bytes"], NUMBERS | ANYTHING),
        "labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3) | ANYTHING,
        "schema": st.lists(DECLARED, max_size=2) | ANYTHING,
        **dict.fromkeys(["inputs", "outputs", "after"], st.lists(st.text(max_size=3), max_size=2) | ANYTHING),
        "something": ANYTHING,
    },
)


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=800, deadline=None)
@given(EVENTS, st.sampled_from([None, "pipeline", "state", "time"]))
def test_decoder_and_schema_agree_on_every_event(event: dict[str, Any], left_out: str | None) -> None:
    event.pop(left_out or "", None)

    dead = read("events", event).dead

    assert (not set(dead.values()) - {"future_time"}) == VALIDATOR.is_valid(event), (event, dead)


@pytest.mark.parametrize("value", [[], "text", 7, None, True])
def test_neither_takes_anything_but_an_object(value: Any) -> None:
    assert not VALIDATOR.is_valid(value)
    assert read("events", json.dumps(value).encode()).dead == {0: "wrong_type"}
