"""Which key an ident means."""

import numpy as np

from detectors.samples import RUNS, Key, decode_key
from detectors.series import canonical_labels
from stream.formats.known_series import UNKNOWN, KnownSeries


def key(number: int) -> Key:
    return Key(RUNS, canonical_labels({"pipeline": f"pipeline-{number}"}))


def idents(*numbers: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Idents of which many share their lower word, so that they meet in the table."""
    return np.array([[number % 7, number] for number in numbers], np.int64).reshape(-1, 2)


def test_every_ident_means_its_own_key_however_many_there_are() -> None:
    known = KnownSeries(shards=3)
    for number in range(5000):
        known.add(idents(number)[0], key(number))
    places = known.find(idents(*range(5000), 5000))
    assert places[-1] == UNKNOWN
    for number in range(0, 5000, 97):
        assert decode_key(known.keys.text(places[number])) == key(number)


def test_when_there_are_too_many_all_are_forgotten() -> None:
    known = KnownSeries(shards=3, known_max=10)
    for number in range(8):
        known.add(idents(number)[0], key(number))
    assert not known.make_room(2)
    assert known.make_room(3)
    assert set(known.find(idents(*range(8)))) == {UNKNOWN}
    known.add(idents(3)[0], key(3))
    assert decode_key(known.keys.text(known.find(idents(3))[0])) == key(3)
