"""What the SDK does without Kafka. Nothing listens on the port used here; tests/integrations has the runs with Kafka."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.publisher import Publisher
from stream.publisher_buffer import LOG_INTERVAL_S, Buffer

HANG_S = 60
LOGGER = "streamgauge.publisher"


@pytest.fixture(scope="module")
def nowhere() -> Iterator[str]:
    """An address that refuses connections: the port is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def publisher(nowhere: str) -> Iterator[Publisher]:
    publisher = Publisher(nowhere)
    yield publisher
    publisher.close(0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_while_kafka_is_away_events_are_kept(publisher: Publisher):
    for _ in range(100):
        publisher.event("orders", "succeeded", rows=1)
    assert (publisher.pending, publisher.dropped, publisher.delivered) == (100, 0, 0)
    assert publisher.flush(0.05) is False
    assert publisher.pending == 100


def test_a_full_buffer_drops_what_comes_and_counts_it(nowhere: str):
    publisher = Publisher(nowhere, buffer_records_max=10)
    for _ in range(25):
        publisher.event("orders", "succeeded")
    assert (publisher.pending, publisher.dropped) == (10, 15)
    assert publisher.close(0) is False
    assert (publisher.pending, publisher.dropped) == (0, 25)


def test_after_closing_events_are_dropped_and_nothing_raises(publisher: Publisher):
    publisher.close(0)
    publisher.event("orders", "started")
    publisher.close(0)
    assert publisher.dropped == 1


def test_the_log_speaks_once_per_interval_with_everything_counted(
    nowhere: str, caplog: pytest.LogCaptureFixture
):
    clock = Clock()
    buffer = Buffer({"bootstrap.servers": nowhere}, 10, clock)
    with caplog.at_level(logging.WARNING, LOGGER):
        for _ in range(5):
            buffer.drop("no room")
        assert [record.getMessage() for record in caplog.records] == [
            "an event was dropped: no room [delivered 0, waiting 0, dropped 1]"
        ]
        clock.now_s += LOG_INTERVAL_S
        buffer.drop("no room")
        assert caplog.records[1:][0].getMessage().startswith("an event was dropped: no room (5 times)")
        buffer.drop("no room")
        buffer.close(0)
        assert len(caplog.records) == 3


def test_kafka_being_away_is_in_the_log_with_the_reason(nowhere: str, caplog: pytest.LogCaptureFixture):
    publisher = Publisher(nowhere)
    with caplog.at_level(logging.WARNING, LOGGER):
        publisher.event("orders", "started")
        publisher.flush(1)
        publisher.close(0)
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "Kafka cannot be reached, events are kept" in said
    assert "Connection refused" in said
    assert "still waiting when the publisher closed" in said


def test_the_sdk_configures_no_logging(publisher: Publisher):
    publisher.event("orders", "started")
    logger = logging.getLogger(LOGGER)
    assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.none() | st.text() | st.integers(),
    st.none() | st.text() | st.integers(),
    st.dictionaries(
        st.sampled_from(["task", "rows", "labels", "schema", "time", "run_id", "nonsense"]),
        st.none() | st.text() | st.integers() | st.floats() | st.lists(st.integers()),
    ),
)
def test_no_argument_whatever_breaks_the_pipeline(
    publisher: Publisher, pipeline: Any, state: Any, fields: Any
):
    publisher.event(pipeline, state, **fields)
    publisher.metric(pipeline, state, fields)
    with publisher.run(pipeline, **{name: value for name, value in fields.items() if name != "rows"}) as run:
        run.rows = state
        run.add_rows(pipeline)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_exceptions_go_on_even_those_that_cannot_be_printed(publisher: Publisher):
    with pytest.raises(Unprintable), publisher.run("orders"):
        raise Unprintable
    assert (publisher.pending, publisher.dropped) == (2, 0)


def test_an_event_with_a_wrong_field_goes_without_it_and_says_so(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, LOGGER):
        publisher.event("orders", "succeeded", rows=-1)
    assert (publisher.pending, publisher.dropped) == (1, 0)
    assert "a field was left out of an event: rows: -1 is not from 0 to 1e+18" in caplog.text


def test_an_event_that_cannot_be_sent_is_dropped_and_says_so(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, LOGGER):
        publisher.event("", "started")
    assert (publisher.pending, publisher.dropped) == (0, 1)
    assert "an event was dropped: pipeline: '' is no name" in caplog.text


def test_a_property_that_kafka_s_client_refuses_drops_events_and_breaks_nothing(
    caplog: pytest.LogCaptureFixture,
):
    publisher = Publisher(properties={"bootstrap.servers": "127.0.0.1:1", "no.such.property": "x"})
    with caplog.at_level(logging.WARNING, LOGGER):
        publisher.event("orders", "started")
    assert publisher.dropped == 1
    assert 'No such configuration property: "no.such.property"' in caplog.text


@pytest.mark.parametrize("arguments", [{}, {"properties": {"linger.ms": 5}}])
def test_a_publisher_must_be_told_where_kafka_is(arguments: dict[str, Any]):
    with pytest.raises(TypeError, match="where Kafka is"):
        Publisher(**arguments)


def test_a_buffer_without_limit_cannot_be_asked_for():
    with pytest.raises(ValueError, match="buffer_records_max is 0"):
        Publisher("127.0.0.1:1", buffer_records_max=0)


def test_threads_share_a_publisher_and_lose_nothing(publisher: Publisher):
    def publish() -> None:
        for _ in range(250):
            publisher.event("orders", "succeeded")

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.pending + publisher.dropped == 2000


def test_a_decorated_function_is_a_run_and_keeps_its_name_and_result(publisher: Publisher):
    @publisher.watch("orders", task="load")
    def load(rows: int) -> int:
        return rows * 2

    assert (load.__name__, load(21), publisher.pending) == ("load", 42, 2)


def test_a_decorated_coroutine_is_a_run_until_it_is_done(publisher: Publisher):
    @publisher.watch("orders")
    async def load() -> int:
        assert publisher.pending == 1
        await asyncio.sleep(0)
        assert publisher.pending == 1
        return 7

    assert asyncio.run(load()) == 7
    assert publisher.pending == 2


def test_a_forked_child_starts_with_nothing_and_ends(publisher: Publisher):
    publisher.event("orders", "started")
    child = os.fork()
    if child == 0:
        with publisher.run("orders"):
            pass
        os._exit(10 * publisher.pending + publisher.dropped)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 20
    assert publisher.pending == 1


ENDINGS = {
    "falls off the end": "",
    "exits": "sys.exit(0)",
    "forgets the publisher": "del publisher",
    "forks and both exit": "os.fork()\npublisher.event('orders', 'failed')",
    "runs in a worker process": (
        "import multiprocessing\n"
        "worker = multiprocessing.get_context('fork').Process(target=publisher.event, args=('orders', 'failed'))\n"
        "worker.start(); worker.join()"
    ),
    "forks while names are looked up, which leaves the C library's lock taken in some children": (
        "import socket, threading\n"
        "def look_up():\n"
        "    while True: socket.getaddrinfo('127.0.0.1', 9092, flags=socket.AI_ADDRCONFIG)\n"
        "for _ in range(3): threading.Thread(target=look_up, daemon=True).start()\n"
        "for _ in range(10):\n"
        "    if os.fork() == 0:\n"
        "        publisher.event('orders', 'failed')\n"
        "        break"
    ),
    "leaves a run open": "run = publisher.run('orders').__enter__()",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_an_interpreter_ends_while_kafka_is_away(nowhere: str, ending: str):
    program = (
        "import os, sys\nfrom stream.publisher import Publisher\n"
        f"publisher = Publisher('{nowhere}')\npublisher.event('orders', 'started')\n{ending}\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=HANG_S
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
