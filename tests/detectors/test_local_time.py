"""Local times of kernels against zoneinfo on the same database."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.local_time import CHANGES_MAX, ZONE, local_ms, zone_record
from detectors.zones import changes_of, nearest_names, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_MS = int((datetime(2101, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1000
HOUR_MS = 3_600_000
ODD = [
    "Africa/Casablanca",  # the clock goes back for Ramadan, until 2087
    "Asia/Gaza",  # most changes of all
    "Africa/Monrovia",  # an offset with seconds, until 1972
    "America/Noronha",  # two changes within a week
    "Antarctica/Troll",  # two hours ahead in summer
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour ahead in summer
    "Europe/Dublin",  # negative daylight saving
    "Pacific/Apia",  # a day that never was
    "US/Pacific",
]

any_zone = st.sampled_from(ODD) | st.sampled_from(sorted(zone_names()))
some_zone = st.sampled_from(["Europe/Berlin", "America/New_York", "UTC", *ODD])
instants = st.integers(0, END_MS - 1)


def plain_local_ms(name: str, time_ms: int) -> int:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        zone = ZoneInfo.from_file(rules, name)
    offset = (EPOCH + timedelta(seconds=time_ms // 1000)).astimezone(zone).utcoffset()
    assert offset is not None
    return time_ms + int(offset.total_seconds() * 1000)


@settings(deadline=None, max_examples=200)  # a zone is looked through once, and kernels may be compiled
@given(any_zone, instants)
def test_a_local_time_is_what_zoneinfo_says(name: str, time_ms: int) -> None:
    assert local_ms(zone_record(name), 0, time_ms) == plain_local_ms(name, time_ms)


@settings(deadline=None)
@given(some_zone, st.data())
def test_around_its_changes_too(name: str, data: st.DataObject) -> None:
    change = data.draw(st.sampled_from(changes_of(name)))
    time_ms = max(0, change.start_ms + data.draw(st.integers(-2, 2)) * data.draw(st.sampled_from([1, 1000])))
    assert local_ms(zone_record(name), 0, time_ms) == plain_local_ms(name, time_ms)


@settings(deadline=None)
@given(some_zone, st.lists(instants, min_size=2, max_size=20))
def test_what_was_asked_before_does_not_matter(name: str, times: list[int]) -> None:
    zones = zone_record(name)
    assert [local_ms(zones, 0, each) for each in times] == [
        local_ms(zone_record(name), 0, each) for each in times
    ]


@settings(deadline=None)
@given(st.integers(-(2**50), 2**50))
def test_utc_is_no_offset_ever(time_ms: int) -> None:
    assert local_ms(zone_record("UTC"), 0, time_ms) == time_ms


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kathmandu"])
def test_before_1970_and_after_2100_the_clock_stays_as_it_is_at_either_end(name: str) -> None:
    zones = zone_record(name)
    first, last = local_ms(zones, 0, 0), local_ms(zones, 0, END_MS - 1) - (END_MS - 1)
    assert local_ms(zones, 0, -(2**45)) == first - 2**45
    assert local_ms(zones, 0, 2**45) == last + 2**45


def test_the_zones_of_a_table_are_told_apart() -> None:
    zones = np.concatenate([zone_record(name) for name in ("UTC", "Asia/Kathmandu", "Europe/Berlin")])
    assert zones.dtype == ZONE
    summer_ms = int((datetime(2026, 7, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1000
    offsets = [local_ms(zones, number, summer_ms) - summer_ms for number in range(3)]
    assert offsets == [0, 5 * HOUR_MS + HOUR_MS * 3 // 4, 2 * HOUR_MS]


def test_no_two_changes_are_so_close_that_one_could_be_overlooked() -> None:
    for name in ODD:
        starts = [change.start_ms for change in changes_of(name)][1:]
        assert len(starts) < CHANGES_MAX
        assert min(np.diff(starts), default=END_MS) > 6 * 24 * HOUR_MS


def test_there_is_every_usual_name_and_no_unusual_one() -> None:
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "US/Eastern", "Etc/GMT+2"} <= zone_names()
    with pytest.raises(ValueError, match="no time zone is named 'Europe/Munich'"):
        changes_of("Europe/Munich")
    with pytest.raises(ValueError, match="no time zone"):
        changes_of("../zones")


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Amerika/New York", "America/New_York"),
    ],
)
def test_the_nearest_name_is_what_was_meant(written: str, nearest: str) -> None:
    assert nearest_names(written)[0] == nearest
    assert len(nearest_names(written)) <= 3


def test_nonsense_is_near_nothing() -> None:
    assert nearest_names("xyzzyqq") == []
