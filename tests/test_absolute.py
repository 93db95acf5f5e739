"""Cells per µL, against counts made by hand: three methods, never two in one comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto import cohort, get, io, pipeline
from il2cyto._keys import Layers, Obs
from il2cyto.errors import SchemaError, StudyError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

TEMPLATE = """\
schema: il2cyto/gating-template/1
name: counted
version: "1"
requires: [CD3, beads]
compensation: none
transform: {default: {method: none}}
min_parent: {nan: 1, warn: 1}
beads: beads
populations:
- {name: beads, parent: root, report: false, gate: {method: fixed, channel: beads, at: 500, keep: above}}
- {name: lymphocytes, parent: root, gate: {method: fixed, channel: beads, at: 500, keep: below}}
- {name: T, parent: lymphocytes, gate: {method: fixed, channel: CD3, at: 500, keep: above}}
"""
N_BEADS, N_T, N_OTHER = 400, 1500, 500


def write_tube(path: Path, *, beads: int = N_BEADS, volume: str = "") -> None:
    """A tube with so many beads, 1,500 T cells and 500 other lymphocytes (simulated)."""
    kinds = [(0.0, 900.0)] * beads + [(900.0, 100.0)] * N_T + [(100.0, 100.0)] * N_OTHER
    keywords = {"$VOL": volume} if volume else {}
    io.write_fcs(
        path, np.array(kinds), names=["FL1", "FL2"], labels=["CD3", "beads"], ranges=[1000, 1000], keywords=keywords
    )


@pytest.fixture
def make(tmp_path):
    """Write a study from rows of the sheet and facts of the tubes."""

    def make(rows: list[dict[str, object]], tubes: list[dict[str, object]], **more: str) -> Path:
        (tmp_path / "template.yaml").write_text(TEMPLATE)
        for i, tube in enumerate(tubes):
            write_tube(tmp_path / f"{i}.fcs", **tube)  # type: ignore[arg-type]
        named = [{"file": f"{i}.fcs", "subject": f"p{i}", "visit": "W0", **row} for i, row in enumerate(rows)]
        pl.DataFrame(named).write_csv(tmp_path / "samples.csv")
        extra = "".join(f"{key}: {value}\n" for key, value in more.items())
        (tmp_path / "study.yaml").write_text(
            f"study: x\nsamples: samples.csv\npanels: {{a: {{template: template.yaml}}}}\n{extra}"
        )
        return tmp_path / "study.yaml"

    return make


def gated(study: Path) -> AnnData:
    return cohort.gate_study(io.read_study(study)).adata


def test_beads_volume_and_blood_count_each_follow_their_formula(make):
    known = [{"beads_per_ul": 50.0}, {"dilution": 10.0}, {"lymphocytes_1e9_l": 1.2}]
    rows = [dict.fromkeys(("beads_per_ul", "dilution", "lymphocytes_1e9_l")) | row for row in known]
    adata = gated(make(rows, [{}, {"volume": "60000"}, {}]))
    assert adata.obs[Obs.COUNT_METHOD].tolist() == ["beads", "volumetric", "dual_platform"]
    np.testing.assert_allclose(
        np.asarray(adata[:, ["lymphocytes", "T"]].layers[Layers.CELLS_PER_UL]),
        np.array(
            [
                [2000 / 400 * 50, 1500 / 400 * 50],  # beads
                [2000 / 60 * 10, 1500 / 60 * 10],  # 60,000 nl are 60 µL, of blood diluted 1 in 10
                [1200, 900],  # three in four of 1.2e9 a litre
            ]
        ),
    )


def test_numbers_of_two_methods_are_not_given_together(make):
    rows = [{"beads_per_ul": 50.0, "lymphocytes_1e9_l": None}, {"beads_per_ul": None, "lymphocytes_1e9_l": 1.2}]
    adata = gated(make(rows, [{}, {}]))
    with pytest.raises(SchemaError) as error:
        get.absolute_counts(adata)
    assert str(error.value) == (
        "get.absolute_counts: counted by beads (1 samples), dual_platform (1 samples); numbers of different methods are not "
        "compared. Name one: method=..."
    )
    table = get.absolute_counts(adata, populations=["T"], method="beads")
    assert table["cells_per_ul"].to_list() == [187.5, pytest.approx(float("nan"), nan_ok=True)]
    assert table["reason"].to_list() == ["", "counted by another method: dual_platform"]


def test_without_anything_to_count_by_there_is_no_layer_and_the_table_says_so(make):
    adata = gated(make([{}], [{"volume": "60000"}]))  # a volume alone is one of the suspension, not of blood
    assert Layers.CELLS_PER_UL not in adata.layers
    assert Obs.COUNT_METHOD not in adata.obs
    table = get.absolute_counts(adata)
    assert table["cells_per_ul"].is_nan().all()
    assert set(table["reason"]) == {"no absolute count of this sample"}


def test_few_beads_give_no_number(make):
    adata = gated(make([{"beads_per_ul": 50.0}], [{"beads": 49}]))
    table = get.absolute_counts(adata, populations=["T"])
    assert np.isnan(table["cells_per_ul"][0])
    assert (table["count_method"][0], table["reason"][0]) == ("beads", "too few beads")


def test_blood_counts_of_visits_fill_only_samples_without_a_count_of_their_own(make):
    adata = gated(make([{"beads_per_ul": 50.0}, {"beads_per_ul": None}, {"beads_per_ul": None}], [{}, {}, {}]))
    visits = pl.DataFrame({"subject": ["p0", "p1"], "visit": ["W0", "W0"], "lymphocytes_1e9_l": [2.0, 2.0]})
    counted = cohort.add_blood_counts(adata, visits)
    assert counted.obs[Obs.COUNT_METHOD].astype(object).tolist()[:2] == ["beads", "dual_platform"]
    np.testing.assert_allclose(counted[:, "T"].layers[Layers.CELLS_PER_UL][:, 0], [187.5, 1500, np.nan])
    assert adata.obs[Obs.COUNT_METHOD].isna().sum() == 2  # the object that was given is as it was
    with pytest.raises(StudyError) as error:
        cohort.add_blood_counts(adata, pl.concat([visits, visits]))
    assert (
        str(error.value)
        == "visits: a subject has two rows at a visit; keep one, so that each sample has one blood count"
    )


def test_the_study_refuses_counts_that_are_not_positive(make):
    study = make([{"beads_per_ul": 0.0, "dilution": -1.0}], [{}])
    with pytest.raises(StudyError) as error:
        io.read_study(study)
    assert "beads_per_ul: found 0; allowed is a number above 0, or blank where it is not known" in str(error.value)
    assert "dilution: found -1; allowed is a number above 0, or blank where it is not known" in str(error.value)


def test_a_run_counts_by_the_blood_counts_of_its_visits(make, tmp_path):
    study = make([{}, {}], [{}, {}], clinical="{visits: visits.csv}", schedule="[{visit: W0, week: 0, baseline: true}]")
    pl.DataFrame({"subject": ["p0"], "visit": ["W0"], "lymphocytes_1e9_l": [1.2]}).write_csv(tmp_path / "visits.csv")
    pipeline.gate(study, tmp_path / "out")
    adata = io.read_anndata(tmp_path / "out" / "results.h5ad")
    np.testing.assert_allclose(adata[:, "T"].layers[Layers.CELLS_PER_UL][:, 0], [900, np.nan])
    assert get.absolute_counts(adata, populations=["T"])["reason"].to_list() == ["", "no absolute count of this sample"]
