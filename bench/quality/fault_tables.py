"""The tables of the pipeline faults: what was found of each kind and by which signal, what was missed, and how peers compare."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.figures import percentile
from bench.quality.attribution import NOBODY, Alerts, Found, Incident, false_each, found
from bench.quality.fault_runs import Run
from bench.quality.peers import PEERS
from bench.quality.report import Section

PEERS_ABOUT: Final = """\
Peers watch every number that a run or a metric carries: durations, rows, bytes, the time since the run before, and metrics (not outcomes:
of a series of zeros with a few ones they make an alarm of each one); one threshold for all series, the one that finds most incidents with no more false alerts than Streamgauge. They have no clock, so a missing run shows when the next one comes,
and no notion of schemas or of duplicates: "that they can see" leaves `schema_change` and `duplicate_load` out."""
BY_SIGNAL: Final = """\
An incident is found by each signal and reason that tells of it. Alerts and incidents of the whole time, false alerts from the third week on."""
CEILING_A_WEEK: Final = 0.25
UNSEEN_BY_PEERS: Final = frozenset({"schema_change", "duplicate_load"})
CANDIDATES: Final = 300


class Account(NamedTuple):
    """What a detector's alerts on some recordings were worth."""

    found: list[tuple[Incident, Found]]
    false_alerts: int
    weeks: float
    each_a_week: list[float]

    @property
    def recall(self) -> float:
        return sum(it.delay_ms is not None for _, it in self.found) / max(1, len(self.found))

    @property
    def false_a_week(self) -> float:
        return self.false_alerts / self.weeks if self.weeks else 0.0

    def only(self, kinds: Iterable[str]) -> list[tuple[Incident, Found]]:
        """The incidents of some kinds."""
        wanted = set(kinds)
        return [it for it in self.found if it[0].kind in wanted]


def _account(runs: Sequence[Run], alerts: Sequence[Alerts], series: Sequence[int]) -> Account:
    pairs, each, total = [], [], 0
    for it, mine, count in zip(runs, alerts, series, strict=True):
        pairs += list(zip(it.incidents, found(it.incidents, mine), strict=True))
        false = false_each(mine, count, it.warm_from_ms)
        total += int(false.sum())
        each += (false / (it.weeks / len(it.signals))).tolist()
    return Account(pairs, total, sum(it.weeks for it in runs), each)


def _own_account(runs: Sequence[Run]) -> Account:
    return _account(runs, [it.alerts for it in runs], [len(it.signals) for it in runs])


def add_own(section: Section, runs: Sequence[Run], which: str) -> None:
    account = _own_account(runs)
    told = sum(it.notifications for it in runs)
    opened = sum(int(it.alerts.own.sum()) for it in runs)
    young = sum(it.young_false for it in runs) / sum(it.young_weeks for it in runs)
    lines = [_kind_line(kind, account.only([kind])) for kind in sorted({it.kind for it, _ in account.found})]
    lines.append(_kind_line("**all**", account.found))
    heads = ["kind", "found", "share", "delay p50", "delay p90", "alerts per incident found"]
    p50, p90 = percentile(account.each_a_week, 0.5), percentile(account.each_a_week, 0.9)
    about = (
        f"Seeds {', '.join(str(it.seed) for it in runs)}. False alerts a series and week from the third week on: **{account.false_a_week:.3f}** "
        f"(p50 {p50:.2f}, p90 {p90:.2f}, worst series {max(account.each_a_week):.2f}); in the first two weeks {young:.3f}. "
        f"{account.false_alerts:,} false alerts in {account.weeks:,.0f} series-weeks. Notifications per alert, with those that tell of worse: "
        f"{told / max(1, opened):.2f}."
    )
    section.add(f"Streamgauge by kind of fault, {which}", heads, lines, about)
    heads = ["signal: reason", "alerts", "incidents found", "false alerts", "share of all false"]
    section.add(f"Streamgauge by signal, {which}", heads, _sources(runs), BY_SIGNAL)
    section.add(f"What was missed, {which}", ["seed", "incident", "what was done"], _missed(runs))
    section.numbers |= {
        f"{which}/recall": account.recall,
        f"{which}/false a series and week": account.false_a_week,
        f"{which}/alerts per incident": _alerts_each(account.found),
        f"{which}/false in the first two weeks": young,
    }


def _kind_line(kind: str, pairs: Sequence[tuple[Incident, Found]]) -> list[str]:
    delays = [it.delay_ms / 60_000 for _, it in pairs if it.delay_ms is not None]
    return [
        kind,
        f"{len(delays)}/{len(pairs)}",
        f"{len(delays) / len(pairs):.0%}",
        _time(percentile(delays, 0.5)) if delays else "–",
        _time(percentile(delays, 0.9)) if delays else "–",
        f"{_alerts_each(pairs):.2f}" if delays else "–",
    ]


def _time(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def _alerts_each(pairs: Sequence[tuple[Incident, Found]]) -> float:
    counts = [it.alerts for _, it in pairs if it.delay_ms is not None]
    return sum(counts) / len(counts) if counts else 0.0


def _sources(runs: Sequence[Run]) -> list[list[str]]:
    alerts, false = Counter[str](), Counter[str]()
    finds: set[tuple[int, str, int]] = set()
    for it in runs:
        columns = zip(*(column.tolist() for column in it.alerts), strict=True)
        for reason, (time_ms, _, owner, finding, own) in zip(it.reasons, columns, strict=True):
            alerts[reason] += own
            false[reason] += own and owner == NOBODY and time_ms >= it.warm_from_ms
            if finding != NOBODY:
                finds.add((it.seed, reason, finding))
    total, by_reason = max(1, false.total()), Counter(reason for _, reason, _ in finds)
    return [
        [reason, str(count), str(by_reason[reason]), str(false[reason]), f"{false[reason] / total:.0%}"]
        for reason, count in sorted(alerts.items(), key=lambda one: (-false[one[0]], one[0]))
    ]


def _missed(runs: Sequence[Run]) -> list[list[str]]:
    return [
        [str(it.seed), one.id, one.detail]
        for it in runs
        for one, what in zip(it.incidents, found(it.incidents, it.alerts), strict=True)
        if what.delay_ms is None
    ]


def add_comparison(section: Section, runs: Sequence[Run]) -> None:
    own = _own_account(runs)
    lines = [_compared("**Streamgauge**", "defaults", own, None)]
    for peer in PEERS:
        mine = [it for it in runs if peer.name in it.scores]
        if not mine:
            continue
        tried = _tried(mine, peer.name)
        threshold, account = _best(tried, _own_account(mine).false_a_week)
        _, more = _best(tried, CEILING_A_WEEK)
        lines.append(_compared(peer.name, f"{threshold:.5g}", account, more))
        section.numbers[f"{peer.name}/recall"] = account.recall
    heads = [
        "detector",
        "threshold",
        "found",
        "found, of what peers can see",
        "false alerts a series and week",
        "delay p50",
        "delay p90",
        "alerts per incident found",
        f"found at {CEILING_A_WEEK} false alerts a series and week",
    ]
    section.add("Beside its peers, at equal false alerts", heads, lines, PEERS_ABOUT)


def _compared(name: str, threshold: str, it: Account, at_ceiling: Account | None) -> list[str]:
    seen = it.only({one.kind for one, _ in it.found} - UNSEEN_BY_PEERS)
    _, count, share, p50, p90, each = _kind_line(name, it.found)
    return [
        name,
        threshold,
        f"{count} = {share}",
        _kind_line(name, seen)[2],
        f"{it.false_a_week:.3f}",
        p50,
        p90,
        each,
        f"{at_ceiling.recall:.0%}" if at_ceiling else "–",
    ]


def _tried(runs: Sequence[Run], name: str) -> list[tuple[float, Account]]:
    """Thresholds from the highest down, until far more false alerts come than anybody would bear."""
    ranked = np.sort(np.concatenate([it.scores[name] for it in runs]))[::-1]
    places = np.unique(np.geomspace(1, max(2, len(ranked) // 20), CANDIDATES).astype(int)) - 1
    tried = [(float("inf"), _peer_account(runs, name, float("inf")))]
    for threshold in sorted({float(ranked[place]) for place in places if ranked[place] > 0}, reverse=True):
        tried.append((threshold, _peer_account(runs, name, threshold)))
        if tried[-1][1].false_a_week > 3 * CEILING_A_WEEK:
            break
    return tried


def _best(tried: Sequence[tuple[float, Account]], false_a_week: float) -> tuple[float, Account]:
    """What finds most with no more false alerts, of equals the highest threshold."""
    allowed = [it for it in tried if it[1].false_a_week <= false_a_week]
    return max(allowed, key=lambda it: (it[1].recall, it[0]))


def _peer_account(runs: Sequence[Run], name: str, threshold: float) -> Account:
    alerts = [it.samples.alerts(it.scores[name] >= threshold) for it in runs]
    return _account(runs, alerts, [int(it.samples.series[-1]) + 1 for it in runs])
