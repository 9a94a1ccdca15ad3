"""Every reason has a sentence and the numbers it speaks of; a new reason without them fails here."""

import re
from dataclasses import replace

import numpy as np
import pytest

from detectors.alerts import Mode
from detectors.samples import RunState
from detectors.series import Signal
from detectors.settings import Settings
from detectors.triage import Triage
from detectors.verdicts import (
    VERSION,
    AnomalyBatch,
    Baseline,
    Change,
    Direction,
    Reason,
    SchemaChange,
    SourcePosition,
    Verdict,
)
from detectors.wording import recovery, summary
from tests.detectors.scripted_log import Event, Log, Pipeline, whole

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START_MS = 1_780_000_000_000
POSITION = SourcePosition("orders", 3, 17, 18)

ENDINGS = {
    Reason.RUN_ARRIVED: "has run again",
    Reason.SERIES_BACK: "is seen again",
    Reason.RUN_ON_TIME: "had run in time",
    Reason.SAMPLE_ON_TIME: "had been seen in time",
    Reason.BASELINE_SHIFT_ACCEPTED: "is now what is expected",
    Reason.NEW_VERSION_ALONE: "records of the new version only",
    Reason.OLD_VERSION_ALONE: "was rolled back",
    Reason.VERSIONS_USUAL: "still has records of both versions",
    Reason.ORDINARY: "back in its usual range",
    Reason.WARMING: "back in its usual range",
    Reason.NOTICE_GIVEN: "which has been told",
}
"""The reasons of ordinary verdicts, and what they say at the end of an episode."""

BEGINNINGS = {
    Reason.ABOVE_RANGE: "took 5.2 h at",
    Reason.BELOW_RANGE: "took 5.2 h at",
    Reason.SHIFTED: "takes more in run after run: 5.2 h",
    Reason.DRIFTED: "takes ever more in run after run: 5.2 h",
    Reason.BASELINE_SHIFT_PROPOSED: "it will be accepted if it stays",
    Reason.RUNNING_TOO_LONG: "has been running for 5.2 h",
    Reason.RUN_OVERDUE: "the next was due by",
    Reason.SERIES_SILENT: "has not been seen since",
    Reason.TOO_MANY_FAILURES: "failed: 5.2 h of its latest runs",
    Reason.TOO_MANY_DUPLICATES: "reported runs twice",
    Reason.TOO_MANY_REPEATED: "has records again that came before",
    Reason.TOO_MANY_LATE: "comes late",
    Reason.TOO_MANY_RUNS: "times from",
    Reason.SCHEMA_CHANGED: "field total (double) was added",
    Reason.DECLARED_DIFFERS: "that are not what is declared: field total is declared as number and holds string",
    Reason.SUBJECT_CHANGED: "in the schema registry at",
    Reason.VERSION_MIX: "12.5 % of them are of the new one (total added, id changed)",
    Reason.STUCK: "is its source stuck?",
    Reason.SPREAD_GREW: "varies more than it used to",
    Reason.UNIT_CHANGED: "another unit, about 1,000 times what it was",
    Reason.UNLIKE_PEERS: "is unlike its 40 siblings: about 5.2 h",
    Reason.UNUSUAL: "unusual to",
    Reason.LEVEL_MOVED: "has moved from about 18.7 s to 5.2 h",
    Reason.PATHS_CAP: "those beyond are not watched",
    Reason.SERIES_CAP: "raise the cap or drop labels",
    Reason.MODEL_CRASHED: "no such model",
    Reason.MODEL_TOO_LARGE: "no such model",
}
"""The reasons of anomalous verdicts, and a part of what they say."""


CHANGES = {
    Reason.SCHEMA_CHANGED: SchemaChange("field_added", "total", None, "double", 1.0, 1.0, POSITION, POSITION),
    Reason.DECLARED_DIFFERS: SchemaChange("type_undeclared", "total", "number", "string", 1.0, 1.0, POSITION, POSITION),
    Reason.SUBJECT_CHANGED: SchemaChange("version_registered", "", None, "version 2", 1.0, 1.0, POSITION, POSITION),
    Reason.VERSION_MIX: SchemaChange("version_mix", "", None, "total added, id changed", 0.125, 1.0, POSITION, POSITION),
}  # fmt: skip


def verdict(reason: Reason) -> Verdict:
    silent = reason in (Reason.RUN_OVERDUE, Reason.SERIES_SILENT, Reason.RUN_ARRIVED, Reason.SERIES_BACK)
    schema = reason in CHANGES
    return Verdict(
        signal=Signal.LATENCY,
        labels=(("pipeline", "orders"), ("task", "load")),
        detector="some_detector",
        time_ms=START_MS,
        window_start_ms=START_MS - HOUR,
        window_end_ms=START_MS,
        anomalous=reason in BEGINNINGS,
        reason=reason,
        change=Change.SILENCE if silent else Change.SCHEMA if schema else Change.POINT,
        baseline=Baseline("some_method", 40, START_MS - 40 * DAY, START_MS - DAY),
        positions=(POSITION,),
        severity_score=5.0,
        unit="ms",
        observed=18_720_000.0,
        expected=18_720.0,
        lower=9000.0,
        upper=30_000.0,
        p_value=1e-6,
        direction=Direction.UP,
        schema_change=CHANGES.get(reason),
        error="no such model",
    )


def test_every_reason_is_one_that_begins_or_one_that_ends() -> None:
    assert set(BEGINNINGS) | set(ENDINGS) | {Reason.STORM} == set(Reason)
    assert not set(BEGINNINGS) & set(ENDINGS)


@pytest.mark.parametrize("reason", BEGINNINGS)
def test_an_alert_says_what_was_seen_where_and_when(reason: Reason) -> None:
    said = summary(verdict(reason))
    assert said.startswith("orders/load ")
    assert BEGINNINGS[reason] in said
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)
    assert not re.search(r"[{}]|None|nan|unknown", said)


@pytest.mark.parametrize("reason", ENDINGS)
def test_a_recovery_says_how_long_it_lasted(reason: Reason) -> None:
    said = recovery(verdict(reason), START_MS - HOUR)
    assert said.startswith("orders/load ")
    assert ENDINGS[reason] in said
    assert "1 h" in said


@pytest.mark.parametrize("reason", BEGINNINGS)
def test_an_alert_carries_the_numbers_of_its_verdict(reason: Reason) -> None:
    told = verdict(reason)
    batch = AnomalyBatch(VERSION, 0, 0, told.time_ms + 1, START_MS, (told.time_ms,), (told,))
    [alert] = Triage(Settings(), Mode.LIVE).step(0, batch.to_bytes())
    assert alert.transition_reason == f"opened: {reason}"
    assert [alert.observed, alert.expected, alert.lower, alert.upper] == [
        18_720_000.0,
        18_720.0,
        9000.0,
        30_000.0,
    ]
    assert alert.p_value == 1e-6
    assert alert.effect.absolute == 18_720_000.0 - 18_720.0
    assert alert.effect.relative == pytest.approx(999.0)


def regular(
    runs: int, every_ms: int, duration_ms: float = 300_000.0, spread: float = 0.05, seed: int = 1
) -> list[Event]:
    noise = np.random.default_rng(seed).normal(0, spread, runs)
    return [
        Event(
            START_MS + number * every_ms,
            "orders",
            run=f"run-{number}",
            duration_ms=duration_ms * float(np.exp(noise[number])),
        )
        for number in range(runs)
    ]


def values(n: int, level: float, deviation: float) -> list[float]:
    return [float(it) for it in np.random.default_rng(1).normal(level, deviation, n)]


def metric(amounts: list[float]) -> list[Event]:
    return [Event(START_MS + number * MINUTE, "cpu", value=amount) for number, amount in enumerate(amounts)]


def slower(events: list[Event], factor: float, first: int) -> list[Event]:
    """The runs from the `first` on take `factor` times as long."""
    return [
        replace(it, duration_ms=it.duration_ms * factor) if number >= first else it
        for number, it in enumerate(events)
    ]


def failing(events: list[Event], first: int) -> list[Event]:
    return [replace(it, state=RunState.FAILED) if number >= first else it for number, it in enumerate(events)]


def hanging(events: list[Event]) -> list[Event]:
    """A run that starts last and does not end, while another pipeline goes on."""
    start = Event(events[-1].time_ms + HOUR, "orders", RunState.STARTED, run="hangs")
    others = [Event(start.time_ms + hour * HOUR, "other", run=f"other-{hour}") for hour in range(1, 4)]
    return [*events, start, *others]


SCENES: dict[Reason, Log] = {
    Reason.ABOVE_RANGE: [slower(regular(100, HOUR), 10.0, 99)],
    Reason.BELOW_RANGE: [metric([*values(500, 100.0, 5.0), 20.0, 21.0, 19.5])],
    Reason.SHIFTED: [slower(regular(300, HOUR, spread=0.1), 1.25, 200)],
    Reason.RUNNING_TOO_LONG: [hanging(regular(100, HOUR))],
    Reason.RUN_OVERDUE: [[*regular(100, HOUR), Event(START_MS + 140 * HOUR, "other", run="other")]],
    Reason.SERIES_SILENT: [
        [*metric(values(3000, 100.0, 5.0)), Event(START_MS + 4 * DAY, "other", run="other")]
    ],
    Reason.TOO_MANY_FAILURES: [failing(regular(200, HOUR), 195)],
    Reason.STUCK: [metric([*values(1000, 100.0, 5.0), *([101.5] * 20)])],
    Reason.UNIT_CHANGED: [slower(regular(100, DAY), 0.001, 97)],
}
"""What happens so that it is said by a detector that knows how likely that is."""


@pytest.mark.parametrize("reason", SCENES)
def test_what_detectors_say_has_all_numbers(reason: Reason) -> None:
    alerts = [
        it for it in Pipeline().run(whole(SCENES[reason])) if it.transition_reason.endswith(f": {reason}")
    ]
    assert alerts
    told = alerts[0]
    assert told.observed is not None
    assert told.expected is not None
    assert told.effect.absolute == told.observed - told.expected
    assert told.lower is not None or told.upper is not None
    assert told.p_value is not None
    assert 0.0 <= told.p_value < 0.05
    assert told.source_positions
    assert "nan" not in told.summary
