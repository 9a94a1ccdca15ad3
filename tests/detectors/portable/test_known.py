"""What is told of series that are carried is what their shard knows of them."""

import math

from detectors.portable.known import Known, known_of, limits_of, part_of
from detectors.portable.lifting import lifted, standing_of, tables_of
from detectors.samples import decode_key
from detectors.series import series_text
from tests.detectors.payloads import Topic
from tests.detectors.test_mixed_determinism import undisturbed
from tests.simulator.in_one_process import InOneProcess


def known_in(process: InOneProcess) -> dict[str, Known]:
    shards = [detect.dump() for detect in process._detects]
    series = [it for chunks in shards for it in lifted(chunks, tables_of(shards))]
    return {known.series: known for it in series for known in known_of(it)}


def test_every_numeric_series_and_its_samples_are_told():
    for number in range(4):
        process = undisturbed(number)
        known = known_in(process)
        followed = {
            series_text(it.signal, it.labels): it.n for detect in process._detects for it in detect.followed()
        }
        assert {name: it.samples for name, it in known.items()} == followed
        assert all(it.level is None or math.isfinite(it.level) for it in known.values())


def test_the_limits_of_a_series_are_those_that_its_shard_would_hold_it_to():
    detect = undisturbed(0)._detects[0]
    chunks = detect.dump()
    tables, standing = tables_of([chunks]), standing_of(chunks, 0)
    followers, compared = detect._followers, 0
    for series in lifted(chunks, tables):
        place = int(followers.find(decode_key(series.name).ident)[0])
        slots = followers.arrays.followers[place]["slots"].tolist()
        for known in known_of(series):
            part = part_of(series, known.series)
            if part is not None and slots[part]:
                expected = followers.limits(slots[part] - 1, known.last_ms or 0)
                assert str(limits_of(series, part, standing, tables)) == str(expected)
                compared += 1
    assert compared > 3


def test_of_payloads_the_paths_are_told():
    topic = Topic(shards=2)
    topic.ordinary(3000)
    (schema,) = [it for it in known_in(topic.process).values() if it.signal == "schema"]
    assert schema.samples >= 1000
    assert (schema.paths or 0) >= 12
