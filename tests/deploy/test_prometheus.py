import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def check(tool: str, *arguments: str | Path, cwd: Path = DEPLOY) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed, so its own check of deploy/ did not run")
    done = subprocess.run(
        [tool, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/", f"{DEPLOY}/prometheus/"))
    check("promtool", "check", "config", config)


def test_the_rules_alarm_when_they_should_and_only_then() -> None:
    check("promtool", "test", "rules", "streamgauge.rules.test.yml", cwd=DEPLOY / "prometheus")


def test_amtool_accepts_the_configuration() -> None:
    check("amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yml")
