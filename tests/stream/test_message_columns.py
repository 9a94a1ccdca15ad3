"""Messages as librdkafka hands them over, put into columns by partition."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.message_columns import Functions, Message, Messages
from stream.sources import BATCH_RECORDS_MAX

ERROR = -191


@dataclass
class Record:
    topic: int
    partition: int
    offset: int
    value: bytes | None
    error: int = 0

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
    ),
    max_size=40,
)


class Lent:
    """Messages in memory, and functions that say what was asked of them."""

    def __init__(self, records: list[Record]) -> None:
        self.destroyed: list[int] = []
        self._values = [ctypes.create_string_buffer(record.value or b"") for record in records]
        self._messages = [
            Message(
                err=record.error,
                rkt=record.topic,
                partition=record.partition,
                payload=0 if record.value is None else ctypes.addressof(value),
                len=len(record.value or b""),
                offset=record.offset,
            )
            for record, value in zip(records, self._values, strict=True)
        ]
        self.addresses = [ctypes.addressof(message) for message in self._messages]
        kind = ctypes.POINTER(ctypes.c_int)
        self._timestamp = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(Message), kind)(
            lambda message, _kind: message.contents.offset + 1000
        )
        self._destroy = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._destroyed)
        self.functions = Functions(
            *(
                ctypes.cast(function, ctypes.c_void_p).value or 0
                for function in (self._timestamp, self._destroy)
            )
        )

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
