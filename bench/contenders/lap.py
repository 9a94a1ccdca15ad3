"""The protocol of all contenders: read EVENTS records of a topic, time those after the first WARM_UP, print one JSON line."""

import json
import os
import sys
import time
from typing import NamedTuple, NoReturn


class Task(NamedTuple):
    """What a contender is told on its command line."""

    servers: str
    topic: str
    events: int
    warm_up: int

    @classmethod
    def from_command_line(cls) -> "Task":
        servers, topic, events, warm_up = sys.argv[1:5]
        return cls(servers, topic, int(events), int(warm_up))

    @property
    def group(self) -> str:
        """A consumer group that this process has for itself; it also begins the names of topics that a framework makes."""
        return f"group-{os.getpid()}-{self.topic}"


class Lap:
    """Counts records, and times those after the warm-up."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._began = 0.0
        self._seen_at_begin = 0
        self.seen = 0
        self.seconds = 0.0

    def add(self, count: int) -> bool:
        """Count records that are done with; True when all are."""
        self.seen += count
        if not self._began:
            if self.seen >= self._task.warm_up:
                self._began, self._seen_at_begin = time.perf_counter(), self.seen
            return False
        if self.seen < self._task.events:
            return False
        self.seconds = time.perf_counter() - self._began
        return True

    def finish(self, did: str, **facts: float | str) -> NoReturn:
        """Print the result and end the process at once: how long a framework takes to shut down is not measured."""
        events = self.seen - self._seen_at_begin
        result = {"events": events, "seconds": self.seconds, "did": did, **facts}
        print(
            json.dumps(result), file=sys.__stdout__, flush=True
        )  # Faust puts a logger in sys.stdout's place
        os._exit(0)
