"""confluent-kafka, fetching only."""

from bench.contenders.lap import Lap, Task
from bench.contenders.librdkafka import batches


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    for messages in batches(task):
        if lap.add(len(messages)):
            lap.finish("fetched lists of messages")


main()
