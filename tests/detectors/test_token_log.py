"""The token log gives each row its tokens, in whatever order rows are taken, and keeps nothing that no row waits for."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.ragged import starts_of
from detectors.token_log import TokenLog

BATCHES = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=5)


@given(BATCHES, st.randoms(use_true_random=False), st.integers(1, 4))
def test_rows_find_their_tokens_however_they_are_taken(
    batches: list[list[int]], chance: random.Random, pieces: int
) -> None:
    log, rows, number = TokenLog(), [], 0
    for sizes in batches:
        own = np.array(sizes, np.int64)
        tokens = np.arange(number, number + own.sum(), dtype=np.uint32)
        number += int(own.sum())
        first = log.add(tokens, int((own > 0).sum()))
        ends = np.cumsum(own).tolist()
        rows += [
            (int(start) + first, size, tokens[end - size : end].tolist())
            for start, size, end in zip(starts_of(own).tolist(), sizes, ends, strict=True)
        ]
    chance.shuffle(rows)
    step = -(-len(rows) // pieces)
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        addresses = np.array([it[0] for it in part], np.int64)
        sizes_of = np.array([it[1] for it in part], np.int64)
        expected = [token for it in part for token in it[2]]
        assert log.read(addresses, sizes_of).tolist() == expected
        assert log.take(addresses, sizes_of).tolist() == expected
    assert len(log) == 0
