"""What importing costs, and that every lazy name leads somewhere."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import il2cyto
from il2cyto._lazy import attach

PROJECT = Path(__file__).parents[1]
HEAVY = {"anndata", "flowkit", "matplotlib", "numba", "pandas", "polars", "scanpy", "scipy", "statsmodels"}

IMPORT = "import il2cyto"
HELP = """
import sys
from il2cyto.cli import main
sys.argv = ["il2cyto", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""

CHECK = HELP.replace('"--help"', '"check", "sample_data/study.yaml"')


def modules_after(code: str) -> set[str]:
    """Names of the top-level packages that a new process has imported once it has run the code."""
    report = "\nimport sys; print(*sys.modules, file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True, timeout=60, cwd=PROJECT
    )
    return {name.partition(".")[0] for name in run.stderr.split()}


def public_names() -> list[tuple[str, str]]:
    """(package, name) for every name that a lazy package offers."""
    packages = ["il2cyto", *(f"il2cyto.{name}" for name in il2cyto.__all__)]
    return [
        (package, name) for package in packages for name in getattr(importlib.import_module(package), "__all__", [])
    ]


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import", "help"])
def test_neither_import_nor_help_loads_a_heavy_package(code: str) -> None:
    imported = modules_after(code)

    assert "il2cyto" in imported
    assert imported & HEAVY == set()


def test_checking_a_study_compiles_nothing() -> None:
    imported = modules_after(CHECK)

    assert "il2cyto" in imported
    assert imported & {"numba", "flowkit", "matplotlib", "scanpy", "statsmodels"} == set()


def test_import_alone_loads_no_numpy_either() -> None:
    assert "numpy" not in modules_after(IMPORT)


def test_every_public_name_resolves_is_listed_by_dir_and_keeps_its_identity() -> None:
    names = public_names()

    assert {package for package, _ in names} >= {"il2cyto", "il2cyto.io", "il2cyto.pp", "il2cyto.gt", "il2cyto.tl"}
    for package, name in names:
        module = importlib.import_module(package)
        assert name in dir(module)
        assert getattr(module, name) is getattr(module, name)


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    load, listed, names = attach("il2cyto", {"io": "", "gt": ""})

    with pytest.raises(AttributeError) as e:
        load("gates")

    assert str(e.value) == "module 'il2cyto' has no attribute 'gates'; it has gt, io"
    assert listed() == names == ["gt", "io"]


def test_the_version_is_that_of_the_installed_package() -> None:
    assert importlib.metadata.version("il2cyto") == il2cyto.__version__
