"""The ledger of the alert budgets: what opened and what the fleet's ceiling muted, over the last days of event time.

Every alert that opens is spent, false or not: nobody tells which. What chance alone spends at most stands beside it, as
detect reckons it. The fleet's account sums over seven days, a series' over thirty, whatever period its budget was written for.
Bounded: the latest 1,000 series that spent or were muted, 64 times each, and the latest 50 muted verdicts.
"""

from typing import Final

import msgspec

from detectors.core.layout import DAY_MS
from detectors.series import series_text
from detectors.verdicts import AnomalyBatch, FleetShare, Verdict

FORMAT: Final = 1
FLEET_DAYS: Final = 7
SERIES_DAYS: Final = 30
SERIES_MAX: Final = 1_000
TIMES_MAX: Final = 64
MUTED_MAX: Final = 50


class Muted(msgspec.Struct, frozen=True):
    """A verdict that would have opened an episode, but for the fleet's ceiling.

    `needed_per_day` is the chance per day up to which it would have passed.
    """

    series: str
    time_ms: int
    chance_per_day: float
    needed_per_day: float
    p_value: float | None
    observed: float | None
    expected: float | None


class Account(msgspec.Struct):
    """One series: when alerts opened and when it was muted."""

    opened_ms: list[int] = []
    muted_ms: list[int] = []


class Day(msgspec.Struct):
    """One day of the fleet, UTC."""

    opened: int = 0
    muted: int = 0


class FleetAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet over the last seven days; rates are per seven days. None: no ceiling."""

    budget: float | None
    spent: int
    left: float | None
    muted: int
    expected: float
    series: int


class SeriesAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One series over the last thirty days."""

    series: str
    spent: int
    muted: int


class Ledger(msgspec.Struct):
    """The accounts of one triage shard, or of several taken together."""

    version: int = FORMAT
    now_ms: int = 0
    days: dict[int, Day] = {}
    shares: dict[int, FleetShare] = {}
    accounts: dict[str, Account] = {}
    latest_muted: list[Muted] = []

    def note(self, batch: AnomalyBatch) -> None:
        """Take over how a detect shard stands."""
        self._pass_time(batch.now_ms)
        if batch.fleet is not None:
            self.shares[batch.shard] = batch.fleet

    def spend(self, verdict: Verdict) -> None:
        """An alert opened."""
        self._pass_time(verdict.time_ms)
        self._day(verdict).opened += 1
        _add(self._account(verdict).opened_ms, verdict.time_ms)

    def mute(self, verdict: Verdict) -> None:
        """The fleet's ceiling kept an alert from opening."""
        self._pass_time(verdict.time_ms)
        self._day(verdict).muted += 1
        _add(self._account(verdict).muted_ms, verdict.time_ms)
        self.latest_muted.append(
            Muted(
                series_text(verdict.signal, verdict.labels),
                verdict.time_ms,
                verdict.chance_per_day or 0.0,
                verdict.allowed_per_day or 0.0,
                verdict.p_value,
                verdict.observed,
                verdict.expected,
            )
        )
        del self.latest_muted[:-MUTED_MAX]

    def merge(self, other: "Ledger") -> None:
        """Add the accounts of another triage shard; every shard has heard of all detect shards."""
        self.now_ms = max(self.now_ms, other.now_ms)
        for number, day in other.days.items():
            own = self.days.setdefault(number, Day())
            own.opened, own.muted = own.opened + day.opened, own.muted + day.muted
        self.shares |= other.shares
        self.accounts |= other.accounts
        self.latest_muted = sorted([*self.latest_muted, *other.latest_muted], key=lambda it: it.time_ms)

    def fleet(self) -> FleetAccount:
        """How the fleet stands."""
        first = self.now_ms // DAY_MS - FLEET_DAYS + 1
        days = [day for number, day in self.days.items() if number >= first]
        spent, budgets = sum(day.opened for day in days), [it.budget_per_day for it in self.shares.values()]
        known = [each for each in budgets if each is not None]
        budget = FLEET_DAYS * sum(known) if known else None
        return FleetAccount(
            budget=budget,
            spent=spent,
            left=None if budget is None else max(0.0, budget - spent),
            muted=sum(day.muted for day in days),
            expected=FLEET_DAYS * sum(it.expected_per_day for it in self.shares.values()),
            series=sum(it.series for it in self.shares.values()),
        )

    def series(self) -> list[SeriesAccount]:
        """The series that spent or were muted, those that spent most first."""
        since_ms = self.now_ms - SERIES_DAYS * DAY_MS
        found = [
            SeriesAccount(
                series=name,
                spent=sum(ms >= since_ms for ms in account.opened_ms),
                muted=sum(ms >= since_ms for ms in account.muted_ms),
            )
            for name, account in self.accounts.items()
        ]
        told = [each for each in found if each.spent or each.muted]
        return sorted(told, key=lambda it: (-it.spent, -it.muted, it.series))

    def gauges(self) -> dict[str, float]:
        """Alerts that opened and verdicts that were muted in the last seven days."""
        account = self.fleet()
        return {"budget_spent": account.spent, "budget_muted": account.muted}

    def dump(self) -> bytes:
        """The ledger as bytes, which need no triage to be read."""
        return msgspec.msgpack.encode(self)

    def _pass_time(self, now_ms: int) -> None:
        if now_ms <= self.now_ms:
            return
        self.now_ms = now_ms
        oldest = now_ms // DAY_MS - FLEET_DAYS + 1
        for number in [number for number in self.days if number < oldest]:
            del self.days[number]

    def _day(self, verdict: Verdict) -> Day:
        return self.days.setdefault(verdict.time_ms // DAY_MS, Day())

    def _account(self, verdict: Verdict) -> Account:
        name = series_text(verdict.signal, verdict.labels)
        account = self.accounts.pop(name, None) or Account()
        self.accounts[name] = account
        if len(self.accounts) > SERIES_MAX:
            del self.accounts[next(iter(self.accounts))]
        return account


def load_ledger(dumped: bytes) -> Ledger:
    """The ledger in some bytes.

    Raises:
        ValueError: they hold none of this version.
    """
    ledger = msgspec.msgpack.decode(dumped, type=Ledger)
    if ledger.version != FORMAT:
        raise ValueError(f"ledger of format {ledger.version}; this version reads format {FORMAT}")
    return ledger


def _add(times: list[int], time_ms: int) -> None:
    times.append(time_ms)
    del times[:-TIMES_MAX]
