"""One root, one page: what is downstream of what is wrong is not told, and what is downstream of nothing wrong is not kept back for long."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import State
from detectors.lineage import Relation
from detectors.paging import Paging
from detectors.series import Signal
from detectors.settings import Rule, Settings, Tuning
from detectors.verdicts import Change
from tests.detectors.triage_log import HOUR_MS, MINUTE_MS, SECOND_MS, START_MS, Log, course, verdict

HOLD_MS = Paging().upstream_hold_ms
READS, WRITES, AFTER = Relation.READS, Relation.WRITES, Relation.AFTER
CHAIN = (("b", AFTER, "a"), ("c", AFTER, "b"))


def chain() -> Log:
    log = Log()
    log.learn(*CHAIN)
    return log


def test_without_lineage_everything_fires_at_once():
    log = Log()
    assert course(log.say(verdict(START_MS, "a"), verdict(START_MS, "b"))) == [
        "firing a opened",
        "firing b opened",
    ]


def test_what_is_downstream_of_what_fires_is_suppressed_and_names_its_root_and_the_path():
    log = chain()
    log.say(verdict(START_MS, "a"), verdict(START_MS + SECOND_MS, "c"))
    assert course(log.alerts) == ["firing a opened", "suppressed c opened"]
    root, child = log.alerts
    assert child.root_cause is not None
    assert child.root_cause.alert_id == root.alert_id
    assert child.root_cause.path == ['latency{pipeline="a"}', "b", "c"]


def test_the_root_names_its_children_a_minute_later_without_a_notice():
    log = chain()
    log.say(verdict(START_MS, "a"), verdict(START_MS + SECOND_MS, "b"), verdict(START_MS + SECOND_MS, "c"))
    (told,) = log.pass_time(START_MS + 2 * MINUTE_MS)
    assert course([told]) == ["firing a joined"]
    assert set(told.children) == {log.latest("b").alert_id, log.latest("c").alert_id}
    assert not told.notify
    assert len(log.pages()) == 1


def test_a_child_that_comes_first_waits_and_is_never_told_when_its_root_comes_within_the_hold():
    log = chain()
    assert course(log.say(verdict(START_MS, "c"))) == ["pending c opened"]
    log.say(verdict(START_MS + MINUTE_MS, "a"))
    log.pass_time(START_MS + 2 * HOLD_MS)
    assert course(log.pages()) == ["firing a opened"]
    assert course([log.latest("c")]) == ["suppressed c explained"]


def test_a_child_without_a_root_is_told_after_the_hold_and_not_before():
    log = chain()
    log.say(verdict(START_MS, "c"))
    assert log.pass_time(START_MS + HOLD_MS - 1) == []
    (told,) = log.pass_time(START_MS + HOLD_MS)
    assert course([told]) == ["firing c released"]
    assert told.notify
    assert told.updated_at > log.alerts[0].updated_at


def test_of_a_chain_whose_end_is_seen_first_only_the_root_is_told():
    log = chain()
    log.say(
        verdict(START_MS, "c"), verdict(START_MS + SECOND_MS, "b"), verdict(START_MS + 2 * SECOND_MS, "a")
    )
    log.pass_time(START_MS + 2 * HOLD_MS)
    assert course(log.pages()) == ["firing a opened"]
    roots = {log.latest(name).root_cause.alert_id for name in "bc"}  # type: ignore[union-attr]
    assert roots == {log.latest("a").alert_id}


def test_with_the_root_unseen_the_highest_that_is_seen_is_told():
    log = chain()
    log.say(verdict(START_MS, "c"), verdict(START_MS + SECOND_MS, "b"))
    log.pass_time(START_MS + 2 * HOLD_MS)
    assert course(log.pages()) == ["firing b released"]


def test_a_child_that_outlasts_its_root_is_told_a_hold_later():
    log = chain()
    log.say(verdict(START_MS, "a"), verdict(START_MS, "c"))
    over_ms = START_MS + 2 * HOUR_MS
    log.say(verdict(over_ms - MINUTE_MS, "c"), verdict(over_ms, "a", anomalous=False))
    assert log.pass_time(over_ms + HOLD_MS - 1) == []
    assert course(log.pass_time(over_ms + HOLD_MS)) == ["firing c released"]


def test_a_child_that_recovers_after_its_root_is_never_told():
    log = chain()
    log.say(verdict(START_MS, "a"), verdict(START_MS, "c"))
    over_ms = START_MS + 2 * HOUR_MS
    log.say(verdict(over_ms, "a", anomalous=False), verdict(over_ms + MINUTE_MS, "c", anomalous=False))
    log.pass_time(over_ms + HOUR_MS)
    assert course(log.notices()) == ["firing a opened", "resolved a resolved"]


def test_a_dataset_belongs_to_who_writes_it():
    log = Log()
    log.learn(("load", WRITES, "db/orders"), ("report", READS, "db/orders"))
    rows = verdict(START_MS + 1, signal=Signal.VOLUME, labels=(("dataset", "orders"), ("namespace", "db")))
    log.say(verdict(START_MS, "load", Signal.FAILURES), rows, verdict(START_MS + 2, "report"))
    assert [it.state for it in log.alerts] == [State.FIRING, State.SUPPRESSED, State.SUPPRESSED]
    assert log.alerts[2].root_cause is not None
    assert log.alerts[2].root_cause.path == ['failures{pipeline="load"}', "db/orders", "report"]


def test_a_graver_child_makes_its_root_as_grave_and_people_are_told():
    log = Log(Settings(rules=(Rule({"pipeline": "c"}, Tuning(severity="critical")),)))
    log.learn(*CHAIN)
    log.say(verdict(START_MS, "a"), verdict(START_MS + 1, "c"))
    assert course(log.pages()) == ["firing a opened", "firing a worsened"]
    assert log.pages()[-1].severity == "critical"


def test_pipelines_in_a_circle_are_told_once():
    log = Log()
    log.learn(("a", AFTER, "b"), ("b", AFTER, "a"))
    log.say(verdict(START_MS, "a"), verdict(START_MS + 1, "b"))
    log.pass_time(START_MS + 3 * HOLD_MS)
    assert len(log.pages()) == 1


def test_a_drift_upstream_explains_nothing():
    log = chain()
    drifting = msgspec.structs.replace(verdict(START_MS, "a"), change=Change.DRIFT)
    log.say(drifting, verdict(START_MS + 1, "b"))
    log.pass_time(START_MS + 2 * HOLD_MS)
    assert course(log.pages()) == ["firing a opened", "firing b released"]


def platform(levels: tuple[int, ...] = (3, 6, 12, 18)) -> dict[str, str]:
    """Forty jobs in five levels, one of them at the root: each other one to the one of the level above that it comes after."""
    before: dict[str, str] = {}
    above = ["job-0"]
    for size in levels:
        here = [f"job-{len(before) + 1 + number}" for number in range(size)]
        before |= {job: above[number % len(above)] for number, job in enumerate(here)}
        above = here
    return before


def failing(shuffle: random.Random, *, with_root: bool = True) -> tuple[Log, dict[str, str]]:
    """Every job fails within a minute, in any order, in eight shards that interleave in any way."""
    before = platform()
    log = Log(shards=8)
    log.learn(*((job, AFTER, parent) for job, parent in before.items()))
    jobs = [*before, *(["job-0"] if with_root else [])]
    by_shard: dict[int, list[tuple[int, str]]] = {shard: [] for shard in range(8)}
    for job in jobs:
        by_shard[sum(job.encode()) % 8].append((START_MS + shuffle.randrange(MINUTE_MS), job))
    waiting = [(shard, sorted(them)) for shard, them in by_shard.items()]
    while waiting:
        shard, them = waiting[number := shuffle.randrange(len(waiting))]
        cut = shuffle.randrange(len(them) + 1)
        if them[:cut]:
            log.say(*(verdict(ms, job, Signal.FAILURES) for ms, job in them[:cut]), shard=shard)
        waiting[number] = (shard, them[cut:])
        if not them[cut:]:
            del waiting[number]
    for shard in range(8):
        log.pass_time(START_MS + HOUR_MS, shard)
    return log, before


@given(st.integers(0, 1 << 32))
@settings(max_examples=60)
def test_of_forty_jobs_that_fail_in_any_order_one_page_is_at_the_root_and_names_all_others(seed: int) -> None:
    log, before = failing(random.Random(seed))
    assert course(log.pages()) in (["firing job-0 opened"], ["firing job-0 released"])
    assert set(log.latest("job-0").children) == {log.latest(job).alert_id for job in before}
    assert all(log.latest(job).root_cause.alert_id == log.latest("job-0").alert_id for job in before)  # type: ignore[union-attr]


@given(st.integers(0, 1 << 32))
@settings(max_examples=30)
def test_with_the_root_unseen_its_children_are_told_and_nothing_below_them(seed: int) -> None:
    log, before = failing(random.Random(seed), with_root=False)
    told = {it.labels["pipeline"] for it in log.pages() if "pipeline" in it.labels}
    assert told == {job for job, parent in before.items() if parent == "job-0"}


def test_what_is_told_does_not_depend_on_how_shards_interleave_or_on_restarts():
    def told(seed: int, restarts: bool) -> list[tuple[str, int, str]]:
        log = Log(shards=2)
        log.learn(*CHAIN)
        them = [(verdict(START_MS + 10 * n, "abc"[n % 3]), n % 2) for n in range(30)]
        queues = [[it for it, shard in them if shard == wanted] for wanted in (0, 1)]
        order = random.Random(seed)
        while any(queues):
            shard = order.choice([number for number, queue in enumerate(queues) if queue])
            log.say(queues[shard].pop(0), shard=shard)
            if restarts:
                log.restart()
        for shard in (0, 1):
            log.pass_time(START_MS + HOUR_MS, shard)
        return [(it.alert_id, it.sequence, it.transition_reason) for it in log.alerts]

    assert len({tuple(told(seed, restarts)) for seed in range(20) for restarts in (False, True)}) == 1
