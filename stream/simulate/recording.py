"""The recording: a platform, what it publishes, and the labels of its incidents, all from one seed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stream.simulate.calendars import DAY_MS
from stream.simulate.events import Played, Sent, published
from stream.simulate.incidents import History, Kind, Label
from stream.simulate.ordinary import ordinary_runs
from stream.simulate.plan import Plan
from stream.simulate.platform import Pipeline, draw_platform
from stream.simulate.streams import ordinary_stream

FAULTS_PER_WEEK = 0.15


class Request(NamedTuple):
    """What is asked for. `per_week` is the number of faults of a pipeline in a week, on average."""

    seed: int
    pipelines: int
    from_ms: int
    to_ms: int
    kinds: Sequence[Kind] = tuple(Kind)
    per_week: float = FAULTS_PER_WEEK
    zone: str | None = None


class Recording(NamedTuple):
    """The platform, what each pipeline does, and the labels in the order of their start."""

    request: Request
    pipelines: list[Pipeline]
    histories: list[History]
    labels: list[Label]

    def days(self) -> Iterator[list[Sent]]:
        """All that is published, in order, day by day."""
        played = [Played.of(*both) for both in zip(self.pipelines, self.histories, strict=True)]
        yield from published(played, self.request.from_ms, self.request.to_ms)

    def incidents(self) -> dict[str, Any]:
        """The labels as they are written."""
        request = self.request
        return {
            "seed": request.seed,
            "from": rfc3339(request.from_ms),
            "to": rfc3339(request.to_ms),
            "incidents": [_described(number, label) for number, label in enumerate(self.labels, 1)],
        }

    def platform(self) -> dict[str, Any]:
        """What each pipeline is, for a reader."""
        return {"pipelines": [_portrait(pipeline, self.request.from_ms) for pipeline in self.pipelines]}


def record(request: Request, seen: Callable[[list[Pipeline]], Iterable[Pipeline]] = iter) -> Recording:
    """Everything, from the seed; the pipelines pass through `seen` as their ordinary history is made."""
    from_ms, to_ms = request.from_ms, request.to_ms
    pipelines = draw_platform(request.seed, request.pipelines, from_ms, to_ms, request.zone)
    histories = [_ordinary(pipeline, request.seed, from_ms, to_ms) for pipeline in seen(pipelines)]
    plan = Plan(request.seed, pipelines, histories, to_ms)
    if request.kinds:
        plan.fill(request.kinds, plan.number(request.per_week))
    labels = sorted(plan.labels, key=lambda label: (label.starts_ms, label.match.get("pipeline", "")))
    return Recording(request, pipelines, plan.histories, labels)


def span(end_ms: int, days: int) -> tuple[int, int]:
    """So many days up to a time."""
    return end_ms - days * DAY_MS, end_ms


def rfc3339(time_ms: int) -> str:
    """UTC, to the second or the millisecond."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds").replace("+00:00", "Z")


def _ordinary(pipeline: Pipeline, seed: int, from_ms: int, to_ms: int) -> History:
    if pipeline.archetype.streaming:
        return History([], ordinary_stream(pipeline, seed, from_ms, to_ms))
    return History(ordinary_runs(pipeline, seed, from_ms, to_ms), [])


def _described(number: int, label: Label) -> dict[str, Any]:
    return {
        "id": f"{number:04d}-{label.kind}",
        "kind": label.kind.value,
        "match": label.match,
        "signals": list(label.signals),
        "starts_at": rfc3339(label.starts_ms),
        "ends_at": rfc3339(label.ends_ms),
        "expected": label.expected,
        "for_good": label.for_good,
        "detail": label.detail,
    }


def _portrait(pipeline: Pipeline, from_ms: int) -> dict[str, Any]:
    portrait: dict[str, Any] = {
        "name": pipeline.name,
        "archetype": pipeline.archetype.value,
        "zone": pipeline.zone,
        "schedule": str(pipeline.schedule),
    }
    if pipeline.begins_ms > from_ms:
        portrait["begins_at"] = rfc3339(pipeline.begins_ms)
    if pipeline.archetype.streaming:
        return portrait | {"throughput": round(pipeline.rows, 1), "lag_s": round(pipeline.lag_s, 1)}
    if pipeline.tasks or pipeline.task:
        portrait["tasks"] = list(pipeline.tasks) or [pipeline.task]
    return portrait | {
        "duration_s": round(pipeline.duration_ms / 1000, 1),
        "duration_tails": "heavy" if pipeline.duration_heavy else "log-normal",
        "rows": round(pipeline.rows, 1),
        "rows_are": pipeline.amounts.value,
        "weekend": round(pipeline.season.weekend, 2),
        "holiday": pipeline.on_holiday.value,
        "announces_start": pipeline.announces_start,
        "declares_schema": bool(pipeline.schema),
    }
