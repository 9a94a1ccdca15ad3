"""Proposals: settings for noisy and for blind series, each with what would have changed, found by running history again.

History is read three times: as it was; with every candidate, one for each noisy series at a time; and with all that was chosen together. A candidate
for a noisy series is chosen if at least half of what nothing explains is gone, nothing that is explained, and hardly anything is new; of several the one with which most
is gone, or the first. For a blind series the first that opens its eyes.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from detectors.series import canonical_labels
from stream.config import Config
from stream.config.tuning import TEXT_LENGTH_MAX, SeriesEntry
from stream.trial import blindness, noise
from stream.trial.accuracy import judge
from stream.trial.episodes import Episode, Matched, episodes, match
from stream.trial.labels import Incident, Labels
from stream.trial.noise import Candidate
from stream.trial.recordings import Recording
from stream.trial.running import Trial, try_out
from stream.trial.samples import Name, Samples

SAMPLES_MAX: Final = 2_000
PROPOSALS_MAX: Final = 200
"""Noisy series, and blind ones, that are looked at: those that alarm most, and the first by name."""
_CHANGES: Final = {
    "latency": "a doubling",
    "volume": "a loss by half",
    "value": "a loss by half or a doubling",
}
"""The signals that may be blind, and what they ought to see."""

Seen = Callable[[int], None]


class Change(NamedTuple):
    """What a proposal changes in its series: alerts that are gone (of those, how many nothing explains) and new ones."""

    before: int
    gone: int
    gone_unexplained: int
    new: int


class Proposal(NamedTuple):
    """A setting for one series, and the evidence. `sight` is of a blind one: what share of halvings it would see, before and after."""

    name: Name
    problem: str
    candidate: Candidate
    change: Change
    sight: tuple[float, float] | None = None

    def entry(self) -> SeriesEntry:
        """The same as an entry of `series`."""
        return entry_of(self.name, self.candidate)


class Unhelped(NamedTuple):
    """A noisy or blind series for which no setting helps, and why it is called so."""

    name: Name
    problem: str


class Suggestions(NamedTuple):
    """All proposals, what no setting helps, the series that never had enough samples to be judged, and what would change in all series together."""

    proposals: list[Proposal]
    unhelped: list[Unhelped]
    young: list[Name]
    records: int
    from_ms: int
    to_ms: int
    alerts: int
    matched: Matched


class _Noisy(NamedTuple):
    """A noisy series, its alerts, and what may help."""

    name: Name
    unexplained: list[Episode]
    explained: list[Episode]
    candidates: list[Candidate]

    @property
    def problem(self) -> str:
        return f"noisy: {len(self.unexplained)} alerts that nothing explains"


class _Blind(NamedTuple):
    """A blind series, and what opens its eyes, if anything does."""

    name: Name
    before: blindness.Sight
    help: tuple[Candidate, blindness.Sight] | None

    @property
    def problem(self) -> str:
        change = _CHANGES[self.name.signal]
        return f"blind: {self.before.share:.0%} of {self.before.samples:,} samples would show {change}"


def suggest(
    config: Config, recording: Recording, labels: Labels | None, seen: Seen = lambda _: None
) -> Suggestions:
    """What could be set better, by this history. `seen` is told of the records of all three readings."""
    samples = Samples(lambda it: it.signal in _CHANGES, SAMPLES_MAX)
    trial = try_out([config], recording, seen, watch=samples.add)
    before = _Judged.of(trial, 0, labels)
    noisy = _noisy(config, trial, before)
    blind, young = _blind(config, samples, {it.name for it in noisy})
    helped = [(it, it.help) for it in blind if it.help is not None]
    chosen = _chosen(config, recording, labels, before, noisy, seen)
    wanted = {it.name: candidate for it, candidate in chosen} | {it.name: offer for it, (offer, _) in helped}
    last = _Judged.of(try_out([_with(config, wanted)], recording, seen), 0, labels) if wanted else before
    proposals = [
        Proposal(it.name, it.problem, candidate, _change(it.name, before, last)) for it, candidate in chosen
    ]
    proposals += [
        Proposal(it.name, it.problem, offer, _change(it.name, before, last), (it.before.share, after.share))
        for it, (offer, after) in helped
    ]
    looked_at: list[_Noisy | _Blind] = [*noisy, *blind]
    unhelped = [Unhelped(it.name, it.problem) for it in looked_at if it.name not in wanted]
    alerts = sum(it.alone for it in before.episodes)
    matched = match(last.episodes, before.episodes)
    return Suggestions(proposals, unhelped, young, trial.records, trial.from_ms, trial.to_ms, alerts, matched)


def entry_of(name: Name, candidate: Candidate) -> SeriesEntry:
    """A setting of one series as an entry of `series`: every label, letter by letter."""
    return SeriesEntry.model_validate({"match": _globs(name), candidate.key: candidate.value})


def can_be_named(name: Name) -> bool:
    """Whether an entry of `series` can name it: no label is called like what names signals, and none is too long."""
    return "signal" not in dict(name.labels) and max(map(len, _globs(name).values())) <= TEXT_LENGTH_MAX


def _globs(name: Name) -> dict[str, str]:
    return {"signal": name.signal, **{label: _literally(value) for label, value in name.labels}}


class _Judged(NamedTuple):
    """The episodes of a run by series, and the incidents that they belong to."""

    episodes: list[Episode]
    by_name: dict[Name, list[Episode]]
    owners: dict[str, Incident]

    @classmethod
    def of(cls, trial: Trial, number: int, labels: Labels | None) -> "_Judged":
        found = episodes(trial.runs[number].alerts, trial.to_ms)
        by_name: dict[Name, list[Episode]] = defaultdict(list)
        for it in found:
            series = it.first.series
            if it.first.kind == series.signal:
                by_name[Name(series.signal, canonical_labels(series.labels))].append(it)
        return cls(found, by_name, judge(found, labels, trial.to_ms - trial.from_ms).owners)

    def unexplained(self, name: Name) -> list[Episode]:
        return [it for it in self._own(name) if it.first.alert_id not in self.owners]

    def explained(self, name: Name) -> list[Episode]:
        return [it for it in self._own(name) if it.first.alert_id in self.owners]

    def _own(self, name: Name) -> list[Episode]:
        return [it for it in self.by_name.get(name, []) if it.alone]


def _noisy(config: Config, trial: Trial, judged: _Judged) -> list[_Noisy]:
    settings, span_ms, found = config.settings(), trial.to_ms - trial.from_ms, []
    for name in filter(can_be_named, judged.by_name):
        own = settings.for_series(name.signal, dict(name.labels))
        unexplained, explained = judged.unexplained(name), judged.explained(name)
        if noise.is_noisy(len(unexplained), own, span_ms):
            offered = noise.candidates(name.signal, own, unexplained, explained)
            found.append(_Noisy(name, unexplained, explained, offered))
    return sorted(found, key=lambda it: (-len(it.unexplained), it.name))[:PROPOSALS_MAX]


def _blind(config: Config, samples: Samples, leave_out: set[Name]) -> tuple[list[_Blind], list[Name]]:
    """The blind series, and those that never had enough samples to tell."""
    settings, found, young = config.settings(), list[_Blind](), list[Name]()
    for name in filter(can_be_named, samples.names):
        own = settings.for_series(name.signal, dict(name.labels))
        points = samples.of(name)
        sight = blindness.sight(name.signal, points, own)
        if sight.samples < blindness.JUDGED_MIN:
            young.append(name)
        if sight.is_blind and name not in leave_out and len(found) < PROPOSALS_MAX:
            found.append(_Blind(name, sight, blindness.candidate(name.signal, points, own)))
    return found, young


def _chosen(
    config: Config,
    recording: Recording,
    labels: Labels | None,
    before: _Judged,
    noisy: Sequence[_Noisy],
    seen: Seen,
) -> list[tuple[_Noisy, Candidate]]:
    """What helps each noisy series best; series for which nothing does are left out."""
    rounds = max((len(it.candidates) for it in noisy), default=0)
    if not rounds:
        return []
    tried = [
        {it.name: it.candidates[number] for it in noisy if number < len(it.candidates)}
        for number in range(rounds)
    ]
    trial = try_out([_with(config, wanted) for wanted in tried], recording, seen)
    after = [_Judged.of(trial, number, labels) for number in range(rounds)]
    chosen = []
    for it in noisy:
        changes = [_change(it.name, before, judged) for judged in after[: len(it.candidates)]]
        helping = [
            (change, offer) for change, offer in zip(changes, it.candidates, strict=True) if _helps(change)
        ]
        if helping:
            best = max(helping, key=lambda pair: pair[0].gone - pair[0].new)
            chosen.append((it, best[1]))
    return chosen


def _helps(change: Change) -> bool:
    """Whether enough is gone that nothing explains, nothing else, and little is new."""
    unexplained_gone = change.gone_unexplained
    return (
        change.gone == unexplained_gone
        and 2 * unexplained_gone >= change.before
        and 2 * change.new <= unexplained_gone
    )


def _change(name: Name, before: _Judged, after: _Judged) -> Change:
    found = match(after.by_name.get(name, []), before.by_name.get(name, []))
    unexplained = sum(it.first.alert_id not in before.owners for it in found.gone)
    return Change(len(before.unexplained(name)), len(found.gone), unexplained, len(found.new))


def _with(config: Config, wanted: dict[Name, Candidate]) -> Config:
    """A configuration with these settings on top."""
    entries = tuple(entry_of(name, candidate) for name, candidate in wanted.items())
    return config.model_copy(update={"series": (*config.series, *entries)})


def _literally(text: str) -> str:
    """A glob that matches this text alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
