"""Lineage: what comes before what, by which path, and for how long that is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.lineage import DATASET, FORGET_MS, PIPELINE, Lineage, Link, Relation, node_of

READS, WRITES, AFTER = Relation.READS, Relation.WRITES, Relation.AFTER


def paths(lineage: Lineage, pipeline: str, now_ms: int = FORGET_MS) -> list[str]:
    return [
        " ".join(node.partition(":")[2] for node in path)
        for _, path in lineage.ancestors(PIPELINE + pipeline, now_ms)
    ]


def test_writers_come_before_readers_by_way_of_the_dataset():
    lineage = Lineage()
    lineage.learn([Link("load", WRITES, "db/orders"), Link("report", READS, "db/orders")], 0)
    assert paths(lineage, "report") == ["db/orders report", "load db/orders report"]
    assert paths(lineage, "load") == []


def test_the_nearest_come_first_and_each_once():
    lineage = Lineage()
    lineage.learn(
        [Link("d", AFTER, "b"), Link("d", AFTER, "c"), Link("b", AFTER, "a"), Link("c", AFTER, "a")], 0
    )
    assert paths(lineage, "d") == ["b d", "c d", "a b d"]


def test_a_circle_ends():
    lineage = Lineage()
    lineage.learn([Link("a", AFTER, "b"), Link("b", AFTER, "a")], 0)
    assert paths(lineage, "a") == ["b a"]


def test_links_that_are_not_told_for_long_are_forgotten():
    lineage = Lineage()
    lineage.learn([Link("b", AFTER, "a"), Link("c", AFTER, "b")], 0)
    lineage.learn([Link("c", AFTER, "b")], FORGET_MS)
    lineage.forget(FORGET_MS + 1)
    assert paths(lineage, "c") == ["b c"]
    assert not lineage.has_upstream(PIPELINE + "b", FORGET_MS)


def test_no_more_links_than_may_be_are_known_and_the_latest_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("detectors.lineage.LINKS_MAX", 100)
    lineage = Lineage()
    lineage.learn([Link(f"{n}", AFTER, "a") for n in range(101)], 0)
    assert len(lineage) == 100
    assert lineage.has_upstream(PIPELINE + "100", FORGET_MS)
    assert not lineage.has_upstream(PIPELINE + "0", FORGET_MS)


def test_a_link_counts_from_when_it_was_first_told():
    lineage = Lineage()
    lineage.learn([Link("b", AFTER, "a")], 50)
    lineage.learn([Link("b", AFTER, "a")], 70)
    assert paths(lineage, "b", 49) == []
    assert paths(lineage, "b", 50) == ["a b"]
    lineage.learn([Link("b", AFTER, "a")], 40)
    assert paths(lineage, "b", 40) == ["a b"]


def test_what_is_declared_always_holds():
    lineage = Lineage([Link("b", AFTER, "a")])
    lineage.learn([Link("b", AFTER, "a")], 0)
    lineage.forget(2 * FORGET_MS)
    assert paths(lineage, "b", -5) == ["a b"]


def test_what_is_no_longer_declared_holds_as_far_as_it_was_told():
    lineage = Lineage([Link("b", AFTER, "a"), Link("c", AFTER, "a")])
    lineage.learn([Link("b", AFTER, "a")], 5)
    lineage.declare([])
    assert [paths(lineage, name) for name in "bc"] == [["a b"], []]
    assert paths(lineage, "b", 4) == []


def test_series_belong_to_their_pipeline_or_their_dataset():
    assert node_of((("pipeline", "orders"), ("task", "load"))) == f"{PIPELINE}orders"
    assert node_of((("dataset", "orders"), ("namespace", "db"))) == f"{DATASET}db/orders"
    assert node_of((("topic", "orders"),)) is None


links = st.lists(st.builds(Link, st.sampled_from("abc"), st.sampled_from(Relation), st.sampled_from("abc")))


@given(links)
def test_a_restart_forgets_nothing(them: list[Link]):
    before, after = Lineage(), Lineage()
    before.learn(them, 5)
    after.load(before.dump())
    assert after.dump() == before.dump()
    assert [paths(after, name) for name in "abc"] == [paths(before, name) for name in "abc"]
