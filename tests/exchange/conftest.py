from __future__ import annotations

import polars as pl
import pytest

from il2cyto import cohort, datasets, io


@pytest.fixture(scope="session")
def study():
    """The first three subjects of the simulated sample data."""
    whole = io.read_study(datasets.sample_data_path() / "study.yaml")
    few = [f"SIM-00{i}" for i in (1, 2, 3)]
    return whole.model_copy(update={"sheet": whole.sheet.filter(pl.col("subject").is_in(few))})


@pytest.fixture(scope="session")
def gated(study):
    return cohort.gate_study(study).adata


@pytest.fixture
def adata(gated):
    return gated.copy()


@pytest.fixture
def results(gated, tmp_path):
    """A folder of results."""
    io.write_anndata(gated, tmp_path / "results" / "results.h5ad")
    return tmp_path / "results"
