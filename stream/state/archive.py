"""The archive file: a head, the series in packs, what triage remembers, and an end; each with its checksum.

The first line is `streamgauge state`. After it come frames: the length of what is stored (4 bytes, little-endian), its XXH3 digest (128 bits), and
MessagePack under zlib: an array of the frame's name and its content. The frame `end` holds how many frames precede it, so a file that was
cut between two frames is told as well. The format changes only with `FORMAT`, which stands in the head.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from xxhash import xxh3_128_digest

from detectors.portable.series import Portable, Standing, Tables
from stream.exits import Exit, Refused

FORMAT: Final = 1
MAGIC: Final = b"streamgauge state\n"
PACK_BYTES_MAX: Final = 1 << 20
FRAME_BYTES_MAX: Final = 1 << 30
_LENGTH, _DIGEST = 4, 16
_HEAD, _SERIES, _TRIAGE, _END = "head", "series", "triage", "end"


class Version(msgspec.Struct):
    """What of a head is there in every format."""

    format: int
    product: str


class Head(msgspec.Struct, kw_only=True):
    """What an archive is of, and where its shards stood.

    `name` is the consumer group, `topics` the ids of the topics that positions hold for, `stored_at_ms` when the oldest of the snapshots was stored, `config` the
    configuration without secrets, `meaning` what of it series depend on.
    """

    format: int = FORMAT
    product: str
    exported_at_ms: int
    stored_at_ms: int
    name: str
    cluster: str
    topics: dict[str, str]
    config_hash: str
    config: str
    meaning: dict[str, Any]
    state_format: tuple[int, int, int]
    tables: Tables
    standings: list[Standing]
    series: int


class Told(msgspec.Struct, array_like=True):
    """A record that was, or was to be, on one of the alert topics."""

    destination: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Desk(msgspec.Struct):
    """What triage remembers: the chunks of its state, the latest record of each open alert, and those that may not have been written yet."""

    chunks: dict[str, bytes]
    alerts: list[Told]
    due: list[Told]


class Archive(msgspec.Struct):
    """What a file holds."""

    head: Head
    series: list[Portable]
    desk: Desk


def write(archive: Archive, path: Path) -> int:
    """Write an archive in place of what is there, all or nothing; its size in bytes.

    Raises:
        Refused: it cannot be written there.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            size = write_to(archive, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", Exit.DATA) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return size


def write_to(archive: Archive, file: IO[bytes]) -> int:
    """Write an archive to a stream; its size in bytes."""
    size, frames = file.write(MAGIC), 0
    for frame in _frames(archive):
        size += file.write(frame)
        frames += 1
    return size + file.write(_frame(_END, frames))


def read(path: Path) -> Archive:
    """The archive in a file; all of it is checked before any of it is given.

    Raises:
        Refused: it is no archive, of another format, or damaged; the message names the place.
    """
    try:
        with path.open("rb") as file:
            return read_from(file, str(path))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", Exit.DATA) from None


def read_from(file: IO[bytes], name: str) -> Archive:
    """The archive in a stream that is called so."""
    if file.read(len(MAGIC)) != MAGIC:
        raise Refused(
            f"{name} is no archive of streamgauge state export: it does not begin as one", Exit.DATA
        )
    frames = _Frames(file, name)
    head = _head(frames)
    series: list[Portable] = []
    desk: Desk | None = None
    for kind, content in frames:
        if kind == _SERIES:
            series += frames.converted(content, list[Portable])
        elif kind == _TRIAGE:
            desk = frames.converted(content, Desk)
    if desk is None or len(series) != head.series:
        raise Refused(f"{name} is damaged: it says {head.series} series, and holds {len(series)}", Exit.DATA)
    return Archive(head, series, desk)


def _head(frames: "_Frames") -> Head:
    kind, content = next(frames.frames(), (_END, b""))
    if kind != _HEAD:
        raise frames.damaged("it does not begin with a head")
    version = frames.converted(content, Version)
    if version.format != FORMAT:
        raise Refused(
            f"{frames.name} is an archive of format {version.format}, written by Streamgauge {version.product}; this release reads format "
            f"{FORMAT}. Import it with that release or a later one",
            Exit.DATA,
        )
    head: Head = frames.converted(content, Head)
    return head


class _Frames:
    """The frames of a stream, each checked."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self.name = file, name
        self._at, self._number = len(MAGIC), 0

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self.frames()

    def frames(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each frame that is left, up to the end."""
        while True:
            start, self._number = self._at, self._number + 1
            kind, content = self._opened(start)
            if kind == _END:
                self._check_end(content)
                return
            yield kind, content

    def _opened(self, start: int) -> tuple[str, bytes]:
        length = int.from_bytes(self._exactly(_LENGTH), "little")
        digest = self._exactly(_DIGEST)
        if length > FRAME_BYTES_MAX:
            raise self.damaged(f"frame {self._number} at byte {start} says that it is {length} bytes long")
        stored = self._exactly(length)
        if xxh3_128_digest(stored) != digest:
            raise self.damaged(f"the checksum of frame {self._number} at byte {start} does not match")
        try:
            kind, content = _pair.decode(zlib.decompress(stored))
        except (zlib.error, msgspec.MsgspecError) as error:
            raise self.damaged(f"frame {self._number} at byte {start} cannot be read: {error}") from None
        return kind, bytes(content)

    def _check_end(self, content: bytes) -> None:
        frames = self.converted(content, int)
        if frames != self._number - 1:
            raise self.damaged(f"it holds {self._number - 1} frames, and says {frames}")
        if self._file.read(1):
            raise self.damaged(f"something follows its end at byte {self._at}")

    def _exactly(self, size: int) -> bytes:
        raw = self._file.read(size)
        self._at += len(raw)
        if len(raw) < size:
            raise self.damaged(
                f"it ends at byte {self._at}, in the midst of frame {self._number}: was it cut short?"
            )
        return raw

    def converted(self, content: bytes, of: Any) -> Any:
        """What a frame's content is.

        Raises:
            Refused: it is something else.
        """
        try:
            return msgspec.msgpack.decode(content, type=of)
        except (msgspec.MsgspecError, ValueError) as error:
            raise self.damaged(f"frame {self._number} holds something else: {error}") from None

    def damaged(self, how: str) -> Refused:
        return Refused(f"{self.name} is damaged, nothing was read of it: {how}", Exit.DATA)


def _frames(archive: Archive) -> Iterator[bytes]:
    yield _frame(_HEAD, archive.head)
    for pack in _packs(archive.series):
        yield _frame(_SERIES, pack)
    yield _frame(_TRIAGE, archive.desk)


def _packs(series: Iterable[Portable]) -> Iterator[list[Portable]]:
    """Series side by side while they are small together."""
    pack: list[Portable] = []
    size = 0
    for it in series:
        size += it.size_bytes
        pack.append(it)
        if size >= PACK_BYTES_MAX:
            yield pack
            pack, size = [], 0
    if pack:
        yield pack


def _frame(kind: str, content: Any) -> bytes:
    packed = msgspec.msgpack.encode((kind, msgspec.Raw(msgspec.msgpack.encode(content))))
    stored = zlib.compress(packed, 1)
    return len(stored).to_bytes(_LENGTH, "little") + xxh3_128_digest(stored) + stored


_pair = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])

__all__ = ["FORMAT", "Archive", "Desk", "Head", "Told", "read", "read_from", "write", "write_to"]
