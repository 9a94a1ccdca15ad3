"""Warming up: every kernel compiled, or loaded from numba's cache, before records wait for it."""

import numpy as np

from detectors.follower_layout import ROW
from detectors.followers import Followers
from detectors.numeric import Kind, NumericBank
from detectors.samples import RUNS, Key, encode_key
from detectors.series import canonical_labels
from detectors.settings import Settings
from detectors.silence import Cadence


def compile_kernels() -> None:
    """Use each kernel once, on state that is thrown away: a minute or more the first time, then well under one second."""
    compile_numeric()
    compile_followers()


def compile_cadence() -> None:
    """The kernel of a cadence by itself, which simulations ask; a worker has it inside its followers."""
    Cadence().arrive(0, 1.0)


def compile_numeric() -> None:
    """The kernels that judge a single number."""
    bank = NumericBank()
    for kind in Kind:
        slot = bank.add(kind)
        bank.judge(slot, 0, 1.0)
        bank.limits(slot, 0)
        bank.judge_many([slot], [1], [1.0])


def compile_followers() -> None:
    """The kernels that fold rows into followers, of which one takes as long as all others."""
    followers, key = Followers(Settings()), Key(RUNS, canonical_labels({"pipeline": "warm-up"}))
    found = followers.find(key.ident)
    followers.add(key.ident, bytes([key.follower_kind]), 0, found)
    followers.name(found, [encode_key(key)])
    list(followers.fold(np.zeros(0, ROW), 0))
    followers.load(followers.dump(), retuned=True)
