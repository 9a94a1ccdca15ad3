import os

import pytest

from stream.testing.choice import KafkaUnderTest

pytest_plugins = ["stream.testing.fixtures", "pytester"]


@pytest.fixture(scope="session")
def kafka_under_test(kafka_under_test: KafkaUnderTest) -> KafkaUnderTest:
    """Streamgauge's own builds count only on Apache Kafka."""
    if os.environ.get("CI", "").lower() in {"true", "1"} and not kafka_under_test.is_apache:
        pytest.fail(f"with CI=true the tests must run on Apache Kafka, not on {kafka_under_test.description}")
    return kafka_under_test
