"""A bank's state as bytes: a head, and blocks of slots, so that what did not change has the same bytes as before.

A block holds the LIGHT records of its slots and the DEEP records of those among them that the core has begun to learn,
both as they lie in memory: packed and little-endian on every machine. Memory layout is the format, so the head carries
its version; change `VERSION` with any change of the two dtypes or of what a field means.
"""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.core.layout import DEEP, Records
from detectors.numeric_layout import LIGHT, RUNS, RUNS_BEFORE_CORE, VALUES

VERSION = 1
HEAD = "head"


class _Head(msgspec.Struct, array_like=True):
    version: int
    capacity: int
    block_slots: int


def has_core(light: Records) -> npt.NDArray[np.bool_]:
    """Which slots' DEEP records the core has begun to learn."""
    values, runs = light["kind"] == VALUES, light["kind"] == RUNS
    return np.asarray((values & (light["n"] > 0)) | (runs & (light["n"] > RUNS_BEFORE_CORE)), np.bool_)


def dump(light: Records, deep: Records, block_slots: int) -> dict[str, bytes]:
    """State by block name."""
    head = msgspec.msgpack.encode(_Head(VERSION, len(light), block_slots))
    blocks = {name: _block(light[part], deep[part]) for name, part in _parts(len(light), block_slots)}
    return {HEAD: head, **blocks}


def load(blocks: Mapping[str, bytes]) -> tuple[Records, Records]:
    """LIGHT and DEEP arrays of a dumped state.

    Raises:
        ValueError: a block is missing or damaged, or the state was written by another version.
    """
    head = _head(blocks)
    light, deep = np.zeros(head.capacity, LIGHT), np.zeros(head.capacity, DEEP)
    for name, part in _parts(head.capacity, head.block_slots):
        if name not in blocks:
            raise ValueError(f"the state of the numeric detectors lacks block {name}")
        _fill(name, blocks[name], light[part], deep[part])
    return light, deep


def _head(blocks: Mapping[str, bytes]) -> _Head:
    try:
        head = msgspec.msgpack.decode(blocks[HEAD], type=_Head)
    except (KeyError, msgspec.MsgspecError) as error:
        raise ValueError("the state of the numeric detectors has no readable head") from error
    if head.version != VERSION:
        raise ValueError(
            f"numeric detector state of version {head.version}; this release reads version {VERSION}"
        )
    return head


def _parts(capacity: int, block_slots: int) -> Iterator[tuple[str, slice]]:
    for block, start in enumerate(range(0, capacity, block_slots)):
        yield f"{block:06}", slice(start, min(start + block_slots, capacity))


def _block(light: Records, deep: Records) -> bytes:
    return light.tobytes() + deep[has_core(light)].tobytes()


def _fill(name: str, block: bytes, light: Records, deep: Records) -> None:
    deep_bytes = len(block) - light.nbytes
    if deep_bytes < 0 or deep_bytes % DEEP.itemsize:
        raise ValueError(f"block {name} of the numeric detectors' state is damaged: {len(block)} bytes")
    light[:] = np.frombuffer(block, LIGHT, len(light))
    known = np.frombuffer(block, DEEP, offset=light.nbytes)
    slots = np.flatnonzero(has_core(light))
    if len(slots) != len(known):
        raise ValueError(
            f"block {name} of the numeric detectors' state is damaged: {len(known)} series, not {len(slots)}"
        )
    deep[slots] = known
