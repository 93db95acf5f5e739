"""Shifts of intensity between arms, against scipy's Welch test on changes that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import ttest_ind

from il2cyto import datasets, get, tl
from il2cyto.errors import StudyError
from il2cyto.pp import transform
from il2cyto.report._alerts import alerts
from il2cyto.report._results import Results

if TYPE_CHECKING:
    import polars as pl


@pytest.fixture(scope="module")
def gated():
    return datasets.toy_trial(subjects=16)


@pytest.fixture
def trial(gated):
    """A trial whose medians of CD25 on CD4+ T cells are set by hand: random, and three times as bright on drug at W6."""
    adata = gated.copy()
    rng = np.random.default_rng(3)
    on_drug = ((adata.obs["arm"] == "IL-2") & (adata.obs["visit"] == "W6")).to_numpy()
    adata.obsm["mfi"]["CD4_CD25"] = rng.normal(1000, 60, adata.n_obs) * np.where(on_drug, 3.0, 1.0)
    return adata


def cd25(adata) -> pl.DataFrame:
    return tl.intensity_shifts(adata, baseline="W0").filter(population="CD4", marker="CD25")


def test_a_shift_is_the_difference_of_the_arms_changes_on_the_scale_of_the_gate(trial):
    spec = get.template(trial).scale_of("CD25").at_range(262144.0)
    frame = trial.obs[["subject", "arm", "visit"]].assign(
        value=transform(trial.obsm["mfi"]["CD4_CD25"].to_numpy(), spec)
    )
    wide = frame.pivot(index=["subject", "arm"], columns="visit", values="value").reset_index()
    change = (wide["W6"] - wide["W0"]).dropna()
    treated, control = (change[wide["arm"] == arm].to_numpy() for arm in ("IL-2", "placebo"))
    expected = ttest_ind(treated, control, equal_var=False)
    row = cd25(trial).filter(visit="W6").row(0, named=True)
    assert (row["arm"], row["control"], row["n"], row["n_control"]) == ("IL-2", "placebo", len(treated), len(control))
    assert row["shift"] == pytest.approx(treated.mean() - control.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert row["p"] == pytest.approx(expected.pvalue)


def test_the_order_of_samples_does_not_matter(trial):
    shuffled = trial[np.random.default_rng(4).permutation(trial.n_obs)].copy()
    mine, theirs = tl.intensity_shifts(trial, baseline="W0"), tl.intensity_shifts(shuffled, baseline="W0")
    numbers = ["shift", "ci_low", "ci_high", "p"]
    assert mine.drop(numbers).equals(theirs.drop(numbers))
    np.testing.assert_allclose(mine[numbers].to_numpy(), theirs[numbers].to_numpy(), rtol=1e-9)


def test_only_locked_gates_are_looked_at_in_the_population_that_they_divide(trial):
    found = tl.intensity_shifts(trial, baseline="W0").select("population", "marker", "cuts").unique(maintain_order=True)
    assert found.rows() == [
        ("singlets", "viability", "live"), ("CD4", "CD25", "CD25pos;Treg"), ("CD4", "CD127", "CD127low;Treg"),
        ("NK_lineage", "CD56", "CD56pos"), ("NK", "CD16", "CD16pos"), ("NK", "CD56", "CD56high"),
    ]  # fmt: skip


def test_without_two_arms_there_is_nothing_to_compare_and_an_unknown_visit_is_named(trial):
    trial.uns["il2cyto"]["arms"] = np.array([], dtype=str)
    assert tl.intensity_shifts(trial, baseline="W0").height == 0
    with pytest.raises(StudyError) as caught:
        tl.intensity_shifts(trial, baseline="W1")
    assert str(caught.value) == "intensity_shifts: no visit 'W1'; the table has W0, W6, W12."


def test_the_report_warns_of_the_markers_that_moved_and_of_no_other(trial, tmp_path):
    """CD56 of NK cells brightens in the simulation itself."""
    found = [alert for alert in alerts(Results(tmp_path, {"tnk": trial}, {}, "")) if alert.code == "INTENSITY_SHIFT"]
    shift = cd25(trial).filter(visit="W6")["shift"][0]
    assert [(alert.level, alert.where) for alert in found] == [("warn", "CD25pos, Treg"), ("warn", "CD56high")]
    assert found[0].text == (
        f"The median of CD25 on CD4 moved by {shift:+.3f} more in IL-2 than in placebo at W6, on the axis of the gate. A locked cut "
        "does not follow: what lies beyond it may have changed without a cell changing its kind."
    )
