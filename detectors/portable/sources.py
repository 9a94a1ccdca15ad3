"""Sources numbered anew: state names the source partition of a record by its number in a table that each shard has of its own."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.record_blocks import PAYLOAD, Block, Place

Known = TypeVar("Known")
Bools = npt.NDArray[np.bool_]
Numbers = Mapping[int, int]
"""The new number of each source by its old one."""


def renumbered(records: Records, field: str, numbers: Numbers, where: Bools | None = None) -> None:
    """Number the sources in one field of records anew, in all of them or `where` it holds one."""
    values = records[field].copy()
    for source in np.unique(values).tolist():
        meant = values == source
        records[field][meant if where is None else meant & where] = numbers.get(source, source)


def moved(known: Known, numbers: Numbers) -> Known:
    """What is known of payloads, with every place in it on a source of the new number; a copy."""
    return _moved(known, numbers)


def _moved(known: Any, numbers: Numbers) -> Any:
    if isinstance(known, Block):
        return _moved_block(known, numbers)
    if isinstance(known, msgspec.Struct):
        places = _places_of(type(known))
        changes = {
            name: _moved_place(value, numbers) if name in places else _moved(value, numbers)
            for name, value in msgspec.structs.asdict(known).items()
        }
        return msgspec.structs.replace(known, **changes)
    if isinstance(known, dict):
        return {key: _moved(value, numbers) for key, value in known.items()}
    if isinstance(known, list):
        return [_moved(value, numbers) for value in known]
    return known


def _moved_block(block: Block, numbers: Numbers) -> Block:
    payloads = np.frombuffer(bytearray(b"".join(block.rows)), PAYLOAD)
    renumbered(payloads, "source", numbers)
    shapes = {ident: _moved(seen, numbers) for ident, seen in sorted(block.shapes.items())}
    rows, tokens = [payloads.tobytes()], [b"".join(block.tokens)]
    return msgspec.structs.replace(block, shapes=shapes, rows=rows, tokens=tokens)


def _moved_place(place: Place, numbers: Numbers) -> Place:
    source, offset = place
    return numbers.get(source, source), offset


@cache
def _places_of(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(struct) if field.type == Place)
