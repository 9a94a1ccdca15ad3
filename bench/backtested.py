"""Backtests a recorded topic and prints how fast: one JSON line with events, seconds, and alerts.

python -m bench.backtested CONFIG TOPIC WARM_UP
"""

import json
import sys
import time
from pathlib import Path

from detectors.outputs import Output
from stream.config import load
from stream.trial.history import Since
from stream.trial.recordings import KafkaRecording
from stream.trial.running import try_out


def main() -> None:
    """The clock starts when a warm-up is folded in; what counts are the records that were not yet ingested then."""
    file, topic, warm_up = sys.argv[1:]
    config = load(Path(file))
    recording = KafkaRecording([config], [Since(topic, 0)])
    ingested: list[int] = []
    """How many records there were after each stretch."""
    folded = 0
    began: tuple[float, int] | None = None

    def seen(more: int) -> None:
        ingested.append(more + (ingested[-1] if ingested else 0))

    def about_to_fold(_: list[Output]) -> None:
        nonlocal folded, began
        if began is None and folded and ingested[folded - 1] >= int(warm_up):
            began = time.monotonic(), ingested[-1]
        folded += 1

    trial = try_out([config], recording, seen, watch=about_to_fold)
    ended_s, alerts = time.monotonic(), len(trial.runs[0].alerts)
    began_s, begun = began or (ended_s, trial.records)
    print(json.dumps({"events": trial.records - begun, "seconds": ended_s - began_s, "alerts": alerts}))


if __name__ == "__main__":
    main()
