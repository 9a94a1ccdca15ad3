import os

import hypothesis
import pytest

from stream.testing.choice import KafkaUnderTest

pytest_plugins = ["stream.testing.fixtures", "pytester"]

ALL_FAULTS = "all_faults"
LONGEST = ("simulator", "faults", "integrations")

# Brokers here live for seconds: code that is compiled at once and less well costs half the processor time.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of the fault tests is run; `make test-faults` passes `--all-faults`."""
    faults = parser.getgroup("faults")
    faults.addoption("--all-faults", action="store_true", help="run every fault test, with all its rounds")
    faults.addoption("--rounds", type=int, help="how often a worker is killed at a random moment")
    faults.addoption("--seed", type=int, help="what streams and faults are drawn from")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of the tests that only `make test-faults` runs."""
    config.addinivalue_line("markers", f"{ALL_FAULTS}: takes long; only with --all-faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it was asked for, and begin with what takes longest of the rest."""
    if not config.getoption("--all-faults"):
        left_out = [item for item in items if item.get_closest_marker(ALL_FAULTS)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=place_in_line)


def place_in_line(item: pytest.Item) -> int:
    """The folders that take long come first, so that no process is left with one of them when the others are done."""
    folder = item.path.parent.name
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def kafka_under_test(kafka_under_test: KafkaUnderTest) -> KafkaUnderTest:
    """Streamgauge's own builds count only on Apache Kafka."""
    if os.environ.get("CI", "").lower() in {"true", "1"} and not kafka_under_test.is_apache:
        pytest.fail(f"with CI=true the tests must run on Apache Kafka, not on {kafka_under_test.description}")
    return kafka_under_test
