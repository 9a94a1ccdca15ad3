"""XXH64 for kernels: the hash that `xxhash.xxh64_intdigest` computes, over bytes in memory.

Yann Collet, xxHash, "XXH64 algorithm description" (specification 0.1.1).
"""

import numpy as np

from detectors.compiled import inner
from detectors.memory import Address, byte_at, head_at, word_at

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_STRIPE, _WORD, _HALF = 32, 8, 4


@inner
def _rotated(x: np.uint64, bits: int) -> np.uint64:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@inner
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotated(lane + word * _P2, 31) * _P1


@inner
def _merged(h: np.uint64, lane: np.uint64) -> np.uint64:
    return (h ^ _round(np.uint64(0), lane)) * _P1 + _P4


@inner
def _stripes(address: Address, start: int, stop: int, seed: np.uint64) -> np.uint64:
    a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
    for at in range(start, stop, _STRIPE):
        a = _round(a, word_at(address, at))
        b = _round(b, word_at(address, at + 8))
        c = _round(c, word_at(address, at + 16))
        d = _round(d, word_at(address, at + 24))
    h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
    return _merged(_merged(_merged(_merged(h, a), b), c), d)


@inner
def xxh64(address: Address, start: int, stop: int, seed: np.uint64) -> np.uint64:
    """The hash of the bytes from `start` to `stop` beyond an address."""
    size = stop - start
    at = start + size // _STRIPE * _STRIPE
    h = _stripes(address, start, at, seed) if size >= _STRIPE else seed + _P5
    h += np.uint64(size)
    while at + _WORD <= stop:
        h = _rotated(h ^ _round(np.uint64(0), word_at(address, at)), 27) * _P1 + _P4
        at += _WORD
    if at + _HALF <= stop:
        h = _rotated(h ^ (head_at(address, at, _HALF) * _P1), 23) * _P2 + _P3
        at += _HALF
    while at < stop:
        h = _rotated(h ^ (np.uint64(byte_at(address, at)) * _P5), 11) * _P1
        at += 1
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))
