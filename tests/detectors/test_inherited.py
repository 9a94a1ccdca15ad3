"""Fences that series bring along: each has that of the shard its labels lay in, until its new shard is past all of them."""

import numpy as np

from detectors.inherited import Fences, Inherited
from detectors.samples import Key
from detectors.series import Signal, shard_of

SOURCE = ("events", 0)
KEYS = [Key(Signal.VALUE, (("pipeline", f"p{number}"),)) for number in range(20)]
FENCES = [100, 250]


def test_a_series_has_the_fence_of_the_shard_it_came_from():
    inherited = Inherited([Fences(*SOURCE, FENCES)])
    followers = np.array([*range(20), 3, -1], np.int32)
    found = inherited.fences(SOURCE, followers, KEYS.__getitem__).tolist()
    assert found[:20] == [FENCES[shard_of(key.labels, 2)] for key in KEYS]
    assert set(found[:20]) == set(FENCES)
    assert found[20:] == [found[3], -1]
    assert inherited.fences(("events", 1), followers[:2], KEYS.__getitem__).tolist() == [-1, -1]


def test_of_several_the_greatest_holds():
    inherited = Inherited([Fences(*SOURCE, FENCES), Fences(*SOURCE, [170, 0, 170])])
    found = inherited.fences(SOURCE, np.arange(20, dtype=np.int32), KEYS.__getitem__).tolist()
    assert found == [
        max(FENCES[shard_of(key.labels, 2)], [170, 0, 170][shard_of(key.labels, 3)]) for key in KEYS
    ]


def test_it_is_dropped_when_the_shard_is_past_all():
    inherited = Inherited([Fences(*SOURCE, FENCES)])
    inherited.pass_by(SOURCE, 249)
    inherited.pass_by(("events", 1), 900)
    assert Inherited.loaded(inherited.dump())
    inherited.pass_by(SOURCE, 250)
    assert not inherited
    assert not Inherited.loaded(inherited.dump())
    assert not Inherited.loaded(None)
