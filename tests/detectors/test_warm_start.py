"""Models that come in force later know what the samples topic retains, as if they had been there."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import warm_start
from detectors.detect import Detect
from detectors.orders import Adopt, Origin, Switch, encode
from detectors.outputs import Destination
from detectors.samples import RunState
from detectors.settings import Model, Rule, Settings, Tuning
from detectors.verdicts import AnomalyBatch, Verdict
from tests.detectors.scripted_log import Event, batch
from tests.detectors.test_modelled import ADWIN, HST, START_MS, modelled, queue

HOUR_MS = 3_600_000
LODA = Model("river.anomaly.LODA", '{"n_random_cuts": 5}')
BUILT_IN = Settings(signals={"value": Tuning(min_effect=0.0)})


class Shard:
    """A shard and its log, from which its history is read; `begin` is what retention has left."""

    def __init__(self, settings: Settings = BUILT_IN, *, warm: bool = True) -> None:
        self.log: list[bytes] = []
        self.begin, self._warm = 0, warm
        self.verdicts: list[Verdict] = []
        self.orders: list[bytes] = []
        self.counts: Counter[Any] = Counter()
        self.detect = Detect(settings, 0, history=self.history if warm else None)

    def history(self, first: int, before: int) -> Iterator[tuple[int, bytes]]:
        yield from ((at, self.log[at]) for at in range(max(first, self.begin), before))

    def feed(self, *payloads: bytes) -> None:
        """Fold records in, each followed by the orders that came of those before it."""
        for payload in payloads:
            self._take(payload)
            while self.orders:
                self._take(self.orders.pop())

    def _take(self, payload: bytes) -> None:
        self.log.append(payload)
        self.orders += self.step(len(self.log) - 1)
        self.counts += self.detect.take_counts()

    def step(self, offset: int) -> list[bytes]:
        """Fold in a record of the log; the orders that come of it."""
        outputs = self.detect.step(offset, self.log[offset])
        for output in outputs:
            if output.destination is Destination.ANOMALIES:
                self.verdicts += AnomalyBatch.from_bytes(output.value or b"").verdicts
        return [it.value or b"" for it in outputs if it.destination is Destination.SAMPLES]

    def crash(self, settings: Settings = BUILT_IN) -> None:
        chunks = self.detect.dump()
        self.detect = Detect(settings, 0, history=self.history if self._warm else None)
        self.detect.load(chunks)
        self.counts.clear()

    def states(self) -> dict[str, bytes]:
        """What the models have learned."""
        return {name: chunk for name, chunk in self.detect.models.dump().items() if name != "models"}


def switch(settings: Settings, offset: int = 0) -> bytes:
    return encode(Switch(origin=Origin("configs", 0, offset), settings=settings))


def pieces(events: list[Event], of: int = 50, begin: int = 0) -> Iterator[bytes]:
    for first in range(begin, len(events), of):
        yield batch([events], 0, first, min(first + of, len(events)) - 1)


@pytest.mark.parametrize("model", [HST, ADWIN, LODA], ids=lambda it: it.name)
def test_a_model_that_is_added_knows_what_it_would_know_had_it_always_been_there(model: Model):
    events = queue(700)
    late, always = Shard(), Shard(modelled(model))
    late.feed(*pieces(events[:600]), switch(modelled(model)))
    always.feed(*pieces(events[:600]))
    assert late.counts["models_warmed",] == 1
    assert late.detect.is_to_be_stored
    assert late.states() == always.states()
    late.feed(*pieces(events, begin=600))
    always.feed(*pieces(events, begin=600))
    assert late.states() == always.states()
    assert not late.detect.is_to_be_stored


def test_its_first_verdict_is_its_own_and_not_that_of_one_who_begins():
    events = queue(1000, range(905, 930))
    cold, warm = Shard(warm=False), Shard()
    for shard in (cold, warm):
        shard.feed(*pieces(events[:900]), switch(modelled(HST)), *pieces(events, of=5, begin=900))
    (found, *_) = [it for it in warm.verdicts if it.anomalous]
    assert found.detector == HST.name
    assert not found.baseline.warming
    assert all(it.detector != HST.name for it in cold.verdicts)


def test_nothing_that_was_said_is_said_again():
    events = queue(1000, range(900, 940))
    shard, other = Shard(), Shard()
    shard.feed(*pieces(events))
    other.feed(*pieces(events), switch(modelled(HST)))
    assert shard.verdicts
    assert other.verdicts == shard.verdicts


def test_a_worker_that_starts_with_another_file_is_warm_too_and_one_with_the_same_reads_nothing():
    events = queue(600)
    shard = Shard()
    shard.feed(*pieces(events[:599]))
    shard.crash(modelled(HST))
    shard.feed(*pieces(events, begin=599))
    assert shard.counts["models_warmed",] == 1
    shard.begin = 10**9
    shard.crash(modelled(HST))
    shard.feed(batch([events], 0, 600, 599))
    assert shard.counts["models_warmed",] == 0
    always = Shard(modelled(HST))
    always.feed(*pieces(events))
    assert shard.states() == always.states()


def test_what_retention_has_left_is_enough_to_begin_with_and_what_no_one_can_read_is_passed_over():
    events = queue(600)
    shard = Shard()
    shard.feed(*pieces(events))
    shard.begin = 6
    shard.log[7] = b"of another version"
    shard.feed(switch(modelled(HST)))
    assert shard.counts["models_warmed",] == 1
    after = Shard(modelled(HST))
    after.feed(*pieces(events, begin=8 * 50))
    assert shard.states() == after.states()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_past_is_gone_through_beside_what_comes_and_a_kill_at_any_place_changes_nothing(seed: int):
    """The log of one worker, with its order to adopt, is folded again by one that is killed now and then."""
    events, rng = queue(1200, range(1100, 1140)), random.Random(seed)
    first = Shard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_start, "ASKED_EACH", rng.choice([10, 60, 400]))
        first.feed(*pieces(events[:600]), switch(modelled(HST)))
        first.feed(*pieces(events, of=rng.choice([3, 20]), begin=600))
        assert first.counts["models_warmed",] == 1
        again = Shard()
        again.log, stored = first.log, again.detect.dump()
        for offset in range(len(first.log)):
            if rng.random() < 0.05:
                again.detect = Detect(BUILT_IN, 0, history=again.history)
                again.detect.load(stored)
                for missed in range(again.detect.covered_offset + 1, offset):
                    again.detect.step(missed, first.log[missed])
            again.step(offset)
            if again.detect.is_to_be_stored or rng.random() < 0.1:
                stored = again.detect.dump()
    assert any(it.detector == HST.name for it in first.verdicts)
    assert again.verdicts == first.verdicts
    always = Shard(modelled(HST))
    always.feed(*pieces(events))
    assert again.states() == first.states() == always.states()


def test_a_model_that_is_taken_back_meanwhile_is_not_adopted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warm_start, "ASKED_EACH", 10)
    events = queue(900)
    shard = Shard()
    shard.feed(*pieces(events[:600]), switch(modelled(HST)), switch(BUILT_IN, 1), *pieces(events, begin=600))
    assert shard.counts["models_warmed",] == 0
    assert shard.states() == {}


def test_an_order_to_adopt_what_is_not_under_way_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warm_start, "ASKED_EACH", 10)
    shard = Shard()
    shard.feed(*pieces(queue(600)), switch(modelled(HST)))
    before = shard.detect.dump()[warm_start.CHUNK]
    shard.feed(encode(Adopt(origin=Origin(warm_start.ORIGIN, 0, 5))))
    assert not shard.detect.is_to_be_stored
    assert shard.counts["models_warmed",] == 0
    assert shard.states() == {}
    assert shard.detect.dump()[warm_start.CHUNK] == before


def test_what_is_under_way_goes_through_the_hands_of_one_who_has_no_history(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warm_start, "ASKED_EACH", 10)
    events = queue(1200)
    shard, always = Shard(), Shard(modelled(HST))
    shard.feed(*pieces(events[:600]), switch(modelled(HST)))
    other = Detect(BUILT_IN, 0)
    other.load(shard.detect.dump())
    shard.detect = Detect(BUILT_IN, 0, history=shard.history)
    shard.detect.load(other.dump())
    shard.feed(*pieces(events, of=10, begin=600))
    always.feed(*pieces(events))
    assert shard.counts["models_warmed",] == 1
    assert shard.states() == always.states()


def test_only_the_series_that_have_a_model_now_are_gone_through(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(Detect, "follow_only", _noting(Detect.follow_only, asked))
    one, two = queue(300), queue(300, name="other", seed=2)
    events = [it for pair in zip(one, two, strict=True) for it in pair]
    only = Settings(rules=modelled(HST).rules, signals={"value": Tuning(min_effect=0.0)})
    named = msgspec.structs.replace(only, rules=(_rule(HST, "other"),))
    shard = Shard()
    shard.feed(*pieces(events), switch(named))
    assert asked == [1]
    shard.feed(switch(msgspec.structs.replace(named, rules=(*named.rules, _rule(LODA, "queue_depth"))), 1))
    assert asked == [1, 1]
    shard.feed(switch(BUILT_IN, 2))
    assert asked == [1, 1]


def test_runs_are_gone_through_with_their_starts_and_ends():
    def runs(count: int) -> Iterator[Event]:
        for n in range(count):
            at_ms = START_MS + n * HOUR_MS
            yield Event(at_ms, "orders", RunState.STARTED, str(n))
            yield Event(at_ms + 60_000 + n % 7 * 900, "orders", RunState.SUCCEEDED, str(n), rows=1000 + n % 5)

    named = Settings(signals={"latency": Tuning(model=HST, direction="up")})
    late, always = Shard(Settings(signals={"latency": Tuning(direction="up")})), Shard(named)
    late.feed(*pieces(list(runs(300))), switch(named))
    always.feed(*pieces(list(runs(300))))
    assert late.states() == always.states()
    assert late.states()


def test_of_many_series_the_last_samples_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warm_start, "SAMPLES_MAX", 100)
    events = queue(600)
    shard, after = Shard(), Shard(modelled(HST))
    shard.feed(*pieces(events), switch(modelled(HST)))
    after.feed(*pieces(events, begin=599 - 100))
    assert shard.states() == after.states()


def _rule(model: Model, name: str) -> Rule:
    return Rule({"name": name}, Tuning(model=model))


def _noting(intact: Any, asked: list[int]) -> Any:
    def follow_only(self: Detect, followed: Any) -> Any:
        asked.append(len(followed))
        return intact(self, followed)

    return follow_only
