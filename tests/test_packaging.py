import ast
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PACKAGES = ("stream", "detectors")


def built(target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with zipfile.ZipFile(built("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_packages(wheel_names: set[str]) -> None:
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= wheel_names
    assert any(name.endswith(".json") for name in files)


def test_the_wheel_holds_the_runbooks(wheel_names: set[str]) -> None:
    pages = {f"stream/runbooks/{page.name}" for page in (ROOT / "docs/runbooks").glob("*.md")}
    assert pages
    assert pages <= wheel_names


def test_the_wheel_holds_nothing_but_the_packages_and_its_metadata(wheel_names: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel_names} == {
        *PACKAGES,
        f"streamgauge-{PROJECT['version']}.dist-info",
    }


def test_a_wheel_made_of_the_sdist_has_the_same_files(wheel_names: set[str], tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        sources = {it.name.partition("/")[2] for it in archive.getmembers() if it.isfile()}
    assert {name for name in wheel_names if name.split("/")[0] in PACKAGES} <= sources


def test_the_licence_goes_with_the_wheel(wheel_names: set[str]) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in wheel_names)


def locked(path: Path) -> dict[str, str]:
    """The text about each requirement: its pins (one for each range of Python versions) and their hashes."""
    texts: dict[str, str] = {}
    for part in re.split(r"^(?=[A-Za-z0-9])", path.read_text(), flags=re.MULTILINE)[1:]:
        name = name_of(part)
        texts[name] = texts.get(name, "") + part
    return texts


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found.group().lower().replace("_", "-")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_every_requirement_by_hash_and_names_no_index(lock: Path) -> None:
    requirements = locked(lock)
    assert requirements
    assert all("==" in text and "--hash=sha256:" in text for text in requirements.values())
    assert "://" not in lock.read_text()
    assert "--find-links" not in lock.read_text()


def test_the_locks_hold_every_declared_dependency() -> None:
    runtime, dev = (locked(ROOT / "requirements" / f"{name}.lock") for name in ("runtime", "dev"))
    declared = {name_of(each) for each in PROJECT["dependencies"]}
    extras = {name_of(each) for extra in PROJECT["optional-dependencies"].values() for each in extra}
    assert declared <= runtime.keys()
    assert (declared | extras) - {"streamgauge"} <= dev.keys()


def imported_packages(package: str) -> set[str]:
    trees = (ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py"))
    nodes = [node for tree in trees for node in ast.walk(tree)]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    plain |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in plain} - set(sys.stdlib_module_names) - set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_is_declared(package: str) -> None:
    extras = PROJECT["optional-dependencies"]
    declared = {
        name_of(each)
        for each in [*PROJECT["dependencies"], *extras["apprise"], *extras["embedded"], *extras["registry"]]
    }
    allowed = declared | {
        "pydantic-core",
        "pytest",
    }  # pydantic's own half; stream.testing.fixtures, which pytest loads
    owners = importlib.metadata.packages_distributions()
    imported = imported_packages(package)
    assert imported
    undeclared = {
        name for name in imported if not allowed & {name_of(each) for each in owners.get(name, [name])}
    }
    assert undeclared == set()


def test_what_runs_in_production_is_what_was_tested() -> None:
    runtime, dev = (locked(ROOT / "requirements" / f"{name}.lock") for name in ("runtime", "dev"))
    version = re.compile(r"==([^ ;\\]+)")
    assert {name: version.findall(text) for name, text in runtime.items()} == {
        name: version.findall(dev[name]) for name in runtime
    }
