"""The series of a shard that have a model of the user's: each is asked in order, and its answer takes the built-in one's place.

The fold gives a finding for each sample of such a series, with what the built-in head makes of it. Here the model is asked, and
then decided what triage has to see, by the rule of `interest` on the same fields: for these series only this room writes them.
Samples of a series come in the order of the fold, so neither batches nor restarts change an answer.

State: a chunk for each model. A chunk whose series was given up stays, empty, because no chunk ever goes away.
"""

from collections import Counter
from typing import Any, Final

import msgspec

from detectors import follower_layout as layout
from detectors.budget import alpha_for, score_of_p_value
from detectors.episodes import Episode, quiet_ms_of
from detectors.followers import Followers
from detectors.numeric_layout import DOWN, RUNS, UP
from detectors.parts import Part, series_of
from detectors.persistence import note_instead
from detectors.river_models import Answer, Asked, SeriesModel, Trouble, seed_of
from detectors.river_names import ModelError
from detectors.series import Signal, series_text
from detectors.settings import Direction
from detectors.stage import Count
from detectors.verdicts import Baseline, Change, Reason, SourcePosition, Verdict

_HEAD: Final = "models"
_GIVEN_BACK: Final = b"\xc0"
_SIDES: Final[dict[int, Direction]] = {UP: "up", DOWN: "down"}
_REASONS: Final = {Trouble.CRASHED: Reason.MODEL_CRASHED, Trouble.TOO_LARGE: Reason.MODEL_TOO_LARGE}
_COUNTS: Final = {Trouble.CRASHED: "models_crashed", Trouble.TOO_LARGE: "models_too_large"}

_Place = tuple[int, int]
"""A follower's place, and which of its parts."""
_Head = tuple[list[_Place], list[tuple[str, Trouble]]]


class Modelled:
    """The models of one shard. `wanted` is called for each finding that is `asked`, in order."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self.waiting: frozenset[Part] = frozenset()
        """Series whose models have no say yet, because they are still to learn the past."""
        self.asked = 0
        """Samples that models were asked about since this was made."""
        self._models: dict[_Place, SeriesModel | None] = {}
        self._chunks: dict[str, _Place] = {}
        self._changed: set[_Place] = set()
        self._told: set[tuple[str, Trouble]] = set()
        self._troubles: list[tuple[Trouble, str, str]] = []
        self._counts: Counter[Count] = Counter()

    def __len__(self) -> int:
        return sum(model is not None for model in self._models.values())

    @property
    def troubled(self) -> bool:
        """Whether there is something to say of the models themselves."""
        return bool(self._troubles)

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def wanted(self, finding: Any, followers: Followers) -> bool:
        """Ask the model about a finding, which then says what the model does; whether triage needs it."""
        place, part = int(finding["follower"]), int(finding["part"])
        slot = int(followers.arrays.followers[place]["slots"][part]) - 1
        light = followers.arrays.bank.light[slot]
        if finding["what"] == layout.NUMERIC:
            self._ask(finding, light, (place, part), followers)
        return _wanted(light, finding)

    def _ask(self, finding: Any, light: Any, at: _Place, followers: Followers) -> None:
        model = None if at in self.waiting else self._model(at, followers)
        if model is None:
            return
        self._changed.add(at)
        self.asked += 1
        alpha = alpha_for(float(light["false_alarms_per_day"]), float(finding["interval_s"]))
        answer = model.judge(_asked(finding, light, alpha))
        if answer is not None:
            _answered(finding, answer, float(light["threshold"]))
            finding["anomalous"] = note_instead(light, answer.anomalous)
        if trouble := model.take_trouble():
            self._note(*trouble, at, followers)

    def _model(self, at: _Place, followers: Followers) -> SeriesModel | None:
        if at not in self._models:
            place, part = at
            spec = followers.model(place, part)
            self._chunks[_chunk_name(at)] = at
            if spec is None:
                return None
            name = series_of(followers.key(place), part)
            try:
                self._models[at] = SeriesModel(spec, seed_of(series_text(name.signal, name.labels)))
            except ModelError as error:
                self._models[at] = None
                self._note(Trouble.CRASHED, str(error), at, followers)
        return self._models[at]

    def _note(self, trouble: Trouble, why: str, at: _Place, followers: Followers) -> None:
        place, part = at
        spec = followers.model(place, part)
        self._counts[_COUNTS[trouble],] += 1
        model = self._models[at]
        if model is None or model.given_up:
            self._counts["models_given_up",] += 1
        if spec is not None and (spec.name, trouble) not in self._told:
            self._told.add((spec.name, trouble))
            name = series_of(followers.key(place), part)
            self._troubles.append((trouble, spec.name, f"{series_text(name.signal, name.labels)}: {why}"))

    def take_troubles(self, finding: Any, positions: tuple[SourcePosition, ...]) -> list[Verdict]:
        """What is to be said of the models themselves, once for each model and kind of trouble, at this finding."""
        troubles, self._troubles = self._troubles, []
        time_ms = int(finding["time_ms"])
        return [
            Verdict(
                signal=Signal.VALUE,
                labels=(("model", model), ("shard", str(self._shard))),
                detector="detector_health",
                time_ms=time_ms,
                window_start_ms=time_ms,
                window_end_ms=time_ms,
                anomalous=True,
                reason=_REASONS[trouble],
                change=Change.POINT,
                baseline=Baseline(model, 0, time_ms, time_ms),
                positions=positions,
                severity_score=1.0,
                error=why,
            )
            for trouble, model, why in troubles
        ]

    def unlearned(self, followers: Followers) -> list[Part]:
        """The series that have a model now, and samples that it has not learned."""
        return [Part(*it) for it in followers.asked() if it not in self._models]

    def of(self, part: Part) -> SeriesModel | None:
        """The model of a series, if it has one that works."""
        model = self._models.get(part)
        return None if model is None or model.given_up else model

    def adopt(self, part: Part, model: SeriesModel) -> None:
        """Take over a model that has learned the past of a series."""
        self._models[part] = model
        self._chunks[_chunk_name(part)] = part
        self._changed.add(part)

    def forget(self, place: int) -> None:
        """Give up the models of a follower."""
        self.waiting = frozenset(it for it in self.waiting if it.place != place)
        for at in [at for at in self._models if at[0] == place]:
            del self._models[at]
            self._changed.add(at)

    def dump(self) -> dict[str, bytes]:
        """The whole state as chunks by name."""
        return {_HEAD: self._head(), **{name: self._chunk(at) for name, at in self._chunks.items()}}

    def changed(self) -> dict[str, bytes]:
        """The chunks of `dump` that changed since this was last called."""
        changed, self._changed = sorted(self._changed), set()
        return {_HEAD: self._head(), **{_chunk_name(at): self._chunk(at) for at in changed}}

    def _head(self) -> bytes:
        return msgspec.msgpack.encode([sorted(self._chunks.values()), sorted(self._told)])

    def _chunk(self, at: _Place) -> bytes:
        model = self._models.get(at)
        return _GIVEN_BACK if model is None else model.dump()

    def load(self, chunks: dict[str, bytes], followers: Followers) -> None:
        """Take over a dumped state; a model that is another now, or of another River, begins anew.

        Raises:
            ValueError: the state is damaged.
        """
        try:
            places, told = msgspec.msgpack.decode(chunks[_HEAD], type=_Head)
        except (KeyError, msgspec.MsgspecError) as error:
            raise ValueError("the state of the models has no readable head") from error
        self._told = set(told)
        for at in places:
            name = _chunk_name(at)
            self._chunks[name] = at
            self._changed.add(at)
            known = chunks.get(name, _GIVEN_BACK) != _GIVEN_BACK
            if known and followers.model(*at) is not None:
                model = self._model(at, followers)
                if model is not None and not model.load(chunks[name]):
                    del self._models[at]
                    self._counts["models_begun_anew",] += 1


def _chunk_name(at: _Place) -> str:
    return f"model-{at[0]:06}-{at[1]}"


def _asked(finding: Any, light: Any, alpha: float) -> Asked:
    return Asked(
        int(finding["time_ms"]),
        float(finding["observed"]),
        float(finding["expected"]),
        float(finding["lower"]),
        float(finding["upper"]),
        alpha,
        _SIDES.get(int(light["direction"]), "both"),
        float(light["min_effect"]),
        bool(light["kind"] == RUNS),
    )


def _answered(finding: Any, answer: Answer, threshold: float) -> None:
    """Have a finding say what the model said."""
    finding["what"] = layout.MOVED if answer.moved else layout.SCORED
    finding["p_value"] = answer.p_value
    if answer.moved:
        finding["observed"], finding["expected"] = answer.observed, answer.expected
        finding["score"] = threshold
    elif answer.p_value == answer.p_value:
        finding["score"] = score_of_p_value(answer.p_value, answer.alpha, threshold)
    else:
        finding["score"] = 0.0
    finding["lower"] = finding["upper"] = float("nan")


def _wanted(light: Any, finding: Any) -> bool:
    """`interest.wanted` in Python, on the same fields."""
    open_, quiet_ms = bool(light["interest_ms"] > 0), quiet_ms_of(1000.0 * float(light["interval_s"]))
    known = Episode(open_, int(light["interest_ms"]) - quiet_ms)
    if open_:
        known.told_ms, known.told_severity = int(light["told_ms"]), float(light["told_severity"])
        known.step = float(light["told_step"])
    told = known.advance(
        int(finding["time_ms"]), bool(finding["anomalous"]), float(finding["score"]), quiet_ms=quiet_ms
    )
    if known.firing:
        light["interest_ms"], light["told_ms"] = known.anomalous_ms + quiet_ms, known.told_ms
        light["told_severity"], light["told_step"] = known.told_severity, known.step
    else:
        light["interest_ms"] = light["told_ms"] = 0
        light["told_severity"] = light["told_step"] = 0.0
    return told is not None
