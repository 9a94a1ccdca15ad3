"""The undisturbed fold: the same source records through the same stages, in one go, with nothing in between."""

from collections import Counter
from dataclasses import dataclass

from detectors.detect import Detect
from detectors.outputs import Destination, Output
from detectors.shard_verdicts import MARK_EVERY_MS
from detectors.stage import Count, Stage
from stream.stages import detect_stage, triage_stage
from stream.testing.simulator.kafka import Broker
from stream.testing.simulator.scenario import Scenario


@dataclass
class Undisturbed:
    """What comes out: alert records in order, dead letters, counts, and what is known of every series."""

    alerts: list[Output]
    dead_letters: list[Output]
    counts: Counter[Count]
    followed: list[str]


def undisturbed(scenario: Scenario, broker: Broker) -> Undisturbed:
    """Fold what the source topics hold, each partition in one batch, into one shard; then let all time pass."""
    ingest = scenario.make_ingest()
    outputs: list[Output] = []
    logs = {place: broker.logs[place] for place in scenario.places()}
    for place, log in logs.items():
        if log:
            outputs += ingest.batch(
                *place,
                [record.offset for record in log],
                [record.value for record in log],
                [record.timestamp_ms for record in log],
                -1,
                broker.now_ms,
                caught_up=False,
            )
    for now_ms in (broker.now_ms, broker.now_ms + 2 * MARK_EVERY_MS):
        for place, log in logs.items():
            end = log[-1].offset + 1 if log else 0
            outputs += ingest.mark(*place, end, now_ms, caught_up=True, idle=True)
    return _fold(scenario, outputs)


def _fold(scenario: Scenario, outputs: list[Output]) -> Undisturbed:
    """The samples of every partition through their own detect, as they came."""
    dead = [output for output in outputs if output.destination is Destination.DEAD_LETTERS]
    triage = triage_stage(scenario.settings)
    detects = [detect_stage(scenario.settings, shard) for shard in range(scenario.shards)]
    done = Undisturbed([], dead, Counter(), [])
    anomalies = 0
    for output in outputs:
        if output.destination is Destination.ANOMALIES:
            done.alerts += triage.step(anomalies, output.value or b"")
            anomalies += 1
        if output.destination is Destination.SAMPLES:
            detect = detects[output.partition or 0]
            for anomaly in detect.step(detect.covered_offset + 1, output.value or b""):
                done.alerts += triage.step(anomalies, anomaly.value or b"")
                anomalies += 1
    for detect in detects:
        done.counts += detect.take_counts()
        done.followed += followed(detect)
    return done


def followed(stage: Stage) -> list[str]:
    """What a detect stage knows of its series, one line each."""
    return [str(known) for known in stage.followed()] if isinstance(stage, Detect) else []
