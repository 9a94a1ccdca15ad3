"""One series judged by a River model: what the model sees, what its scores mean, and what becomes of its mistakes.

**What it sees.** One feature, `value`, or the value as its target where the model has one. Runs go on a log scale, as in
`run_head`. Then the value is standardised by the median and the spread (1.4826 MAD) of the series' first 50, which never
change: parameters such as Page-Hinkley's threshold are in units of that spread. Half-space trees without `limits` expect
values from 0 to 1, and get the place of the value in the range of all that were learned.

**What its scores mean.** Nothing by themselves, so `score_tail` turns them into p-values, which have to meet the alpha of the
series' budget. Each false alarm that should not have been is paid for: an alarm makes the next one take four times less alpha,
which wears off in the time the budget allows one alarm (as adaptive conformal inference does, Gibbs & Candes 2021). Scores
that end at 1 are judged as -log(1 - score), which keeps apart what is near 1, others as log(1 + score), which tames ratios such
as those of local outlier factors. Neither changes their order. Drift detectors flag by their own parameters.

**What it learns.** A value is judged first, then learned within the limits of the built-in head, which judges the same series
beside the model, says what was expected, and stands in until the model has a say and whenever it has none.

**Its mistakes.** An exception costs a model its state; after `CRASHES_MAX` it is given up, and so is one whose state grows over
`STATE_BYTES_MAX`. Size is looked at after 1, 2, 4 ... samples, then each 1,024: a function of the samples alone.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from importlib import metadata
from statistics import fmean, median
from typing import Any, Final, NamedTuple

import msgspec
from xxhash import xxh32_intdigest

from detectors import river_names, river_state
from detectors.river_classes import is_panic
from detectors.river_names import ModelError
from detectors.score_tail import ScoreTail
from detectors.settings import Direction, Model

FORMAT: Final = 1
STANDARD: Final = 50
"""Values that set the scale, before the model is given any."""
READY_WITHIN: Final = 1000
"""Values within which a model must have given its first score; until then its exceptions say that it is not ready."""
CRASHES_MAX: Final = 3
STATE_BYTES_MAX: Final = 2_000_000
SIZE_EVERY: Final = 1024
SPENT_BY_ALARM: Final = math.log(4.0)
_SPENT_MAX: Final = 8 * SPENT_BY_ALARM
EPISODE_MS: Final = 3_600_000
"""Alarms less apart than this are one, as in `episodes`."""
_VALUE_MAX: Final = 1e9
"""In units of the series' spread."""
_ENDS_AT_ONE: Final = frozenset({"HalfSpaceTrees", "GaussianScorer"})
_RECENT_WEIGHT: Final = 1 / 8
_FEATURE: Final = "value"
_REASON_LENGTH_MAX: Final = 300


class Trouble(StrEnum):
    """What went wrong with a model."""

    CRASHED = "crashed"
    TOO_LARGE = "too_large"


class Asked(NamedTuple):
    """A sample, with what the built-in head knew before it: NaN where it knew nothing."""

    time_ms: int
    value: float
    expected: float
    lower: float
    upper: float
    alpha: float
    """The p-value that the series' budget allows to alarm."""
    direction: Direction
    min_effect: float
    on_log_scale: bool


class Answer(NamedTuple):
    """What a model says of a sample: `observed` and `expected` are those of the level where it has `moved`."""

    anomalous: bool
    p_value: float
    """NaN of a drift detector."""
    alpha: float
    """What the p-value was compared with."""
    moved: bool = False
    observed: float = math.nan
    expected: float = math.nan


def seed_of(name: str) -> int:
    """A seed that is a function of a series' name."""
    return xxh32_intdigest(name.encode("utf-8", "surrogatepass"))


class SeriesModel:
    """The model of one series, from its settings and a seed."""

    def __init__(self, spec: Model, seed: int) -> None:
        """Raise ModelError: no such model can be made."""
        self._spec, self._seed = spec, seed
        self._model: Any = self._new()
        self._drifts = river_names.is_drift_detector(self._model)
        self._supervised = river_names.is_supervised(self._model)
        inner = getattr(self._model, "anomaly_detector", self._model)
        kind = type(inner).__name__
        self._to_range = kind == "HalfSpaceTrees" and not inner.limits
        self._ends_at_one = kind in _ENDS_AT_ONE
        self._n = 0
        self._crashes = 0
        self._given_up = False
        self._trouble: tuple[Trouble, str] | None = None
        self._first: list[float] = []
        self._scale = (0.0, 0.0)
        self._range = (math.inf, -math.inf)
        self._silent: float | None = None
        self._has_scored = self._speaks = False
        self._tail = ScoreTail()
        self._spent, self._alarm_ms = 0.0, -EPISODE_MS
        self._level = (0, 0.0, 0.0)

    def _new(self) -> Any:
        return river_names.make(self._spec.name, json.loads(self._spec.parameters), self._seed)

    @property
    def given_up(self) -> bool:
        """Whether the model has crashed or grown too often or too much to be asked again."""
        return self._given_up

    def take_trouble(self) -> tuple[Trouble, str] | None:
        """What went wrong since this was last asked."""
        trouble, self._trouble = self._trouble, None
        return trouble

    def judge(self, asked: Asked) -> Answer | None:
        """Judge a sample, then learn it as far as it is ordinary; None where the model has no say (yet)."""
        if self._given_up:
            return None
        if self._scale[1] <= 0:
            with self._crashes_caught():
                self._learn_first(asked)
            return None
        answer = None
        with self._crashes_caught():
            answer = self._move(asked) if self._drifts else self._score_and_learn(asked)
            self._mind_size()
        return answer

    @contextmanager
    def _crashes_caught(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            self._begin_anew(f"{type(error).__name__}: {error}")

    def _begin_anew(self, why: str) -> None:
        self._crashes += 1
        self._give_up(Trouble.CRASHED, why, finally_=self._crashes >= CRASHES_MAX)
        if self._given_up:
            return
        try:
            self._model = self._new()
        except ModelError as error:
            self._give_up(Trouble.CRASHED, error.reason)
        else:
            self._n, self._has_scored, self._speaks, self._silent = 0, False, False, None

    def _give_up(self, trouble: Trouble, why: str, *, finally_: bool = True) -> None:
        self._trouble = trouble, why[:_REASON_LENGTH_MAX]
        self._given_up = finally_
        if finally_:
            self._model, self._tail, self._first = None, ScoreTail(), []

    def _mind_size(self) -> None:
        n = self._n
        if n & (n - 1) == 0 or n % SIZE_EVERY == 0:
            size = len(river_state.dump(self._model))
            if size > STATE_BYTES_MAX:
                self._give_up(Trouble.TOO_LARGE, f"{size} bytes of state, of {STATE_BYTES_MAX}")

    def _learn_first(self, asked: Asked) -> None:
        self._first.append(self._on_scale(asked.value, asked))
        if len(self._first) == STANDARD:
            centre = median(self._first)
            distances = [abs(it - centre) for it in self._first]
            spread = 1.4826 * median(distances) or fmean(distances) or 0.05 * abs(centre) or 1.0
            first, self._first, self._scale = self._first, [], (centre, spread)
            for value in first:
                self._learn((value - centre) / spread)
            self._mind_size()

    @staticmethod
    def _on_scale(value: float, asked: Asked) -> float:
        return math.copysign(math.log1p(abs(value)), value) if asked.on_log_scale else value

    def _standard(self, value: float, asked: Asked) -> float:
        centre, spread = self._scale
        return max(-_VALUE_MAX, min((self._on_scale(value, asked) - centre) / spread, _VALUE_MAX))

    def _back(self, standard: float, asked: Asked) -> float:
        centre, spread = self._scale
        value = centre + standard * spread
        return math.copysign(math.expm1(min(abs(value), 600.0)), value) if asked.on_log_scale else value

    def _ordinary(self, asked: Asked) -> float:
        """The standardised value, within the limits of the built-in head."""
        value = asked.value
        value = value if math.isnan(asked.lower) else max(value, asked.lower)
        value = value if math.isnan(asked.upper) else min(value, asked.upper)
        return self._standard(value, asked)

    def _score_and_learn(self, asked: Asked) -> Answer | None:
        score = self._score(self._standard(asked.value, asked))
        answer = None if score is None else self._judged(score, asked)
        self._learn(self._ordinary(asked))
        return answer

    def _judged(self, score: float, asked: Asked) -> Answer | None:
        self._spent = max(0.0, self._spent - asked.alpha * SPENT_BY_ALARM)
        p_value, alpha = self._tail.p_value(score), asked.alpha * math.exp(-self._spent)
        anomalous = p_value is not None and p_value <= alpha
        self._tail.learn(score, anomalous=anomalous)
        if p_value is None:
            return None
        anomalous = anomalous and _counts(asked, asked.value, asked.expected)
        if anomalous:
            if asked.time_ms - self._alarm_ms >= EPISODE_MS:
                self._spent = min(self._spent + SPENT_BY_ALARM, _SPENT_MAX)
            self._alarm_ms = asked.time_ms
        return Answer(anomalous, p_value, alpha)

    def _score(self, standard: float) -> float | None:
        """The score of a value; None while the model gives none, or the same as at first."""
        try:
            raw = self._model.score_one(*self._seen(standard))
        except Exception:
            if self._has_scored or self._n > READY_WITHIN:
                raise
            return None
        self._has_scored = True
        if isinstance(raw, complex) or not math.isfinite(raw):
            return None
        score = float(raw)
        if not self._speaks:
            self._silent = score if self._silent is None else self._silent
            self._speaks = score != self._silent
        if not self._speaks:
            return None
        if self._ends_at_one:
            return -math.log(max(1.0 - score, 1e-16))
        return math.copysign(math.log1p(abs(score)), score)

    def _seen(self, standard: float) -> tuple[Any, ...]:
        """A value as the model takes it."""
        low, high = self._range
        seen = standard
        if self._to_range:
            seen = (standard - low) / (high - low) if high > low else 0.5
        return ({}, seen) if self._supervised else ({_FEATURE: seen},)

    def _learn(self, standard: float) -> None:
        self._n += 1
        if self._drifts:
            self._model.update(standard)
            return
        low, high = self._range
        self._range = min(low, standard), max(high, standard)
        self._model.learn_one(*self._seen(standard))

    def _move(self, asked: Asked) -> Answer:
        """Let a drift detector learn a sample; has the level moved with it?"""
        standard = self._ordinary(asked)
        self._learn(standard)
        n, mean, recent = self._level
        recent = standard if n == 0 else recent + _RECENT_WEIGHT * (standard - recent)
        before = self._back(mean, asked)
        now = self._back(recent, asked)
        moved = bool(self._model.drift_detected) and n > 0
        self._level = (1, recent, recent) if moved else (n + 1, mean + (standard - mean) / (n + 1), recent)
        anomalous = moved and _counts(asked, now, before)
        return Answer(anomalous, math.nan, asked.alpha, anomalous, now, before)

    def dump(self) -> bytes:
        """The whole state; a model that cannot be stored any more has crashed, and is stored as it then is."""
        model: bytes | None = None
        while self._model is not None and model is None:
            with self._crashes_caught():
                model = river_state.dump(self._model)
        silent = (self._silent, self._has_scored, self._speaks)
        state = (self._n, self._crashes, self._given_up, self._first, self._scale, self._range, silent)
        budget = (self._spent, self._alarm_ms, self._level, self._tail.dump())
        return msgspec.msgpack.encode((_origin(self._spec), state, budget, model or b""))

    def load(self, data: bytes) -> bool:
        """Take over a dumped state; False where it is of another model or of another release of River, and is left.

        Raises:
            ValueError: the state is damaged, or names what may not be made.
        """
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
        except msgspec.MsgspecError as error:
            raise ValueError(f"the state of a model cannot be read: {error}") from error
        if stored.origin != _origin(self._spec):
            return False
        self._n, self._crashes, self._given_up, self._first, self._scale, self._range, silent = stored.state
        self._silent, self._has_scored, self._speaks = silent
        self._spent, self._alarm_ms, self._level, tails = stored.budget
        self._tail.load(tails)
        self._model = None if self._given_up else river_state.load(stored.model, type(self._model))
        return True


class _Stored(msgspec.Struct, array_like=True):
    origin: tuple[int, str, str, str]
    state: tuple[
        int, int, bool, list[float], tuple[float, float], tuple[float, float], tuple[float | None, bool, bool]
    ]
    budget: tuple[float, int, tuple[int, float, float], list[list[list[float]]]]
    model: bytes


@cache
def _river_version() -> str:
    return metadata.version("river")


def _origin(spec: Model) -> tuple[int, str, str, str]:
    return FORMAT, _river_version(), spec.name, spec.parameters


def _counts(asked: Asked, observed: float, expected: float) -> bool:
    """Whether a difference is on a side that counts, and large enough."""
    if math.isnan(expected):
        return asked.direction == "both" and asked.min_effect == 0
    effect = observed - expected
    on_side = asked.direction == "both" or (effect > 0) == (asked.direction == "up")
    return on_side and abs(effect) >= asked.min_effect * abs(expected)


TRIED: Final = 130
"""Values on which a model is tried before it is accepted."""


def _tried(i: int) -> float:
    """Values around 10 that look random: two additive sequences with irrational steps."""
    return 8.0 + 2.0 * (i * 0.6180339887498949 % 1) + 2.0 * (i * 0.4142135623730951 % 1)


def check(spec: Model) -> None:
    """Try a model out, its state included.

    Raises:
        ModelError: there is none of this name, it does not take these parameters, or it fails on ordinary values.
    """
    model, again = SeriesModel(spec, 0), SeriesModel(spec, 0)
    samples = [Asked(i, _tried(i), 10.0, 0.0, 20.0, 0.01, "both", 0.0, False) for i in range(TRIED)]
    for asked in samples[:-20]:
        model.judge(asked)
    trouble = model.take_trouble()
    if trouble is None:
        try:
            again.load(model.dump())
        except ValueError as error:
            raise ModelError(("model",), f"{spec.name} cannot be stored: {error}") from error
        for asked in samples[-20:]:
            if repr(model.judge(asked)) != repr(again.judge(asked)):
                raise ModelError(("model",), f"{spec.name} goes on otherwise once stored and loaded")
        trouble = model.take_trouble()
    if trouble is not None:
        raise ModelError(("parameters",), f"{spec.name} fails with them: {trouble[1]}")
