"""The undisturbed fold: the same source records through the same stages, in one go, with nothing in between."""

from collections import Counter
from dataclasses import dataclass

from detectors.detect import Detect
from detectors.outputs import Destination, Output
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
    for place, log in logs.items():
        end = log[-1].offset + 1 if log else 0
        outputs += ingest.mark(*place, end, broker.now_ms, caught_up=True, idle=True)
    return _fold(scenario, outputs)


def _fold(scenario: Scenario, outputs: list[Output]) -> Undisturbed:
    """The samples of every partition through their own detect, whose order among them cannot matter."""
    samples = [output for output in outputs if output.destination is Destination.SAMPLES]
    dead = [output for output in outputs if output.destination is Destination.DEAD_LETTERS]
    triage = triage_stage(scenario.settings)
    done = Undisturbed([], dead, Counter(), [])
    notes = [output for output in outputs if output.destination is Destination.ANOMALIES]
    for at, note in enumerate(notes):
        done.alerts += triage.step(at, note.value or b"")
    anomalies = len(notes)
    for shard in range(scenario.shards):
        detect = detect_stage(scenario.settings, shard, 1)
        mine = [output for output in samples if output.partition == shard]
        for offset, output in enumerate(mine):
            for anomaly in detect.step(offset, output.value or b""):
                done.alerts += triage.step(anomalies, anomaly.value or b"")
                anomalies += 1
        done.counts += detect.take_counts()
        done.followed += followed(detect)
    return done


def followed(stage: Stage) -> list[str]:
    """What a detect stage knows of its series, one line each."""
    return [str(known) for known in stage.followed()] if isinstance(stage, Detect) else []
