"""The ledger counts what opened and what was muted, over sliding days, within bounds."""

import pytest

from detectors.core.layout import DAY_MS
from detectors.ledger import MUTED_MAX, SERIES_MAX, TIMES_MAX, Account, Ledger, load_ledger
from detectors.verdicts import VERSION, AnomalyBatch, FleetShare, Verdict
from tests.detectors.test_triage import verdict

SHARE = FleetShare(10, 0.25, 0.5, 0.05)


def noted(ledger: Ledger, shard: int, now_ms: int, share: FleetShare = SHARE) -> None:
    ledger.note(AnomalyBatch(VERSION, shard, 0, now_ms, 0, (), (), share))


def named(number: int, day: float = 0.0) -> Verdict:
    return verdict(int(day * DAY_MS), pipeline=f"pipeline-{number}")


def test_the_fleet_sums_over_seven_days_and_all_shards() -> None:
    ledger = Ledger()
    for day in range(20):
        ledger.spend(named(0, day))
        ledger.mute(named(1, day))
    for shard in range(4):
        noted(ledger, shard, 19 * DAY_MS)
    account = ledger.fleet()
    assert (account.spent, account.muted, account.series) == (7, 7, 40)
    assert account.budget == pytest.approx(14)
    assert account.left == pytest.approx(7)
    assert account.expected == pytest.approx(7)


def test_nothing_is_left_rather_than_less_than_nothing() -> None:
    ledger = Ledger()
    for number in range(30):
        ledger.spend(named(number))
    noted(ledger, 0, 0)
    assert ledger.fleet().left == 0


def test_a_series_sums_over_thirty_days() -> None:
    ledger = Ledger()
    for day in range(0, 60, 3):
        ledger.spend(named(0, day))
    ledger.mute(named(1, 59))
    first, second = ledger.series()
    assert (first.series, first.spent, first.muted) == ('latency{pipeline="pipeline-0"}', 10, 0)
    assert (second.spent, second.muted) == (0, 1)
    noted(ledger, 0, 200 * DAY_MS)
    assert ledger.series() == []
    assert ledger.fleet().spent == 0


def test_it_is_bounded() -> None:
    ledger = Ledger()
    for number in range(SERIES_MAX + 5):
        ledger.spend(named(number))
        ledger.mute(named(0))
    assert len(ledger.accounts) == SERIES_MAX
    assert len(ledger.latest_muted) == MUTED_MAX
    assert len(ledger.accounts['latency{pipeline="pipeline-0"}'].muted_ms) == TIMES_MAX
    assert 'latency{pipeline="pipeline-1"}' not in ledger.accounts, "the longest untouched give way"


def test_shards_of_triage_add_up() -> None:
    one, other = Ledger(), Ledger()
    one.spend(named(0, 1))
    other.spend(named(1, 2))
    other.mute(named(1, 2))
    for ledger in (one, other):
        noted(ledger, 0, 2 * DAY_MS)
    one.merge(other)
    account = one.fleet()
    assert (account.spent, account.muted, account.series) == (2, 1, 10)
    assert [each.spent for each in one.series()] == [1, 1]


def test_it_is_read_back_as_it_was() -> None:
    ledger = Ledger()
    ledger.spend(named(0, 1))
    ledger.mute(named(1, 2))
    noted(ledger, 3, 2 * DAY_MS)
    assert load_ledger(ledger.dump()) == ledger
    with pytest.raises(ValueError, match="format"):
        load_ledger(Ledger(version=99).dump())


def test_accounts_of_two_series_are_not_one() -> None:
    ledger = Ledger()
    ledger.spend(named(0))
    assert ledger.accounts.keys() == {'latency{pipeline="pipeline-0"}'}
    assert ledger.accounts['latency{pipeline="pipeline-0"}'] == Account([0], [])
    assert Ledger().accounts == {}
