from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scenario import Scenario, new_scenario


@pytest.fixture
def scenario(kafka: str, tmp_path: Path) -> Iterator[Scenario]:
    with new_scenario(kafka, tmp_path) as scenario:
        yield scenario
