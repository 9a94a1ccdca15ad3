"""The shell of ingest: what is written first, and where how long records waited is measured."""

import asyncio
import time
from typing import Any
from unittest.mock import AsyncMock, MagicMock, call

import numpy as np
import pytest
from prometheus_client import generate_latest

from detectors.outputs import Destination, Output
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


def test_what_is_told_of_lineage_is_stored_before_the_samples_are_written() -> None:
    note, samples = (Output(it, None, b"", 0) for it in (Destination.ANOMALIES, Destination.SAMPLES))
    ingest, outbox, sources, membership = MagicMock(), MagicMock(), MagicMock(), MagicMock(epoch=1)
    ingest.batch.return_value = [note, samples]
    outbox.deliver, outbox.post = AsyncMock(), AsyncMock()
    sources.feeds = {PLACE: MagicMock(turn=1, posted=10)}
    agent = IngestAgent(
        lambda: ingest, sources, MagicMock(), membership, outbox, Ends({}, 0), Telemetry("test"), 60
    )
    values: Any = [b""]
    batch = Batch(PLACE, 9, Columns(np.array([10]), values, np.array([1_780_000_000_000])), 1)
    asyncio.run(agent._handle(MagicMock(), batch))
    assert outbox.mock_calls == [call.deliver([note]), call.post([samples])]

    outbox.reset_mock()
    sources.feeds[PLACE].posted = 10
    outbox.deliver.side_effect = lambda _: setattr(membership, "epoch", 2)
    asyncio.run(agent._handle(MagicMock(), batch))
    assert outbox.mock_calls == [call.deliver([note])]
