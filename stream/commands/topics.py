"""`streamgauge topics`: make the topics that the configuration needs, and say what is wrong with those that exist."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
from confluent_kafka import KafkaException
from rich.table import Table

from stream import topics
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load
from stream.exits import Exit, Refused
from stream.topics import Broker, Problem, ProblemKind, TopicSpec

app = typer.Typer(
    name="topics", help="Make and check the topics that Streamgauge uses.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Make and check the topics that Streamgauge uses."""


@app.command()
def create(
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Create the topics that are missing; those that exist are checked and never changed."""
    cfg = load(config, overrides(bootstrap_servers))
    broker = Broker(cfg)
    broker.reach()
    specs = topics.wanted(cfg)
    try:
        problems = {problem.spec.name: problem for problem in topics.check(broker.admin, specs)}
        if not dry_run:
            topics.create(broker.admin, _of_kind(problems.values(), ProblemKind.MISSING))
    except KafkaException as exception:
        raise Refused(f"Kafka: {exception.args[0].str()}", Exit.KAFKA) from None
    console_for_people().print(_table(specs, problems, "would be created" if dry_run else "created"))
    mismatched = [str(problem) for problem in problems.values() if problem.kind is ProblemKind.MISMATCHED]
    if mismatched:
        raise Refused("\n".join(mismatched), Exit.KAFKA)


def _of_kind(problems: Iterable[Problem], kind: ProblemKind) -> list[TopicSpec]:
    return [problem.spec for problem in problems if problem.kind is kind]


def _table(specs: Iterable[TopicSpec], problems: Mapping[str, Problem], made: str) -> Table:
    table = Table("topic", "purpose", "partitions", "cleanup", "state", box=None, pad_edge=False)
    for spec in specs:
        problem = problems.get(spec.name)
        state = "[green]already right" if problem is None else "[bold red]mismatched"
        if problem is not None and problem.kind is ProblemKind.MISSING:
            state = f"[yellow]{made}"
        partitions = str(spec.partitions) if spec.is_sharded or problem is not None else "any"
        table.add_row(spec.name, spec.purpose, partitions, spec.must.get("cleanup.policy", "any"), state)
    return table
