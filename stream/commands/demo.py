"""`streamgauge demo`: the whole product on this machine, in a minute."""

import queue
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding

from detectors.alerts import Alert, Kind, State
from stream import demo as parts
from stream.alert_stream import assign, follow, open_consumer
from stream.alert_text import render
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption
from stream.config import Config, librdkafka_properties, load
from stream.exits import Exit, Refused
from stream.publisher import Publisher
from stream.topics import Broker, create, wanted

WANTED = frozenset({Kind.LATENCY, Kind.VOLUME, Kind.FRESHNESS})
ALERTS_TIMEOUT_S = 60.0
NEXT = """
Next, with a Kafka of your own:
  streamgauge topics create --bootstrap-servers HOST:PORT      once
  streamgauge run --bootstrap-servers HOST:PORT                a worker, or several
  streamgauge publish PIPELINE --task TASK -- COMMAND          publish what becomes of a command
  streamgauge alerts --bootstrap-servers HOST:PORT             follow the alerts"""


def demo(
    bootstrap_servers: BootstrapServersOption = None,
    publish_only: Annotated[
        bool, typer.Option("--publish-only", help="Only play the platform, for a worker that runs elsewhere.")
    ] = False,
) -> None:
    """Watch a simulated data platform: two weeks of history, three incidents, three alerts.

    Without --bootstrap-servers an embedded broker is started, in memory and on loopback only.
    """
    console = console_for_people()
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/]  {text}")

    with _broker(bootstrap_servers, say) as servers:
        if publish_only:
            with Publisher(servers, buffer_records_max=parts.BUFFER_RECORDS_MAX) as publisher:
                _publish(publisher, say)
                _check_delivered(publisher)
        else:
            _play(servers, console, say)


@contextmanager
def _broker(bootstrap_servers: str | None, say: parts.Say) -> Iterator[str]:
    """Where Kafka is: as told, or an embedded broker that lives as long as the demo."""
    if bootstrap_servers is not None:
        yield bootstrap_servers
        return
    from stream.embedded import EmbeddedBroker  # noqa: PLC0415  an optional extra

    with EmbeddedBroker() as broker:
        say(f"embedded Kafka broker on {broker.bootstrap_servers}")
        yield broker.bootstrap_servers


def _play(servers: str, console: Console, say: parts.Say) -> None:
    with tempfile.TemporaryDirectory(prefix="streamgauge-demo-") as folder:
        path = parts.write_config(Path(folder), servers)
        config = load(path)
        broker = Broker(config)
        broker.reach()
        create(broker.admin, wanted(config))
        received = _alerts(config)
        with (
            parts.demo_worker(path) as worker,
            Publisher(servers, buffer_records_max=parts.BUFFER_RECORDS_MAX) as publisher,
        ):
            say("topics created, worker starting")
            worker.wait_until_ready()
            say(f"worker ready, metrics at {worker.url}/metrics")
            threading.Thread(target=_publish, args=(publisher, say), daemon=True).start()
            _await_alerts(received, console, say)
            say(_closing(worker))
    console.print(NEXT)


def _publish(publisher: Publisher, say: parts.Say) -> None:
    began = time.monotonic()
    count = parts.publish_history(publisher)
    took_s = time.monotonic() - began
    say(f"{count:,} run events published: {parts.HISTORY_DAYS} days of 10 pipelines, in {took_s:.1f} s")
    say(
        "now three incidents: orders/load hangs, payments/ingest arrives in part, inventory/sync does not run"
    )
    parts.publish_incidents(publisher, say)


def _alerts(config: Config) -> "queue.SimpleQueue[Alert]":
    """The alerts that come from now on, read in the background."""
    consumer = open_consumer(librdkafka_properties(config, "consumer"))
    partitions = assign(consumer, config.alerts.topic, int(time.time() * 1000))
    received: queue.SimpleQueue[Alert] = queue.SimpleQueue()

    def read() -> None:
        for one in follow(consumer, partitions, stop_at_end=False, complain=lambda _: None):
            received.put(one.alert)

    threading.Thread(target=read, daemon=True).start()
    return received


def _await_alerts(received: "queue.SimpleQueue[Alert]", console: Console, say: parts.Say) -> None:
    missing = set(WANTED)
    deadline = time.monotonic() + ALERTS_TIMEOUT_S
    while missing:
        try:
            alert = received.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise Refused(
                f"no alert of kind {', '.join(sorted(missing))} within {ALERTS_TIMEOUT_S:g} s", Exit.FAILURE
            ) from None
        say("[bold]an alert arrived[/]")
        with console.capture() as captured:
            console.print(Padding(render(alert), (0, 0, 0, 9), expand=False))
        typer.echo(re.sub(r" +$", "", captured.get(), flags=re.MULTILINE))
        if alert.state is State.FIRING:
            missing.discard(alert.kind)


def _check_delivered(publisher: Publisher) -> None:
    if not publisher.flush() or publisher.dropped:
        raise Refused(
            "Kafka did not take all events: is it there, and the topic pipeline.events?", Exit.KAFKA
        )


def _closing(worker: parts.DemoWorker) -> str:
    counts = parts.metrics(worker)
    return (
        f"three incidents, three alerts: {counts['streamgauge_records_total']:,.0f} records read,"
        f" {counts['streamgauge_series']:,.0f} series followed, {counts['streamgauge_dead_letters_total']:,.0f} dead letters"
    )
