from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config import ConfigError
from stream.config.document import FILE_BYTES_MAX, parse, read


def _refusal(content: bytes) -> str:
    with pytest.raises(ConfigError) as refused:
        parse(content, "c.yaml")
    return str(refused.value)


def test_every_key_and_item_remembers_its_line():
    document = parse(b"# one\nhttp:\n  port: 1\nsources:\n  - topic: a\n    format: events\n", "c.yaml")
    assert document.values == {"http": {"port": 1}, "sources": [{"topic": "a", "format": "events"}]}
    assert document.places["http", "port"] == "c.yaml:3"
    assert document.places["sources", 0, "format"] == "c.yaml:6"


def test_an_empty_file_says_nothing():
    assert parse(b"# nothing here\n", "c.yaml").values == {}


def test_keys_are_the_words_that_were_written():
    assert parse(b"on: 1\n5: 2\nnull: 3\n", "c.yaml").values == {"on": 1, "5": 2, "null": 3}


def test_a_key_written_twice_is_named_with_both_lines_and_reading_goes_on():
    document = parse(b"a: 1\nb: 2\na: 3\nb: 4\n", "c.yaml")
    assert document.faults == [
        "c.yaml:3: a: written twice, first at c.yaml:1",
        "c.yaml:4: b: written twice, first at c.yaml:2",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1, 2\nb: 3\n", "c.yaml:2: not valid YAML"),
        (b"a: b: c\n", "c.yaml:1: not valid YAML"),
        (b"\ta: 1\n", "c.yaml:1: not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "c.yaml:2: not valid YAML"),
        (b"a: *nowhere\n", "c.yaml:1: not valid YAML"),
        (b"a: 1\nb: \xff\xfe\n", "c.yaml:2: not UTF-8"),
        (b"a: 1\nb: \x00\n", "c.yaml:2: control character U+0000"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "c.yaml:1: not valid YAML: nested deeper than"),
        (b"a: &a {b: *a}\n", "c.yaml:1: not valid YAML"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(content: bytes, reason: str):
    assert reason in _refusal(content)


def test_aliases_that_expand_beyond_measure_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases expand to more than" in _refusal("\n".join(lines).encode())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- a\n- b\n", "c.yaml:1: the file must be a mapping"),
        (b"just text\n", "c.yaml:1: the file must be a mapping"),
        (b"a: !!python/object/apply:os.system ['true']\n", "c.yaml:1: a: the tag"),
        (b"a: !mine 5\n", "c.yaml:1: a: the tag !mine is not supported"),
        (b"a: " + b"9" * 5000, "c.yaml:1: a: cannot be read as int"),
        (b"? [a, b]\n: 1\n", "c.yaml:1: a key must be a plain word"),
        (b"x: {<<: {a: 1}}\n", "c.yaml:1: x: a key must be a plain word"),
    ],
)
def test_what_yaml_allows_and_we_do_not_is_named(content: bytes, reason: str):
    faults = parse(content, "c.yaml").faults
    assert len(faults) == 1
    assert faults[0].startswith(reason)


def test_dates_stay_text():
    assert parse(b"a: 2026-01-01\n", "c.yaml").values == {"a": "2026-01-01"}


@given(st.binary(max_size=200) | st.text("{}[]:,&*!|>-? \nab'\"#%", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_place(content: bytes):
    try:
        document = parse(content, "c.yaml")
    except ConfigError as error:
        assert str(error).startswith("c.yaml:")  # noqa: PT017  either outcome is right
    else:
        assert isinstance(document.values, dict)


def test_files_that_cannot_be_a_configuration_are_refused(tmp_path: Path):
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    for path, reason in [
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (large, "larger than 256 KiB"),
    ]:
        with pytest.raises(ConfigError, match=reason) as refused:
            read(path)
        assert str(path) in str(refused.value)
