import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


def hadolint(dockerfile: Path) -> str:
    done = subprocess.run(
        [HADOLINT, "--no-color", dockerfile], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert hadolint(ROOT / "Dockerfile") == ""


def test_hadolint_would_find_an_unpinned_base_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\n")
    assert "DL3007" in hadolint(tmp_path / "Dockerfile")


def test_everything_the_dockerfile_copies_is_let_into_the_build() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    let_in = {
        line.removeprefix("!").split("/")[0]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied
    assert set(copied) <= let_in


def test_the_image_runs_as_a_plain_user_and_reports_its_health() -> None:
    final_stage = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    assert "\nUSER 10001" in final_stage
    assert "\nHEALTHCHECK " in final_stage


@pytest.mark.parametrize("service", ["worker", "topics", "demo"])
def test_our_services_run_without_privileges(service: str) -> None:
    settings = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
