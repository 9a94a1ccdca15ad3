"""The tutorial, command by command, as it stands in the documentation, on a real Kafka."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"
PATIENCE_S = 120.0
_BLOCK = re.compile(r"^```sh ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of commands, and how it is run: once, in the `background`, or `until` it says a word."""

    how: str
    commands: str


def blocks(kafka: str) -> list[Block]:
    text = TUTORIAL.read_text().replace("localhost:9094", kafka)
    return [Block(*found) for found in _BLOCK.findall(text)]


def test_every_command_of_the_tutorial_does_what_it_says(kafka: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "streamgauge"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stream "$@"\n')
    program.chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STREAMGAUGE__HTTP__PORT": "0",
    }
    said, worker = "", None
    try:
        for how, commands in blocks(kafka):
            if how == "background":
                worker = _background(commands, env, tmp_path)
            else:
                said += _run(commands, how.removeprefix("until").strip(), env, tmp_path)
    finally:
        if worker is not None:
            os.killpg(worker.pid, signal.SIGTERM)
            assert worker.wait(60) == 0, (tmp_path / "worker.log").read_text()
    assert "FIRING  warning  volume" in said
    assert "1 alerts kept, 0 new, 0 gone" in said
    assert re.search(r"DONE\s+acknowledge\s+you", said)
    assert "50%" in said
    assert re.search(r"[0-9a-f]{12} -> [0-9a-f]{12}", said)


def _background(commands: str, env: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "worker.log").open("wb") as log:
        return subprocess.Popen(
            ["sh", "-c", f"exec {commands}"],
            cwd=folder,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _run(commands: str, until: str, env: dict[str, str], folder: Path) -> str:
    """What the commands say; they are run again while a word is missing."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        if until in done.stdout:
            return done.stdout
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        time.sleep(1)
