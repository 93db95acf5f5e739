from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from il2cyto.errors import PopulationError, SchemaError
from il2cyto.tl import subject_dynamics, summarise_dynamics
from tests._cohort import make_cohort, not_evaluable

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def cohort() -> AnnData:
    return make_cohort()


def values(adata: AnnData, population: str, arm: str, visit: str) -> np.ndarray:
    chosen = (adata.obs["arm"] == arm) & (adata.obs["visit"] == visit)
    return np.asarray(adata[chosen, population].X).ravel()


def again(adata: AnnData, sample: str, name: str) -> AnnData:
    """A second tube of a sample, with half as many events in every population."""
    tube = adata[[sample]].copy()
    tube.obs_names = pd.Index([name], name="sample")
    tube.layers["counts"] = np.floor(tube.layers["counts"] / 2)
    tube.X = tube.layers["counts"] / tube.layers["parent_counts"]
    both = ad.concat([adata, tube], merge="same", uns_merge="first")
    both.obs["visit"] = pd.Categorical(both.obs["visit"], categories=adata.obs["visit"].cat.categories, ordered=True)
    return both


def test_the_summary_equals_numpy_and_scipy_visit_by_visit(cohort: AnnData) -> None:
    table = summarise_dynamics(cohort)

    assert table["population"].unique(maintain_order=True).to_list() == ["CD4", "CD8", "Treg", "NK", "CD56bright"]
    assert table.height == 5 * 2 * 8
    for row in table.iter_rows(named=True):
        x = values(cohort, row["population"], row["arm"], row["visit"])
        interval = stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
        expected = [x.mean(), x.std(ddof=1), stats.sem(x), np.median(x), *np.quantile(x, [0.25, 0.75]), *interval]
        got = [row[name] for name in ("mean", "sd", "sem", "median", "q25", "q75", "ci_low", "ci_high")]
        assert (row["n"], row["n_missing"]) == (len(x), 0)
        assert row["week"] == float(row["visit"][1:])
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_replicates_of_a_subject_count_once_as_their_mean(cohort: AnnData) -> None:
    expected = values(cohort, "Treg", "placebo", "W0")
    twice = again(cohort, "SIM-000_W0", "SIM-000_W0_r2")
    expected[0] = np.mean(twice[["SIM-000_W0", "SIM-000_W0_r2"], "Treg"].X)

    row = summarise_dynamics(twice, populations=["Treg"]).row(0, named=True)

    assert (row["n"], row["mean"]) == (6, pytest.approx(expected.mean(), rel=1e-14))


def test_a_replicate_that_is_not_evaluable_leaves_the_other_standing(cohort: AnnData) -> None:
    twice = again(cohort, "SIM-000_W0", "SIM-000_W0_r2")
    not_evaluable(twice, "SIM-000_W0_r2", "Treg", "NO_PARENT")

    assert summarise_dynamics(twice, populations=["Treg"]).equals(summarise_dynamics(cohort, populations=["Treg"]))


def test_missing_values_are_left_out_and_counted(cohort: AnnData) -> None:
    expected = values(cohort, "Treg", "placebo", "W0")[1:]
    not_evaluable(cohort, "SIM-000_W0", "Treg", "NO_PARENT")

    row = summarise_dynamics(cohort, populations=["Treg"]).row(0, named=True)

    assert (row["n"], row["n_missing"]) == (5, 1)
    assert row["mean"] == pytest.approx(expected.mean(), rel=1e-14)


def test_controls_and_subjects_without_an_arm_are_left_out(cohort: AnnData) -> None:
    expected = summarise_dynamics(cohort[~cohort.obs["subject"].isin(["SIM-000", "SIM-001"])])

    cohort.obs.loc[cohort.obs["subject"] == "SIM-000", "control"] = True
    cohort.obs.loc[cohort.obs["subject"] == "SIM-001", "arm"] = None

    assert summarise_dynamics(cohort).equals(expected)


def test_a_scheduled_visit_without_samples_is_a_row_without_values(cohort: AnnData) -> None:
    table = summarise_dynamics(cohort[~((cohort.obs["visit"] == "W6") & (cohort.obs["arm"] == "IL-2"))])

    gap = table.filter(arm="IL-2", visit="W6")
    assert gap["n"].to_list() == gap["n_missing"].to_list() == [0] * 5
    assert gap["week"].to_list() == [6.0] * 5
    assert (
        gap.select("mean", "sd", "sem", "median", "q25", "q75", "ci_low", "ci_high").fill_nan(None).null_count().row(0)
        == (5,) * 8
    )


def test_one_subject_has_a_mean_but_no_error(cohort: AnnData) -> None:
    row = summarise_dynamics(cohort[cohort.obs["subject"] == "SIM-000"], populations=["CD4"]).row(0, named=True)

    assert (row["n"], row["mean"]) == (1, cohort["SIM-000_W0", "CD4"].X.item())
    assert np.isnan([row["sd"], row["sem"], row["ci_low"], row["ci_high"]]).all()


def test_without_arms_all_subjects_are_one_group_and_without_weeks_visits_keep_their_order(cohort: AnnData) -> None:
    del cohort.obs["arm"], cohort.obs["week"], cohort.uns["il2cyto"]["schedule"]

    table = summarise_dynamics(cohort, populations=["NK"])

    assert table["arm"].unique().to_list() == ["all"]
    assert table["week"].null_count() == table.height
    assert table["visit"].to_list() == ["W0", "W2", "W4", "W6", "W8", "W10", "W12", "W24"]
    assert table["n"][0] == 12


def test_any_column_of_obs_groups_and_an_unknown_one_is_an_error(cohort: AnnData) -> None:
    table = summarise_dynamics(cohort, populations=["NK"], group="batch")

    assert table.filter(visit="W6", batch="B1")["n"].item() == (cohort.obs["visit"] == "W6").sum()
    assert table.filter(visit="W6", batch="B2")["n"].item() == 0
    with pytest.raises(SchemaError) as e:
        summarise_dynamics(cohort, group="responder")
    assert str(e.value) == (
        "summarise_dynamics: no obs column 'responder' to group by; the object has subject, visit, week, baseline, arm, "
        "batch, panel, replicate, n_events, control."
    )


def test_another_denominator_reports_the_endpoints_below_it(cohort: AnnData) -> None:
    table = subject_dynamics(cohort, denominator="T")

    assert table["population"].unique(maintain_order=True).to_list() == ["CD4", "CD8", "Treg"]
    first = cohort["SIM-000_W0"].to_df("counts")
    row = table.filter(population="Treg", subject="SIM-000", visit="W0")
    assert row["frequency"].item() == first["Treg"].item() / first["T"].item()


def test_an_object_without_any_endpoint_asks_for_names(cohort: AnnData) -> None:
    with pytest.raises(PopulationError) as e:
        summarise_dynamics(cohort[:, ["lymphocytes", "T"]])

    assert str(e.value) == "no endpoint population in the object; name populations, out of: lymphocytes, T."
