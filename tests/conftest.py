"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from il2cyto import pipeline

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that is not part of the project.

    Where it is missing the test is skipped, or fails if IL2CYTO_REQUIRE_SHARED is set, as in CI.
    """
    folder = Path(os.environ.get("IL2CYTO_SHARED", PROJECT.parent / "shared"))
    if not (folder / "data").is_dir():
        reason = f"shared data not found in {folder}: set IL2CYTO_SHARED to the folder that holds data/ and badfcs/"
        if os.environ.get("IL2CYTO_REQUIRE_SHARED"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def sample_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small simulated trial, run once; tests read it and change nothing."""
    folder = tmp_path_factory.mktemp("sample") / "results"
    pipeline.run(PROJECT / "sample_data" / "study.yaml", folder)
    return folder
