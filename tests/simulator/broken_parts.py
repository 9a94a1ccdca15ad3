"""Workers that break one rule each: what the simulator must notice."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from detectors.alerts import Mode
from detectors.outputs import Output
from detectors.samples import Mark
from detectors.settings import Settings
from detectors.triage import Triage
from detectors.watermarks import Progress, Watermarks
from stream.snapshots import MANIFEST, Snapshot, SnapshotError, SnapshotLog, SnapshotWriter
from stream.stages import TriageStage
from stream.testing.simulator import Parts
from stream.testing.simulator.stage_shell import Dumped, Shard, StageShell
from stream.testing.simulator.tasks import Work


def state_before_outputs(shell: StageShell, partition: int, shard: Shard, dumped: Dumped) -> Work:
    yield from shell.write(partition, shard, dumped)
    if shell.ack(partition, dumped):
        yield from shell.bury(partition, dumped)
    yield from shell.delivered(dumped.deliveries)


def ack_before_state(shell: StageShell, partition: int, shard: Shard, dumped: Dumped) -> Work:
    yield from shell.delivered(dumped.deliveries)
    acked = shell.ack(partition, dumped)
    yield None
    yield from shell.write(partition, shard, dumped)
    if acked:
        yield from shell.bury(partition, dumped)


def tombstones_before_manifest(shell: StageShell, partition: int, shard: Shard, dumped: Dumped) -> Work:
    yield from shell.delivered(dumped.deliveries)
    if dumped.chunks is not None:
        plan = shard.writer.plan(dumped.chunks, dumped.covered)
        dumped.obsolete += shard.writer.obsolete(plan)
        yield from shell.bury(partition, dumped)
        yield from shell.write(partition, shard, dumped)
    shell.ack(partition, dumped)


class LowestWins(SnapshotLog):
    """Takes the snapshot that covers least."""

    def best(self) -> tuple[Snapshot | None, list[str]]:
        found = []
        manifests = [key for key in self.entries if key.endswith(MANIFEST)]
        for only in manifests:
            rest = {key: value for key, value in self.entries.items() if key == only or key not in manifests}
            try:
                best, _ = SnapshotLog(rest).best()
            except SnapshotError:
                continue
            found += [best] if best else []
        return min(found, key=lambda snapshot: snapshot.covered_offset, default=None), []


def same_keys_for_every_writer(shard: int, _generation: int, inherited: frozenset[str]) -> SnapshotWriter:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.snapshots.uuid.uuid4", lambda: uuid.UUID(int=0))
        return SnapshotWriter(shard, 0, inherited)


class ForgetfulTriage(Triage):
    """Has no fence against steps that detect repeats."""

    def step(self, offset: int, payload: bytes):
        self._fences.clear()
        return super().step(offset, payload)


def forgetful_triage(settings: Settings) -> TriageStage:
    return TriageStage(ForgetfulTriage(settings, Mode.LIVE), settings.shards)


class MuteTriage(TriageStage):
    """Loses an alert now and then."""

    def step(self, offset: int, payload: bytes) -> list[Output]:
        outputs = super().step(offset, payload)
        return [] if offset % 3 == 1 else outputs


def mute_triage(settings: Settings) -> MuteTriage:
    return MuteTriage(Triage(settings, Mode.LIVE), settings.shards)


@contextmanager
def no_fence_in_detect() -> Iterator[None]:
    intact = Watermarks.take

    def take(self: Watermarks, mark: Mark) -> Progress:
        return Progress(mark.first_offset - 1, intact(self, mark).high_ms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watermarks, "take", take)
        yield


BROKEN = {
    "state before outputs": Parts(storing=state_before_outputs),
    "ack before state": Parts(storing=ack_before_state),
    "tombstones before the manifest": Parts(storing=tombstones_before_manifest),
    "the snapshot that covers least wins": Parts(snapshot_log=LowestWins),
    "keys without generation and writer": Parts(snapshot_writer=same_keys_for_every_writer),
    "no fence in triage": Parts(triage=forgetful_triage),
    "ingest acks what is not stored": Parts(waits_for_delivery=False),
    "an alert is lost": Parts(triage=mute_triage),
}
