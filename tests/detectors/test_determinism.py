"""Same input, same alerts: however batches are cut, partitions interleave, records repeat, and workers restart."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import Alert
from detectors.samples import RunState
from tests.detectors.scripted_log import Event, Log, Pipeline, cut, whole

HOUR_MS = 3_600_000
START_MS = 1_780_000_000_000


def platform(seed: int) -> Log:
    """Three partitions of hourly pipelines, metrics and schemas with incidents, a little out of order."""
    rng = random.Random(seed)
    events: list[Event] = []
    for number in range(120):
        base_ms = START_MS + number * HOUR_MS
        for name in ("orders", "payments", "users"):
            if name == "users" and 60 <= number < 66:
                continue
            start_ms = base_ms + rng.randint(0, 60_000)
            slow = name == "orders" and number in (70, 71)
            duration_ms = 60_000 * rng.uniform(0.9, 1.1) * (9 if slow else 1)
            rows = 1000 * rng.uniform(0.9, 1.1) * (0.05 if name == "payments" and number == 80 else 1)
            failed = name == "payments" and 90 <= number < 94
            state = RunState.FAILED if failed else RunState.SUCCEEDED
            run = f"{name}-{number}"
            events.append(Event(start_ms, name, RunState.STARTED, run))
            events.append(
                Event(start_ms + int(duration_ms), name, state, run, rows=rows, error="boom" * failed)
            )
        fields = (("id", "long", False),) + ((("note", "string", True),) if number >= 100 else ())
        events.append(Event(base_ms + 5, "warehouse.orders", fields=fields))
        events.extend(
            Event(base_ms + step * 60_000, "queue_depth", value=rng.gauss(50, 5) + 400 * (number == 85))
            for step in range(0, 60, 6)
        )
    events.sort(key=lambda event: event.time_ms + rng.randint(0, 20_000))
    for number in range(0, len(events), 97):
        events.insert(min(number + rng.randint(20, 200), len(events) - 1), events.pop(number))
    log: Log = [[], [], []]
    for event in events:
        log[rng.randrange(3)].append(event)
    return log


def told(alerts: list[Alert]) -> list[bytes]:
    """The alerts without their processing times."""
    return [
        msgspec.json.encode(msgspec.structs.replace(alert, detected_at="", detection_delay_ms=0))
        for alert in alerts
    ]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 3), cuts=st.integers(0, 10_000), crash_every=st.sampled_from([0, 3, 17]))
def test_alerts_do_not_depend_on_batches_interleaving_repeats_or_restarts(
    seed: int, cuts: int, crash_every: int
) -> None:
    log = platform(seed)
    undisturbed = Pipeline().run(whole(log))
    pipeline = Pipeline()
    for step, payload in enumerate(cut(log, cuts)):
        pipeline.feed(payload)
        if crash_every and step % crash_every == 0:
            pipeline.crash()
    assert {alert.kind for alert in undisturbed} >= {
        "latency",
        "volume",
        "freshness",
        "failures",
        "schema",
        "value",
    }
    assert told(pipeline.alerts) == told(undisturbed)


def test_state_after_a_restart_is_the_state_before_it() -> None:
    log = platform(1)
    pipeline = Pipeline()
    for payload in cut(log, 5):
        pipeline.feed(payload)
    before = pipeline.detect.dump(), pipeline.triage.dump()
    pipeline.crash()
    assert (pipeline.detect.dump(), pipeline.triage.dump()) == before
