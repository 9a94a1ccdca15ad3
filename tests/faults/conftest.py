"""Options and fixtures of the fault tests. `make test-faults` runs all of them, `make test` a small share."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.testing.apache_kafka import ApacheKafka
from tests.faults.administration import AUTHORIZER
from tests.faults.court import UNHURRIED, Court
from tests.faults.scenario import Scenario, new_scenario
from tests.faults.story import Story
from tests.integrations.deployment import Deployment

Convene = Callable[..., Court]
ROUNDS = 60
ROUNDS_IN_SHORT = 4
SESSION = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> int:
    """How often a worker is killed at a random moment."""
    asked = pytestconfig.getoption("--rounds")
    return int(asked or (ROUNDS if pytestconfig.getoption("--all-faults") else ROUNDS_IN_SHORT))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What streams and faults are drawn from; every complaint names it, and `--seed` sets it."""
    asked = pytestconfig.getoption("--seed")
    if asked is not None:
        return int(asked)
    return random.randrange(1_000_000) if pytestconfig.getoption("--all-faults") else 1


@pytest.fixture
def scenario(kafka: str, tmp_path: Path) -> Iterator[Scenario]:
    with new_scenario(kafka, tmp_path) as scenario:
        yield scenario


@pytest.fixture
def convene(tmp_path: Path, seed: int) -> Iterator[Convene]:
    """Makes courts: `convene(bootstrap_servers, chapters=4)`; their workers end with the test, however it ends."""
    made: list[Deployment] = []

    def make(
        servers: str, chapters: int = 4, settings: dict[str, Any] | None = None, copies: int = 1, **story: Any
    ) -> Court:
        kafka = {"bootstrap.servers": servers, "security.protocol": "PLAINTEXT", **SESSION}
        said = {**UNHURRIED, "kafka": kafka, **(settings or {})}
        if copies > 1:
            said["topics"] = {"replication_factor": copies}
        made.append(Deployment(servers, tmp_path, {"events": "events"}, said, copies=copies))
        return Court(made[-1], Story(seed, chapters, **story))

    yield make
    for deployment in made:
        deployment.close()


@pytest.fixture
def court(kafka: str, convene: Convene) -> Court:
    """A court on the session's broker."""
    return convene(kafka)


@pytest.fixture
def guarded(convene: Convene) -> Iterator[Court]:
    """A court on a broker of its own, which checks ACLs."""
    with ApacheKafka(AUTHORIZER) as kafka:
        court = convene(kafka.bootstrap_servers)
        yield court
        court.deployment.close()
