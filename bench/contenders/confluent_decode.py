"""confluent-kafka and msgspec: fetching, and decoding into a typed struct."""

import msgspec

from bench.contenders.lap import Lap, Task
from bench.contenders.librdkafka import batches
from bench.contenders.run_event import RunEvent


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    decode = msgspec.json.Decoder(RunEvent).decode
    for messages in batches(task):
        for message in messages:
            decode(message.value() or b"")
        if lap.add(len(messages)):
            lap.finish("decoded each event into a msgspec struct")


main()
