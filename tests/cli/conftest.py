from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from il2cyto import datasets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch as a lab has it, without arms or clinical tables: four files of the simulated trial and a sheet."""
    source = datasets.sample_data_path()
    files = sorted((source / "fcs").glob("*.fcs"))[:4]
    for file in files:
        shutil.copy(file, tmp_path / file.name)
    rows = "\n".join(f"{file.name},{file.stem.split('_')[0]},{file.stem.split('_')[1]}" for file in files)
    (tmp_path / "samples.csv").write_text(f"file,subject,visit\n{rows}\n")
    (tmp_path / "study.yaml").write_text("study: batch 7\nsamples: samples.csv\npanels: {tnk: {template: tnk}}\n")
    return tmp_path
