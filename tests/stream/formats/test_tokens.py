"""Tokens say of which format or size a value is, and nothing that would let anybody read it; what was seen before changes nothing."""

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.record_tokens import (
    EMPTY,
    FALSE,
    FORMATS,
    HASH_BITS,
    HASH_MASK,
    NOTHING,
    NULL,
    PARTS,
    SIZE_CODES,
    TRUE,
    VALUE_PATHS_MAX,
    WORDS,
    ZERO,
    number_tokens,
    size_of,
    value_paths,
)
from stream.formats.caps import Caps
from stream.formats.encodings import DataNames
from stream.formats.limits import Limits
from stream.formats.shapes import Shapes
from stream.formats.text_formats import format_code
from stream.formats.tokens import TEXTS_MAX, Tokenizer
from tests.stream.formats.test_shapes import RECORDS, shuffled


def new_tokenizer() -> tuple[Shapes, Tokenizer]:
    caps = Caps(Limits())
    shapes = Shapes(caps)
    return shapes, Tokenizer(caps, shapes)


def tokens(*records: dict[str, Any]) -> list[dict[str, int]]:
    """The tokens of records by path."""
    shapes, tokenizer = new_tokenizer()
    numbers = [tokenizer.gather(record) for record in records]
    found, sizes = tokenizer.tokens(numbers)
    ends = np.cumsum(sizes).tolist()
    own = [found[end - size : end].tolist() for end, size in zip(ends, sizes.tolist(), strict=True)]
    paths = [value_paths(shapes.elements_of(number)) for number in numbers]
    return [dict(zip(names, it, strict=True)) for names, it in zip(paths, own, strict=True)]


def codes(record: dict[str, Any]) -> dict[str, int]:
    (found,) = tokens(record)
    return {path: token >> HASH_BITS for path, token in found.items()}


def test_each_kind_of_value_has_its_code() -> None:
    record = {"a": None, "b": True, "c": False, "d": 0, "e": "", "f": "x", "g": {"h": 0.0, "i": [None, 1]}}
    assert codes(record) == {
        "a": NULL, "b": TRUE, "c": FALSE, "d": ZERO, "e": EMPTY, "f": WORDS, "g.h": ZERO, "g.i[]": NULL,
    }  # fmt: skip


def test_the_first_value_of_an_array_or_a_map_stands_for_all() -> None:
    (found,) = tokens({"a": [{"b": "x"}, {"b": "y", "c": 1}], "m": {"user_123": "x", "user_456": 1}})
    assert found == {
        "a[].b": tokens({"k": "x"})[0]["k"],
        "a[].c": NOTHING,
        "m{*}": tokens({"k": "x"})[0]["k"],
    }


@given(st.lists(RECORDS, max_size=6))
def test_a_record_has_the_same_tokens_whatever_comes_with_it(records: list[dict[str, Any]]) -> None:
    assert tokens(*records) == [tokens(record)[0] for record in records]


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_order_of_fields_is_no_part_of_them(record: dict[str, Any], chance: random.Random) -> None:
    if "{*}" not in str(tokens(record)):
        assert tokens(record) == tokens(shuffled(record, chance))


@given(RECORDS)
def test_none_tells_more_than_a_code_and_of_a_text_a_part_of_its_hash(record: dict[str, Any]) -> None:
    for token in tokens(record)[0].values():
        code = token >> HASH_BITS
        if code >= SIZE_CODES:
            assert token & HASH_MASK < PARTS
        else:
            assert not token & HASH_MASK or EMPTY <= code < WORDS + len(FORMATS)


@given(st.floats(1e-6, 1e15), st.sampled_from([10, 100, 1000]))
def test_a_factor_moves_the_size_by_as_many_decades(number: float, factor: int) -> None:
    once, moved, negative = (
        number_tokens(np.array([number, number * factor, -number])) >> HASH_BITS
    ).tolist()
    assert abs(size_of(moved) - size_of(once) - 4 * np.log10(factor)) <= 1
    assert size_of(negative) == size_of(once)
    assert negative != once


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_a_code(number: float) -> None:
    assert 4 <= number_tokens(np.array([number]))[0] >> HASH_BITS < 256


FORMS = {
    "2026-03-01": "date",
    "01.03.2026": "date.",
    "3/1/2026": "date/",
    "2026-03-01T10:00:00Z": "date-time",
    "2026-03-01T10:00:00.123+02:00": "date-time",
    "2026-03-01T10:00:00": "local date-time",
    "2026-03-01 10:00:00": "date-time with space",
    "Sun, 01 Mar 2026 10:00:00 GMT": "mail date",
    "10:00": "time",
    "6a1c4f4e-1de8-4d4f-9a65-3a1f5b1f7d10": "uuid",
    "6a1c4f4e1de84d4f9a653a1f5b1f7d10": "hash",
    "-12": "integer",
    "007": "integer",
    "1.50": "number",
    "1e9": "number",
    "a.b@example.org": "e-mail",
    "https://example.org/a?b=c": "url",
    "10.0.0.1": "ip",
    "2001:db8::1": "ip",
    '{"a": 1}': "json",
    "true": "flag",
    "N/A": "no value",
    "new": "text",
    "1.2.3": "text",
    "a note: 12": "text",
    "x" * 10_000: "text",
}


@pytest.mark.parametrize("text", FORMS, ids=lambda text: text[:40])
def test_a_text_has_this_format(text: str) -> None:
    assert FORMATS[format_code(text) - WORDS] == FORMS[text]


@given(st.text(max_size=300))
def test_any_text_has_one(text: str) -> None:
    assert EMPTY <= format_code(text) < WORDS + len(FORMATS)


def test_hostile_records_are_bounded() -> None:
    wide: dict[str, Any] = {f"name{number}x": number for number in range(250)}
    wide |= {f"more{number}x": {f"a{inner}x": "" for inner in range(200)} for number in range(3)}
    assert len(codes(wide)) == VALUE_PATHS_MAX
    assert codes({"a": "x" * (1 << 20), "b": json.loads("123456789012345678901234567890")})["a"] == WORDS
    long = tokens({"a": "x" * 5000}, {"a": "x" * 5001})
    assert long[0] != long[1]


def test_a_name_that_was_cut_has_no_value() -> None:
    assert codes({"n" * 300: 5, "b": 1})["b"] > ZERO


def test_texts_are_not_remembered_for_ever() -> None:
    _, tokenizer = new_tokenizer()
    for first in range(0, 2 * TEXTS_MAX, 10_000):
        numbers = [tokenizer.gather({"a": str(number)}) for number in range(first, first + 10_000)]
        tokenizer.tokens(numbers)
    assert len(tokenizer._texts) <= TEXTS_MAX + 10_000


@pytest.mark.parametrize("whole", [10**400, -(10**400), 10**308], ids=["beyond", "below", "within"])
def test_a_whole_number_beyond_all_floats_is_a_large_one(whole: int) -> None:
    found = codes({"a": whole, "b": 1.5})
    largest = codes({"a": 1e300 if whole > 0 else -1e300, "b": 1.5})
    assert found["a"] == largest["a"]
    assert found["b"] == largest["b"]


def test_values_of_a_map_of_another_encoding_are_looked_at() -> None:
    assert codes({"a": DataNames({"x": "2026-01-01", "y": "2026-01-02"})}) == codes(
        {"a": DataNames({"z": "2026-01-03"})}
    )
    assert set(codes({"a": DataNames({"x": 5})}).values()) - {NOTHING}
