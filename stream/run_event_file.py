"""A file of run events, one JSON object a line, read as ingest would read them from Kafka."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from stream.exits import Exit, Refused
from stream.formats.caps import Caps
from stream.formats.events import Events
from stream.formats.limits import Limits


class Line(NamedTuple):
    """One line that is not blank. `fault` says why ingest would dead-letter it, or is empty."""

    place: str
    value: bytes
    fault: str

    @property
    def key(self) -> bytes:
        """The pipeline: the key of the record."""
        return _decode_keyed(self.value).pipeline.encode()


class _Keyed(msgspec.Struct):
    pipeline: str


_decode_keyed = msgspec.json.Decoder(_Keyed).decode


def read_run_events(file: str, limits: Limits) -> Iterator[Line]:
    """The lines of a file, or of standard input when it is `-`; lines over the size limit are read in pieces.

    Raises:
        Refused: the file cannot be read.
    """
    reader = Events(limits, Caps(limits), 1)
    name = "<stdin>" if file == "-" else file
    with _opened(file) as lines:
        for number, line in enumerate(_lines(lines, limits.record_bytes_max), 1):
            if value := line.strip():
                dead = reader.read([value]).dead.get(0)
                yield Line(f"{name}:{number}", value, str(dead or ""))


def _lines(file: IO[bytes], bytes_max: int) -> Iterator[bytes]:
    """The lines of a file; of a line that is too long only so much that it is seen to be."""
    while line := file.readline(bytes_max + 2):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(bytes_max)
        yield line


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as opened:
            yield opened
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}", Exit.DATA) from None
