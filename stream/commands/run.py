"""`streamgauge run`: one worker, until it is told to stop."""

from dataclasses import replace
from typing import Annotated, Literal

import typer
from confluent_kafka import KafkaException

from stream import logs, topics
from stream.commands.options import BootstrapServersOption, ConfigOption, HttpPortOption, overrides
from stream.config import Config, librdkafka_properties, load_with_places
from stream.exits import Exit, Refused

Level = Literal["debug", "info", "warning", "error"]


def run(
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
    http_port: HttpPortOption = None,
    log_level: Annotated[Level, typer.Option("--log-level", help="Least severity that is logged.")] = "info",
    log_format: Annotated[
        logs.LogFormat, typer.Option("--log-format", help="For people or machines.")
    ] = "console",
) -> None:
    """Run a worker: read the sources, detect, publish alerts. Start more of them to share the work.

    A change of the configuration file comes in force while workers run, where it can; SIGHUP has the file looked at now.
    SIGTERM or SIGINT makes it finish what is under way, store its state and leave; a second one ends it at once.
    """
    over = overrides(bootstrap_servers, http_port)
    loaded = load_with_places(config, over)
    cfg = loaded.config
    logs.configure(log_level, log_format)
    partitions = _source_partitions(cfg)
    # Faust and numba take a second to load: a broker that is away should be known before.
    from stream.config_offers import offered  # noqa: PLC0415
    from stream.config_watch import ConfigWatch  # noqa: PLC0415
    from stream.outbox import Outbox  # noqa: PLC0415
    from stream.telemetry import Telemetry  # noqa: PLC0415
    from stream.warm_up import compile_kernels  # noqa: PLC0415
    from stream.wiring import topology  # noqa: PLC0415
    from stream.worker import run_worker  # noqa: PLC0415

    async def watch(outbox: Outbox, telemetry: Telemetry) -> None:
        properties = librdkafka_properties(cfg, "consumer")
        file_watch = ConfigWatch(loaded.file, cfg, over, outbox, telemetry)
        await file_watch.watch(lambda: offered(properties, cfg.configs.topic))

    compile_kernels()
    run_worker(replace(topology(cfg, partitions), beside=watch))


def _source_partitions(cfg: Config) -> dict[str, int]:
    """The number of partitions of each source; Refused when Kafka is away or topics are not as they must be."""
    broker = topics.Broker(cfg)
    broker.reach()
    try:
        problems = topics.check(broker.admin, topics.wanted(cfg))
        there = broker.admin.list_topics(timeout=topics.ANSWER_S_MAX).topics
    except KafkaException as error:
        raise Refused(f"Kafka: {error.args[0].str()}", Exit.KAFKA) from None
    if problems:
        said = "\n".join(f"  {problem}" for problem in problems)
        raise Refused(f"topics are not as they must be:\n{said}", Exit.KAFKA)
    return {source.topic: len(there[source.topic].partitions) for source in cfg.sources}
