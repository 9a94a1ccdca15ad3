"""aiokafka, fetching only."""

import asyncio

from aiokafka import AIOKafkaConsumer

from bench.contenders.lap import Lap, Task


async def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    consumer = AIOKafkaConsumer(
        task.topic,
        bootstrap_servers=task.servers,
        group_id=task.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    while True:
        batches = await consumer.getmany(timeout_ms=100)
        if lap.add(sum(map(len, batches.values()))):
            lap.finish("fetched lists of records")


asyncio.run(main())
