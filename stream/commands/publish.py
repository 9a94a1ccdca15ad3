"""`streamgauge publish`: run events from a shell: one event, a file of them, or a command that is watched while it runs."""

import re
import shutil
import uuid
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from stream import publications
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.commands.run_event_options import (
    AfterOption,
    BytesOption,
    DatasetOption,
    ErrorOption,
    InputsOption,
    LabelOption,
    OutputsOption,
    OwnerOption,
    RowsOption,
    RunIdOption,
    TaskOption,
    TimeOption,
    TookOption,
)
from stream.config import Config, librdkafka_properties, load
from stream.deliveries import Deliveries
from stream.exits import Exit, Refused
from stream.publisher import Publisher
from stream.run_event_file import read_run_events
from stream.watched_command import NOT_EXECUTABLE, NOT_FOUND, Ending, run_watched

BAD_LINES_SHOWN_MAX: Final = 20
TOPIC_TIMEOUT_MS: Final = 5_000
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)")


def publish(  # noqa: PLR0913  one option for each field of a run event
    pipeline: Annotated[str | None, typer.Argument(help="Name of the pipeline.", show_default=False)] = None,
    state_or_command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STATE | -- COMMAND...",
            help="started, succeeded, failed or skipped; or -- and a command to run and report.",
            show_default=False,
        ),
    ] = None,
    *,
    task: TaskOption = None,
    run_id: RunIdOption = None,
    duration: TookOption = None,
    rows: RowsOption = None,
    size_bytes: BytesOption = None,
    dataset: DatasetOption = None,
    inputs: InputsOption = None,
    outputs: OutputsOption = None,
    after: AfterOption = None,
    label: LabelOption = None,
    owner: OwnerOption = None,
    error: ErrorOption = None,
    time: TimeOption = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Publish run events, one JSON object a line; - reads standard input."
        ),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            help="Topic; the configuration's first of format events unless given.", show_default=False
        ),
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long Kafka may take.")] = "10s",
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Publish a run event, or run a command and publish what becomes of it.

    streamgauge publish orders succeeded --task load --duration 5312ms --rows 120345

    streamgauge publish orders --task load -- ./load.sh today

    A watched command keeps its input, output, signals and exit code, and never fails because of Kafka.
    """
    about: dict[str, Any] = {
        "task": task,
        "run_id": run_id,
        "dataset": dataset,
        "inputs": inputs or None,
        "outputs": outputs or None,
        "after": after or None,
        "labels": _labels(label or []),
        "owner": owner,
    }
    told: dict[str, Any] = {
        "duration_ms": _duration_ms(duration, "--duration"),
        "rows": rows,
        "bytes": size_bytes,
    }
    told |= {"error": error, "time": _time(time)}
    target = Target(config, bootstrap_servers, topic, (_duration_ms(timeout, "--timeout") or 0) / 1000)
    rest = state_or_command or []
    if file is not None:
        _refuse({"PIPELINE": pipeline, "STATE": rest, **about, **told}, "--file, whose lines say everything")
        _publish_file(file, target)
    elif not pipeline or not rest:
        raise _usage("give a pipeline and a state, or a pipeline and -- COMMAND, or --file FILE")
    elif len(rest) == 1 and rest[0] in publications.STATES:
        _publish_event(pipeline, rest[0], about | told, target)
    else:
        _refuse_misspelt_state(rest)
        _refuse(told, "a command, whose end is reported as it comes")
        raise typer.Exit(_publish_command(pipeline, rest, about, target))


class Target(NamedTuple):
    """Where records go and how long that may take; the configuration is read when it is needed."""

    config_path: Path | None
    bootstrap_servers: str | None
    topic_option: str | None
    timeout_s: float

    def config(self) -> Config:
        """The effective configuration. Raises Refused."""
        return load(self.config_path, overrides(self.bootstrap_servers))

    def topic(self, config: Config) -> str:
        """The topic named by the option, or the configuration's own for run events."""
        ours = [source.topic for source in config.sources if source.format == "events"]
        if self.topic_option or ours:
            return self.topic_option or ours[0]
        raise _usage("the configuration has no source of format events; name the topic with --topic")

    def deliveries(self, config: Config) -> Deliveries:
        """To the topic. Raises Refused."""
        return Deliveries(librdkafka_properties(config, "producer"), self.topic(config), self.timeout_s)


def _publish_event(pipeline: str, state: str, fields: dict[str, Any], target: Target) -> None:
    made_up = state == "started" and fields["run_id"] is None
    if made_up:
        fields["run_id"] = str(uuid.uuid4())
    try:
        publication = publications.run_event(pipeline, state, fields)
    except ValueError as error:
        raise _usage(str(error)) from None
    if publication.left_out:
        raise _usage("; ".join(publication.left_out))
    deliveries = target.deliveries(target.config())
    deliveries.send(publication.key, publication.value)
    deliveries.finish()
    if made_up:
        typer.echo(fields["run_id"])


def _publish_command(pipeline: str, command: list[str], about: dict[str, Any], target: Target) -> int:
    """Run the command and report it; its exit code. What goes wrong in between is said on stderr and changes nothing."""
    try:
        config = target.config()
        properties = {"topic.metadata.propagation.max.ms": TOPIC_TIMEOUT_MS}
        properties |= librdkafka_properties(config, "producer")
        publisher = Publisher(properties=properties, topic=target.topic(config))
    except Refused as refused:
        typer.echo(f"the run of {pipeline} is not reported: {refused}", err=True)
        return _run(command).exit_code
    with publisher.run(pipeline, **about) as run:
        ending = _run(command)
        if ending.error:
            run.fail(ending.error)
    publisher.close(target.timeout_s)
    return ending.exit_code


def _run(command: list[str]) -> Ending:
    ending = run_watched(command)
    if ending.exit_code in (NOT_FOUND, NOT_EXECUTABLE) and not ending.error.startswith("exit code"):
        typer.echo(ending.error, err=True)
    return ending


def _publish_file(file: str, target: Target) -> None:
    config = target.config()
    deliveries = target.deliveries(config)
    bad_lines = 0
    for line in read_run_events(file, config.limits_for_ingest()):
        if line.fault:
            bad_lines += 1
            _show(f"{line.place}: {line.fault}", bad_lines)
        else:
            deliveries.send(line.key, line.value)
    typer.echo(f"{deliveries.finish()} run events published", err=True)
    if bad_lines:
        raise Refused(f"{bad_lines} lines are no run events and were not published", Exit.DATA)


def _show(message: str, count: int) -> None:
    if count <= BAD_LINES_SHOWN_MAX:
        typer.echo(message, err=True)
    elif count == BAD_LINES_SHOWN_MAX + 1:
        typer.echo("further lines are counted only", err=True)


def _labels(written: list[str]) -> dict[str, str] | None:
    labels: dict[str, str] = {}
    for label in written:
        name, sign, value = label.partition("=")
        if not sign or not name:
            raise _usage(f"--label {label}: write NAME=VALUE, like region=eu")
        labels[name] = value
    return labels or None


def _duration_ms(written: str | None, option: str) -> float | None:
    if written is None:
        return None
    match = _DURATION.fullmatch(written.strip())
    if match is None:
        raise _usage(f"{option} {written}: write a number and ms, s, m, h or d, like 5312ms or 10s")
    return float(match[1]) * _UNITS_MS[match[2]]


def _time(written: str | None) -> int | str | None:
    return int(written) if written and written.isascii() and written.isdigit() else written


def _refuse(given: dict[str, Any], because: str) -> None:
    names = [
        name if name.isupper() else _OPTION_NAMES.get(name, f"--{name.replace('_', '-')}")
        for name in given
        if given[name] not in (None, [])
    ]
    if names:
        raise _usage(f"{', '.join(names)} cannot go with {because}")


def _refuse_misspelt_state(rest: list[str]) -> None:
    """A single word that is no program is a state misspelt, not a command to be reported as failed."""
    word = rest[0]
    if word in publications.STATES:
        raise _usage(f"{' '.join(rest[1:])}: nothing may follow the state {word}")
    if len(rest) == 1 and "/" not in word and shutil.which(word) is None:
        states = ", ".join(publications.STATES)
        raise _usage(f"{word} is no state ({states}), and no command of that name is found")


def _usage(message: str) -> Refused:
    return Refused(message, Exit.USAGE)


_OPTION_NAMES: Final = {
    "duration_ms": "--duration",
    "labels": "--label",
    "inputs": "--input",
    "outputs": "--output",
}
