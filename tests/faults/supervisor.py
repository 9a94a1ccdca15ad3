"""A supervisor, as every deployment has one: it starts a worker again when one has ended itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from stream.exits import Exit
from tests.integrations.deployment import STREAMGAUGE, Deployment, Worker

GIVES_UP: Final = frozenset({Exit.FAIL_STOP, Exit.KAFKA})
POLL_S: Final = 0.3


class Supervisor:
    """Keeps so many workers running. A worker may end itself, but only by an exit code that says so."""

    def __init__(
        self,
        deployment: Deployment,
        workers: int = 1,
        program: Sequence[str] = STREAMGAUGE,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.deployment, self._program, self._env = deployment, program, env
        self.workers: list[Worker] = [self._start() for _ in range(workers)]
        self.exits: list[str] = []

    def look(self) -> None:
        """Start what has ended."""
        for slot, worker in enumerate(self.workers):
            code = worker.process.poll()
            if code is not None:
                assert code in GIVES_UP, f"exit code {code}\n{worker.log.read_text()[-4000:]}"
                self.exits.append(worker.stop_reason)
                self.workers[slot] = self._start()

    def keep_on(self, until: Callable[[], bool], within_s: float, what: str) -> None:
        """Look after the workers until something holds."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self.look()
            if until():
                return
            time.sleep(POLL_S)
        logs = "\n".join(worker.log.read_text()[-4000:] for worker in self.workers)
        raise AssertionError(f"not within {within_s:g} s: {what}\n{logs}")

    def _start(self) -> Worker:
        return self.deployment.start(self._program, self._env)
