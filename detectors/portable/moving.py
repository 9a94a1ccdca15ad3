"""Moving: the states of all shards spread over another number of them, to go on where they were or after a gap.

A source that goes on is read on from the least offset that any shard had reached; `inherited` keeps what is read again from counting twice. After
a gap, where a source is another one, nothing is held against a series that it could not have had: what was awaited in it, runs that were open
and windows that were half full are forgotten, everything learned stays.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.follower_layout import WINDOW
from detectors.inherited import NOTHING_READ, Fences
from detectors.portable.planting import planted
from detectors.portable.series import Portable, Read, Scheduled, Source, Standing, Tables
from detectors.portable.shard import raw_records
from detectors.record_schemas import TOPIC
from detectors.samples import NEVER
from detectors.series import shard_of
from detectors.settings import Settings


class Destination(NamedTuple):
    """Where states go: the settings in force there, whether others than those that workers are started with, and the last offset of each samples partition that they count as having folded.

    `topics` are those of the sources and of commands that are the very ones that the states come from; `first_left` says what the oldest record is that
    is left in a source partition.
    """

    settings: Settings
    switched: bool
    covered_offsets: Sequence[int]
    topics: Collection[str]
    first_left: Mapping[Source, int]

    @property
    def shards(self) -> int:
        """How many shards there will be."""
        return len(self.covered_offsets)


def moved_shards(
    series: Iterable[Portable], standings: Sequence[Standing], tables: Tables, to: Destination
) -> Iterator[dict[str, bytes]]:
    """The chunks of each of the new shards, in order."""
    spread: list[list[Portable]] = [[] for _ in range(to.shards)]
    unbroken = {None, *to.topics} - broken(standings, to)
    for it in series:
        goes_on = source_topic(it, tables) in unbroken
        spread[shard_of(it.labels, to.shards)].append(it if goes_on else after_gap(it))
    changes = [change for it in standings for change in it.settings.expected_changes]
    expected = tuple(
        {msgspec.json.encode(it): it for it in (*to.settings.expected_changes, *changes)}.values()
    )
    settings = msgspec.structs.replace(to.settings, expected_changes=expected)
    switched = to.switched or expected != to.settings.expected_changes
    for shard, own in enumerate(spread):
        standing = merged(standings, shard, msgspec.structs.replace(settings, shards=to.shards), to)
        yield planted(own, standing, tables, switched=switched)


def merged(standings: Sequence[Standing], shard: int, settings: Settings, to: Destination) -> Standing:
    """Where a new shard stands: nowhere beyond the one that had come least far."""
    hashes = {it.config_hash for it in standings}
    allowed = min(it.fleet_allowed_per_day for it in standings)
    since = [it.fleet_since_ms for it in standings if it.fleet_since_ms >= 0]
    return Standing(
        shard=shard,
        covered_offset=to.covered_offsets[shard],
        config_hash=hashes.pop() if len(hashes) == 1 else "",
        settings=settings,
        obeyed=_obeyed(standings, to.topics),
        rows_ms=min(it.rows_ms for it in standings),
        timers_ms=min(it.timers_ms for it in standings),
        wall_ms=min(it.wall_ms for it in standings),
        busy_since_ms=max(it.busy_since_ms for it in standings),
        expected={
            topic: n for it in standings for topic, n in sorted(it.expected.items()) if topic in to.topics
        },
        read=reads(standings, to),
        inherited=fences(standings, to.topics),
        full=any(it.full for it in standings),
        swept_ms=min(it.swept_ms for it in standings),
        families_due_ms=min(it.families_due_ms for it in standings),
        fleet_since_ms=min(since, default=-1),
        fleet_allowed_per_day=allowed,
        troubles_told=sorted({told for it in standings for told in it.troubles_told}),
    )


def reads(standings: Sequence[Standing], to: Destination) -> list[Read]:
    """How far the sources that go on count as read: as the shard that had read least."""
    found = []
    for place, by_shard in _by_place(standings, to.topics).items():
        least = min(by_shard, key=lambda it: it.last_offset)
        gone = to.first_left.get(place, 0) - 1
        found.append(msgspec.structs.replace(least, last_offset=max(least.last_offset, gone)))
    return found


def broken(standings: Sequence[Standing], to: Destination) -> set[str]:
    """The topics that go on, but have lost records that no shard had read yet."""
    reached = reads(standings, to._replace(first_left={}))
    pairs = zip(reached, reads(standings, to), strict=True)
    return {now.topic for was, now in pairs if was.last_offset < now.last_offset}


def fences(standings: Sequence[Standing], topics: Collection[str]) -> list[Fences]:
    """What those had read that were farther, and what they had inherited themselves."""
    known: dict[tuple[int, str, int], Fences] = {}
    old = [it for standing in standings for it in standing.inherited if it.topic in topics]
    for (topic, partition), by_shard in _by_place(standings, topics).items():
        offsets = [it.last_offset for it in by_shard]
        if len(set(offsets)) > 1:
            old.append(Fences(topic, partition, offsets))
    for it in old:
        place = len(it.last_offsets), it.topic, it.partition
        before = known[place].last_offsets if place in known else it.last_offsets
        known[place] = Fences(
            it.topic, it.partition, [max(pair) for pair in zip(before, it.last_offsets, strict=True)]
        )
    return [known[place] for place in sorted(known)]


def _by_place(standings: Sequence[Standing], topics: Collection[str]) -> dict[Source, list[Read]]:
    """How far each shard has read every source partition that goes on."""
    known = [{(it.topic, it.partition): it for it in standing.read} for standing in standings]
    places = sorted({place for of in known for place in of if place[0] in topics})
    return {place: [of.get(place, _unread(place)) for of in known] for place in places}


def _unread(place: Source) -> Read:
    return Read(*place, last_offset=NOTHING_READ, high_ms=NEVER, idle=False, wall_ms=0)


def _obeyed(standings: Sequence[Standing], topics: Collection[str]) -> list[tuple[Source, int]]:
    """The orders that every shard has obeyed, of logs that are the same."""
    known = [dict(it.obeyed) for it in standings]
    places = sorted({place for of in known for place in of if place[0] in topics})
    return [(place, min(of.get(place, NOTHING_READ) for of in known)) for place in places]


def source_topic(series: Portable, tables: Tables) -> str | None:
    """The topic that it is about, or that its latest sample came from; None while there was none."""
    named = dict(series.labels).get(TOPIC)
    if named in {topic for topic, _ in tables.sources}:
        return named
    arrivals = raw_records("follower", series.follower)[0]["arrivals"]
    return tables.sources[int(arrivals["source"])][0] if arrivals["arrivals"] > 0 else None


def after_gap(series: Portable) -> Portable:
    """A series of which something was missed: what it was waiting for is forgotten, what it has learned stays."""
    follower = raw_records("follower", series.follower)
    follower["arrivals"]["due_ms"] = -1
    follower["open_count"] = 0
    follower["window"] = np.zeros(1, WINDOW)
    follower["window"]["window"] = -1
    return msgspec.structs.replace(
        series,
        follower=follower.tobytes(),
        open=b"",
        window=None,
        passed=0,
        scheduled=_begun_anew(series.scheduled),
    )


def _begun_anew(scheduled: Scheduled | None) -> Scheduled | None:
    """A schedule that counts from the next arrival on."""
    if scheduled is None or scheduled.awaited is None:
        return scheduled
    awaited = scheduled.awaited
    return Scheduled((awaited.schedule, awaited.time_zone), None, scheduled.overdue)
