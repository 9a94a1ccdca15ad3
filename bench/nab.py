"""The Numenta Anomaly Benchmark's score of `streamgauge score`, on a folder of NAB series.

    python bench/nab.py [FOLDER]        FOLDER holds <group>/<series>.csv and windows.json; default ../shared/fixtures/nab

Scores as in Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA
2015, standard profile (true positive 1, false positive 0.11, false negative 1): the first detection in a window earns a
sigmoid of how early it is, one outside loses a sigmoid of how far it is behind the window before; the first 15 % of a
series (of at most 5,000 rows) do not count. 0 is a detector that says nothing, 100 one that is perfect.
"""

import argparse
import json
import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stream.commands.score import Scored, ScoredSignal, judged
from stream.series_csv import SeriesCsv

FALSE_POSITIVE = 0.11
PROBATION_SHARE, PROBATION_ROWS_MAX = 0.15, 750
THRESHOLD = 4.4
SAME_INCIDENT_MS = 3_600_000
WEEK_MS = 604_800_000


class Tally(NamedTuple):
    """What one or several series scored."""

    points: float = 0.0
    windows: int = 0
    found: int = 0
    false_alerts: int = 0
    weeks: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.points + other.points,
            self.windows + other.windows,
            self.found + other.found,
            self.false_alerts + other.false_alerts,
            self.weeks + other.weeks,
        )

    @property
    def score(self) -> float:
        """From 0 for silence to 100 for perfection."""
        return 100 * (self.points + self.windows) / (2 * self.windows)


def sigmoid(place: float) -> float:
    """NAB's scaled sigmoid: 1 far left, 0 at the right end of a window (place 0), -1 beyond three widths."""
    return -1.0 if place > 3 else 2 / (1 + math.exp(5 * place)) - 1


def tally(times_ms: list[int], flagged: list[int], windows_ms: list[tuple[int, int]]) -> Tally:
    """Score the flagged rows of one series."""
    windows = [(bisect_left(times_ms, a), bisect_right(times_ms, b) - 1) for a, b in windows_ms]
    probation = min(math.floor(PROBATION_SHARE * len(times_ms)), PROBATION_ROWS_MAX)
    best = [-1.0] * len(windows)
    lost, false_alerts = 0.0, 0
    for row in (row for row in flagged if row >= probation):
        inside = [k for k, (left, right) in enumerate(windows) if left <= row <= right]
        if inside:
            left, right = windows[inside[0]]
            best[inside[0]] = max(
                best[inside[0]], sigmoid(-(right - row + 1) / (right - left + 1)) / sigmoid(-1.0)
            )
            continue
        before = [(left, right) for left, right in windows if right < row]
        lost += FALSE_POSITIVE * (
            sigmoid((row - before[-1][1]) / (before[-1][1] - before[-1][0])) if before else -1
        )
        false_alerts += 1
    weeks = (times_ms[-1] - times_ms[0]) / WEEK_MS
    return Tally(sum(best) + lost, len(best), sum(b > -1 for b in best), false_alerts, weeks)


def alerts(rows: list[Scored]) -> Iterator[int]:
    """Rows at which a notification would go out."""
    return (i for i, row in enumerate(rows) if row.alert)


def crossings(rows: list[Scored]) -> Iterator[int]:
    """Rows whose score reaches the threshold, with no other such row within the hour before."""
    last_ms = -math.inf
    for i, (row, judgement, _, _) in enumerate(rows):
        if judgement is not None and judgement.score >= THRESHOLD:
            if row.time_ms - last_ms > SAME_INCIDENT_MS:
                yield i
            last_ms = row.time_ms


def read(path: Path) -> list[Scored]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(judged(SeriesCsv(lines, str(path), "timestamp", "value"), ScoredSignal.VALUE))


def time_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def report(title: str, folder: Path, flags: Callable[[list[Scored]], Iterator[int]], *, each: bool) -> None:
    total = Tally()
    for name, windows in json.loads((folder / "windows.json").read_text()).items():
        rows = read(folder / name)
        times = [scored.row.time_ms for scored in rows]
        one = tally(times, list(flags(rows)), [(time_ms(a), time_ms(b)) for a, b in windows])
        total = total.plus(one)
        if each:
            print(f"  {name:55} {one.found}/{one.windows} found, {one.false_alerts:3} false alerts")
    print(
        f"{title:45} NAB score {total.score:5.1f}   {total.found}/{total.windows} windows found, "
        f"{total.false_alerts} false alerts, {total.false_alerts / total.weeks:.2f} per series-week"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "nab"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--each", action="store_true", help="one line for each series, too")
    options = parser.parse_args()
    if not (options.folder / "windows.json").exists():
        sys.exit(f"{options.folder}: no windows.json there; give the folder of the NAB series")
    report("notifications (alert = 1)", options.folder, alerts, each=options.each)
    report(f"score >= {THRESHOLD}, once an hour", options.folder, crossings, each=False)


if __name__ == "__main__":
    main()
