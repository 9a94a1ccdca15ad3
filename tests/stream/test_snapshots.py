import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.snapshots import CHUNK_BYTES_MAX, MANIFEST, Entry, SnapshotError, SnapshotLog, SnapshotWriter


def grown(changes: list[dict[str, bytes]]) -> list[dict[str, bytes]]:
    """The states that follow from one another by such changes: no chunk ever goes away."""
    states: list[dict[str, bytes]] = []
    for change in changes:
        states.append({**(states[-1] if states else {}), **change})
    return states


STATES = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=8), max_size=4), min_size=1, max_size=5
).map(grown)


def written(writer: SnapshotWriter, state: dict[str, bytes], covered_offset: int) -> list[Entry]:
    """Every record of one snapshot, in the order in which they are stored."""
    plan = writer.plan(state, covered_offset)
    return [*plan.parts, plan.manifest, *writer.obsolete(plan)]


def read(entries: list[Entry]) -> SnapshotLog:
    log = SnapshotLog()
    for entry in entries:
        log.add(*entry)
    return log


def compacted(entries: list[Entry]) -> list[Entry]:
    last = {entry.key: n for n, entry in enumerate(entries)}
    return [entry for n, entry in enumerate(entries) if last[entry.key] == n]


@given(STATES, st.data())
def test_a_writer_that_dies_anywhere_leaves_its_last_closed_snapshot(
    states: list[dict[str, bytes]], data: st.DataObject
):
    writer = SnapshotWriter(0, 1)
    entries: list[Entry] = []
    closed_at: list[int] = []
    for covered_offset, state in enumerate(states):
        entries += written(writer, state, covered_offset)
        closed_at.append(next(n for n in range(len(entries), 0, -1) if entries[n - 1].key.endswith(MANIFEST)))
    cut = data.draw(st.integers(0, len(entries)))
    best, flaws = read(entries[:cut]).best()
    whole = [n for n, end in enumerate(closed_at) if end <= cut]
    assert flaws == []
    assert (best and (best.covered_offset, best.chunks)) == (
        (whole[-1], states[whole[-1]]) if whole else None
    )


@given(STATES, st.data())
def test_compaction_changes_nothing_wherever_the_writer_died(
    states: list[dict[str, bytes]], data: st.DataObject
):
    writer = SnapshotWriter(0, 1)
    entries = [entry for n, state in enumerate(states) for entry in written(writer, state, n)]
    cut = entries[: data.draw(st.integers(0, len(entries)))]
    assert read(compacted(cut)).best() == read(cut).best()


@given(STATES, STATES, st.randoms(use_true_random=False))
def test_of_an_owner_and_a_late_former_owner_the_one_that_covers_more_wins(
    mine: list[dict[str, bytes]], late: list[dict[str, bytes]], chance: st.DataObject
):
    former = SnapshotWriter(0, 1)
    before = written(former, {"a": b"first"}, 0)
    owner = SnapshotWriter(0, 2, read(before).entries)
    theirs = [written(former, state, 2 * n + 1) for n, state in enumerate(late)]
    ours = [written(owner, state, 2 * n + 2) for n, state in enumerate(mine)]
    entries = list(before)
    while theirs or ours:
        turn = chance.choice([side for side in (theirs, ours) if side])  # type: ignore[attr-defined]
        entries += turn.pop(0)
        best, _ = read(entries).best()
        assert best is not None
    best, _ = read(entries).best()
    assert best is not None
    assert best.covered_offset >= 2 * len(mine)


def test_only_what_the_last_snapshot_needs_stays():
    first, second = SnapshotWriter(3, 1), None
    entries = written(first, {"a": b"1", "b": b"2"}, 10)
    second = SnapshotWriter(3, 2, read(entries).entries)
    entries += written(second, {"a": b"1", "b": b"3"}, 20)
    entries += written(second, {"a": b"1", "b": b"4"}, 30)
    left = read(entries)
    best, _ = left.best()
    assert best is not None
    assert (best.covered_offset, best.generation, best.chunks) == (30, 2, {"a": b"1", "b": b"4"})
    assert len(left.entries) == 3


def test_unchanged_chunks_are_not_written_again():
    writer = SnapshotWriter(0, 1)
    written(writer, {"big": b"x" * 1000, "small": b"1"}, 0)
    plan = writer.plan({"big": b"x" * 1000, "small": b"2"}, 1)
    assert [entry.value for entry in plan.parts] == [b"2"]


def test_a_large_chunk_is_split_below_the_record_limit_and_put_together_again():
    state = {"big": bytes(range(256)) * 10_000, "empty": b""}
    writer = SnapshotWriter(0, 1)
    entries = written(writer, state, 5)
    assert max(len(entry.value or b"") for entry in entries) <= CHUNK_BYTES_MAX
    best, _ = read(entries).best()
    assert best is not None
    assert best.chunks == state


def test_a_damaged_snapshot_is_passed_over_for_the_next_best():
    old, new = SnapshotWriter(0, 1), SnapshotWriter(0, 2)
    entries = [*written(old, {"a": b"old"}, 10), *written(new, {"a": b"new"}, 20)]
    log = read(entries)
    damaged = next(key for key, value in log.entries.items() if value == b"new")
    log.add(damaged, b"nEw")
    best, flaws = log.best()
    assert best is not None
    assert (best.covered_offset, best.chunks) == (10, {"a": b"old"})
    assert len(flaws) == 1
    assert "damaged" in flaws[0]


@pytest.mark.parametrize("harm", ["damaged", "missing", "cannot be read", "of format 99"])
def test_snapshots_of_which_none_is_usable_are_an_error_that_says_why(harm: str):
    log = read(written(SnapshotWriter(0, 1), {"a": b"state"}, 10))
    chunk, manifest = sorted(log.entries, key=lambda key: key.endswith(MANIFEST))
    if harm == "of format 99":
        content = msgspec.msgpack.decode(log.entries[manifest])
        log.add(manifest, msgspec.msgpack.encode(content | {"version": 99}))
    else:
        harmed = manifest if harm == "cannot be read" else chunk
        log.add(harmed, None if harm == "missing" else b"\xc1")
    with pytest.raises(SnapshotError, match=harm):
        log.best()


@given(STATES)
def test_only_what_changed_need_be_given(states: list[dict[str, bytes]]):
    writer, entries = SnapshotWriter(0, 1), list[Entry]()
    known: dict[str, bytes] = {}
    for covered_offset, state in enumerate(states):
        changed = {name: data for name, data in state.items() if known.get(name) != data}
        entries += written(writer, changed, covered_offset)
        best, flaws = read(entries).best()
        assert flaws == []
        assert best is not None
        assert (best.covered_offset, best.chunks) == (covered_offset, state)
        known = state
