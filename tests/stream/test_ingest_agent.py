"""The shell of ingest: how long records waited is measured only where their partition is read to its end."""

import time
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from prometheus_client import generate_latest

from stream.ingest_agent import Ends, IngestAgent
from stream.message_columns import Columns
from stream.sources import Batch, Place
from stream.telemetry import Telemetry

PLACE = Place("orders", 0)


@pytest.mark.parametrize(
    ("end", "counted"), [pytest.param(12, True, id="at the end"), pytest.param(13, False, id="in a backlog")]
)
def test_waiting_is_measured_at_the_end_of_a_partition(end: int, counted: bool) -> None:
    telemetry, ingest = Telemetry("test"), MagicMock()
    ends = Ends({PLACE: end}, time.monotonic())
    unused = MagicMock()
    agent = IngestAgent(lambda: ingest, unused, unused, unused, unused, ends, telemetry, 60)
    stamps = np.array([1_780_000_000_000, 1_780_000_000_001])
    values: Any = [b"", b""]
    agent._outputs(Batch(PLACE, 9, Columns(np.array([10, 11]), values, stamps)))
    assert (b'seen_seconds_count{topic="orders"} 1.0' in generate_latest(telemetry.registry)) is counted
    *place, _, _, _, previous, _, caught_up = ingest.batch.call_args.args
    assert (*place, previous, caught_up) == (*PLACE, 9, counted)
