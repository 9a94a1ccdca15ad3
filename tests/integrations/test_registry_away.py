"""A schema registry that is away for a while: nothing is lost, other sources go on, and a worker that waits for it ends when told to."""

import io
import json
import re
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fastavro
import pytest

from stream.local_broker import free_ports
from tests.integrations.deployment import PARTITIONS, Deployment, Worker

Deploy = Callable[..., Deployment]
ORDERS, EVENTS, UNKNOWN = 400, 200, 9
SCHEMA = {"type": "record", "name": "Order", "fields": [{"name": "total", "type": "long"}]}


class SmallRegistry:
    """Schema number 1 by Confluent's API, and no other; while it is `ill` it answers 503."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.ill = False
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path.partition("?")[0] == "/schemas/ids/1"
                body: dict[str, Any] = {"error_code": 40403, "message": "Schema not found"}
                if known:
                    body = {"schema": json.dumps(SCHEMA)}
                self.send_response(503 if outer.ill else 200 if known else 404)
                self.end_headers()
                self.wfile.write(b"busy" if outer.ill else json.dumps(body).encode())

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    it = SmallRegistry()
    yield it
    it.stop()


def order(number: int, schema: int = 1) -> tuple[int, bytes]:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(SCHEMA), {"total": number})
    return number % PARTITIONS, struct.pack(">BI", 0, schema) + stream.getvalue()


def counted(worker: Worker, metric: str, topic: str) -> float:
    found = re.search(rf'^{metric}{{topic="{re.escape(topic)}"}} (\S+)$', worker.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_until(worker: Worker, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, worker.log.read_text() + worker.metrics()
        assert worker.process.poll() is None, worker.log.read_text()
        time.sleep(0.1)


def test_records_wait_for_a_registry_that_is_away_and_others_go_on(
    deploy: Deploy, registry: SmallRegistry
) -> None:
    settings = {"schema_registry": {"url": registry.url}}
    deployment = deploy({"orders": {"format": "records", "encoding": "avro"}, "events": "events"}, settings)
    orders, events = deployment.topic("orders"), deployment.topic("events")
    event = b'{"pipeline": "p", "state": "succeeded", "time": %d}' % (time.time() * 1000)
    deployment.publish("orders", [*map(order, range(ORDERS)), order(0, UNKNOWN)])
    deployment.publish("events", [(n % PARTITIONS, event) for n in range(EVENTS)])

    def held(worker: Worker) -> bool:
        ingested = counted(worker, "streamgauge_ingested_records_total", events)
        waits = counted(worker, "streamgauge_held_partitions", orders)
        return (waits, ingested) == (PARTITIONS, EVENTS)

    first = deployment.start()
    wait_until(first, lambda: held(first))
    assert counted(first, "streamgauge_ingested_records_total", orders) == 0
    assert any("source partitions are held: schema 1: the registry cannot" in it for it in first.unready)
    registry.ill = True
    registry.start()
    time.sleep(5)
    assert held(first)
    (said,) = first.logged("sources.held")
    assert said["topic"] == orders
    began_s = time.monotonic()
    assert first.end(signal.SIGTERM) == 0, first.log.read_text()
    assert time.monotonic() - began_s < 10

    second = deployment.start()
    wait_until(second, lambda: counted(second, "streamgauge_held_partitions", orders) == PARTITIONS)
    third = deployment.start()
    wait_until(
        second,
        lambda: 0 < counted(second, "streamgauge_held_partitions", orders) < PARTITIONS,
    )
    wait_until(third, lambda: counted(third, "streamgauge_held_partitions", orders) > 0)
    deployment.publish("orders", list(map(order, range(ORDERS))))
    registry.ill = False
    second.wait_for("sources.let_go")
    third.wait_for("sources.let_go")
    both = (second, third)
    wait_until(
        second, lambda: sum(counted(it, "streamgauge_records_total", orders) for it in both) == 2 * ORDERS + 1
    )
    wait_until(second, lambda: not any(counted(it, "streamgauge_held_partitions", orders) for it in both))
    for worker in both:
        assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    letters = deployment.records(deployment.config.dead_letters.topic)
    assert [headers["detail"] for _, _, headers in letters] == [
        b"schema 9: the registry answers 404: Schema not found"
    ]
