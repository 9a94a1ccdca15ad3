"""Records as librdkafka hands them over, put into columns by partition."""

from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from stream.sources import Place, columns_by_place


@dataclass
class Record:
    """What a message says of itself."""

    place: Place
    at: int
    content: bytes | None

    def topic(self) -> str:
        return self.place.topic

    def partition(self) -> int:
        return self.place.partition

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes | None:
        return self.content

    def timestamp(self) -> tuple[int, int]:
        return 1, 1000 + self.at


PLACES = st.builds(Place, st.sampled_from(["a", "b"]), st.integers(0, 2))


@given(st.lists(st.builds(Record, PLACES, st.integers(0, 9), st.none() | st.binary(max_size=2)), max_size=30))
def test_every_record_is_in_the_columns_of_its_partition_in_its_order(records: list[Record]) -> None:
    found = columns_by_place(cast("Any", records), len({record.place.topic for record in records}))
    assert {place: list(zip(*columns, strict=True)) for place, columns in found.items()} == {
        place: [(record.at, record.content, 1000 + record.at) for record in records if record.place == place]
        for place in {record.place for record in records}
    }


def test_no_records_have_no_columns() -> None:
    assert columns_by_place(list[Message](), 1) == {}
