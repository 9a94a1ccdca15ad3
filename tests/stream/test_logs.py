import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from stream import logs


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root, libraries = (
        logging.root,
        [logging.getLogger(name) for name in ("faust", "mode", "aiokafka", "asyncio")],
    )
    before = root.handlers[:], root.level, [library.level for library in libraries]
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for library, was in zip(libraries, levels, strict=True):
        library.setLevel(was)
    structlog.reset_defaults()


def test_our_lines_and_those_of_libraries_are_json_on_stderr(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "json")
    structlog.get_logger("stream.test").info("shard.loaded", shard=3)
    logging.getLogger("aiokafka.cluster").warning("lost %s", "it")
    out, err = capsys.readouterr()
    assert out == ""
    ours, theirs = map(json.loads, err.splitlines())
    assert (ours["event"], ours["shard"], ours["level"]) == ("shard.loaded", 3, "info")
    assert (theirs["event"], theirs["logger"]) == ("lost it", "aiokafka.cluster")


def test_lines_for_people_hold_the_event_and_its_facts(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "console")
    structlog.get_logger("stream.test").info("shard.loaded", shard=3)
    assert "shard.loaded" in (line := capsys.readouterr().err)
    assert "shard=3" in line


def test_faust_is_quiet_unless_it_warns(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "json")
    logging.getLogger("faust.app").info("[^App]: Starting...")
    logging.getLogger("faust.app").warning("trouble")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_a_flood_from_one_library_is_cut_and_another_is_heard(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "json")
    for n in range(1000):
        logging.getLogger("aiokafka.conn").error("connection refused %d", n)
    logging.getLogger("faust.app").error("heard")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == logs.LINES_PER_PERIOD + 1
    assert json.loads(lines[-1])["event"] == "heard"


def test_after_a_flood_the_next_line_says_how_many_were_left_out():
    limit = logs.RateLimit(lines=2, period_s=0)
    record = logging.makeLogRecord({"msg": "again"})
    limit._period_s = 3600
    assert [limit.filter(record) for _ in range(5)] == [True, True, False, False, False]
    limit._period_s = 0
    assert limit.filter(record)
    assert record.getMessage() == "again (3 more lines of this logger were left out)"
