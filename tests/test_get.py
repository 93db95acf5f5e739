from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from il2cyto import get, io
from il2cyto.errors import PopulationError, SchemaError
from tests._cohort import make_cohort, not_evaluable

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


@pytest.fixture
def cohort() -> AnnData:
    return make_cohort(3)


def cell(frame: pl.DataFrame, sample: str, population: str) -> dict[str, object]:
    return frame.row(by_predicate=(pl.col("sample") == sample) & (pl.col("population") == population), named=True)


def test_frequencies_are_the_object_row_by_row(cohort: AnnData) -> None:
    frame = get.frequencies(cohort)

    assert frame.columns == (
        [
            "sample",
            "subject",
            "visit",
            "week",
            "arm",
            "panel",
            "population",
            "parent",
            "count",
            "parent_count",
            "frequency",
            "ci_low",
            "ci_high",
            "flags",
        ]
    )
    assert frame.height == cohort.n_obs * cohort.n_vars
    for sample, population in [("SIM-000_W0", "CD4"), (cohort.obs_names[-1], "CD56bright")]:
        row, obs, var = cell(frame, sample, population), cohort.obs.loc[sample], cohort.var.loc[population]
        one = cohort[sample, population]
        n, total = one.layers["counts"].item(), one.layers["parent_counts"].item()
        low, high = proportion_confint(n, total, method="wilson")
        assert {name: row[name] for name in ("subject", "visit", "week", "arm", "panel")} == dict(
            obs[["subject", "visit", "week", "arm", "panel"]]
        )
        assert (row["parent"], row["count"], row["parent_count"], row["flags"]) == (var["parent"], n, total, "")
        assert row["frequency"] == one.X.item()
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1e-14)


def test_visits_and_arms_keep_the_order_of_the_study(cohort: AnnData) -> None:
    frame = get.frequencies(cohort)

    assert frame["visit"].unique().sort().to_list() == ["W0", "W2", "W4", "W6", "W8", "W10", "W12", "W24"]
    assert frame["arm"].unique().sort().to_list() == ["placebo", "IL-2"]


def test_a_population_that_is_not_evaluable_is_nan_with_its_flags_and_keeps_its_parents_count(cohort: AnnData) -> None:
    not_evaluable(cohort, "SIM-000_W0", "Treg", "NO_PARENT", "SHRUNK")

    row = cell(get.frequencies(cohort), "SIM-000_W0", "Treg")

    assert [name for name, value in row.items() if value != value] == ["count", "frequency", "ci_low", "ci_high"]
    assert row["parent_count"] == cohort["SIM-000_W0", "CD4"].layers["counts"].item()
    assert row["flags"] == "SHRUNK;NO_PARENT"


def test_flags_are_decoded_with_the_legend_of_the_object_not_of_the_code(cohort: AnnData) -> None:
    not_evaluable(cohort, "SIM-000_W0", "CD4", "UNSTABLE")
    cohort.uns["il2cyto"]["flags"] = cohort.uns["il2cyto"]["flags"].rename(index={"UNSTABLE": "WOBBLY"})

    assert cell(get.frequencies(cohort), "SIM-000_W0", "CD4")["flags"] == "WOBBLY"
    assert get.flags(cohort).rows() == [("SIM-000_W0", "CD4", "WOBBLY", "warn", "the cut varies under resampling")]


def test_a_bit_without_a_legend_row_is_an_error(cohort: AnnData) -> None:
    cohort.layers["flag"][0, 0] = 1 << 7

    with pytest.raises(SchemaError) as e:
        get.frequencies(cohort)

    assert str(e.value) == (
        "flag bits 7 are set but have no row in uns['il2cyto']['flags'], which has bits 1, 5, 13, 20, 22. Restore the legend "
        "of the program that wrote the object."
    )


def test_another_denominator_divides_two_columns_of_counts(cohort: AnnData) -> None:
    cohort.layers["counts"][1, cohort.var_names.get_loc("lymphocytes")] = 0
    not_evaluable(cohort, cohort.obs_names[2], "lymphocytes", "NO_PARENT")

    frame = get.frequencies(cohort, populations=["Treg"], denominator="lymphocytes")

    treg, lymphocytes = (cohort[:, name].layers["counts"].ravel() for name in ("Treg", "lymphocytes"))
    assert frame["parent"].unique().to_list() == ["lymphocytes"]
    np.testing.assert_array_equal(frame["parent_count"], lymphocytes)
    assert frame["frequency"].is_nan().arg_true().to_list() == frame["ci_low"].is_nan().arg_true().to_list() == [1, 2]
    np.testing.assert_array_equal(frame["frequency"][3:], treg[3:] / lymphocytes[3:])


def test_without_names_a_denominator_takes_all_below_it(cohort: AnnData) -> None:
    frame = get.frequencies(cohort, denominator="T")

    assert frame["population"].unique(maintain_order=True).to_list() == ["CD4", "CD8", "Treg"]


def test_a_population_outside_the_denominator_is_an_error_that_lists_the_allowed(cohort: AnnData) -> None:
    with pytest.raises(PopulationError) as e:
        get.frequencies(cohort, populations=["CD4", "CD56bright"], denominator="T")

    assert str(e.value) == (
        "get.frequencies: 'T' does not contain all of the populations; allowed is CD56bright: NK, lymphocytes."
    )


def test_unknown_populations_are_listed_together_with_near_misses(cohort: AnnData) -> None:
    with pytest.raises(PopulationError) as e:
        get.frequencies(cohort, populations=["Tregs", "xyz"])

    assert str(e.value) == (
        "get.frequencies: no population 'Tregs' (did you mean 'Treg'?), 'xyz'. "
        "The object has: lymphocytes, T, CD4, CD8, Treg, NK, CD56bright."
    )


def test_a_text_in_place_of_a_list_of_populations_is_an_error_that_shows_the_list(cohort: AnnData) -> None:
    with pytest.raises(PopulationError) as caught:
        get.frequencies(cohort, populations="Treg")

    assert str(caught.value) == "get.frequencies: populations is the text 'Treg'; give a list: ['Treg']."


@pytest.mark.parametrize(
    "strip", [lambda a: a.to_df(), lambda a: anndata.concat([a[:2], a[2:4]])], ids=["frame", "concat"]
)
def test_what_is_no_cohort_object_is_refused_with_how_to_make_one(
    cohort: AnnData, strip: Callable[[AnnData], Any]
) -> None:
    other = strip(cohort)

    with pytest.raises(SchemaError) as caught:
        get.frequencies(other)

    assert str(caught.value) == (
        f"{type(other).__name__} without uns['il2cyto'] and var['parent']: no cohort object; read one with "
        "io.read_anndata, and give anndata.concat merge='same' and uns_merge='same'."
    )


def test_runs_put_below_each_other_are_one_object_once_their_visits_are_in_order(cohort: AnnData) -> None:
    whole = cohort.obs["visit"].cat.categories
    both = anndata.concat([cohort[:4], cohort[4:]], merge="same", uns_merge="same")
    both.obs["visit"] = pd.Categorical(both.obs["visit"], categories=whole, ordered=True)

    io.validate(both)

    assert (
        get.frequencies(both)
        .select("sample", "frequency")
        .equals(get.frequencies(cohort).select("sample", "frequency"))
    )


def test_tab_completion_shows_what_is_public() -> None:
    assert dir(get) == sorted(get.__all__)


def test_columns_that_the_object_lacks_are_null(cohort: AnnData) -> None:
    del cohort.obs["arm"], cohort.obs["week"]

    frame = get.frequencies(cohort)

    assert frame["arm"].null_count() == frame["week"].null_count() == frame.height


def test_panels_of_a_mudata_are_stacked_and_their_visits_stay_in_order() -> None:
    t, nk = make_cohort(2)[:, ["T", "CD4"]].copy(), make_cohort(2)[:, ["NK", "CD56bright"]].copy()
    t = t[t.obs["visit"] != "W24"].copy()
    nk.obs["panel"] = pd.Categorical(["nk"] * nk.n_obs)
    nk.obs["sample"] = nk.obs_names + "_tube2"

    frame = get.frequencies(SimpleNamespace(mod={"tcell": t, "nk": nk}), populations=["CD4", "NK"])

    assert frame.select("panel", "population").unique().sort("panel").rows() == [("nk", "NK"), ("tcell", "CD4")]
    assert frame["visit"].unique().sort().to_list()[-2:] == ["W12", "W24"]
    assert frame.height == t.n_obs + nk.n_obs
    assert frame.filter(panel="nk")["sample"][0] == "SIM-000_W0_tube2"


def test_a_composition_adds_up_to_its_parent_and_leaves_out_what_is_not_evaluable(
    cohort: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    not_evaluable(cohort, "SIM-000_W2", "CD8", "PARENT_FAILED")

    with caplog.at_level(logging.WARNING, "il2cyto"):
        frame = get.composition(cohort, "T")

    assert caplog.messages == ["composition of T: not evaluable, left out: SIM-000_W2"]
    assert frame["population"].unique(maintain_order=True).to_list() == ["CD4", "CD8", "other"]
    sums = frame.group_by("sample", maintain_order=True).agg(pl.col("count").sum(), pl.col("parent_count").first())
    assert "SIM-000_W2" not in sums["sample"]
    assert sums["count"].to_list() == sums["parent_count"].to_list()
    assert sums.height == cohort.n_obs - 1


def test_children_that_overlap_make_no_composition(cohort: AnnData) -> None:
    cohort.layers["counts"][0, cohort.var_names.get_loc("CD8")] = cohort["SIM-000_W0", "T"].layers["counts"].item()

    with pytest.raises(PopulationError) as e:
        get.composition(cohort, "T")

    assert str(e.value) == (
        "get.composition: the children of 'T' (CD4, CD8) overlap: their sum exceeds it in 1 samples, first SIM-000_W0. "
        "Take children that exclude each other."
    )


def test_cuts_are_the_four_frames_in_long_form_with_their_legend(cohort: AnnData) -> None:
    cohort.obsm["gate_flag"].loc["SIM-000_W0", "Treg_CD25"] = 1 << 5
    cohort.obsm["gate_cutpoints_raw"].loc["SIM-000_W0", "Treg_CD25"] = np.nan

    frame = get.cuts(cohort)
    row = frame.row(by_predicate=(pl.col("sample") == "SIM-000_W0") & (pl.col("cut") == "Treg_CD25"), named=True)

    assert frame.height == 2 * cohort.n_obs
    assert (row["population"], row["marker"], row["coordinate"], row["batch"]) == ("Treg", "CD25", "cut", "B1")
    assert row["value"] == cohort.obsm["gate_cutpoints"].loc["SIM-000_W0", "Treg_CD25"]
    assert np.isnan(row["proposal"])
    assert (row["spread"], row["flags"]) == (0.005, "UNSTABLE")


def test_results_come_from_varm_by_contrast_and_from_uns(cohort: AnnData) -> None:
    week12 = pd.DataFrame({"estimate": np.arange(7.0), "p": np.linspace(0, 1, 7)}, index=cohort.var_names)
    cohort.varm["mmrm_week12"], cohort.varm["mmrm_week24"] = week12, week12 + 1
    cohort.varm["mmrm_cc_week12"] = week12 + 2  # of a second call, whose key begins with that of the first
    cohort.uns["mmrm"], cohort.uns["mmrm_cc"] = {"params": {}}, {"params": {}}
    cohort.uns["icc"] = {"params": {}, "results": pd.DataFrame({"arm": pd.Categorical(["IL-2"]), "icc": [0.7]})}

    both, one, icc = (get.results(cohort, key) for key in ("mmrm", "mmrm_week12", "icc"))

    assert both.columns == ["population", "contrast", "estimate", "p"]
    assert both["contrast"].unique(maintain_order=True).to_list() == ["week12", "week24"]
    assert both.filter(contrast="week24")["estimate"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert one.rows() == list(zip(cohort.var_names, week12["estimate"], week12["p"], strict=True))
    assert icc.rows() == [("IL-2", 0.7)]
    with pytest.raises(SchemaError) as e:
        get.results(cohort, "mmrn")
    assert str(e.value) == (
        "get.results: nothing stored under 'mmrn'; stored: icc, mmrm_cc_week12, mmrm_week12, mmrm_week24. "
        "Run its tl function."
    )


def test_frames_are_the_same_after_saving_and_reading(
    cohort: AnnData, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import anndata as ad

    file = tmp_path_factory.mktemp("cohort") / "results.h5ad"
    cohort.write_h5ad(file)
    again = ad.read_h5ad(file)

    for function in (get.frequencies, get.cuts, get.flags):
        assert function(again).equals(function(cohort))
