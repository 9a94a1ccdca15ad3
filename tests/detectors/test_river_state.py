import functools
import random
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly, stats, time_series
from xxhash import xxh3_128_digest

from detectors import river_state
from detectors.river_names import names
from tests.detectors.river_zoo import KINDS, new, step


def _again(model: Any) -> Any:
    return river_state.load(river_state.dump(model), type(model))


def _payload(root: Any, shapes: list[Any], nodes: list[Any], version: int = river_state.VERSION) -> bytes:
    body = msgspec.msgpack.encode([version, root, shapes, nodes])
    return xxh3_128_digest(body) + body


def test_the_zoo_holds_every_detector_that_can_be_named():
    assert {f"river.{name.removeprefix('river.')}" for name in KINDS} >= set(names())
    assert len(KINDS) > len(names())


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), before=st.sampled_from([0, 1, 2, 31, 260, 400]))
def test_what_is_loaded_goes_on_to_the_bit(name: str, seed: int, before: int):
    rng, model = random.Random(seed), new(KINDS[name])
    for _ in range(before):
        step(model, rng.random())
    loaded = _again(model)
    assert river_state.dump(loaded) == river_state.dump(model)
    after = [rng.random() ** (1 + (i > 60)) for i in range(120)]
    assert [step(loaded, x) for x in after] == [step(model, x) for x in after]
    assert river_state.dump(loaded) == river_state.dump(model)


def test_models_within_models_go_on_too():
    inner = time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.2, seasonality=12)
    model = anomaly.PredictiveAnomalyDetection(inner)
    rng = random.Random(2)
    values = [10 + i % 12 + rng.random() for i in range(200)]
    for value in values[:100]:
        model.learn_one({}, value)
    loaded = _again(model)
    for value in values[100:]:
        assert loaded.score_one({}, value) == model.score_one({}, value)
        loaded.learn_one({}, value)
        model.learn_one({}, value)


def _holder(value: Any) -> Any:
    """A River object with one attribute more."""
    mean = stats.Mean()
    mean.__dict__["held"] = value
    return mean


_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
_keys = st.text(max_size=3) | st.integers() | st.tuples(st.integers(), st.text(max_size=2))
_data = st.recursive(
    _plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(_keys, inner, max_size=3)
        | st.dictionaries(_keys, inner, max_size=3).map(OrderedDict)
        | st.lists(inner, max_size=3).map(lambda them: deque(them, 5))
        | st.sets(_keys, max_size=3)
        | st.frozensets(_keys, max_size=3)
    ),
    max_leaves=12,
)


def _spelled(value: Any) -> str:
    """As `repr`, but the members of a set have one order."""
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__} of {sorted(map(_spelled, value))}"
    if isinstance(value, dict):
        return f"{type(value).__name__} of {[(_spelled(key), _spelled(held)) for key, held in value.items()]}"
    if isinstance(value, deque):
        return f"deque of {[_spelled(each) for each in value]}, at most {value.maxlen}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {[_spelled(each) for each in value]}"
    return repr(value)


@given(value=_data)
def test_plain_data_of_any_shape_is_kept(value: Any):
    assert _spelled(_again(_holder(value)).__dict__["held"]) == _spelled(value)


def test_numbers_arrays_random_states_and_factories_are_kept():
    rng = random.Random(5)
    rng.gauss(0, 1)
    missing: Any = defaultdict(functools.partial(tuple, (0.0, 1.0)), a=(2.0, 3.0))
    held = [np.arange(6.0).reshape(2, 3), np.float32(0.1), rng, missing, Counter("abca"), 1 << 70]
    array, number, rng_again, missing_again, counter, large = _again(_holder(held)).__dict__["held"]
    np.testing.assert_array_equal(array, held[0])
    assert (number, type(number), counter, large) == (np.float32(0.1), np.float32, Counter("abca"), 1 << 70)
    assert [rng_again.gauss(0, 1) for _ in range(3)] == [rng.gauss(0, 1) for _ in range(3)]
    assert missing_again["other"] == (0.0, 1.0)
    assert missing_again["a"] == (2.0, 3.0)
    array[0, 0] = 9.0


def test_what_is_shared_stays_shared_and_cycles_stay_cycles():
    shared: list[Any] = [1]
    mean = _holder([shared, shared])
    mean.__dict__["myself"] = mean
    shared.append(mean)
    loaded = _again(mean)
    first, second = loaded.__dict__["held"]
    assert first is second
    assert loaded.__dict__["myself"] is loaded is first[1]


@pytest.mark.parametrize(
    "foreign",
    [
        Path("x"),
        object(),
        lambda: 1,
        print,
        random.SystemRandom(),
        np.array(["a"]),
        np.random.default_rng(1),
        Path,
        open,
    ],
    ids=lambda it: type(it).__name__,
)
def test_what_is_not_rivers_is_refused_when_it_is_dumped(foreign: Any):
    with pytest.raises(ValueError, match=r"stored|out of reach|no class"):
        river_state.dump(_holder(foreign))


@pytest.mark.parametrize(
    ("shapes", "nodes"),
    [
        ([["os:_Environ", []]], [[0]]),
        ([["subprocess:Popen", ["args"]]], [[0, "id"]]),
        ([["builtins:dict", []]], [[0]]),
        ([["river.datasets.phishing:Phishing", []]], [[0]]),
        ([["river.stats.mean:os", []]], [[0]]),
        ([["river.stats.mean:Mean.update", []]], [[0]]),
        ([["river.stats.mean:Mean", ["__class__"]]], [[0, 1]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [5]]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [-1]]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["t", [[1]]]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["F", "os:system"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["F", "builtins:eval"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["C", "builtins:type"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["C", "subprocess:Popen"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["M", [0], "__reduce__"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["P", [2], [], []], ["F", "os:system"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["P", 3, [], []]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["f", [], [0]]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["X", "subprocess:Popen", ["id"], b""]]),
        (
            [["river.stats.mean:Mean", ["n"]]],
            [[0, [1]], ["X", "river._river_rust.stats:RsQuantile", [], b"x"]],
        ),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["N", "|O", [1], b"12345678"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["N", "<f8", [7], b"12345678"]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["R", 3, b"1234", None]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["d", [[0]]]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["d", [[2], 1]], ["l", []]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], ["?", 1]]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, [1]], []]),
        ([["river.stats.mean:Mean", ["n"]]], [[0, {"a": 1}]]),
        ([], []),
    ],
)
def test_a_hostile_state_is_refused(shapes: list[Any], nodes: list[Any], capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match=r".") as refused:
        river_state.load(_payload([0], shapes, nodes), stats.Mean)
    assert type(refused.value) is ValueError


def test_a_state_nested_too_deeply_is_refused():
    nodes: list[Any] = [["t", [[number + 1]]] for number in range(100_000)]
    with pytest.raises(ValueError, match="cannot be read"):
        river_state.load(_payload([0], [], [*nodes, ["l", []]]), stats.Mean)


def test_a_state_of_another_class_version_or_damaged_is_refused():
    data = river_state.dump(stats.Mean())
    with pytest.raises(ValueError, match=r"one of river\.stats\.mean:Mean"):
        river_state.load(data, stats.Var)
    with pytest.raises(ValueError, match="version 99"):
        river_state.load(_payload([0], [], [], version=99), stats.Mean)
    for at in range(0, len(data), 7):
        with pytest.raises(ValueError, match="damaged"):
            river_state.load(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], stats.Mean)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes):
    with pytest.raises(ValueError, match=r"."):
        river_state.load(xxh3_128_digest(body) + body, stats.Mean)
