"""Series with a model of River, through detect and triage themselves."""

import json
import random
from datetime import datetime
from typing import Any

import msgspec
import pytest

from detectors import river_models
from detectors.alerts import Alert
from detectors.river_models import SeriesModel
from detectors.river_names import ModelError
from detectors.samples import RunState
from detectors.series import Signal
from detectors.settings import Model, Rule, Settings, Tuning
from tests.detectors.scripted_log import Event, Log, Pipeline, cut, whole

MINUTE_MS = 60_000
START_MS = 1_780_000_000_000
HST = Model("river.anomaly.HalfSpaceTrees", json.dumps({"n_trees": 5, "height": 6}))
ADWIN = Model("river.drift.ADWIN")
GAUSSIAN = Model("river.anomaly.GaussianScorer")


def modelled(model: Model, **tuning: Any) -> Settings:
    return Settings(signals={"value": Tuning(model=model, min_effect=0.0, **tuning)})


def queue(count: int, incident: range = range(0), name: str = "queue_depth", seed: int = 1) -> list[Event]:
    """One sample in five minutes around 50; in the incident, around 120."""
    rng = random.Random(seed)
    return [
        Event(START_MS + n * 5 * MINUTE_MS, name, value=rng.gauss(50, 5) + 70 * (n in incident))
        for n in range(count)
    ]


def told(alerts: list[Alert]) -> list[bytes]:
    return [
        msgspec.json.encode(msgspec.structs.replace(alert, detected_at="", detection_delay_ms=0))
        for alert in alerts
    ]


@pytest.mark.parametrize(
    "model", [HST, GAUSSIAN, Model("river.anomaly.LODA", '{"n_random_cuts": 5}')], ids=str
)
def test_an_obvious_incident_is_found_by_the_model_that_was_named(model: Model):
    alerts = Pipeline(modelled(model)).run(whole([queue(1000, range(900, 925))]))
    found = [alert for alert in alerts if alert.baseline.method == model.name and alert.state == "firing"]
    assert found
    first = found[0]
    assert START_MS + 900 * 300_000 <= _ms(first.window.end) <= START_MS + 916 * 300_000
    assert (first.kind, first.change, first.direction) == ("value", "point", "up")
    assert first.observed is not None
    assert first.observed > 90
    assert first.expected is not None
    assert 30 < first.expected < 120
    assert first.p_value is not None
    assert first.p_value < 0.001
    assert first.lower is first.upper is None
    assert model.name in first.summary


def test_a_drift_detector_says_from_where_to_where_the_level_moved():
    alerts = Pipeline(modelled(ADWIN)).run(whole([queue(1000, range(800, 1000))]))
    moved = [alert for alert in alerts if alert.change == "shift"]
    assert moved
    assert moved[0].baseline.method == ADWIN.name
    assert moved[0].observed is not None
    assert moved[0].expected is not None
    assert moved[0].expected == pytest.approx(50, abs=3)
    assert moved[0].observed > 58
    assert "has moved from about" in moved[0].summary
    assert _ms(moved[0].window.end) < START_MS + 840 * 300_000


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_built_in_head_judges_until_the_model_has_a_say():
    events = queue(200, range(150, 156))
    alerts = Pipeline(modelled(HST)).run(whole([events]))
    plain = Pipeline(Settings()).run(whole([events]))
    assert [alert.state for alert in alerts] == [alert.state for alert in plain]
    assert {alert.baseline.method for alert in alerts} == {"huber_routine"}


@pytest.mark.parametrize(("direction", "finds"), [("up", True), ("down", False)])
def test_only_the_side_that_counts_alarms(direction: Any, finds: bool):
    log = [queue(800, range(700, 720))]
    alerts = Pipeline(modelled(GAUSSIAN, direction=direction)).run(whole(log))
    assert any(alert.baseline.method == GAUSSIAN.name for alert in alerts if alert.state == "firing") is finds


def test_a_difference_below_the_least_effect_is_none():
    settings = Settings(signals={"value": Tuning(model=GAUSSIAN, min_effect=20.0)})
    assert Pipeline(settings).run(whole([queue(800, range(700, 720))])) == []


def platform(seed: int) -> Log:
    """Two metrics and a pipeline, each with an incident, in three partitions a little out of order."""
    rng = random.Random(seed)
    events = queue(520, range(470, 490)) + queue(520, range(400, 520), "lag", seed=3)
    for n in range(300):
        start_ms = START_MS + n * 9 * MINUTE_MS
        duration_ms = int(60_000 * rng.uniform(0.9, 1.1) * (20 if n in (280, 281) else 1))
        events.append(Event(start_ms, "orders", RunState.STARTED, f"{n}"))
        events.append(Event(start_ms + duration_ms, "orders", run=f"{n}", rows=rng.gauss(1000, 30)))
    events.sort(key=lambda event: event.time_ms + rng.randint(0, 20_000))
    log: Log = [[], [], []]
    for event in events:
        log[rng.randrange(3)].append(event)
    return log


ZOO = Settings(
    defaults=Tuning(model=Model("river.anomaly.StandardAbsoluteDeviation")),
    rules=(
        Rule({"name": "queue_depth"}, Tuning(model=HST)),
        Rule({"name": "lag"}, Tuning(model=Model("river.drift.KSWIN"))),
        Rule({"signal": "volume"}, Tuning(model=Model("default"))),
    ),
)


@pytest.mark.parametrize(("cuts", "crash_every"), [(1, 0), (2, 5), (3, 40)])
def test_answers_do_not_depend_on_batches_or_restarts(cuts: int, crash_every: int):
    log = platform(7)
    undisturbed = Pipeline(ZOO).run(whole(log))
    pipeline = Pipeline(ZOO)
    for step, payload in enumerate(cut(log, cuts)):
        pipeline.feed(payload)
        if crash_every and step % crash_every == 0:
            pipeline.crash()
    methods = {alert.baseline.method for alert in undisturbed}
    assert methods >= {HST.name, "river.drift.KSWIN", "river.anomaly.StandardAbsoluteDeviation"}
    assert told(pipeline.alerts) == told(undisturbed)


def test_series_without_a_model_say_what_they_said():
    log = platform(7)
    rules = (Rule({"name": "queue_depth"}, Tuning(model=HST)),)
    beside = Pipeline(Settings(rules=rules)).run(whole(log))
    alone = Pipeline(Settings()).run(whole(log))

    def others(alerts: list[Alert]) -> list[bytes]:
        kept = [alert for alert in alerts if alert.labels.get("name") != "queue_depth"]
        return told([msgspec.structs.replace(alert, config_hash="") for alert in kept])

    assert others(beside) == others(alone) != []


class _Exploding:
    """Stands in for a detector that works for a while."""

    def __init__(self, after: int, where: str, error: BaseException) -> None:
        self._left, self._where, self._error = after, where, error

    def learn_one(self, x: Any) -> None:
        self._count("learn")

    def score_one(self, x: Any) -> float:
        self._count("score")
        return float(x["value"]) ** 2

    def _count(self, where: str) -> None:
        self._left -= where == self._where
        if self._left < 0 and where == self._where:
            raise self._error


@pytest.fixture
def exploding(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every new model is one of `_Exploding`, by the arguments in the list."""
    arguments: list[Any] = [60, "score", ZeroDivisionError("boom")]
    monkeypatch.setattr(SeriesModel, "_new", lambda _: _Exploding(*arguments))
    monkeypatch.setattr("detectors.river_state.dump", lambda _: b"")
    return arguments


PANIC = type("PanicException", (BaseException,), {})("index out of bounds")


@pytest.mark.parametrize("where", ["learn", "score"])
@pytest.mark.parametrize("error", [ZeroDivisionError("boom"), PANIC], ids=["exception", "panic"])
def test_a_model_that_explodes_kills_nothing(exploding: list[Any], where: str, error: BaseException):
    exploding[:] = [60, where, error]
    log = [queue(600, range(500, 520)), queue(600, name="other", seed=4)]
    pipeline = Pipeline(modelled(HST))
    alerts = pipeline.run(whole(log))
    health = [alert for alert in alerts if alert.kind == "detector_health"]
    assert len(health) == 1
    assert health[0].labels["model"] == HST.name
    assert "failed at" in health[0].summary
    assert type(error).__name__ in health[0].summary
    assert "queue_depth" in health[0].summary or "other" in health[0].summary
    found = [alert for alert in alerts if alert.kind == "value" and alert.state == "firing"]
    assert {alert.baseline.method for alert in found} == {"huber_routine"}
    counts = pipeline.detect.take_counts()
    assert (counts["models_crashed",], counts["models_given_up",]) == (6, 2)


def test_an_interrupt_is_none_of_the_models_mistakes(exploding: list[Any]):
    exploding[:] = [60, "score", KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        Pipeline(modelled(HST)).run(whole([queue(300)]))


def test_a_model_that_grows_too_large_is_given_up_and_said_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(river_models, "STATE_BYTES_MAX", 10_000)
    pipeline = Pipeline(modelled(Model("river.anomaly.LocalOutlierFactor")))
    alerts = pipeline.run(whole([queue(700), queue(700, name="other", seed=4)]))
    health = [alert for alert in alerts if alert.kind == "detector_health"]
    assert len(health) == 1
    assert "outgrown" in health[0].summary
    assert pipeline.detect.take_counts()["models_too_large",] == 2
    assert (
        max(len(chunk) for name, chunk in pipeline.detect.dump().items() if name.startswith("model-")) < 1000
    )
    pipeline.crash()
    assert pipeline.detect.gauges()["models"] == 2


def test_a_model_that_cannot_be_made_leaves_the_built_in_head_and_is_said_once():
    pipeline = Pipeline(modelled(Model("river.anomaly.NoSuchThing")))
    alerts = pipeline.run(whole([queue(600, range(500, 520)), queue(600, name="other", seed=4)]))
    assert [str(alert.kind) for alert in alerts].count("detector_health") == 1
    assert any(alert.kind == "value" for alert in alerts)


def test_another_model_in_the_settings_begins_anew_and_keeps_the_built_in_state():
    log = [queue(600)]
    pipeline = Pipeline(modelled(HST))
    pipeline.run(whole(log))
    stored = pipeline.detect.dump()
    for tuning in (Tuning(model=ADWIN), Tuning()):
        other = Pipeline(Settings(signals={"value": tuning})).detect
        other.load(stored)
        assert other.take_counts()["models_begun_anew",] == (tuning.model is not None)
        assert {it.n for it in other.followed() if it.signal is Signal.VALUE} == {600, 49}


def test_a_state_of_a_model_that_is_damaged_is_an_error():
    pipeline = Pipeline(modelled(HST))
    pipeline.run(whole([queue(400)]))
    stored = pipeline.detect.dump()
    (name,) = [name for name in stored if name.startswith("model-")]
    for damaged in (b"x", stored[name][:-1] + bytes([stored[name][-1] ^ 1]), msgspec.msgpack.encode([1, 2])):
        with pytest.raises(ValueError, match="state of a"):
            Pipeline(modelled(HST)).detect.load({**stored, name: damaged})


def test_models_of_series_that_gave_way_are_given_back():
    settings = msgspec.structs.replace(modelled(GAUSSIAN), series_max=2)
    gone = [Event(START_MS + n, f"gone-{n}", value=1.0) for n in range(2)]
    new = [Event(START_MS + 100 * 3_600_000 + n * 60_000, f"new-{n % 2}", value=1.0) for n in range(10)]
    pipeline = Pipeline(settings)
    for payload in cut([[*gone, *new]], 3):
        pipeline.feed(payload)
        pipeline.crash()
    assert pipeline.detect.gauges()["models"] == 2


def test_a_model_that_cannot_be_stored_any_more_is_a_crash_and_no_end(monkeypatch: pytest.MonkeyPatch):
    pipeline = Pipeline(modelled(GAUSSIAN))
    pipeline.run(whole([queue(300)]))
    (model,) = pipeline.detect._modelled._models.values()
    assert model is not None
    model._model.held = object()
    pipeline.crash()
    (again,) = pipeline.detect._modelled._models.values()
    assert again is not None
    assert not again.given_up
    assert again._model.gaussian.n_samples == 0


def test_a_model_that_can_be_made_only_once_is_given_up(
    exploding: list[Any], monkeypatch: pytest.MonkeyPatch
):
    made: list[_Exploding] = []

    def once(_: SeriesModel) -> _Exploding:
        if made:
            raise ModelError(("parameters",), "only one of these")
        made.append(_Exploding(60, "score", ZeroDivisionError("boom")))
        return made[0]

    monkeypatch.setattr(SeriesModel, "_new", once)
    pipeline = Pipeline(modelled(HST))
    alerts = pipeline.run(whole([queue(600, range(500, 520))]))
    assert {str(alert.kind) for alert in alerts} == {"detector_health", "value"}
    assert pipeline.detect.take_counts()["models_given_up",] == 1
