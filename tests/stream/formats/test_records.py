"""Records of anyone's: each gives one row with its shape; time and labels stand where the source says."""

import json
from typing import Any

import pytest

from detectors.outputs import Destination
from detectors.samples import PAYLOAD_COLUMNS, UNKNOWN_DELAY, SampleBatch, decode_key
from stream.formats.limits import Limits
from stream.formats.records import RecordSource, header_ms, read_ms
from stream.formats.values import KEY, Values
from stream.ingest import Ingest
from tests.stream.formats.reading import SKEW_MS, TOPIC, WALL_MS

KAFKA_MS = WALL_MS - 60_000


def read(
    *values: Any, source: RecordSource | None = None, kafka_ms: int = KAFKA_MS, limits: Limits | None = None
) -> tuple[list[dict[str, Any]], dict[int, str], Ingest]:
    """The payload rows by offset with their labels and elements, the dead letters' reasons, and the ingest."""
    payloads = [value if isinstance(value, bytes | None) else json.dumps(value).encode() for value in values]
    return read_values(Values.of(payloads), source or RecordSource(), kafka_ms=kafka_ms, limits=limits)


def read_values(
    payloads: Values, source: RecordSource, *, kafka_ms: int = KAFKA_MS, limits: Limits | None = None
) -> tuple[list[dict[str, Any]], dict[int, str], Ingest]:
    """The same of values with something beside them."""
    ingest = Ingest({TOPIC: source}, 3, {TOPIC: 1}, limits or Limits(), SKEW_MS)
    stamps = [kafka_ms] * len(payloads)
    outputs = ingest.batch(TOPIC, 0, range(len(payloads)), payloads, stamps, None, WALL_MS, caught_up=True)
    rows: list[dict[str, Any]] = []
    dead: dict[int, str] = {}
    home: list[int] = []
    for output in outputs:
        if output.destination is not Destination.SAMPLES:
            continue
        batch = SampleBatch.from_bytes(output.value or b"")
        dead |= dict(batch.dead)
        home += batch.home_offsets().tolist()
        rows += _rows(batch)
    assert sorted(home) == list(range(len(payloads)))
    return sorted(rows, key=lambda row: row["offset"]), dead, ingest


def _rows(batch: SampleBatch) -> list[dict[str, Any]]:
    table = batch.table(batch.payloads, PAYLOAD_COLUMNS)
    rows = []
    for at in range(len(table["offset"])):
        row: dict[str, Any] = {name: column[at].item() for name, column in table.items()}
        key = decode_key(*batch.key_texts(table["key"][at : at + 1].astype("i8")))
        row |= {
            "labels": dict(key.labels),
            "kind": key.kind,
            "elements": batch.shapes.elements_of(row["shape"]),
        }
        rows.append(row)
    return rows


def test_a_record_gives_its_shape_its_size_and_the_brokers_time() -> None:
    value = b'{"a": 1, "b": [{"c": null}]}'
    (row,), dead, _ = read(value)
    assert row["elements"] == [
        ("", "object"),
        ("a", "integer"),
        ("b", "array"),
        ("b[]", "object"),
        ("b[].c", "null"),
    ]
    assert (row["kind"], row["labels"], row["size"], row["time_ms"]) == (
        "schema",
        {"topic": TOPIC},
        len(value),
        KAFKA_MS,
    )
    assert not dead


def test_time_and_labels_stand_where_the_source_says() -> None:
    source = RecordSource(("meta", "at"), (("region", ("region",)), ("tier", ("meta", "tier"))))
    rows, _, _ = read(
        {"meta": {"at": WALL_MS - 5000, "tier": 2}, "region": "eu"},
        {"meta": {"at": "2026-11-23T02:18:57Z", "tier": True}, "region": ""},
        {"meta": 5, "region": {"x": 1}},
        source=source,
    )  # fmt: skip
    assert [row["labels"] for row in rows] == [
        {"topic": TOPIC, "region": "eu", "tier": "2"},
        {"topic": TOPIC, "tier": "true"},
        {"topic": TOPIC},
    ]
    assert [row["time_ms"] for row in rows] == [WALL_MS - 5000, 1_795_400_337_000, KAFKA_MS]


def test_a_sample_is_chosen_by_content_and_time_and_the_others_are_counted() -> None:
    values = [{"id": number, "region": "eu"} for number in range(2_000)]
    source = RecordSource(labels=(("region", ("region",)),), sample=0.1)
    rows, dead, ingest = read(*values, b"{", source=source)
    assert (len(rows), dead) == (2_000, {2_000: "not_json"})
    seen = [row["offset"] for row in rows if row["elements"]]
    assert 130 < len(seen) < 270
    assert ingest.take_counts()["records_passed_over",] == 2_000 - len(seen)
    assert all(row["labels"] == {"topic": TOPIC, "region": "eu"} and row["size"] > 0 for row in rows)
    again, _, _ = read(*values[1_000:], source=source)
    assert [row["offset"] + 1_000 for row in again if row["elements"]] == [it for it in seen if it >= 1_000]
    plain, _, _ = read(*values, source=RecordSource(sample=0.1))
    assert [row["offset"] for row in plain if row["elements"]] == seen


def test_delays_are_from_event_time_to_broker_and_never_negative() -> None:
    rows, _, _ = read({"at": KAFKA_MS - 250}, {"at": KAFKA_MS + 90}, {}, source=RecordSource(("at",)))
    assert [row["delay_ms"] for row in rows] == [250, 0, 0]
    assert [row["delay_ms"] for row in read({"at": 1})[0]] == [UNKNOWN_DELAY]


@pytest.mark.parametrize("where", [("meta", "id"), "id", KEY])
def test_an_id_is_the_same_number_wherever_it_stands(where: Any) -> None:
    values = Values.of(
        [json.dumps({"meta": {"id": it}}).encode() for it in ("a", "b", "a", "", None, {"b": 1})]
    )
    beside = Values.of([b"a", b"b", b"a", b"", None, None])
    rows, _, _ = read_values(values.beside({"id": beside, KEY: beside}), RecordSource(id=where))
    first, second, again, *none = [row["ident"] for row in rows]
    assert first == again != second
    assert none == [0, 0, 0]
    (row,), _, _ = read_values(Values.of([b'{"meta": {"id": "a"}}']), RecordSource(id=("meta", "id")))
    assert row["ident"] == first


def test_a_record_without_its_event_time_has_the_brokers_and_is_counted() -> None:
    source = RecordSource(("at",))
    rows, dead, ingest = read({"at": "soon"}, {}, {"at": None}, {"at": KAFKA_MS}, source=source)
    assert [row["time_ms"] for row in rows] == [KAFKA_MS] * 4
    assert ingest.take_counts()["event_time_missing",] == 3
    assert not dead


def test_a_record_without_any_time_is_a_dead_letter() -> None:
    rows, dead, _ = read({"a": 1}, kafka_ms=0)
    assert (rows, dead) == ([], {0: "no_time"})


def test_what_is_no_object_is_a_dead_letter_and_its_neighbours_are_read() -> None:
    rows, dead, _ = read(
        {"a": 1}, b"[1]", b'"x"', b"NaN", b'{"a": [-Infinity]}', b'{"a": 1,}', b"[1e999]", None, {"a": 2}
    )
    assert dead == {
        1: "wrong_type",
        2: "wrong_type",
        3: "not_json",
        4: "not_json",
        5: "not_json",
        6: "wrong_type",
    }
    assert [row["offset"] for row in rows] == [0, 8]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a": 1, "a": "x"}', [("a", "string")]),
        (b'{"a": 123456789012345678901234567890}', [("a", "integer")]),
        (b'{"a": -9223372036854775809}', [("a", "integer")]),
        (b'{"a": "' + b"x" * (1 << 20) + b'"}', [("a", "string")]),
    ],
)
def test_odd_values_are_read(value: bytes, expected: list[tuple[str, str]]) -> None:
    (row,), _, _ = read(value, limits=Limits(record_bytes_max=2 << 20))
    assert row["elements"][1:] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (rb'{"a": "\ud83d"}', [("a", "string")]),
        (rb'{"a": "\ud83d\ude00 \udc00\ud83d", "\uD800": 1}', [("a", "string"), ("\ufffd", "integer")]),
        (rb'{"a\\ud800": "\ud800"}', [(r"a\ud800", "string")]),
        (b'{"a": 1e999, "b": [-1E+400]}', [("a", "number"), ("b", "array"), ("b[]", "number")]),
        (b'{"a": ' + b"9" * 5000 + b"}", [("a", "integer")]),
        (b'\xef\xbb\xbf{"a": 1}', [("a", "integer")]),
    ],
)
def test_what_only_a_strict_parser_refuses_is_read_and_counted(
    value: bytes, expected: list[tuple[str, str]]
) -> None:
    rows, dead, ingest = read(value, {"a": 1})
    assert not dead
    assert rows[0]["elements"][1:] == expected
    assert ingest.take_counts()["odd_json",] == 1


def test_a_dead_letter_of_nan_says_what_to_write_instead() -> None:
    ingest = Ingest({TOPIC: "records"}, 1, {TOPIC: 1}, Limits(), SKEW_MS)
    outputs = ingest.batch(TOPIC, 0, [0], [b'{"a": NaN}'], [KAFKA_MS], None, WALL_MS, caught_up=True)
    (letter,) = [it for it in outputs if it.destination is Destination.DEAD_LETTERS]
    assert dict(letter.headers)["detail"] == b"NaN is no JSON; null says that there is no number"


def test_objects_nested_as_deep_as_can_be_allowed_are_followed() -> None:
    for opened, closed in ((b'{"a":', b"}"), (b'{"a":[', b"]}")):
        value = opened * (256 // len(closed)) + b"1e999" + closed * (256 // len(closed))
        rows, dead, _ = read(value, limits=Limits(nesting_max=256))
        assert not dead
        assert len(rows[0]["elements"]) > 128


def test_time_and_labels_may_stand_in_headers_and_the_key() -> None:
    source = RecordSource("at", (("region", "region"), ("tenant", KEY), ("tier", ("tier",))))
    values = Values.of([b'{"tier": "a"}', b"no JSON", b'{"tier": 2}', b"{}"]).beside({
        "at": Values.of([b"2026-11-23T02:18:57Z", None, b"1795400337.5", None]),
        "region": Values.of([b"eu", b"eu", b"us", None]),
        KEY: Values.of([b"acme", b"acme", b"\xff", None]),
    })  # fmt: skip
    assert source.besides == (KEY, "at", "region")
    rows, dead, ingest = read_values(values, source)
    assert [row["labels"] for row in rows] == [
        {"topic": TOPIC, "region": "eu", "tenant": "acme", "tier": "a"},
        {"topic": TOPIC, "region": "us", "tenant": r"\xff", "tier": "2"},
        {"topic": TOPIC},
    ]
    assert [row["time_ms"] for row in rows] == [1_795_400_337_000, 1_795_400_337_500, KAFKA_MS]
    assert dead == {1: "not_json"}
    assert ingest.take_counts()["event_time_missing",] == 1


def test_what_stands_beside_values_is_cut_with_them() -> None:
    values = Values.of([b"{}", None, b"{}"]).beside({"at": Values.of([b"1", b"23", None])})
    assert list(values[1:].besides["at"]) == [b"23", None]
    assert list(values[3:].besides["at"]) == []


@pytest.mark.parametrize(
    ("header", "ms"),
    [
        (b" 2026-11-23T02:18:57Z ", 1_795_400_337_000),
        (b"1795400337000", 1_795_400_337_000),
        ((1_795_400_337_000).to_bytes(8, "big"), 1_795_400_337_000),
        ((1_795_400_337_000_999_999).to_bytes(8, "big"), 1_795_400_337_000),
        (b"\x00" * 8, None),
        (b"\xff" * 8, None),
        (b"9" * 20, None),
        (b"soon", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_time_in_a_header_is_text_or_the_bytes_of_a_number(header: bytes | None, ms: int | None) -> None:
    assert header_ms(header) == ms


def test_nesting_beyond_the_limit_is_a_dead_letter_and_up_to_it_is_followed() -> None:
    deep = b'{"a":' * 100 + b"1" + b"}" * 100
    rows, dead, _ = read(deep, b'{"a":' * 64 + b"1" + b"}" * 64)
    assert dead == {0: "too_deep"}
    assert len(rows[0]["elements"]) == 65


def test_an_object_of_100_000_names_costs_no_path_for_each() -> None:
    (row,), dead, _ = read({"m": {f"name-{number}-x": number for number in range(30_000)}})
    assert row["elements"] == [("", "object"), ("m", "object"), ("m{*}", "integer")]
    value = b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}"
    (row,), dead, _ = read(value, limits=Limits(record_bytes_max=4 << 20))
    assert row["elements"] == [("", "object"), ("{*}", "integer")]
    assert not dead


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        (1_795_400_337, 1_795_400_337_000),
        (1_795_400_337.25, 1_795_400_337_250),
        (1_795_400_337_000, 1_795_400_337_000),
        (1_795_400_337_000_999, 1_795_400_337_000),
        (1_795_400_337_000_999_999, 1_795_400_337_000),
        ("2026-11-23T02:18:57", 1_795_400_337_000),
        ("2026-11-23T03:18:57.000+01:00", 1_795_400_337_000),
        ("2026-11-23 02:18:60Z", 1_795_400_340_000),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        (0, None),
        (-5, None),
        (1e30, None),
        (True, None),
        (None, None),
        ([1_795_400_337], None),
    ],
)
def test_a_time_is_read_in_the_unit_that_its_size_tells(time: Any, ms: int | None) -> None:
    assert read_ms(time) == ms
