import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.deployment import Deployment


@pytest.fixture
def deploy(kafka: str, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments on the test broker: `deploy({"events": "events"}, {"topics": {…}})`."""
    made: list[Deployment] = []

    @functools.wraps(Deployment)
    def make(sources: dict[str, Any], settings: dict[str, Any] | None = None, **more: Any) -> Deployment:
        made.append(Deployment(kafka, tmp_path, sources, settings or {}, **more))
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()
