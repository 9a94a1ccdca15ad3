"""The shape of a record is its paths and types, whatever the order of fields and however numbers are written."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.record_paths import field_names, parent_of, step_of, steps
from stream.formats.caps import Caps
from stream.formats.limits import Limits
from stream.formats.shapes import FIELDS_MAX, NAME_CHARS_MAX, SHAPES_MAX, Shapes


def new_shapes(**limits: int) -> Shapes:
    return Shapes(Caps(Limits(**limits)))


def elements(record: dict[str, Any], shapes: Shapes | None = None) -> list[tuple[str, str]]:
    shapes = shapes or new_shapes()
    return [shapes.elements[number] for number in shapes.shape(shapes.root(record)).elements]


def flat(record: dict[str, Any]) -> list[str]:
    return [f"{path} {kind}" for path, kind in elements(record)[1:]]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"a": 1, "b": 1.5, "c": "x", "d": True, "e": None}, ["a integer", "b number", "c string", "d boolean", "e null"]),
        ({"a": 1.0, "b": -0.0, "c": 1e300}, ["a integer", "b integer", "c integer"]),
        ({"a": {}, "b": []}, ["a object", "b array"]),
        ({"a": {"b": {"c": 1}}}, ["a object", "a.b object", "a.b.c integer"]),
        ({"a": [1, "x", None]}, ["a array", "a[] integer", "a[] null", "a[] string"]),
        ({"a": [[1], []]}, ["a array", "a[] array", "a[][] integer"]),
        ({"a": [{"b": 1}, {"b": 2, "c": 3}]}, ["a array", "a[] object", "a[].b integer", "a[].c absent", "a[].c integer"]),
        ({"a": [{"b": {"c": 1}}, {"b": {}}]}, ["a array", "a[] object", "a[].b object", "a[].b.c absent", "a[].b.c integer"]),
        ({"u": {"user_123": {"n": 1}}}, ["u object", "u{*} object", "u{*}.n integer"]),
        ({"u": {"acct0123": 1, "acct98765": 2}}, ["u object", "u{*} integer"]),
        ({"u": {"2026-01-01": 1, "2026-01-02": "x"}}, ["u object", "u{*} integer", "u{*} string"]),
        ({"u": {"17": {}, "a": {}}}, ["u object", "u.17 object", "u.a object"]),
        ({"u": {"sha256": "x"}}, ["u object", "u.sha256 string"]),
        ({"a.b": 1, "": 2, "c[]": 3, 'q"': 4}, ['"" integer', '"a.b" integer', '"c[]" integer', '"q\\"" integer']),
    ],
)  # fmt: skip
def test_a_record_has_these_paths(record: dict[str, Any], expected: list[str]) -> None:
    assert flat(record) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
RECORDS = st.dictionaries(st.text(max_size=6), JSON, max_size=6)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {name: shuffled(it, chance) for name, it in items}
    return [shuffled(it, chance) for it in value] if isinstance(value, list) else value


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_order_of_fields_is_no_part_of_it(record: dict[str, Any], chance: random.Random) -> None:
    shapes = new_shapes()
    assert shapes.root(record) == shapes.root(shuffled(record, chance))


@given(st.lists(RECORDS, min_size=2, max_size=4))
def test_what_was_seen_before_does_not_change_a_shape(records: list[dict[str, Any]]) -> None:
    shapes = new_shapes()
    for record in records:
        alone = new_shapes()
        assert elements(record, shapes) == elements(record, alone)
        assert shapes.shape(shapes.root(record)).ident == alone.shape(alone.root(record)).ident


@given(RECORDS)
def test_each_path_has_its_parent_as_an_object_or_array(record: dict[str, Any]) -> None:
    found = elements(record)
    assert ("", "object") in found
    for path, _ in found:
        if path:
            assert (parent_of(path), "array" if path.endswith("[]") else "object") in found


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_any_names_make_a_path_that_can_be_taken_apart(names: list[str]) -> None:
    path = "".join(map(step_of, names)).removeprefix(".")
    assert field_names(path) == tuple(names)
    assert "".join(steps(path)) == path


def test_an_object_of_very_many_names_is_folded_even_a_whole_record() -> None:
    many = {f"n{letter}{number}x": 1 for letter in "abc" for number in range(FIELDS_MAX)}
    assert flat({"m": many}) == ["m object", "m{*} integer"]
    assert elements(many) == [("", "object"), ("{*}", "integer")]


def test_long_names_long_paths_and_too_many_paths_are_cut_and_counted() -> None:
    shapes = new_shapes(schema_text_chars_max=200, schema_fields_max=10)
    long = [path for path, _ in elements({"a" * 300: 1, "a" * 299 + "b": 1}, shapes)]
    assert [len(path) for path in long] == [0, NAME_CHARS_MAX, NAME_CHARS_MAX]
    assert len(set(long)) == 3
    assert len(elements({"x" * 100: {"y" * 100: {"z": 1}}}, shapes)) == 2
    assert len(elements({f"f{number:03}x": 1 for number in range(50)}, shapes)) == 10
    counts = shapes._caps.counts
    assert counts["limited", "record_name_chars_max"] == 2
    assert counts["limited", "schema_text_chars_max"] >= 1
    assert counts["limited", "schema_fields_max"] >= 1


def test_what_is_remembered_is_bounded_by_who_forgets_in_time() -> None:
    shapes = new_shapes()
    for number in range(SHAPES_MAX):
        shapes.root(json.loads(f'{{"f{number}x": {{"g{number}x": 1}}}}'))
    assert shapes.full
    shapes.forget()
    assert flat({"a": 1}) == ["a integer"]
