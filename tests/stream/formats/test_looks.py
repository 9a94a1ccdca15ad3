"""A record looks the same whether or not those before it were like it; the more alike they are the less is looked at."""

import json
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.record_tokens import value_paths
from detectors.samples import Element
from stream.formats.caps import Caps
from stream.formats.encodings.choice import Encoding, encoding_of, no_registry
from stream.formats.limits import Limits
from stream.formats.looks import KINDS_MAX, FieldPath, Looks
from stream.formats.shapes import NAME_CHARS_MAX, Shapes
from stream.formats.tokens import Tokenizer
from tests.stream.formats.test_shapes import RECORDS

JSON: Final = encoding_of("json", None, no_registry, Limits())
LOOKS = 5

Seen = tuple[list[Element], dict[str, int], list[Any]]
"""Elements, tokens by path, and what was wanted."""


def seen(values: list[bytes], *wanted: FieldPath, encoding: Encoding = JSON) -> list[Seen]:
    """What is seen of each record."""
    caps = Caps(Limits())
    shapes = Shapes(caps)
    tokenizer = Tokenizer(caps, shapes)
    looks = Looks(encoding, shapes, tokenizer, wanted)
    read = [looks.read(value) for value in values]
    tokens, sizes = tokenizer.tokens([shape for shape, _ in read])
    own = np.split(tokens, np.cumsum(sizes)[:-1])
    elements = [shapes.elements_of(shape) for shape, _ in read]
    return [
        (of, dict(zip(value_paths(of), it.tolist(), strict=True)), list(found))
        for of, it, (_, found) in zip(elements, own, read, strict=True)
    ]


def decoded_of(values: list[bytes], *wanted: FieldPath) -> int:
    """How many of some records were read as any record is; all look as they do alone."""
    count = 0

    def decode(value: bytes) -> dict[str, Any]:
        nonlocal count
        count += 1
        return JSON.decode(value)

    together = seen(values, *wanted, encoding=JSON._replace(decode=decode))
    assert together == [seen([value], *wanted)[0] for value in values]
    return count


def texts(*records: Any) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


NUMBERS = st.sampled_from(
    ["0", "-0", "7", "7.0", "-0.0", "1.5", "1e3", "9007199254740993", "1" + "0" * 30, "1.5e300"]
)
PLAIN = NUMBERS | st.sampled_from(
    ["true", "false", "null", '""', '"x"', '"2026-03-01"', '"\\u00e9"', "[]", "{}", "[1]"]
)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Records that mostly have the same names, in some order, and at each of them mostly values of one kind."""
    names = draw(st.lists(st.text(max_size=4), min_size=1, max_size=5, unique=True))
    usual = {
        name: draw(st.sampled_from([NUMBERS, st.sampled_from(['"x"', '"yy"']), PLAIN])) for name in names
    }
    records = []
    for _ in range(draw(st.integers(1, 12))):
        own = draw(st.permutations(names))[: draw(st.sampled_from([len(names)] * 4 + [len(names) - 1]))]
        fields = [(name, draw(usual[name] if draw(st.integers(0, 9)) else PLAIN)) for name in own]
        if not draw(st.integers(0, 9)):
            fields.append((draw(st.sampled_from([*names, "more"])), draw(PLAIN)))
        records.append("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in fields) + "}")
    return [record.encode() for record in records]


@given(alike() | st.lists(RECORDS, min_size=1, max_size=6).map(lambda records: texts(*records, *records)))
@example(texts({"a": 1.5}, {"a": 2.5}, {"a": 3}, {"a": 3.5}))
@example([b'{"a": 1.5, "a": "x"}'] * 4)
def test_what_came_before_changes_nothing(values: list[bytes]) -> None:
    decoded_of(values)


@given(alike())
def test_what_came_before_changes_nothing_of_what_is_wanted(values: list[bytes]) -> None:
    name = next(iter(json.loads(values[0])), "a")
    decoded_of(values, (name,))
    decoded_of(values, (name, "b"))


@pytest.mark.parametrize(
    "record",
    [
        {"a": 1, "b": 1.5, "c": "x", "d": True, "e": None},
        {"a.b": 1, "": 2, "é{*}": "x", "[]": None},
        {f"field_{number}": number for number in range(200)},
        {},
    ],
)
def test_the_fourth_record_alike_is_read_as_the_third(record: dict[str, Any]) -> None:
    assert decoded_of(texts(*[record] * 9)) == 3


def test_a_wanted_value_is_found_as_it_stands() -> None:
    """Where there was a fraction, a whole number must not be told as one."""
    assert decoded_of(texts(*({"at": number, "b": 1} for number in range(9))), ("at",)) == 3
    decoded_of(texts({"at": 1.5}, {"at": 2.5}, {"at": 3}, {"at": 2**60 + 1}), ("at",))


@pytest.mark.parametrize(
    "record",
    [
        {"a": {"b": 1}},
        {"a": {"b": 1}, "b": []},
        {"a": [1], "[]": 1},
        {'"': 1},
        {"\\": 1},
        {"\n": 1},
        {"n" * (NAME_CHARS_MAX + 1): 1},
        {f"field_{number}": number for number in range(300)},
    ],
)
def test_records_that_are_not_plain_are_read_as_any(record: dict[str, Any]) -> None:
    assert decoded_of(texts(*[record] * 9)) == 9


def test_what_cannot_be_decoded_is_refused_as_ever() -> None:
    looks = Looks(JSON, shapes := Shapes(Caps(Limits())), Tokenizer(Caps(Limits()), shapes), ())
    for value in texts({"a": 1.5}, {"a": 2.5}, {"a": 3.5}):
        looks.read(value)
    for bad in (b'{"a": 1.5} x', b'{"a": NaN}', b'{"a": 1.', b"[1.5]", b""):
        with pytest.raises(msgspec.DecodeError):
            looks.read(bad)


def test_kinds_are_bounded() -> None:
    values = [value for number in range(2 * KINDS_MAX) for value in texts(*[{f"a{number}": 1}] * LOOKS)]
    assert decoded_of(values) == KINDS_MAX * 3 + KINDS_MAX * LOOKS


def test_a_frame_is_never_left_out() -> None:
    """What is framed begins with bytes that are no JSON."""
    framed = encoding_of("json_schema", None, no_registry, Limits())
    values = [b"\0\0\0\0\1" + value for value in texts(*[{"a": 1}] * LOOKS)]
    assert len(seen(values, encoding=framed)) == LOOKS
