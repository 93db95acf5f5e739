"""From a folder of real files to frequencies, by the commands of the quick start."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import pipeline
from il2cyto.drafting import draft_study, write_draft

if TYPE_CHECKING:
    from pathlib import Path


def test_replicates_of_a_visit_agree_within_a_few_percent_from_a_drafted_study(shared: Path, tmp_path: Path) -> None:
    """Naive valleys gave coefficients of variation of at most 0.6 (CD3), 0.8 (CD4) and 4.2 % (CD8): not more than these."""
    for file in (shared / "data/visits").glob("*.fcs"):
        shutil.copy(file, tmp_path / file.name)
    files = write_draft(draft_study(tmp_path, names="HD_{subject}_{visit}_{replicate}"), tmp_path)

    output = pipeline.gate(files[0], tmp_path / "results", densities=False)

    assert not output.failures
    frequencies = pl.read_csv(tmp_path / "results/tables/frequencies.csv", infer_schema_length=None)
    tubes = frequencies.group_by("population", "subject", "visit").agg(
        n=pl.len(), cv=pl.col("frequency").std() / pl.col("frequency").mean()
    )
    assert set(tubes["n"]) == {2}
    worst = dict(tubes.group_by("population").agg(pl.col("cv").max()).rows())
    assert round(worst["T"], 3) <= 0.006
    assert worst["CD4"] < 0.008
    assert worst["CD8"] < 0.042
