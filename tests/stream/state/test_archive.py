"""The archive file gives back what was put into it, or nothing: whatever is cut off or changed is told with its place."""

import io
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.exits import Exit, Refused
from stream.state import archive as archives
from stream.state.archive import Archive, Head, read, read_from, write, write_to
from tests.stream.state.state_examples import archive_of, process_of


@cache
def example() -> Archive:
    return archive_of(process_of("events", 2, runs=8))


@cache
def written() -> bytes:
    file = io.BytesIO()
    write_to(example(), file)
    return file.getvalue()


def refused(raw: bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_from(io.BytesIO(raw), "state.sgs")
    assert caught.value.code == Exit.DATA
    return str(caught.value)


def test_what_is_read_is_what_was_written(tmp_path: Path):
    file = tmp_path / "state.sgs"
    assert write(example(), file) == file.stat().st_size == len(written())
    assert read(file) == example()
    assert list(tmp_path.iterdir()) == [file]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_short_is_refused_whole(share: float):
    cut = written()[: int(share * len(written()))]
    text = refused(cut)
    assert text.startswith("state.sgs is ")
    assert "byte" in text or "does not begin as one" in text


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_file_of_which_one_bit_was_changed_is_refused_whole(share: float, bit: int):
    damaged = bytearray(written())
    damaged[int(share * len(damaged))] ^= 1 << bit
    assert refused(bytes(damaged)).startswith("state.sgs is ")


def test_the_message_names_frame_and_byte():
    raw = bytearray(written())
    raw[-5] ^= 1
    assert "checksum of frame 4 at byte" in refused(bytes(raw))
    assert f"something follows its end at byte {len(raw)}" in refused(written() + b"x")
    without_end = written()[: written().rindex(written()[-40:])]
    assert "was it cut short?" in refused(without_end)


def test_a_file_that_ends_before_its_head_is_refused():
    assert "does not begin with a head" in refused(archives.MAGIC + archives._frame("end", 0))


def test_a_later_format_is_refused_with_the_release_that_wrote_it():
    head = msgspec.structs.replace(example().head, format=archives.FORMAT + 1, product="9.1")
    file = io.BytesIO()
    write_to(msgspec.structs.replace(example(), head=head), file)
    text = refused(file.getvalue())
    assert f"format {archives.FORMAT + 1}, written by Streamgauge 9.1" in text


def test_a_format_whose_head_is_unlike_this_one_is_refused_alike():
    assert set(archives.Version.__struct_fields__) < set(Head.__struct_fields__)
    other = archives.MAGIC + archives._frame("head", {"format": 7, "product": "9.9", "new": True})
    assert "format 7" in refused(other)


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path):
    with pytest.raises(Refused, match="cannot be written"):
        write(example(), tmp_path / "missing" / "state.sgs")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_there_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "state.sgs"
    file.write_text("before")

    def full(_archive: Archive, _file: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "write_to", full)
    with pytest.raises(Refused, match="No space left"):
        write(example(), file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]
