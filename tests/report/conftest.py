"""The small simulated trial, gated once, and a browser to look at its report with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from il2cyto.report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def gated(sample_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the sample data with their report; tests that change them work on a copy."""
    folder = Path(shutil.copytree(sample_results, tmp_path_factory.mktemp("report") / "results"))
    write_report(folder)
    return folder


@pytest.fixture
def results(gated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(gated, tmp_path / "results"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; without it the test is skipped, or fails where IL2CYTO_REQUIRE_BROWSER is set, as in CI."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "no Chromium on the PATH: apt-get install chromium"
        if os.environ.get("IL2CYTO_REQUIRE_BROWSER"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with playwright.sync_playwright() as driver:
        # As root, as in a container, Chromium refuses its own sandbox.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
