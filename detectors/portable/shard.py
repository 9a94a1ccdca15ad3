"""The chunks of one shard's state: their names, the arrays in them, and what they are written with."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors import detect, numeric
from detectors import follower_layout as layout
from detectors import numeric_layout as bank
from detectors.core.layout import DEEP, Records
from detectors.peers import BLOCK_BITS, PEER
from detectors.record_array import RecordArray
from detectors.record_schemas import CHUNKS
from detectors.run_layout import RUN_MODEL

FORMAT: Final = (detect.FORMAT, numeric.VERSION)
"""The versions of a shard's state and of the numeric series in it, both of which have to be the same where it is read."""
LAYOUTS: Final = {
    "follower": (layout.FOLLOWER, layout.FOLLOWER_BLOCK_BITS),
    "runs": (layout.RUN, layout.RUN_BLOCK_BITS),
    "ended": (layout.ENDED, layout.ENDED_BLOCK_BITS),
    "light": (bank.LIGHT, bank.LIGHT_BLOCK_BITS),
    "deep": (DEEP, bank.DEEP_BLOCK_BITS),
    "young": (bank.YOUNG, bank.YOUNG_BLOCK_BITS),
    "run_model": (RUN_MODEL, bank.MODEL_BLOCK_BITS),
    "peers": (PEER, BLOCK_BITS),
}
"""The record and the size of the blocks of each array."""
STRUCTURES: Final = [f"records-{number}" for number in range(CHUNKS)]


def array_of(chunks: Mapping[str, bytes], name: str, used: int) -> Records:
    """The first `used` records of an array.

    Raises:
        ValueError: a block is missing or damaged.
    """
    array = RecordArray(name, *LAYOUTS[name])
    array.load(chunks, used)
    return array.data[:used]


def blocks_of(name: str, records: Records) -> dict[str, bytes]:
    """An array as chunks."""
    array = RecordArray(name, *LAYOUTS[name])
    array.data = records
    return dict(array.blocks(len(records)))


def raw_records(name: str, raw: bytes) -> Records:
    """Records of an array from bytes, to be changed."""
    return np.frombuffer(bytearray(raw), LAYOUTS[name][0])


def unpacked(chunks: Mapping[str, bytes], name: str, of: Any = None) -> Any:
    """What a chunk holds.

    Raises:
        ValueError: there is no such chunk, or it holds something else.
    """
    if name not in chunks:
        raise ValueError(f"the state has no chunk {name}")
    try:
        return msgspec.msgpack.decode(chunks[name], type=Any if of is None else of)
    except msgspec.MsgspecError as error:
        raise ValueError(f"chunk {name} of the state cannot be read: {error}") from None
