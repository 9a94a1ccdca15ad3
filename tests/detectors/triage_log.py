"""A log of notes for triage, written line by line, and what triage makes of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from detectors.alerts import Alert, Mode, State
from detectors.commands import Answer, Command, Configure, Outcome
from detectors.lineage import Link, Relation
from detectors.notes import VERSION, CommandNote, LineageNote, RefusalNote, SwitchNote, encode
from detectors.series import Labels, Signal
from detectors.settings import Settings
from detectors.triage import Triage
from detectors.verdicts import VERSION as BATCH_VERSION
from detectors.verdicts import AnomalyBatch, Baseline, Change, Direction, Reason, SourcePosition, Verdict

SECOND_MS = 1000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
START_MS = 1_780_000_000_000
_REASONS = {
    Signal.LATENCY: Reason.ABOVE_RANGE,
    Signal.VOLUME: Reason.BELOW_RANGE,
    Signal.FAILURES: Reason.TOO_MANY_FAILURES,
    Signal.FRESHNESS: Reason.RUN_OVERDUE,
}


def verdict(
    time_ms: int,
    pipeline: str = "orders",
    signal: Signal = Signal.LATENCY,
    *,
    anomalous: bool = True,
    owner: str = "",
    labels: Labels = (),
) -> Verdict:
    """One verdict of a pipeline's series, in `signal`'s usual form."""
    return Verdict(
        signal=signal,
        labels=labels or (("pipeline", pipeline),),
        detector="runs",
        time_ms=time_ms,
        window_start_ms=time_ms,
        window_end_ms=time_ms,
        anomalous=anomalous,
        reason=_REASONS[signal] if anomalous else Reason.ORDINARY,
        change=Change.SILENCE if signal is Signal.FRESHNESS else Change.POINT,
        baseline=Baseline("runs", 400, 0, time_ms),
        positions=(SourcePosition("pipeline.events", 0, 41, 41),),
        severity_score=5.0,
        observed=9000.0,
        expected=1000.0,
        direction=Direction.UP,
        owner=owner,
    )


def moment(time_ms: int) -> datetime:
    """A time as commands have it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


class Log:
    """Triage and the log it folds; `alerts` and `answers` are all that came of it."""

    def __init__(self, settings: Settings | None = None, shards: int = 1) -> None:
        self._settings = settings or Settings(shards=shards)
        self.triage = Triage(self._settings, Mode.LIVE)
        self.alerts: list[Alert] = []
        self.answers: list[Answer] = []
        self._offsets: dict[int, int] = {}
        self._commands = 0

    def say(self, *verdicts: Verdict, shard: int = 0, now_ms: int | None = None) -> list[Alert]:
        """A shard says verdicts, and that it is past the last of them or at a time."""
        orders_ms = tuple(it.time_ms for it in verdicts)
        reached_ms = max(orders_ms) + 1 if now_ms is None else now_ms
        offset = self._offsets[shard] = self._offsets.get(shard, -1) + 1
        wall_ms = max(reached_ms, 0)
        batch = AnomalyBatch(BATCH_VERSION, shard, offset, reached_ms, wall_ms, orders_ms, verdicts)
        return self._fold(batch.to_bytes())

    def pass_time(self, now_ms: int, shard: int = 0) -> list[Alert]:
        """A shard is at a time and has nothing to say."""
        return self.say(shard=shard, now_ms=now_ms)

    def learn(self, *links: tuple[str, Relation, str]) -> None:
        """Lineage is told."""
        self._fold(encode(LineageNote(VERSION, (START_MS,) * len(links), tuple(Link(*it) for it in links))))

    def order(self, command: Command, wall_ms: int = START_MS) -> Answer:
        """A command is given; its answer."""
        self._commands += 1
        self._fold(encode(CommandNote(VERSION, "commands", 0, self._commands, wall_ms, command)))
        return self.answers[-1]

    def refuse(self, offset: int) -> list[Answer]:
        """A record at an offset of the command topic holds none; what is answered."""
        answer = Answer(command_id=f"commands/0/{offset}", author="", time="", answered_at="", outcome=Outcome.REFUSED, reason="none", config_hash="", command={})  # fmt: skip
        before = len(self.answers)
        self._fold(encode(RefusalNote(VERSION, "commands", 0, offset, START_MS, msgspec.json.encode(answer))))
        return self.answers[before:]

    def switch(self, settings: Settings) -> Answer:
        """A configuration comes in force; the answer."""
        self._commands += 1
        asked = given(Configure, config={})
        self._fold(encode(SwitchNote(VERSION, "configs", 0, self._commands, START_MS, asked, settings)))
        return self.answers[-1]

    def restart(self) -> None:
        """Go on in a new process with what the old one stored."""
        chunks = self.triage.dump()
        self.triage = Triage(self._settings, Mode.LIVE)
        self.triage.load(chunks)
        assert self.triage.dump() == chunks

    def _fold(self, payload: bytes) -> list[Alert]:
        told = self.triage.step(self.triage.covered_offset + 1, payload)
        self.alerts += told
        self.answers += self.triage.take_answers()
        return told

    def notices(self) -> list[Alert]:
        """What people were told."""
        return [it for it in self.alerts if it.notify]

    def pages(self) -> list[Alert]:
        """What people were told that fires."""
        return [it for it in self.notices() if it.state is State.FIRING]

    def latest(self, pipeline: str) -> Alert:
        """The last alert of a pipeline."""
        return [it for it in self.alerts if it.labels.get("pipeline") == pipeline][-1]


def course(alerts: Sequence[Alert]) -> list[str]:
    """Alerts in short."""
    return [
        f"{it.state} {it.labels.get('pipeline', it.kind)} {it.transition_reason.partition(':')[0]}"
        for it in alerts
    ]


def given(kind: type[Any], time_ms: int = START_MS, **fields: Any) -> Any:
    """A command by somebody at a time."""
    fields = {"command_id": f"{kind.__name__}-{time_ms}", "author": "ann", **fields}
    return kind(time=moment(time_ms), **fields)
