"""Orders: what detect is told beside samples, as records of the samples topic. So each takes effect at one place in the log of a shard.

A configuration that is in force from here on; a series that is to be learned anew, or whose new level is to be taken as it is; a change of records that is meant; models that know the past. Each names
the record it comes from: what lies at or below that record's offset was done.
"""

from typing import Final

import msgspec

from detectors.expected_changes import ExpectedChange
from detectors.series import Labels, Signal
from detectors.settings import Settings

VERSION: Final = 1
_MAPS: Final = range(0x80, 0x90)
"""First bytes of a msgpack map of few entries; a sample batch is an array."""


class Origin(msgspec.Struct, array_like=True, frozen=True):
    """The record that an order comes from."""

    topic: str
    partition: int
    offset: int


class _Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="order"):
    version: int = VERSION
    origin: Origin


class Switch(_Order, frozen=True, tag="switch"):
    """These settings are in force, but for what cannot change while a worker runs (`Settings.tuned_as`)."""

    settings: Settings


class Relearn(_Order, frozen=True, tag="relearn"):
    """A series is to be learned anew."""

    signal: Signal
    labels: Labels


class AcceptLevel(_Order, frozen=True, tag="accept_level"):
    """The level at which a series is now is the ordinary one; where none was found yet, it is learned anew."""

    signal: Signal
    labels: Labels


class Expect(_Order, frozen=True, tag="expect"):
    """A change of records is meant."""

    change: ExpectedChange


class Adopt(_Order, frozen=True, tag="adopt"):
    """Models that came in force at the offset of its origin, in this shard, have a say: they know the past (`warm_start`)."""


Order = Switch | Relearn | AcceptLevel | Expect | Adopt

_decoder = msgspec.msgpack.Decoder(Order)
encode = msgspec.msgpack.Encoder().encode
"""An order as the bytes of its record."""


def is_order(payload: bytes) -> bool:
    """Whether a record of the samples topic is an order rather than a sample batch."""
    return bool(payload) and payload[0] in _MAPS


def read_order(payload: bytes) -> Order:
    """The order in one record.

    Raises:
        ValueError: it holds none, or one of another version.
    """
    order = _decoder.decode(payload)
    if order.version != VERSION:
        raise ValueError(f"order of version {order.version}; this worker reads version {VERSION}")
    return order
