"""The simulated platform as a whole: what is the same with and without faults, and what the labels promise."""

from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest

from stream.config import load
from stream.formats import Format
from stream.ingest import Ingest
from stream.simulate.calendars import DAY_MS, HOUR_MS
from stream.simulate.events import METRICS_TOPIC, RUNS_TOPIC, Sent
from stream.simulate.incidents import Kind, Label
from stream.simulate.platform import SHARES, draw_platform
from stream.simulate.recording import Recording, Request, record, span

END_MS = 1_762_732_800_000
"""2025-11-10T00:00:00Z"""
FROM_MS, TO_MS = span(END_MS, 42)
PIPELINES = 40


class Said(NamedTuple):
    """One record, as far as it can differ."""

    published_ms: int
    line: bytes


def request(seed: int, *kinds: Kind) -> Request:
    return Request(seed, PIPELINES, FROM_MS, TO_MS, kinds, per_week=1.0)


@cache
def recording(seed: int, *kinds: Kind) -> Recording:
    return record(request(seed, *kinds))


@cache
def sent(seed: int, *kinds: Kind) -> list[Sent]:
    return [each for day in recording(seed, *kinds).days() for each in day]


def by_pipeline(recorded: Recording) -> dict[str, Counter[Said]]:
    said: dict[str, Counter[Said]] = defaultdict(Counter)
    for day in recorded.days():
        for each in day:
            said[each.key][Said(each.published_ms, each.line())] += 1
    return said


def pipeline_of(label: Label, recorded: Recording) -> str:
    datasets = {pipeline.dataset: pipeline.name for pipeline in recorded.pipelines}
    return label.match.get("pipeline") or datasets[label.match["dataset"]]


def labels_of(recorded: Recording) -> dict[str, list[Label]]:
    found: dict[str, list[Label]] = defaultdict(list)
    for label in recorded.labels:
        found[pipeline_of(label, recorded)].append(label)
    return found


@pytest.mark.parametrize(
    ("seed", "pipelines", "days", "end_ms", "zone"),
    [
        (1, 40, 42, END_MS, None),
        (2, 25, 33, 1_711_893_637_000, "Europe/Berlin"),
        (3, 25, 40, END_MS, "America/St_Johns"),
        (4, 8, 60, 1_735_689_600_000, "Australia/Sydney"),
    ],
)
def test_data_differ_from_those_without_faults_where_a_label_is_and_nowhere_else(
    seed: int, pipelines: int, days: int, end_ms: int, zone: str | None
) -> None:
    asked = Request(seed, pipelines, *span(end_ms, days), tuple(Kind), per_week=1.0, zone=zone)
    faulty, plain = record(asked), record(asked._replace(kinds=()))
    assert len(faulty.labels) >= 8
    assert not plain.labels
    with_faults, without = by_pipeline(faulty), by_pipeline(plain)
    labels = labels_of(faulty)
    for pipeline in faulty.pipelines:
        said, ordinary = with_faults[pipeline.name], without[pipeline.name]
        differing = sorted((said - ordinary) + (ordinary - said))
        for label in labels[pipeline.name]:
            inside = [each for each in differing if label.starts_ms <= each.published_ms <= label.ends_ms]
            assert inside, label
            begins_ms = inside[0].published_ms - label.starts_ms
            assert begins_ms <= 3 * pipeline.schedule.interval_ms + HOUR_MS, label
            differing = sorted(set(differing) - set(inside))
        assert not differing, (pipeline.archetype, labels[pipeline.name], differing[:3])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    once = [each.line() for each in sent(1, *Kind)]
    again = record(request(1, *Kind))
    assert once == [each.line() for day in again.days() for each in day]
    assert recording(1, *Kind).incidents() == again.incidents()
    assert recording(1, *Kind).platform() != record(request(2, *Kind)).platform()


def test_every_kind_occurs() -> None:
    kinds = Counter(label.kind for label in recording(1, *Kind).labels)
    assert min(kinds[kind] for kind in Kind) >= 3, kinds


def test_archetypes_have_their_shares() -> None:
    counts = Counter(pipeline.archetype for pipeline in draw_platform(5, 200, FROM_MS, TO_MS))
    assert counts == {archetype: pytest.approx(200 * share, abs=1) for archetype, share in SHARES.items()}
    few = draw_platform(5, 3, FROM_MS, TO_MS)
    assert len(few) == 3
    assert len({pipeline.name for pipeline in few}) == 3


def test_what_stays_for_good_stays_to_the_end() -> None:
    lasting = [label for label in recording(1, *Kind).labels if label.for_good]
    assert {label.kind for label in lasting} == {Kind.LEVEL_SHIFT, Kind.SCHEMA_CHANGE}
    assert all(label.ends_ms == TO_MS for label in lasting)


def test_only_the_kinds_that_are_asked_for_occur() -> None:
    kinds = {label.kind for label in recording(1, Kind.MISSING_RUN, Kind.UNIT_FLIP).labels}
    assert kinds == {Kind.MISSING_RUN, Kind.UNIT_FLIP}


def test_a_pipeline_has_one_fault_at_a_time_and_none_before_its_routine_is_known() -> None:
    recorded = recording(1, *Kind)
    begins = {pipeline.name: pipeline.begins_ms for pipeline in recorded.pipelines}
    for name, labels in labels_of(recorded).items():
        assert labels[0].starts_ms >= begins[name] + 14 * DAY_MS
        for before, after in pairwise(labels):
            assert before.ends_ms + DAY_MS < after.starts_ms
    assert all(label.starts_ms < label.ends_ms <= TO_MS for label in recorded.labels)


def test_only_level_shifts_are_expected() -> None:
    assert {label.kind for label in recording(1, *Kind).labels if label.expected} == {Kind.LEVEL_SHIFT}


def test_records_come_in_the_order_of_publication_and_inside_the_span() -> None:
    times = [each.published_ms for each in sent(1, *Kind)]
    assert times == sorted(times)
    assert times[0] >= FROM_MS
    assert times[-1] < TO_MS


def test_ingest_reads_every_record_and_calls_none_late_but_for_skewed_clocks() -> None:
    recorded = recording(1, *Kind)
    skewed = [label for label in recorded.labels if label.kind is Kind.CLOCK_SKEW]
    records = sent(1, *Kind)
    for topic, name in ((RUNS_TOPIC, Format.EVENTS), (METRICS_TOPIC, Format.METRICS)):
        chosen = [each for each in records if each.topic == topic]
        refused = dead_letters(topic, name, chosen)
        assert all(is_in(skewed, each, recorded) for each in refused), refused[0]
        high_ms = 0
        for each in chosen:
            time_ms = each.body["time"]
            if not is_in(skewed, each, recorded):
                assert time_ms >= high_ms - 30_000
                high_ms = max(high_ms, time_ms)


def is_in(labels: list[Label], each: Sent, recorded: Recording) -> bool:
    return any(
        label.starts_ms <= each.published_ms <= label.ends_ms and pipeline_of(label, recorded) == each.key
        for label in labels
    )


def dead_letters(topic: str, name: Format, records: list[Sent]) -> list[Sent]:
    config = load(None)
    ingest = Ingest(
        {topic: name}, 1, {topic: 1}, config.limits_for_ingest(), config.settings().allowed_skew_ms
    )
    refused: list[Sent] = []
    for first in range(0, len(records), 1000):
        part = records[first : first + 1000]
        outputs = ingest.batch(
            topic,
            0,
            range(first, first + len(part)),
            [msgspec.json.encode(each.body) for each in part],
            [each.published_ms for each in part],
            first - 1 if first else None,
            TO_MS,
            caught_up=False,
        )
        refused += [
            records[int(dict(output.headers)["offset"])]
            for output in outputs
            if "reason" in dict(output.headers)
        ]
    return refused
