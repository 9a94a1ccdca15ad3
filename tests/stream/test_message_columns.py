"""Messages as librdkafka hands them over, put into columns by partition."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.formats.values import KEY
from stream.message_columns import Functions, Message, Messages
from stream.sources import BATCH_RECORDS_MAX

ERROR, MISSING = -191, -156


@dataclass
class Record:
    topic: int
    partition: int
    offset: int
    value: bytes | None
    error: int = 0
    key: bytes | None = None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()

    def last(self, name: str) -> bytes | None:
        """The last header of this name, or the key."""
        return self.key if name == KEY else dict(self.headers).get(name.encode())

    @property
    def place(self) -> tuple[int, int]:
        return self.topic, self.partition


RECORDS = st.lists(
    st.builds(
        Record,
        st.sampled_from([0x7F00_0000_1000, 0x7F00_0000_2000]),
        st.integers(0, 2),
        st.integers(0, 2**40),
        st.none() | st.binary(max_size=300),
        st.sampled_from([0, 0, 0, 0, ERROR]),
        st.none() | st.binary(max_size=9),
        st.lists(
            st.tuples(st.sampled_from([b"a", b"\xc3\xa9"]), st.none() | st.binary(max_size=9)), max_size=3
        ).map(tuple),
    ),
    max_size=40,
)


class Lent:
    """Messages in memory, and functions that say what was asked of them."""

    def __init__(self, records: list[Record]) -> None:
        self.destroyed: list[int] = []
        self._records = records
        self._values = [ctypes.create_string_buffer(record.value or b"") for record in records]
        self._keys = [ctypes.create_string_buffer(record.key or b"") for record in records]
        self._lent_headers: list[Any] = []
        self._messages = [
            Message(
                err=record.error,
                rkt=record.topic,
                partition=record.partition,
                payload=0 if record.value is None else ctypes.addressof(value),
                len=len(record.value or b""),
                key=0 if record.key is None else ctypes.addressof(key),
                key_len=len(record.key or b""),
                offset=record.offset,
            )
            for record, value, key in zip(records, self._values, self._keys, strict=True)
        ]
        self.addresses = [ctypes.addressof(message) for message in self._messages]
        kind = ctypes.POINTER(ctypes.c_int)
        self._timestamp = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(Message), kind)(
            lambda message, _kind: message.contents.offset + 1000
        )
        place = ctypes.POINTER(ctypes.c_int64)
        self._headers = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, place)(self._headers_of)
        self._last = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, place, place)(
            self._last_of
        )
        self._destroy = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._destroyed)
        self.functions = Functions(
            *(
                ctypes.cast(function, ctypes.c_void_p).value or 0
                for function in (self._timestamp, self._destroy, self._headers, self._last)
            )
        )

    def _headers_of(self, address: int, to: Any) -> int:
        number = self.addresses.index(address)
        to[0] = number + 1
        return 0 if self._records[number].headers else MISSING

    def _last_of(self, headers: int, name: bytes, value_to: Any, size_to: Any) -> int:
        found = dict(self._records[headers - 1].headers)
        if name not in found:
            return MISSING
        value = found[name]
        self._lent_headers.append(ctypes.create_string_buffer(value or b""))
        value_to[0] = 0 if value is None else ctypes.addressof(self._lent_headers[-1])
        size_to[0] = len(value or b"")
        return 0

    def _destroyed(self, address: int) -> None:
        self.destroyed.append(address)
        ctypes.memset(address, 0xFF, ctypes.sizeof(Message))


@contextmanager
def lent(room: Messages, records: list[Record]) -> Iterator[Lent]:
    """Put messages where librdkafka puts them; all must be given back, in their order, each once."""
    lender = Lent(records)
    room.pointers[: len(records)] = lender.addresses
    yield lender
    assert lender.destroyed == lender.addresses


@settings(deadline=None)  # the first time, the kernels are compiled
@given(st.lists(RECORDS, max_size=3))
def test_every_record_is_in_the_columns_of_its_partition_in_its_order(fetches: list[list[Record]]) -> None:
    room = Messages(40)
    for records in fetches:
        with lent(room, records) as lender:
            found = [(of.topic, of.partition) for of in room.sort(len(records))]
            reports = room.reports()
            besides = [
                {name: list(room.beside(at, name, lender.functions)) for name in (KEY, "a", "é")}
                for at in range(len(found))
            ]
            columns = room.take(lender.functions)
        assert reports == [
            address for address, record in zip(lender.addresses, records, strict=True) if record.error
        ]
        alive = [record for record in records if not record.error]
        assert len(set(found)) == len(found) == len(columns)
        assert {place: list(zip(*of, strict=True)) for place, of in zip(found, columns, strict=True)} == {
            place: [(it.offset, it.value, it.offset + 1000) for it in alive if it.place == place]
            for place in {record.place for record in alive}
        }
        for place, beside in zip(found, besides, strict=True):
            own = [it for it in alive if it.place == place]
            assert beside == {name: [it.last(name) for it in own] for name in beside}


def test_a_full_batch_of_one_partition_is_one_piece() -> None:
    records = [Record(4096, 0, offset, b"x" * (offset % 7)) for offset in range(BATCH_RECORDS_MAX)]
    room = Messages(BATCH_RECORDS_MAX)
    with lent(room, records) as lender:
        assert [tuple(of)[:3] for of in room.sort(len(records))] == [(4096, 0, BATCH_RECORDS_MAX)]
        (columns,) = room.take(lender.functions)
    assert list(columns.values) == [record.value for record in records]


def test_no_messages_have_no_columns() -> None:
    room = Messages(3)
    assert room.sort(0) == []
    assert room.reports() == []
    assert room.take(Functions(0, 0)) == []


def test_the_layout_is_that_of_rdkafka_h() -> None:
    places = {name: getattr(Message, name).offset for name, _ in Message._fields_}
    assert places == {
        "err": 0,
        "rkt": 8,
        "partition": 16,
        "payload": 24,
        "len": 32,
        "key": 40,
        "key_len": 48,
        "offset": 56,
        "_private": 64,
    }
    assert ctypes.sizeof(Message) == 72
