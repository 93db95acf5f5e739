from __future__ import annotations

import math

import polars as pl
import pytest

from il2cyto import analysis
from il2cyto.io import read_anndata, read_clinical, read_study
from tests.conftest import PROJECT


def test_pairs_are_the_change_on_treatment_and_the_later_change_of_sledai_of_each_subject(sample_results) -> None:
    study = read_study(PROJECT / "sample_data" / "study.yaml")
    clinical = read_clinical(study)
    done = analysis.analyse(read_anndata(sample_results / "results.h5ad"), trial=study, clinical=clinical)
    pairs = done.tables["response_pairs"]

    assert pairs.select("visit", "outcome_visit").unique().rows() == [("W6", "W12")]
    assert clinical.visits is not None
    frequencies = pl.read_csv(sample_results / "tables" / "frequencies.csv").filter(population="Treg")
    scores = clinical.visits.select(pl.col("subject", "visit").cast(pl.String), "sledai_total")

    def value(rows: pl.DataFrame, subject: str, visit: str) -> dict:
        return rows.filter(subject=subject, visit=visit).to_dicts()[0]

    def logit(subject: str, visit: str) -> float:
        row = value(frequencies, subject, visit)
        return math.log((row["count"] + 0.5) / (row["parent_count"] - row["count"] + 0.5))

    own = pairs.filter(population="Treg")
    assert own.height >= 5
    for subject, x, y in own.select("subject", "change_logit", "change_sledai").iter_rows():
        assert x == pytest.approx(logit(subject, "W6") - logit(subject, "W0"))
        first, last = (value(scores, subject, visit)["sledai_total"] for visit in ("W0", "W12"))
        assert y == last - first
