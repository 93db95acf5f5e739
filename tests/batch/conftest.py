from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests._runs import make_trial

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Four files of the simulated trial."""
    return make_trial(tmp_path / "trial")
