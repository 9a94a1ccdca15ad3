"""XXH64 for kernels: the hash that `xxhash.xxh64_intdigest` computes, over a part of a buffer.

Yann Collet, xxHash, "XXH64 algorithm description" (specification 0.1.1).
"""

import numpy as np
import numpy.typing as npt

from detectors.compiled import inner

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_STRIPE, _WORD, _HALF = 32, 8, 4

Buffer = npt.NDArray[np.uint8]


@inner
def _rotated(x: np.uint64, bits: int) -> np.uint64:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@inner
def _word(buffer: Buffer, at: int, size: int) -> np.uint64:
    word = np.uint64(0)
    for i in range(size):
        word |= np.uint64(buffer[at + i]) << np.uint64(8 * i)
    return word


@inner
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotated(lane + word * _P2, 31) * _P1


@inner
def _merged(h: np.uint64, lane: np.uint64) -> np.uint64:
    return (h ^ _round(np.uint64(0), lane)) * _P1 + _P4


@inner
def _stripes(buffer: Buffer, start: int, stop: int, seed: np.uint64) -> np.uint64:
    a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
    for at in range(start, stop, _STRIPE):
        a = _round(a, _word(buffer, at, _WORD))
        b = _round(b, _word(buffer, at + 8, _WORD))
        c = _round(c, _word(buffer, at + 16, _WORD))
        d = _round(d, _word(buffer, at + 24, _WORD))
    h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
    return _merged(_merged(_merged(_merged(h, a), b), c), d)


@inner
def xxh64(buffer: Buffer, start: int, stop: int, seed: np.uint64) -> np.uint64:
    """The hash of `buffer[start:stop]`."""
    size = stop - start
    at = start + size // _STRIPE * _STRIPE
    h = _stripes(buffer, start, at, seed) if size >= _STRIPE else seed + _P5
    h += np.uint64(size)
    while at + _WORD <= stop:
        h = _rotated(h ^ _round(np.uint64(0), _word(buffer, at, _WORD)), 27) * _P1 + _P4
        at += _WORD
    if at + _HALF <= stop:
        h = _rotated(h ^ (_word(buffer, at, _HALF) * _P1), 23) * _P2 + _P3
        at += _HALF
    while at < stop:
        h = _rotated(h ^ (np.uint64(buffer[at]) * _P5), 11) * _P1
        at += 1
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))
