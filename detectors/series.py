"""Series: one signal and its labels, followed over time, and the stable hashes that place and name it."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from xxhash import xxh3_64_intdigest, xxh64_intdigest

Labels = tuple[tuple[str, str], ...]
"""Label pairs in the order of their names: the canonical, hashable form."""

MEASURE: Final = "measure"
"""The label that tells apart several series about the same."""
HOURLY_MEAN: Final = "hourly_mean"
"""The measure of the series that is the mean of each hour of a metric."""


class Signal(StrEnum):
    """What is measured."""

    LATENCY = "latency"
    VOLUME = "volume"
    FRESHNESS = "freshness"
    SCHEMA = "schema"
    FAILURES = "failures"
    DUPLICATES = "duplicates"
    NULLS = "nulls"
    VALUE = "value"
    LATENESS = "lateness"


def canonical_labels(labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """Label pairs sorted by name; empty values are the same as absent ones and are left out."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    return tuple(sorted((name, value) for name, value in pairs if value))


def measured(labels: Labels, measure: str) -> Labels:
    """The labels of one of several series about the same."""
    return tuple(sorted((*labels, (MEASURE, measure))))


def unmeasured(labels: Labels) -> Labels:
    """What `measured` series about the same have in common."""
    return tuple(pair for pair in labels if pair[0] != MEASURE)


def series_text(signal: str, labels: Labels) -> str:
    """The name of a series as people read it: `latency{pipeline="orders",task="load"}`."""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{signal}{{{inner}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def group_of(labels: Labels) -> Labels:
    """What stands and falls together: all series of one pipeline, and without one those with the same labels."""
    pipeline = tuple(pair for pair in labels if pair[0] == "pipeline")
    return pipeline or unmeasured(labels)


def shard_of(labels: Labels, partitions: int) -> int:
    """The partition that owns every series of the group of these labels, the same on every machine."""
    return xxh3_64_intdigest(_utf8(series_text("", group_of(labels)))) % partitions


def run_hash(run_id: str) -> int:
    """63 bits that stand for a run id inside sample batches; 0 means that the event had none."""
    return (xxh64_intdigest(_utf8(run_id)) >> 1) | 1 if run_id else 0


def content_id(*parts: str | int) -> str:
    """A 32-digit hexadecimal id that is a function of its parts alone (BLAKE2b, 128 bits)."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = _utf8(str(part))
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
