"""Orders: what detect is told beside samples takes effect at one place in its log, once, and leaves all else as it is."""

from collections.abc import Iterator

import msgspec
import pytest

from detectors.alerts import State
from detectors.expected_changes import ExpectedChange
from detectors.orders import (
    AcceptLevel,
    Expect,
    Order,
    Origin,
    Relearn,
    Switch,
    encode,
    is_order,
    read_order,
)
from detectors.series import Labels, Signal
from detectors.settings import Settings, Tuning
from tests.detectors.scripted_log import Event, Pipeline, batch, ending
from tests.detectors.test_detect import hourly

ORIGIN = Origin("anomalies", 0, 5)
ORDERS: tuple[Labels, Labels] = (("pipeline", "orders"),), (("measure", "rows"), ("pipeline", "orders"))
LATENCY, ROWS = ORDERS


def ordered(pipeline: Pipeline, events: list[Event], at: int, *orders: Order) -> Iterator[bytes]:
    """Some events, the orders, and then the others."""
    yield batch([events], 0, 0, at - 1)
    yield from map(encode, orders)
    yield batch([events], 0, at, len(events) - 1)
    yield from ending([events])


def seen(pipeline: Pipeline) -> dict[tuple[str, Labels], int]:
    """How many samples are known of each series."""
    return {(it.signal, it.labels): it.n for it in pipeline.detect.followed()}


@pytest.mark.parametrize(
    "order",
    [
        Relearn(origin=ORIGIN, signal=Signal.LATENCY, labels=LATENCY),
        AcceptLevel(origin=ORIGIN, signal=Signal.VOLUME, labels=ROWS),
        Expect(origin=ORIGIN, change=ExpectedChange("orders", "a.b", "field_added")),
        Switch(origin=ORIGIN, settings=Settings(defaults=Tuning(min_effect=0.5))),
    ],
)
def test_an_order_is_read_as_it_was_written_and_told_from_samples(order: Order) -> None:
    assert is_order(encode(order))
    assert read_order(encode(order)) == order
    assert not is_order(batch([[]], 0, 0, -1))


def test_a_series_is_learned_anew_and_the_others_of_its_pipeline_are_not() -> None:
    events, pipeline = hourly(range(60)), Pipeline()
    order = Relearn(origin=ORIGIN, signal=Signal.LATENCY, labels=LATENCY)
    alerts = pipeline.run(ordered(pipeline, events, 100, order, order))
    known = seen(pipeline)
    assert known[Signal.LATENCY, LATENCY] < 20
    assert known[Signal.VOLUME, ROWS] == 60
    assert pipeline.detect.take_counts()["fenced", "orders"] == 1
    assert alerts == []


def test_shares_are_learned_anew_too() -> None:
    events, pipeline = hourly(range(60)), Pipeline()
    order = Relearn(origin=ORIGIN, signal=Signal.FAILURES, labels=LATENCY)
    pipeline.run(ordered(pipeline, events, 100, order))
    assert seen(pipeline)[Signal.FAILURES, LATENCY] < 20


def test_the_new_level_is_the_level_at_once_when_somebody_says_so() -> None:
    events = hourly(range(60)) + hourly(range(60, 90), share=0.3)
    order = AcceptLevel(origin=ORIGIN, signal=Signal.VOLUME, labels=ROWS)
    lower, unasked = Pipeline(), Pipeline()
    lower.run(ordered(lower, events, 140, order))
    unasked.run(ordered(unasked, events, 140))
    assert seen(lower)[Signal.VOLUME, ROWS] == 90
    assert [it.state for it in lower.alerts] == [State.FIRING]


def test_an_order_for_a_series_that_is_not_there_does_nothing() -> None:
    events, pipeline, other = hourly(range(60)), Pipeline(), Pipeline()
    order = Relearn(origin=ORIGIN, signal=Signal.LATENCY, labels=(("pipeline", "nobody"),))
    pipeline.run(ordered(pipeline, events, 100, order))
    other.run(ordered(other, events, 100))
    assert seen(pipeline) == seen(other)


def test_other_settings_hold_for_what_comes_and_what_was_learned_stays() -> None:
    events = hourly(range(60)) + hourly(range(60, 61), share=0.2)
    numb = msgspec.structs.replace(Settings(), defaults=Tuning(min_effect=0.9))
    pipeline, before = Pipeline(), Pipeline()
    assert pipeline.run(ordered(pipeline, events, 118, Switch(origin=ORIGIN, settings=numb))) == []
    assert len(before.run(ordered(before, events, 118))) == 1
    assert seen(pipeline) == seen(before)


def test_settings_that_were_switched_to_survive_a_restart_under_another_file() -> None:
    events = hourly(range(60)) + hourly(range(60, 61), share=0.2)
    numb = Switch(origin=ORIGIN, settings=Settings(defaults=Tuning(min_effect=0.9)))
    pipeline = Pipeline()
    first, order, *rest = ordered(pipeline, events, 118, numb)
    pipeline.run(iter([first, order]))
    pipeline.crash()
    assert pipeline.run(iter(rest)) == []
