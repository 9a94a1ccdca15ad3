"""History: what Kafka still retains of the source topics, from a point in time up to the end as it was at the start.

No group is joined and nothing is committed. librdkafka's messages become columns in one step, as in the worker: no
record is ever a Python object.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer as MetadataConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream.backtest import Place, Stretch
from stream.config.units import format_duration, parse_positive_duration_ms
from stream.exits import Exit, Refused
from stream.librdkafka import Consumer, Fetched, Report
from stream.sources import BATCH_RECORDS_MAX, FETCH_WAIT_S, TUNING

FORM: Final = "TOPIC, TOPIC@-30d or TOPIC@2026-10-01T00:00Z"
REACH_S_MAX: Final = 10.0
SILENT_S_MAX: Final = 30.0
_TOPIC = re.compile(r"[A-Za-z0-9._-]+")


class Since(NamedTuple):
    """A topic, and the Kafka timestamp from which it is read; 0 is all that is retained."""

    topic: str
    since_ms: int


class Span(NamedTuple):
    """The offsets of one partition that are read; `end` is after the last."""

    first: int
    end: int


def parse_since(text: str, now_ms: int) -> Since:
    """What `TOPIC`, `TOPIC@-30d` or `TOPIC@2026-10-01T00:00Z` says; a time without a zone is UTC.

    Raises:
        Refused: it says none of these.
    """
    topic, at, when = text.partition("@")
    if not _TOPIC.fullmatch(topic):
        raise _refused(text, f"{topic!r} is no name of a topic")
    if not at:
        return Since(topic, 0)
    if when.startswith("-"):
        try:
            return Since(topic, max(0, now_ms - parse_positive_duration_ms(when[1:])))
        except ValueError as error:
            raise _refused(text, str(error)) from None
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise _refused(text, f"{when!r} is no time, and no duration with - before it") from None
    since_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if since_ms > now_ms:
        raise _refused(text, f"{when} lies {format_duration(since_ms - now_ms)} ahead")
    return Since(topic, since_ms)


def _refused(text: str, reason: str) -> Refused:
    return Refused(f"--from {text}: {reason}; write {FORM}", Exit.USAGE)


class History:
    """The records of some topics since some time.

    Args:
        properties: of a librdkafka consumer.
        wanted: the topics, each with the time from which it is read.
        besides: what is wanted of their records beside the values: names of headers, or `KEY`.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """

    def __init__(
        self, properties: Mapping[str, Any], wanted: Sequence[Since], besides: Mapping[str, Sequence[str]]
    ) -> None:
        self._properties, self._besides = properties, besides
        self.spans = _spans(properties, wanted)

    @property
    def partitions(self) -> dict[str, int]:
        """The number of partitions of each topic."""
        counts: dict[str, int] = {}
        for place in self.spans:
            counts[place.topic] = counts.get(place.topic, 0) + 1
        return counts

    @property
    def records(self) -> int:
        """How many there are at most: less where transactions or compaction left holes."""
        return sum(span.end - span.first for span in self.spans.values())

    def stretches(self) -> Iterator[Stretch]:
        """All of them, as they come from the broker.

        Raises:
            Refused: Kafka stops answering, or a partition cannot be read on.
        """
        waiting = {place: span for place, span in self.spans.items() if span.first < span.end}
        for place, span in self.spans.items():
            if place not in waiting:
                yield Stretch(place, None, span.first, last=True)
        if not waiting:
            return
        consumer = Consumer({**TUNING, **self._properties}, BATCH_RECORDS_MAX, self._besides)
        try:
            consumer.assign({place: span.first for place, span in waiting.items()})
            yield from self._until_ended(consumer, waiting)
        finally:
            consumer.close()

    def _until_ended(self, consumer: Consumer, waiting: dict[Place, Span]) -> Iterator[Stretch]:
        heard_s = time.monotonic()
        while waiting:
            fetched = consumer.fetch(FETCH_WAIT_S)
            if fetched.columns:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > SILENT_S_MAX:
                raise Refused(
                    f"Kafka gave nothing for {SILENT_S_MAX:g} s, before the end of {_names(waiting)}",
                    Exit.KAFKA,
                )
            yield from _of(fetched, waiting)


def _of(fetched: Fetched, waiting: dict[Place, Span]) -> Iterator[Stretch]:
    """What was fetched, without what came after the end; who reaches his end no longer waits."""
    for name, columns in fetched.columns.items():
        place = Place(*name)
        if place not in waiting:
            continue
        end = waiting[place].end
        wanted = int((columns.offsets < end).sum())
        last = int(columns.offsets[-1]) + 1 >= end
        if last:
            del waiting[place]
        if wanted:
            kept = columns._replace(
                offsets=columns.offsets[:wanted],
                values=columns.values[:wanted],
                timestamps_ms=columns.timestamps_ms[:wanted],
            )
            yield Stretch(place, kept, int(kept.offsets[-1]) + 1, last)
        else:
            yield Stretch(place, None, end, last)
    for report in fetched.reports:
        place = Place(report.topic, report.partition)
        if _is_end(report) and place in waiting:
            yield Stretch(place, None, waiting.pop(place).end, last=True)


def _is_end(report: Report) -> bool:
    """Whether a partition is read to its end; open transactions may keep it from what lies behind.

    Raises:
        Refused: it cannot be read on.
    """
    error = report.error
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  so named by librdkafka
        return True
    if error.fatal() or (report.partition >= 0 and not error.retriable()):
        raise Refused(f"topic {report.topic} partition {report.partition}: {error.str()}", Exit.KAFKA)
    return False


def _spans(properties: Mapping[str, Any], wanted: Sequence[Since]) -> dict[Place, Span]:
    try:
        consumer = MetadataConsumer({**properties, "log_level": 0})
    except KafkaException as error:
        raise Refused(f"kafka: {error.args[0].str()}", Exit.CONFIG) from None
    try:
        return {place: span for since in wanted for place, span in _spans_of(consumer, since)}
    except KafkaException as error:
        raise Refused(f"Kafka cannot be reached: {error.args[0].str()}", Exit.KAFKA) from None
    finally:
        consumer.close()


def _spans_of(consumer: MetadataConsumer, since: Since) -> Iterator[tuple[Place, Span]]:
    known = consumer.list_topics(timeout=REACH_S_MAX).topics
    if since.topic not in known:
        raise Refused(f"--from: there is no topic {since.topic} at this Kafka", Exit.KAFKA)
    partitions = sorted(known[since.topic].partitions)
    asked = [TopicPartition(since.topic, number, since.since_ms) for number in partitions]
    for found in consumer.offsets_for_times(asked, timeout=REACH_S_MAX):
        low, end = consumer.get_watermark_offsets(
            TopicPartition(since.topic, found.partition), timeout=REACH_S_MAX
        )
        first = end if found.offset < 0 else max(low, found.offset)
        yield Place(since.topic, found.partition), Span(low if not since.since_ms else first, end)


def _names(waiting: Mapping[Place, Span]) -> str:
    return ", ".join(f"{place.topic}[{place.partition}]" for place in sorted(waiting))
