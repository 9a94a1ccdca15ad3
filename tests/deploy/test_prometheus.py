import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
DEBIAN = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


def check(tool: str, *arguments: str | Path, cwd: Path = DEPLOY) -> None:
    """Have a tool check what is deployed. Without it the test is skipped, and with CI=true it fails."""
    if shutil.which(tool) is None:
        missing = f"needs {tool}: apt-get install {DEBIAN[tool]}"
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(missing)
        pytest.skip(missing)
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
