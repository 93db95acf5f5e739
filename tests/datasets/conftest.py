"""A simulated trial of the published size, with few events per file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from il2cyto.datasets import simulate_trial

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a margin-matched trial."""
    study: Path = simulate_trial(tmp_path_factory.mktemp("simulated"), events=500, seed=7, labels=True)
    return study.parent
