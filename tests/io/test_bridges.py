"""Each bridge of docs/scverse.md, walked with the real package where this interpreter has a release of it."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from il2cyto import get, io, tl
from il2cyto.errors import IndependenceWarning, ModelError, PopulationError, SchemaError
from tests._cohort import make_cohort, not_evaluable

#: What the packages say about themselves and each other while they are imported or run; none of it is about our objects.
others_warn = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture
def adata():
    cohort = make_cohort(6)
    not_evaluable(cohort, "SIM-001_W2", "Treg", "NO_PARENT")
    return cohort


def quiet_import(name, reason):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=reason, exc_type=ImportError)


# --- scanpy ---------------------------------------------------------------------------------------------------------------


def test_complete_cases_are_those_without_a_gap_and_the_others_are_named(adata, caplog):
    with caplog.at_level(logging.WARNING, "il2cyto"):
        whole = get.complete_cases(adata)

    assert set(adata.obs_names) - set(whole.obs_names) == {"SIM-001_W2"}
    assert caplog.messages == ["complete cases: not evaluable, left out: SIM-001_W2"]
    assert io.schema_problems(whole) == ()
    assert get.complete_cases(adata, populations=["CD4", "NK"]).n_obs == adata.n_obs
    assert set(get.complete_cases(adata, visit="W0").obs["visit"]) == {"W0"}
    with pytest.raises(SchemaError) as error:
        get.complete_cases(adata, visit="W99")
    assert (
        str(error.value) == "get.complete_cases: no sample of visit 'W99'; visits: W0, W10, W12, W2, W24, W4, W6, W8."
    )


@others_warn
def test_scanpy_finds_the_components_that_a_singular_value_decomposition_finds(adata):
    import scanpy as sc

    whole = get.complete_cases(adata)

    sc.pp.pca(whole, n_comps=3, svd_solver="arpack", random_state=0)

    centred = whole.X - whole.X.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(whole.obsm["X_pca"]), np.abs(u[:, :3] * s[:3]), atol=1e-6)


@others_warn
def test_scanpy_draws_a_violin_of_each_arm_and_a_heat_map(adata):
    import matplotlib.pyplot as plt
    import scanpy as sc

    frame = sc.get.obs_df(adata, ["Treg", "arm", "visit"])
    assert frame["Treg"].isna().sum() == 1
    axes = sc.pl.violin(adata[adata.obs["visit"] == "W10"].copy(), "Treg", groupby="arm", show=False)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["placebo", "IL-2"]
    drawn = sc.pl.heatmap(get.complete_cases(adata, visit="W10"), ["Treg", "NK"], groupby="arm", show=False)
    assert "heatmap_ax" in drawn
    plt.close("all")


def test_populations_are_ranked_as_a_rank_sum_test_ranks_them(adata):
    from scipy.stats import mannwhitneyu

    table = tl.rank_populations(adata, visit="W10", populations=["Treg", "CD4", "NK"])

    rows = adata[adata.obs["visit"] == "W10"]
    drug, placebo = (rows[rows.obs["arm"] == arm].to_df() for arm in ("IL-2", "placebo"))
    expected = {
        name: mannwhitneyu(drug[name], placebo[name], use_continuity=False, method="asymptotic").pvalue
        for name in ("Treg", "CD4", "NK")
    }
    assert dict(table.select("population", "p").iter_rows()) == pytest.approx(expected)
    assert table["p"].is_sorted()
    treg = table.row(by_predicate=pl.col("population") == "Treg", named=True)
    assert treg["difference"] == pytest.approx(drug["Treg"].median() - placebo["Treg"].median())
    assert (treg["n"], treg["n_reference"], treg["reference"]) == (len(drug), len(placebo), "placebo")


def test_a_rank_over_visits_is_warned_of_because_visits_are_not_subjects(adata):
    with pytest.warns(IndependenceWarning) as caught:
        tl.rank_populations(adata)

    assert str(caught[0].message) == (
        f"rank_populations: 12 subjects have {adata.n_obs - 1} samples, which the method takes as independent: "
        "its p values and intervals are too small; give one visit"
    )
    with pytest.raises(ModelError) as error:
        tl.rank_populations(adata, visit="W0", reference="IL2")
    assert str(error.value) == (
        "rank_populations: 'arm' needs a reference and another group of two samples each; found placebo: 6, IL-2: 6"
    )


# --- mudata ---------------------------------------------------------------------------------------------------------------


def two_panels(adata):
    nk = adata[~adata.obs_names.isin(["SIM-003_W0", "SIM-004_W4"]), ["lymphocytes", "NK", "CD56bright"]].copy()
    nk.obs_names = [f"nk_{name}" for name in nk.obs_names]
    nk.obs_names.name = "sample"
    nk.obs["panel"] = pd.Categorical(["nk"] * nk.n_obs)
    tcell = adata[:, ["lymphocytes", "T", "CD4", "CD8", "Treg"]].copy()
    return {"tcell": tcell, "nk": nk}


@others_warn
def test_two_panels_are_one_mudata_that_get_reads_also_from_its_file(adata, tmp_path):
    mudata = quiet_import("mudata", "needs the extra mudata")
    cohorts = two_panels(adata)

    both = io.to_mudata(cohorts)
    both.write(tmp_path / "both.h5mu")
    again = mudata.read_h5mu(tmp_path / "both.h5mu")

    assert both.n_obs == adata.n_obs
    assert both["nk"].obs.loc["SIM-001_W2", "sample"] == "nk_SIM-001_W2"
    expected = pl.concat(
        [get.frequencies(cohort).with_columns(pl.col("visit", "arm").cast(pl.String)) for cohort in cohorts.values()]
    )
    for data in (both, again):
        found = get.frequencies(data).with_columns(pl.col("visit", "arm").cast(pl.String))
        keys = ["panel", "sample", "population"]
        assert found.sort(keys).equals(expected.sort(keys))
        assert data["nk"].layers["flag"].dtype == np.int32
    assert cohorts["nk"].obs_names[0].startswith("nk_")  # the cohorts themselves are left alone


def test_a_specimen_with_two_tubes_in_a_panel_is_refused(adata):
    quiet_import("mudata", "needs the extra mudata")
    adata.obs["subject"] = (
        adata.obs["subject"]
        .cat.rename_categories({"SIM-001": "SIM-00X"})
        .astype(str)
        .replace("SIM-00X", "SIM-002")
        .astype("category")
    )

    with pytest.raises(
        SchemaError, match=r"to_mudata: several tubes of tcell: SIM-002_W0, .*; keep one replicate of each"
    ):
        io.to_mudata({"tcell": adata})


# --- pertpy ---------------------------------------------------------------------------------------------------------------


def test_a_composition_is_whole_counts_that_add_up_to_the_parent(adata, caplog):
    with caplog.at_level(logging.WARNING, "il2cyto"):
        split = io.to_composition(adata, "CD4", visit="W2")

    rows = adata[split.obs_names]
    assert list(split.var_names) == ["Treg", "other"]
    np.testing.assert_array_equal(split.X.sum(axis=1), rows[:, "CD4"].layers["counts"].ravel())
    np.testing.assert_array_equal(split.X[:, 0], rows[:, "Treg"].layers["counts"].ravel())
    assert caplog.messages == ["composition of CD4: not evaluable, left out: SIM-001_W2"]
    long = get.composition(adata, "CD4").filter(pl.col("visit") == "W2")
    assert long["count"].to_list() == split.X.ravel().tolist()
    with pytest.warns(IndependenceWarning, match="to_composition: 12 subjects have"):
        io.to_composition(adata, "T")
    with pytest.raises(PopulationError, match="'Treg' has no children"):
        io.to_composition(adata, "Treg", visit="W2")


@others_warn
@pytest.mark.slow
def test_pertpy_takes_a_composition_for_sccoda(adata):
    pertpy = quiet_import("pertpy", "pertpy has releases for Python 3.12 and later; install the extra pertpy")
    quiet_import("jax", "scCODA needs pertpy[jax]")
    model = pertpy.tl.Sccoda()
    split = io.to_composition(adata, "T", visit="W10")

    data = model.load(split, type="sample_level")
    data = model.prepare(data, modality_key="coda", formula="arm", reference_cell_type="other")

    assert list(data["coda"].var_names) == ["CD4", "CD8", "other"]
    np.testing.assert_array_equal(np.asarray(data["coda"].X), split.X)


# --- ehrdata, ehrapy ------------------------------------------------------------------------------------------------------


@others_warn
def test_ehrdata_gets_the_cube_of_subjects_populations_and_visits(adata):
    quiet_import("ehrdata", "ehrdata has releases for Python 3.12 and later; install the extra ehrapy")

    edata = io.to_ehrdata(adata)

    cube = edata.layers["tem_data"]
    assert cube.shape == (12, 7, 8)
    assert list(edata.tem.index) == ["W0", "W2", "W4", "W6", "W8", "W10", "W12", "W24"]  # not sorted as text
    assert edata.tem["week"].tolist() == [0, 2, 4, 6, 8, 10, 12, 24]
    for sample in ("SIM-004_W10", "SIM-011_W0"):
        if sample in adata.obs_names:
            subject, visit = sample.split("_")
            here = cube[list(edata.obs_names).index(subject), :, list(edata.tem.index).index(visit)]
            np.testing.assert_array_equal(here, adata[sample].X.ravel())
    assert np.isfinite(cube).sum() == np.isfinite(adata.X).sum()
    assert (
        edata.obs["arm"].astype(str).to_dict()
        == adata.obs.groupby("subject", observed=True)["arm"].first().astype(str).to_dict()
    )
    assert "visit" not in edata.obs
    adata.obs["arm"] = pd.Categorical(np.where(adata.obs_names == "SIM-002_W0", "IL-2", adata.obs["arm"].astype(str)))
    with pytest.raises(SchemaError) as error:
        io.to_ehrdata(adata)
    assert str(error.value) == (
        "to_ehrdata: a column changes within a subject (arm: SIM-002); correct the table of subjects"
    )


@others_warn
def test_ehrapy_tracks_the_cohort(adata):
    ehrapy = quiet_import("ehrapy", "ehrapy has releases for Python 3.12 and later; install the extra ehrapy")
    edata = io.to_ehrdata(adata)
    edata.obs["age"] = np.linspace(20, 60, edata.n_obs)

    tracker = ehrapy.tl.CohortTracker(edata, columns=["arm", "age"], categorical=["arm"])
    tracker(edata, label="randomised")
    tracker(edata[edata.obs["age"] < 50].copy(), label="below 50", operations_done="age < 50")

    assert tracker.tracked_steps == 2
    overall = [table.tableone["Overall"] for table in tracker.tracked_tables]
    assert [rows["n", ""] for rows in overall] == [12, (edata.obs["age"] < 50).sum()]
    assert overall[0]["arm, n (%)", "IL-2"] == "6 (50.0)"


# --- readfcs, frames ------------------------------------------------------------------------------------------------------


@others_warn
def test_events_have_the_keys_and_values_of_readfcs(tmp_path):
    readfcs = quiet_import("readfcs", "needs readfcs")
    events = np.random.default_rng(5).normal(5000, 900, size=(60, 4)).astype(np.float32)
    matrix = io.Spillover(("APC-A", "PE-A"), np.array([[1, 0.1], [0.02, 1]]))
    path = tmp_path / "P01_V1.fcs"
    names, labels = ["FSC-A", "APC-A", "PE-A", "Time"], ["", "CD25", "CD4", ""]
    io.write_fcs(path, events, names=names, labels=labels, spillover=matrix)

    ours, theirs = io.read_fcs(path), readfcs.read(str(path))

    np.testing.assert_array_equal(np.asarray(ours.X), np.asarray(theirs.X))
    assert list(ours.var_names) == list(theirs.var_names)
    assert ours.var["channel"].astype(str).tolist() == theirs.var["channel"].astype(str).tolist()
    np.testing.assert_allclose(ours.uns["meta"]["spill"].to_numpy(), theirs.uns["meta"]["spill"].to_numpy(float))
    assert set(theirs.var.columns) <= set(ours.var.columns)


def test_frames_of_get_go_to_pandas_and_back(adata):
    frame = get.frequencies(adata)

    there = frame.to_pandas()

    assert isinstance(there["visit"].dtype, pd.CategoricalDtype)
    assert there["visit"].cat.ordered
    np.testing.assert_array_equal(there["frequency"], frame["frequency"].to_numpy())
    assert there["population"].tolist() == frame["population"].to_list()
