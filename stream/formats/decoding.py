"""Decoding a fetched batch: all values at once when all are good, one by one as soon as one is not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import DecodeError

from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.limits import Guard, Sizes

T = TypeVar("T")

DECODE_ERRORS = (DecodeError, UnicodeDecodeError, RecursionError)
"""What a msgspec decoder raises on bytes that it cannot take."""


class Decoded(Generic[T]):
    """The records that could be decoded: `records[i]` is the place of `items[i]` in the batch. The others are `dead`."""

    def __init__(self) -> None:
        self.records: list[int] = []
        self.items: list[T] = []
        self.dead: dict[int, UnreadableError] = {}


def decode_all(
    values: Sequence[bytes | None],
    guard: Guard | Sizes,
    decode: Callable[[bytes], T],
    recover: Callable[[bytes, Exception], T],
) -> Decoded[T]:
    """Decode a batch; tombstones are left out.

    `recover` is asked when `decode` fails with one of `DECODE_ERRORS`: it reads the value in a slower way, or raises `UnreadableError`.
    """
    batch: Decoded[T] = Decoded()
    values = list(values)
    records = [record for record, value in enumerate(values) if value is not None]
    present = values if len(records) == len(values) else [values[record] for record in records]
    if guard.passes_all(present):  # type: ignore[arg-type]
        try:
            batch.items, batch.records = list(map(decode, present)), records  # type: ignore[arg-type]
        except (*DECODE_ERRORS, UnreadableError):
            pass
        else:
            return batch
    for record, value in zip(records, present, strict=True):
        try:
            item = _decode_one(value, guard, decode, recover)  # type: ignore[arg-type]
        except UnreadableError as why:
            batch.dead[record] = why
        else:
            batch.records.append(record)
            batch.items.append(item)
    return batch


def _decode_one(
    value: bytes, guard: Guard | Sizes, decode: Callable[[bytes], T], recover: Callable[[bytes, Exception], T]
) -> T:
    guard.check(value)
    try:
        return decode(value)
    except DECODE_ERRORS as error:
        return recover(value, error)


def decode_respelt(
    value: bytes,
    error: Exception,
    decode: Callable[[bytes], T],
    expected: Mapping[str, str],
    name: str,
    respell: Callable[[dict[str, Any]], None],
) -> T:
    """Try a JSON object once more, with some of its fields spelt as the decoder wants them.

    Args:
        value: what the decoder refused.
        error: why.
        decode: the decoder.
        expected: what may stand in each field, for `dead.explain`.
        name: the field without which nothing can be said.
        respell: changes the object in place.

    Raises:
        UnreadableError: what is wrong with the value.
    """
    if not isinstance(error, msgspec.ValidationError):
        raise explain(error, expected)
    try:
        said: Any = msgspec.json.decode(value)
    except DECODE_ERRORS as unreadable:
        raise explain(unreadable, expected) from None
    if not isinstance(said, dict):
        raise explain(error, expected)
    if said.get(name) in (None, ""):
        raise UnreadableError(DeadReason.NO_NAME, f"$.{name}: expected {expected[name]}")
    respell(said)
    try:
        return decode(msgspec.json.encode(said))
    except DECODE_ERRORS as still:
        raise explain(still, expected) from None
