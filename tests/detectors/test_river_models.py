"""One series with a model: what is seen, what is learned, what an alarm takes, and what is refused."""

import json
import math
import random
from typing import Any

import pytest

from detectors.river_models import STANDARD, Answer, Asked, SeriesModel, Trouble, check, seed_of
from detectors.river_names import ModelError, make, names
from detectors.settings import Model

ALPHA = 1 / 8640
HOLT_WINTERS = {
    "predictive_model": {
        "model": "river.time_series.HoltWinters",
        "parameters": {"alpha": 0.3, "beta": 0.1, "gamma": 0.2, "seasonality": 12},
    }
}


def spec(name: str, **parameters: Any) -> Model:
    return Model(f"river.{name}", json.dumps(parameters))


def asked(n: int, value: float, **known: Any) -> Asked:
    said: dict[str, Any] = {
        "expected": 50.0,
        "lower": 20.0,
        "upper": 80.0,
        "alpha": ALPHA,
        "direction": "both",
    }
    said |= {"min_effect": 0.0, "on_log_scale": False} | known
    return Asked(n * 300_000, value, **said)


def run(model: SeriesModel, count: int, seed: int = 1, first: int = 0, **known: Any) -> list[Answer | None]:
    rng = random.Random(seed)
    return [model.judge(asked(first + n, rng.gauss(50, 5), **known)) for n in range(count)]


def _wrapped(name: str) -> dict[str, Any]:
    inner = {"model": "river.anomaly.HalfSpaceTrees", "parameters": {"n_trees": 3}}
    wraps = {"QuantileFilter": {"q": 0.95}, "ThresholdFilter": {"threshold": 0.95}}
    kind = name.rpartition(".")[2]
    return {"anomaly_detector": inner, **wraps[kind]} if kind in wraps else {}


@pytest.mark.parametrize("name", names())
def test_every_detector_runs_and_goes_on_to_the_bit_once_loaded(name: str):
    model_of = Model(name, json.dumps(_wrapped(name)))
    check(model_of)
    model, again = SeriesModel(model_of, 5), SeriesModel(model_of, 6)
    run(model, 420)
    assert again.load(model.dump())
    assert repr(run(again, 80, seed=2, first=420)) == repr(run(model, 80, seed=2, first=420))
    assert again.dump() == model.dump()
    assert model.take_trouble() is None


def test_the_same_series_gets_the_same_random_numbers_and_another_one_others():
    trees = spec("anomaly.HalfSpaceTrees", n_trees=3)
    one, same = SeriesModel(trees, seed_of("a")), SeriesModel(trees, seed_of("a"))
    other = SeriesModel(trees, seed_of("b"))
    said = [run(model, 700)[-50:] for model in (one, same, other)]
    assert said[0] == said[1] != said[2]
    fixed = spec("anomaly.HalfSpaceTrees", n_trees=3, seed=9)
    assert run(SeriesModel(fixed, 1), 500) == run(SeriesModel(fixed, 2), 500)


@pytest.mark.parametrize("name", ["HalfSpaceTrees", "GaussianScorer", "StandardAbsoluteDeviation", "LODA"])
def test_false_alarms_stay_near_the_budget(name: str):
    parameters = {"n_random_cuts": 10} if name == "LODA" else {}
    model = SeriesModel(spec(f"anomaly.{name}", **parameters), 3)
    samples = 8000
    alpha = 1 / 500
    answers = run(model, samples, alpha=alpha)
    episodes = sum(
        answer is not None
        and answer.anomalous
        and not any(it and it.anomalous for it in answers[max(0, n - 12) : n])
        for n, answer in enumerate(answers)
    )
    assert episodes <= 2.5 * alpha * samples


def test_an_outlier_is_an_alarm_and_is_learned_only_within_the_limits():
    model = SeriesModel(spec("anomaly.StandardAbsoluteDeviation"), 1)
    run(model, 500)
    for n in range(5):
        answer = model.judge(asked(500 + n, 1e12))
        assert answer is not None
        assert answer.anomalous
    assert model._model.variance.get() < 4
    answer = model.judge(asked(510, 51.0))
    assert answer is not None
    assert not answer.anomalous


def test_an_alarm_makes_the_next_one_dearer_for_as_long_as_the_budget_says():
    model = SeriesModel(spec("anomaly.StandardAbsoluteDeviation"), 1)
    known: dict[str, Any] = {"alpha": 1 / 400}
    run(model, 400, **known)
    model._spent = 0.0
    first = model.judge(asked(400, 200.0, **known))
    assert first is not None
    assert first.anomalous
    dear = run(model, 200, seed=2, first=401, **known)[0]
    cheap = run(model, 400, seed=3, first=601, **known)
    assert dear is not None
    assert dear.alpha == pytest.approx(known["alpha"] / 4, rel=0.02)
    if not any(it and it.anomalous for it in cheap):
        assert cheap[-1] is not None
        assert cheap[-1].alpha == pytest.approx(known["alpha"])


@pytest.mark.parametrize(
    ("direction", "value", "alarms"), [("up", 200, 1), ("up", -100, 0), ("down", -100, 1)]
)
def test_the_side_and_the_least_effect_count(direction: Any, value: float, alarms: int):
    for effect, wanted in ((0.0, alarms), (10.0, 0)):
        model = SeriesModel(spec("anomaly.StandardAbsoluteDeviation"), 1)
        run(model, 500)
        answer = model.judge(asked(500, value, direction=direction, min_effect=effect))
        assert answer is not None
        assert answer.anomalous == wanted


@pytest.mark.parametrize("name", ["drift.ADWIN", "drift.PageHinkley", "drift.KSWIN"])
def test_drift_detectors_find_a_shift_in_a_series_of_any_unit(name: str):
    for unit in (1e-6, 1.0, 1e7):
        model, rng = SeriesModel(spec(name), 1), random.Random(1)
        known = {"lower": math.nan, "upper": math.nan}
        moved = []
        for n in range(700):
            value = rng.gauss(50 + 20 * (n >= 500), 5) * unit
            answer = model.judge(asked(n, value, **known))
            if answer is not None and answer.moved:
                moved.append((n, answer))
        after = [(n, answer) for n, answer in moved if n >= 500]
        assert after
        assert after[0][0] < 560
        assert after[0][1].observed > after[0][1].expected > 45 * unit
        assert len(moved) - len(after) <= 3


def test_a_constant_series_says_nothing():
    for name in ("anomaly.HalfSpaceTrees", "anomaly.StandardAbsoluteDeviation", "drift.ADWIN"):
        model = SeriesModel(spec(name), 1)
        answers = [model.judge(asked(n, 50.0)) for n in range(700)]
        assert not any(answer.anomalous for answer in answers if answer)
        assert model.take_trouble() is None


def test_a_model_that_is_not_ready_is_no_crash():
    model = SeriesModel(spec("anomaly.PredictiveAnomalyDetection", **HOLT_WINTERS), 1)
    run(model, 600)
    assert model.take_trouble() is None
    assert run(model, 1, first=600)[0] is not None


def test_a_rolling_variance_below_zero_costs_the_model_its_state_and_nothing_else():
    model = SeriesModel(spec("anomaly.GaussianScorer", window_size=20, grace_period=5), 1)
    rng = random.Random(0)
    values = [50.0 + (1e9 if n == 300 else 0.0) + rng.random() * (n < 300) for n in range(600)]
    for n, value in enumerate(values):
        model.judge(asked(n, value, lower=math.nan, upper=math.nan))
    trouble = model.take_trouble()
    assert trouble is None or trouble[0] is Trouble.CRASHED


def test_values_that_set_the_scale_are_learned_too():
    model = SeriesModel(spec("anomaly.StandardAbsoluteDeviation"), 1)
    run(model, STANDARD)
    assert model._model.variance.n == STANDARD


@pytest.mark.parametrize(
    ("model", "where", "says"),
    [
        (spec("anomaly.HalfSpaceTree"), ("model",), "did you mean river.anomaly.HalfSpaceTrees?"),
        (Model("os.system"), ("model",), "no detector is named 'os.system'"),
        (spec("datasets.Phishing"), ("model",), "no detector"),
        (spec("drift.DriftRetrainingClassifier"), ("model",), "no detector"),
        (spec("drift.binary.DDM"), ("model",), "yes/no outcomes"),
        (spec("anomaly.HalfSpaceTrees", n_tree=1), ("parameters", "n_tree"), "did you mean n_trees?"),
        (spec("anomaly.HalfSpaceTrees", n_trees="x"), ("parameters",), "'str' object"),
        (spec("drift.KSWIN", window_size=1), ("parameters",), "stat_size must be smaller"),
        (spec("anomaly.HalfSpaceTrees", height=13), ("parameters",), "bytes of state"),
        (
            spec("anomaly.PredictiveAnomalyDetection", predictive_model={"model": "subprocess.Popen"}),
            ("parameters", "predictive_model", "model"),
            "'subprocess.Popen' is no model",
        ),
        (
            spec(
                "anomaly.ThresholdFilter",
                threshold=1,
                anomaly_detector={"model": "river.anomaly.LODA", "parameters": [1]},
            ),
            ("parameters", "anomaly_detector", "parameters"),
            "must be a map",
        ),
    ],
)
def test_what_cannot_be_a_model_is_refused_by_name(model: Model, where: tuple[str, ...], says: str):
    with pytest.raises(ModelError) as refused:
        check(model)
    assert refused.value.where == where
    assert says in refused.value.reason


def test_models_within_models_are_made_with_the_callers_seed():
    inner = {"model": "river.anomaly.LODA"}
    made = make("river.anomaly.QuantileFilter", {"anomaly_detector": inner, "q": 0.9}, 77)
    assert made.anomaly_detector.seed == 77
    check(spec("anomaly.PredictiveAnomalyDetection", **HOLT_WINTERS))


def test_a_state_of_another_river_is_left(monkeypatch: pytest.MonkeyPatch):
    model = SeriesModel(spec("drift.ADWIN"), 1)
    run(model, 100)
    stored = model.dump()
    monkeypatch.setattr("detectors.river_models._river_version", lambda: "0.1")
    assert not SeriesModel(spec("drift.ADWIN"), 1).load(stored)
