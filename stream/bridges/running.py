"""Running bridges: a thread for each target, one HTTP server for all, and a clean end."""

import signal
from collections.abc import Callable, Sequence
from importlib.metadata import version
from threading import Event, Thread
from typing import Final, TypeVar

import structlog

from stream.alert_group import AlertGroup
from stream.bridges.bridge import Bridge
from stream.bridges.dead_letters import DeadLetters
from stream.bridges.retries import Retries
from stream.bridges.target import Target
from stream.bridges.telemetry import BridgeTelemetry
from stream.config import Config, librdkafka_properties
from stream.config.bridges import Target as TargetConfig
from stream.exits import Exit, Refused
from stream.guards import Stopper
from stream.http import HttpServer

LOOK_S: Final = 0.2
END_S: Final = 5.0
"""How long a bridge may take to leave its group, after the attempt that is under way."""

ConfigT = TypeVar("ConfigT", bound=TargetConfig)

log = structlog.get_logger(__name__)


def run_bridges(
    config: Config, kind: str, targets: Sequence[ConfigT], make: Callable[[ConfigT, BridgeTelemetry], Target]
) -> None:
    """Run one bridge for each target of a kind, which `make` makes of its configuration, until SIGTERM or SIGINT; what is under way is finished or comes again.

    Raises:
        Refused: Kafka or the HTTP port cannot be had, or Kafka refuses a bridge later.
    """
    telemetry, stop = BridgeTelemetry(version("streamgauge")), Event()
    made = [make(of, telemetry) for of in targets]
    dead_letters = DeadLetters(librdkafka_properties(config, "producer"), config.dead_letters.topic)
    bridges = [
        _bridge(config, f"{kind}/{of.name}", of, target, dead_letters, telemetry, stop)
        for of, target in zip(targets, made, strict=True)
    ]
    http = HttpServer(
        config.http.host,
        config.http.port,
        telemetry.registry,
        lambda: [why for bridge in bridges if (why := bridge.unhealthy())],
        lambda: [why for bridge in bridges if (why := bridge.unready())],
    )
    http.start()
    log.info("http.listening", address=http.address)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _told(number, stop))
    timeout_s = max(of.timeout_ms for of in targets) / 1000
    _run(bridges, stop, timeout_s + END_S)
    http.close()
    log.info("bridges.stopped")


def _bridge(
    config: Config,
    name: str,
    of: TargetConfig,
    target: Target,
    dead_letters: DeadLetters,
    telemetry: BridgeTelemetry,
    stop: Event,
) -> Bridge:
    group = f"{config.name}.bridge.{name.replace('/', '.')}"
    records = AlertGroup(librdkafka_properties(config, "member"), group, config.alerts.topic)
    log.info("bridge.started", bridge=name, group=group)
    retries = Retries(of.refusals_max, of.retry_for_ms / 1000)
    return Bridge(name, records, target, retries, dead_letters, telemetry, stop)


def _run(bridges: Sequence[Bridge], stop: Event, end_s: float) -> None:
    died: list[Exception] = []

    def run(bridge: Bridge) -> None:
        try:
            bridge.run()
        except Exception as error:  # noqa: BLE001  whatever a thread dies of ends the process
            died.append(error)
            stop.set()

    threads = [Thread(target=run, args=(bridge,), name=bridge.name, daemon=True) for bridge in bridges]
    for thread in threads:
        thread.start()
    while not stop.wait(LOOK_S):
        pass
    for thread in threads:
        thread.join(end_s)
    if died:
        Stopper().stop(died[0])


def _told(number: int, stop: Event) -> None:
    name = signal.Signals(number).name
    if stop.is_set():
        Stopper().stop(Refused(f"{name} again: ended at once", Exit.INTERRUPTED))
    log.info("bridges.stopping", signal=name)
    stop.set()
