"""Pytest fixtures for tests against a real Kafka. Use them with `pytest_plugins = ["stream.testing.fixtures"]`.

`kafka` is the address of the session's broker, `make_topic` makes topics on it. The first lines and the summary of
a run say which broker that is. Tests marked `needs_apache` are reported as expected failures, with the reason,
where the broker is another. Each worker of pytest-xdist has a broker of its own.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from stream.testing.choice import BrokerChoice, BrokerKind, KafkaUnderTest, choose_broker, describe
from stream.testing.topics import TopicMaker

NEEDS_APACHE: Final = "needs_apache"
_CHOICE: Final = pytest.StashKey[BrokerChoice]()
_USED: Final = pytest.StashKey[list[str]]()
_TOLD: Final = "streamgauge: kafka used"


@pytest.fixture(scope="session")
def kafka_under_test(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[KafkaUnderTest]:
    """The session's broker, started if need be; its log is kept when a test failed."""
    choice = pytestconfig.stash[_CHOICE]
    broker = choice.make()
    try:
        if broker is not None:
            broker.start()
        used = describe(choice, broker.bootstrap_servers if broker else choice.bootstrap_servers or "")
        pytestconfig.stash[_USED].append(used.description)
        yield used
    finally:
        if broker is not None:
            broker.close(keep_log=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def kafka(kafka_under_test: KafkaUnderTest) -> str:
    """The session broker's `host:port`."""
    return kafka_under_test.bootstrap_servers


@pytest.fixture
def make_topic(kafka_under_test: KafkaUnderTest) -> Iterator[TopicMaker]:
    """Makes uniquely named topics: `make_topic(partitions=4, config={"cleanup.policy": "compact"})` returns the name."""
    maker = TopicMaker(kafka_under_test.bootstrap_servers)
    yield maker
    if kafka_under_test.kind is BrokerKind.EXTERNAL:
        maker.delete(maker.names)


@pytest.fixture(autouse=True)
def _only_on_apache_kafka(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker(NEEDS_APACHE) is None:
        return
    starts_its_own = "kafka_under_test" not in request.fixturenames
    if starts_its_own and request.config.stash[_CHOICE].kind is not BrokerKind.EMBEDDED:
        return
    used: KafkaUnderTest = request.getfixturevalue("kafka_under_test")
    if not used.is_apache:
        pytest.xfail(f"needs Apache Kafka, and ran on {used.description}")


def pytest_configure(config: pytest.Config) -> None:
    """Decides, without starting anything."""
    config.stash[_CHOICE] = choose_broker()
    config.stash[_USED] = []
    config.addinivalue_line(
        "markers", f"{NEEDS_APACHE}: needs what only Apache Kafka does (compaction, ACLs)"
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Says what was decided."""
    return f"kafka: {config.stash[_CHOICE].reason}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells the process that writes the summary what it used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_TOLD] = session.config.stash[_USED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """That process hears it; a worker that crashed has told nothing."""
    node.config.stash[_USED].extend(getattr(node, "workeroutput", {}).get(_TOLD, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what was used."""
    used = config.stash[_USED] or ["none, no test asked for it"]
    terminalreporter.write_line(f"kafka used: {' and '.join(used)}")
