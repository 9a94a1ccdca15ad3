"""Snapshots: a shard's state on a compacted topic, in chunks closed by a manifest.

The state of shard `n` lies in partition `n` of its state topic. Chunk keys are never written twice: a snapshot
writes the chunks that changed under new keys, then its manifest, which names every chunk it consists of, and only
then are the keys that it no longer needs tombstoned. So at any moment the log holds a complete snapshot, whoever
died where. Keys carry the group's generation and the writer's own id: a worker that was frozen and wakes late can
add a snapshot, but overwrite none. A state is a pure fold of its log, hence among complete snapshots the one that
covers most is right, whoever wrote it.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from xxhash import xxh3_128_digest

FORMAT: Final = 2
CHUNK_BYTES_MAX: Final = 900_000
MANIFEST: Final = "manifest"


class SnapshotError(Exception):
    """Snapshots of the shard exist, but none of them can be used."""


class Part(msgspec.Struct, array_like=True, frozen=True):
    """Where a piece of a chunk lies, and the XXH3 digest (128 bits) of its bytes."""

    key: str
    digest: bytes


class Manifest(msgspec.Struct, frozen=True):
    """What closes a snapshot: the offset it covers and, per chunk of the state, its parts in order."""

    version: int
    generation: int
    covered_offset: int
    chunks: dict[str, list[Part]]


class Entry(NamedTuple):
    """One record of the state topic; `value` None is a tombstone."""

    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete state, and the offset of the last record folded into it."""

    covered_offset: int
    generation: int
    chunks: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for one snapshot: first `parts`, then, when they are stored, `manifest`."""

    parts: tuple[Entry, ...]
    manifest: Entry
    size_bytes: int


class _Chunk(NamedTuple):
    """A chunk as it was last written."""

    digest: bytes
    size_bytes: int
    parts: list[Part]


@dataclass(slots=True)
class SnapshotLog:
    """One partition of a state topic, read record by record to its end."""

    entries: dict[str, bytes] = field(default_factory=dict)

    def add(self, key: str, value: bytes | None) -> None:
        """Take in the next record."""
        if value is None:
            self.entries.pop(key, None)
        else:
            self.entries[key] = value

    def best(self) -> tuple[Snapshot | None, list[str]]:
        """The complete snapshot that covers most, and what is wrong with those that would have covered more.

        Raises:
            SnapshotError: there are snapshots, and none is complete and readable.
        """
        flaws: list[str] = []
        manifests = [
            _read_manifest(key, value) for key, value in self.entries.items() if key.endswith(MANIFEST)
        ]
        flaws += [found for found in manifests if isinstance(found, str)]
        readable = [found for found in manifests if isinstance(found, Manifest)]
        for manifest in sorted(readable, key=lambda it: (it.covered_offset, it.generation), reverse=True):
            chunks = self._chunks(manifest)
            if isinstance(chunks, dict):
                return Snapshot(manifest.covered_offset, manifest.generation, chunks), flaws
            flaws.append(
                f"the snapshot of generation {manifest.generation} at {manifest.covered_offset}: {chunks}"
            )
        if flaws:
            raise SnapshotError("; ".join(flaws))
        return None, []

    def _chunks(self, manifest: Manifest) -> dict[str, bytes] | str:
        chunks: dict[str, bytes] = {}
        for name, parts in manifest.chunks.items():
            pieces = [self.entries.get(part.key) for part in parts]
            for part, piece in zip(parts, pieces, strict=True):
                if piece is None:
                    return f"{part.key} is missing"
                if xxh3_128_digest(piece) != part.digest:
                    return f"{part.key} is damaged"
            chunks[name] = b"".join(piece for piece in pieces if piece is not None)
        return chunks


class SnapshotWriter:
    """Plans the snapshots that one owner of one shard writes during one group generation.

    Args:
        shard: the partition.
        generation: of the consumer group.
        inherited: the keys that were in the log when the shard was loaded, given up once this owner's first
            snapshot stands.
    """

    def __init__(self, shard: int, generation: int, inherited: Iterable[str] = ()) -> None:
        self._prefix = f"{shard}/{generation}/{uuid.uuid4().hex[:12]}"
        self._generation = generation
        self._live: set[str] = set(inherited)
        self._written: dict[str, _Chunk] = {}
        self._serial = 0

    def plan(self, chunks: Mapping[str, bytes], covered_offset: int) -> Plan:
        """What to write for a state of which `chunks` may have changed.

        Chunks that were given before and are not given again stay as they were; those that are given unchanged are named
        again, not written.
        """
        entries: list[Entry] = []
        for name, data in chunks.items():
            self._written[name] = self._chunk(name, data, entries)
        listed = {name: chunk.parts for name, chunk in self._written.items()}
        manifest = Manifest(FORMAT, self._generation, covered_offset, listed)
        closing = Entry(f"{self._prefix}/{MANIFEST}", _encoder.encode(manifest))
        return Plan(tuple(entries), closing, sum(chunk.size_bytes for chunk in self._written.values()))

    def obsolete(self, plan: Plan) -> tuple[Entry, ...]:
        """Tombstones for the keys that `plan`, now stored, has made superfluous."""
        needed = {part.key for chunk in self._written.values() for part in chunk.parts} | {plan.manifest.key}
        gone = self._live - needed
        self._live = needed
        return tuple(Entry(key, None) for key in sorted(gone))

    def _chunk(self, name: str, data: bytes, entries: list[Entry]) -> "_Chunk":
        digest = xxh3_128_digest(data)
        before = self._written.get(name)
        if before is not None and before.digest == digest:
            return before
        parts = []
        for piece in _pieces(data):
            self._serial += 1
            part = Part(f"{self._prefix}/{self._serial}", xxh3_128_digest(piece))
            entries.append(Entry(part.key, piece))
            parts.append(part)
        return _Chunk(digest, len(data), parts)


def _read_manifest(key: str, value: bytes) -> Manifest | str:
    try:
        manifest = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"{key} cannot be read: {error}"
    if manifest.version != FORMAT:
        return f"{key} is of format {manifest.version}, this worker reads {FORMAT}"
    return manifest


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES_MAX):
        yield data[start : start + CHUNK_BYTES_MAX]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Manifest)
