"""Records of anyone's, through all three stages in one process, for tests of what is learned from them."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from detectors.alerts import Alert, State
from detectors.expected_changes import ExpectedChange
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch, SchemaChange
from stream.formats import Reading
from stream.sources import Place
from tests.detectors.scripted_log import UNGATHERED
from tests.simulator.in_one_process import InOneProcess

TOPIC = "orders"
START_MS = 1_780_000_000_000
SPACING_MS = 100
Record = dict[str, Any]


def ordinary(chance: random.Random) -> Record:
    """An order: nested, with an optional field, a nullable one and an array."""
    record: Record = {
        "id": chance.randrange(1_000_000),
        "customer": {"id": chance.randrange(1000), "address": {"zip": f"{chance.randrange(99999):05}", "city": "Berlin"}},
        "items": [{"sku": f"s{chance.randrange(99)}", "price": chance.choice([5, 7.25])} for _ in range(chance.randrange(1, 3))],
        "total": chance.choice([10, 12.5]),
        "paid": chance.random() < 0.5,
        "tags": ["a"] * chance.randrange(3),
        "note": "hello" if chance.random() < 0.7 else None,
    }  # fmt: skip
    if chance.random() < 0.1:
        record["coupon"] = "abc"
    return record


class Topic:
    """One topic of records: what is sent is read at once; `changes` are all that was said of its schema, in order."""

    def __init__(
        self,
        reading: Reading = "records",
        shards: int = 1,
        window_ms: int = 300_000,
        expected: tuple[ExpectedChange, ...] = (),
        **tuned: Any,
    ) -> None:
        settings = Settings(window_ms=window_ms, expected_changes=expected, paging=UNGATHERED, **tuned)
        self._process = InOneProcess({TOPIC: reading}, {TOPIC: 1}, settings, shards, keep_payloads=True)
        self._place = Place(TOPIC, 0)
        self._chance = random.Random(7)
        self.offset = 0

    def send(self, records: Sequence[Record | bytes], batch: int = 500) -> None:
        """Records that follow on what was sent, each a tenth of a second after the one before."""
        values = [it if isinstance(it, bytes) else json.dumps(it).encode() for it in records]
        for first in range(0, len(values), batch):
            part = values[first : first + batch]
            offsets = range(self.offset, self.offset + len(part))
            times = [START_MS + SPACING_MS * offset for offset in offsets]
            self._process.read(self._place, offsets, part, times, times[-1])
            self.offset += len(part)

    @property
    def now_ms(self) -> int:
        """The broker's time of the next record."""
        return START_MS + SPACING_MS * self.offset

    def opened(self, kind: str) -> list[Alert]:
        """The alerts of a kind that were opened, whether or not another one leads."""
        states = State.FIRING, State.SUPPRESSED
        return [it for it in self._process.alerts.values() if it.kind == kind and it.state in states]

    def ordinary(self, count: int, change: Callable[[Record], Any] | None = None, every: int = 1) -> None:
        """Ordinary records, of which every so manieth is changed."""
        records = [ordinary(self._chance) for _ in range(count)]
        if change is not None:
            for record in records[every - 1 :: every]:
                change(record)
        self.send(records)

    def restart(self) -> None:
        """Lose all but the dumps."""
        self._process.restart()

    def end(self) -> list[SchemaChange]:
        """Let time pass; all changes that were said."""
        self._process.mark(self._place, START_MS + SPACING_MS * self.offset + 86_400_000)
        batches = map(AnomalyBatch.from_bytes, self._process.payloads["anomalies"])
        return [
            it.schema_change for batch in batches for it in batch.verdicts if it.schema_change is not None
        ]

    @property
    def process(self) -> InOneProcess:
        """What everything runs in."""
        return self._process


def told_when_cut(records: Sequence[Record], seed: int) -> list[SchemaChange]:
    """What is told of records in two shards; with a seed but 0 they come in batches of other sizes, with restarts in between."""
    cuts, topic = random.Random(seed), Topic(shards=2)
    first = 0
    while first < len(records):
        last = first + (1000 if not seed else cuts.randrange(1, 700))
        topic.send(records[first:last])
        first = last
        if seed and cuts.random() < 0.3:
            topic.restart()
    return topic.end()
