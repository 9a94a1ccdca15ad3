"""The page about inputs tells what the code does."""

import json
import re
from pathlib import Path

import msgspec

from stream.formats import Format
from stream.formats.dead import DeadReason
from stream.formats.events import RunEvent
from stream.formats.limits import Limits
from tests.stream.formats.reading import read

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "inputs.md").read_text()


def test_every_reason_format_and_field_has_its_row() -> None:
    rows = set(re.findall(r"^\| \[?`(\w+)`", PAGE, re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", PAGE))

    assert set(DeadReason) | set(Format) <= rows
    assert set(RunEvent.__struct_fields__) <= named


def test_the_examples_are_read() -> None:
    examples = [
        json.loads(text)
        for text in re.findall(r"^    (\{.*?\})(?=\n\n|\n    \{)", PAGE, re.MULTILINE | re.DOTALL)
    ]
    formats = ["events", "metrics", "metrics"]

    assert len(examples) == len(formats)
    for name, example in zip(formats, examples, strict=True):
        assert read(name, example).rows()


def test_the_limits_are_the_defaults() -> None:
    stated = [
        int(text.replace(",", "")) for text in re.findall(r"^\| [^|]+ \| ([\d,]+) \|", PAGE, re.MULTILINE)
    ]
    limits = msgspec.structs.asdict(Limits())

    assert sorted(stated) == sorted(
        size
        for name, size in limits.items()
        if name not in {"record_bytes_max", "dead_letter_bytes_max", "sample_bytes_max"}
    )
    assert (limits["record_bytes_max"], limits["dead_letter_bytes_max"]) == (1 << 20, 64 << 10)
