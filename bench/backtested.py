"""Backtests a recorded topic and prints how fast: one JSON line with events, seconds, and alerts.

python -m bench.backtested CONFIG TOPIC WARM_UP
"""

import json
import sys
import time
from pathlib import Path

from stream.config import load
from stream.trial.history import Since
from stream.trial.recordings import KafkaRecording
from stream.trial.running import try_out


def main() -> None:
    """The clock starts when the warm-up is ingested; what counts are the records that were not yet ingested then."""
    file, topic, warm_up = sys.argv[1:]
    config = load(Path(file))
    recording = KafkaRecording([config], [Since(topic, 0)])
    read, began, began_at = 0, 0.0, 0

    def seen(more: int) -> None:
        nonlocal read, began, began_at
        read += more
        if not began and read >= int(warm_up):
            began, began_at = time.monotonic(), read

    trial = try_out([config], recording, seen)
    seconds, alerts = time.monotonic() - began, len(trial.runs[0].alerts)
    print(json.dumps({"events": trial.records - began_at, "seconds": seconds, "alerts": alerts}))


if __name__ == "__main__":
    main()
