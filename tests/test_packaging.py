"""What a user gets from the wheel and the sdist, installed for real; slow, because nothing is borrowed from here."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import il2cyto

PROJECT = Path(__file__).parents[1]
TEMPLATES = sorted(path.parent.name for path in PROJECT.glob("gating/*/template.yaml"))

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the project and return what it prints; its errors are shown when it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an sdist, and a wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, PROJECT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> list[str]:
    """Names of the files in the wheel."""
    return zipfile.ZipFile(next(dist.glob("*.whl"))).namelist()


@pytest.fixture(scope="module")
def sdist(dist: Path) -> set[str]:
    """Names of the files in the sdist, relative to the project."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_holds_the_package_its_types_and_its_templates_and_nothing_else(wheel: list[str]) -> None:
    package = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("il2cyto/**/*.py")}
    templates = {f"il2cyto/_{path.relative_to(PROJECT).as_posix()}" for path in PROJECT.glob("gating/*/template.yaml")}

    assert package | templates | {"il2cyto/py.typed"} <= set(wheel)
    assert len(wheel) == len(set(wheel))
    assert {name.partition("/")[0] for name in wheel} == {"il2cyto", f"il2cyto-{il2cyto.__version__}.dist-info"}


def test_the_sdist_holds_what_building_and_testing_need(sdist: set[str]) -> None:
    wanted = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile", "tests/conftest.py"]
    folders = ["il2cyto", "gating", "tests", "docs", "sample_data"]
    files = {
        path.relative_to(PROJECT).as_posix()
        for folder in folders
        for path in PROJECT.glob(f"{folder}/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert files | set(wanted) <= sdist
    assert not [name for name in sdist if name.endswith(".pyc") or name.startswith((".venv", ".git/"))]


def test_the_metadata_names_version_licence_and_pythons(dist: Path, wheel: list[str]) -> None:
    name = next(name for name in wheel if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(zipfile.ZipFile(next(dist.glob("*.whl"))).read(name))

    assert metadata["Version"] == il2cyto.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_wheel_in_a_clean_environment_lists_the_templates_of_the_project(dist: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    shutil.copy(next(dist.glob("*.whl")), tmp_path)
    run(tmp_path / "env/bin/python", "-m", "pip", "install", "--quiet", *tmp_path.glob("*.whl"), cwd=tmp_path)

    listed = run(tmp_path / "env/bin/il2cyto", "templates", "list", cwd=tmp_path)

    assert TEMPLATES
    assert [line.split()[0] for line in listed.splitlines()] == TEMPLATES
