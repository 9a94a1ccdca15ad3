"""Columns of fetched messages: librdkafka's structs read, copied and given back by a kernel, without the GIL.

An array of pointers to messages is gone through twice: once to see which partitions there are and how much room their
values take, and once to fill columns of that size, partition by partition, and destroy each message after its copy.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic

from detectors.compiled import entry
from stream.formats.values import KEY, Values

Ints = npt.NDArray[np.int64]


class Message(ctypes.Structure):
    """`rd_kafka_message_t` as `rdkafka.h` has it, a public struct; pointers and sizes are said as signed integers.

    https://github.com/confluentinc/librdkafka/blob/v2.11.0/src/rdkafka.h ("typedef struct rd_kafka_message_s")
    """

    _fields_ = (
        ("err", ctypes.c_int32),
        ("rkt", ctypes.c_ssize_t),
        ("partition", ctypes.c_int32),
        ("payload", ctypes.c_ssize_t),
        ("len", ctypes.c_ssize_t),
        ("key", ctypes.c_ssize_t),
        ("key_len", ctypes.c_ssize_t),
        ("offset", ctypes.c_int64),
        ("_private", ctypes.c_ssize_t),
    )


class Columns(NamedTuple):
    """Consecutive records of one source partition, at least one; timestamps are 0 or less where there is none."""

    offsets: Ints
    values: Values
    timestamps_ms: Ints


class Functions(NamedTuple):
    """Addresses of librdkafka's functions: told at each call, because a cached kernel outlives the process."""

    timestamp: int
    destroy: int
    headers: int = 0
    last_header: int = 0


class Found(NamedTuple):
    """The records of one partition among fetched messages; `topic` is a `rd_kafka_topic_t`, valid until they are taken."""

    topic: int
    partition: int
    records: int
    bytes: int


class _Filled(NamedTuple):
    """Columns of all partitions, one after the other; `ends` begin anew with each."""

    offsets: Ints
    timestamps_ms: Ints
    ends: Ints
    tombstones: npt.NDArray[np.bool_]
    joined: npt.NDArray[np.uint8]


_REPORT: Final = -1
"""In place of a partition: no record, but something that librdkafka reports."""
_TOPIC, _PARTITION, _RECORDS, _BYTES = range(4)


class Messages:
    """Room for so many messages, to be filled by librdkafka and emptied into columns, again and again, by one thread."""

    def __init__(self, count_max: int) -> None:
        self.pointers = np.zeros(count_max, np.int64)
        self._row = np.zeros(count_max, np.int64)
        self._spans = np.zeros((count_max, 2), np.int64)
        self._room = np.zeros(1, np.int64)
        self._table = np.zeros((count_max, 4), np.int64)
        self._rows = 0
        self._count = 0

    def sort(self, count: int) -> list[Found]:
        """See what the first `count` messages are. librdkafka owns them still."""
        self._count = count
        self._rows = _sort(self.pointers[:count], self._row, self._table)
        return [Found(*row) for row in self._table[: self._rows].tolist()]

    def reports(self) -> list[int]:
        """Addresses of the messages that are no records; valid, as all are, until `take`."""
        return cast("list[int]", self.pointers[: self._count][self._row[: self._count] == _REPORT].tolist())

    def beside(self, found: int, name: str, functions: Functions) -> Values:
        """The values of a header, or the keys if `name` is `KEY`, of the records of the partition that was found in this place."""
        spans = self._spans[: int(self._table[found, _RECORDS])]
        c_name = ctypes.create_string_buffer(name.encode())
        asked = 0 if name == KEY else ctypes.addressof(c_name)
        pointers, rows = self.pointers[: self._count], self._row
        _locate(pointers, rows, found, asked, spans, self._room, functions)
        sizes = np.maximum(spans[:, 1], 0)
        joined = np.empty(sizes.sum(), np.uint8)
        _gather(spans, joined)
        return Values(joined, np.cumsum(sizes), spans[:, 1] < 0)

    def take(self, functions: Functions) -> list[Columns]:
        """The columns of each partition found, in that order. All messages are destroyed."""
        table = self._table[: self._rows]
        ends = np.cumsum(table[:, _RECORDS:], axis=0)
        records, size = table[:, _RECORDS].sum(), table[:, _BYTES].sum()
        filled = _Filled(
            np.empty(records, np.int64),
            np.empty(records, np.int64),
            np.empty(records, np.int64),
            np.empty(records, np.bool_),
            np.empty(size, np.uint8),
        )
        starts = ends - table[:, _RECORDS:]
        called = functions.timestamp, functions.destroy
        _take(self.pointers[: self._count], self._row, starts, starts.copy(), filled, *called)
        self._count = 0
        return _parts(filled, *ends.T.tolist())


def _parts(filled: _Filled, lasts: list[int], stops: list[int]) -> list[Columns]:
    """The columns, cut where a partition's records and bytes end."""
    parts, first, start = [], 0, 0
    for last, stop in zip(lasts, stops, strict=True):
        own = slice(first, last)
        values = Values(filled.joined[start:stop], filled.ends[own], filled.tombstones[own])
        parts.append(Columns(filled.offsets[own], values, filled.timestamps_ms[own]))
        first, start = last, stop
    return parts


def _message_at(_context: Any, address: Any) -> Any:
    record = from_dtype(np.dtype(Message))

    def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(record))

    return record(address), generated


def _timestamp(_context: Any, function: Any, message: Any) -> Any:
    def generated(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer, kind = ir.IntType(8).as_pointer(), ir.IntType(32)
        called = ir.FunctionType(ir.IntType(64), [pointer, kind.as_pointer()]).as_pointer()
        kind_told = cgutils.alloca_once(builder, kind)  # type: ignore[no-untyped-call]
        message = builder.inttoptr(arguments[1], pointer)
        return builder.call(builder.inttoptr(arguments[0], called), [message, kind_told])

    return types.int64(function, message), generated


def _destroy(_context: Any, function: Any, message: Any) -> Any:
    def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        called = ir.FunctionType(ir.VoidType(), [pointer]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], called), [builder.inttoptr(arguments[1], pointer)])
        return target.get_dummy_value()

    return types.void(function, message), generated


def _message_headers(_context: Any, function: Any, message: Any, to: Any) -> Any:
    return types.int32(function, message, to), _called(2)


def _last_header(_context: Any, function: Any, headers: Any, name: Any, value: Any, size: Any) -> Any:
    return types.int32(function, headers, name, value, size), _called(4)


def _called(count: int) -> Any:
    """Calls the function at an address with so many addresses."""

    def generated(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        called = ir.FunctionType(ir.IntType(32), [pointer] * count).as_pointer()
        function, *addresses = arguments
        told = [builder.inttoptr(address, pointer) for address in addresses]
        return builder.call(builder.inttoptr(function, called), told)

    return generated


def _copy(_context: Any, to: Any, source: Any, size: Any) -> Any:
    def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        to, source = (builder.inttoptr(address, pointer) for address in arguments[:2])
        cgutils.raw_memcpy(builder, to, source, arguments[2], 1)  # type: ignore[no-untyped-call]
        return target.get_dummy_value()

    return types.void(to, source, size), generated


message_at = cast("Callable[[int], Message]", intrinsic(_message_at))
"""The message at an address."""
timestamp_ms = cast("Callable[[int, int], int]", intrinsic(_timestamp))
"""`rd_kafka_message_timestamp`, told its own address, of the message at an address."""
destroy = cast("Callable[[int, int], None]", intrinsic(_destroy))
"""`rd_kafka_message_destroy`, told its own address, of the message at an address."""
message_headers = cast("Callable[[int, int, Any], int]", intrinsic(_message_headers))
"""`rd_kafka_message_headers`, told its own address, of the message at an address: put at another; not 0 if there are none."""
last_header = cast("Callable[[int, int, int, Any, Any], int]", intrinsic(_last_header))
"""`rd_kafka_header_get_last`, told its own address: of these headers, of this name, put value and size there; not 0 if there is none."""
copy_bytes = cast("Callable[[Any, int, int], None]", intrinsic(_copy))
"""Copy so many bytes to an address from another."""


@entry
def _sort(pointers: Ints, rows: Ints, table: Ints) -> int:
    """Note the row of each message in a table of partitions, and count there; how many rows it has."""
    found, row = 0, 0
    for i in range(len(pointers)):
        message = message_at(pointers[i])
        if message.err != 0:
            rows[i] = _REPORT
            continue
        if row >= found or table[row, _TOPIC] != message.rkt or table[row, _PARTITION] != message.partition:
            row = 0
            while row < found and (
                table[row, _TOPIC] != message.rkt or table[row, _PARTITION] != message.partition
            ):
                row += 1
            if row == found:
                table[row, _TOPIC], table[row, _PARTITION] = message.rkt, message.partition
                table[row, _RECORDS] = table[row, _BYTES] = 0
                found += 1
        rows[i] = row
        table[row, _RECORDS] += 1
        table[row, _BYTES] += message.len
    return found


@entry
def _take(
    pointers: Ints,
    rows: Ints,
    starts: Ints,
    following: Ints,
    out: _Filled,
    timestamp_of: int,
    destroy_by: int,
) -> None:
    """Fill the columns, and destroy the messages. Each partition's record and byte begin at `starts`; `following` begins as the same."""
    joined = np.int64(out.joined.ctypes.data)
    for i in range(len(pointers)):
        row = rows[i]
        if row != _REPORT:
            message, at = message_at(pointers[i]), following[row, 0]
            copy_bytes(joined + following[row, 1], message.payload, message.len)
            following[row, 0] += 1
            following[row, 1] += message.len
            out.offsets[at] = message.offset
            out.timestamps_ms[at] = timestamp_ms(timestamp_of, pointers[i])
            out.tombstones[at] = message.payload == 0
            out.ends[at] = following[row, 1] - starts[row, 1]
        destroy(destroy_by, pointers[i])


@entry
def _locate(
    pointers: Ints, rows: Ints, row: int, name: int, spans: Ints, room: Ints, functions: Functions
) -> None:
    """Note where the header of this name, or the key if it is 0, of each of a row's messages is and its size, -1 if it has none."""
    at = 0
    place, headers = np.int64(spans.ctypes.data), np.int64(room.ctypes.data)
    for i in range(len(pointers)):
        if rows[i] != row:
            continue
        spans[at, 0], spans[at, 1] = 0, -1
        if name == 0:
            message = message_at(pointers[i])
            if message.key != 0:
                spans[at, 0], spans[at, 1] = message.key, message.key_len
        elif message_headers(functions.headers, pointers[i], headers) == 0:
            there = place + 16 * at
            if last_header(functions.last_header, room[0], name, there, there + 8) != 0 or spans[at, 0] == 0:
                spans[at, 0], spans[at, 1] = 0, -1
        at += 1


@entry
def _gather(spans: Ints, joined: npt.NDArray[np.uint8]) -> None:
    """Copy what was noted, end to end."""
    to = np.int64(joined.ctypes.data)
    for i in range(len(spans)):
        if spans[i, 1] > 0:
            copy_bytes(to, spans[i, 0], spans[i, 1])
            to += spans[i, 1]
