from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats

from il2cyto import clinical, datasets, io
from il2cyto.errors import StudyError
from il2cyto.tl import ancova, binary_contrasts, continuous_contrasts, continuous_endpoints, shift_between
from tests.tl._trial import make_continuous, make_sets

SETS = make_sets()
VALUES = make_continuous(SETS)
WIDE = SETS.join(VALUES.pivot("visit", index="subject", values="value"), on="subject")


@pytest.mark.parametrize(("se", "cov_type"), [("HC3", "HC3"), ("classical", "nonrobust")])
def test_ancova_equals_least_squares_of_statsmodels(se: str, cov_type: str) -> None:
    whole = WIDE.drop_nulls("W6")
    treated, base = (whole["arm"] == "IL-2").to_numpy(), whole["W0"].to_numpy()
    sex = (whole["sex"] == "M").to_numpy().astype(float)
    design = np.column_stack([np.ones(len(base)), treated, base, sex])
    fit = sm.OLS(whole["W6"].to_numpy(), design).fit(cov_type=cov_type, use_t=True)

    all_of = (WIDE["W6"].to_numpy(), WIDE["W0"].to_numpy(), (WIDE["arm"] == "IL-2").to_numpy())
    covariates = (WIDE["sex"] == "M").to_numpy().astype(float)[:, None]
    found = ancova(*all_of, covariates=covariates, se=se)  # type: ignore[arg-type]

    low, high = fit.conf_int()[1]
    expected = (fit.params[1], fit.bse[1], fit.df_resid, low, high, fit.pvalues[1])
    assert found == pytest.approx(expected, rel=1e-9)


def test_an_arm_that_cannot_be_told_apart_is_not_estimable() -> None:
    value, base = np.arange(6.0), np.array([1.0, 3, 2, 5, 4, 6])

    assert np.isnan(ancova(value, base, np.ones(6, bool))).all()
    assert np.isnan(ancova(value[:3], base[:3], np.array([True, False, True]))).all()
    alone = ancova(value, base, np.array([True, False, False, False, False, False]))
    assert np.isnan(alone).all()
    assert np.isfinite(ancova(value, base, np.array([True] + [False] * 5), se="classical")).all()


def test_endpoints_are_summarised_per_visit_and_arm() -> None:
    table = continuous_endpoints(VALUES, SETS, control="placebo", weeks={"W0": 0, "W6": 6, "W12": 12})

    assert table.select("visit", "arm").rows()[:2] == [("W0", "placebo"), ("W0", "IL-2")]
    for row in table.iter_rows(named=True):
        x = WIDE.filter(pl.col("arm").cast(pl.String) == row["arm"])[row["visit"]].drop_nulls().to_numpy()
        interval = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
        expected = [len(x), x.mean(), x.std(ddof=1), np.median(x), *np.quantile(x, [0.25, 0.75]), *interval]
        got = [row[name] for name in ("n", "mean", "sd", "median", "q1", "q3", "ci_low", "ci_high")]
        assert got == pytest.approx(expected, rel=1e-12)
        assert (row["unit"], row["week"]) == ("points", float(row["visit"][1:]))


def test_contrasts_use_subjects_with_a_baseline_and_both_models() -> None:
    table = continuous_contrasts(VALUES, SETS, control="placebo", baseline="W0")
    treated = (WIDE["arm"] == "IL-2").to_numpy()
    value, base = WIDE["W6"].to_numpy(), WIDE["W0"].to_numpy()

    assert table.select("visit", "model").rows() == [
        (visit, model) for visit in ("W6", "W12") for model in ("ancova_hc3", "hodges_lehmann")
    ]
    first, second = table.rows(named=True)[:2]
    numbers = ("estimate", "se", "df", "ci_low", "ci_high", "p")
    assert (first["n_treatment"], first["n_control"]) == (11, 12)
    assert [first[name] for name in numbers] == pytest.approx(list(ancova(value, base, treated)), rel=1e-12)
    change = value - base
    expected = list(shift_between(change[treated], change[~treated]))
    assert [second[name] for name in numbers] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_logarithms_turn_differences_into_ratios_and_refuse_what_is_not_positive() -> None:
    positive = VALUES.with_columns(pl.col("value").clip(0.5))
    doubled = positive.with_columns(value=pl.col("value") * 2)

    first, second = (
        continuous_contrasts(frame, SETS, control="placebo", baseline="W0", models=["ancova"], log=["sledai"])
        for frame in (positive, doubled)
    )

    assert first["unit"][0] == "ln(points)"
    np.testing.assert_allclose(first["estimate"], second["estimate"], rtol=1e-9)
    zero = VALUES.with_columns(pl.when(pl.col("subject") == "SIM-001").then(0.0).otherwise("value").alias("value"))
    with pytest.raises(StudyError) as e:
        continuous_contrasts(zero, SETS, control="placebo", baseline="W0", log=["sledai"])
    assert str(e.value).startswith("continuous_contrasts: 3 values of sledai are not positive")


def test_unknown_models_and_visits_are_named() -> None:
    with pytest.raises(StudyError) as e:
        continuous_contrasts(VALUES, SETS, control="placebo", baseline="W0", models=["t"])  # type: ignore[list-item]
    assert str(e.value) == "continuous_contrasts: no model 't'; allowed are ancova_hc3, ancova, hodges_lehmann."
    with pytest.raises(StudyError) as e:
        continuous_contrasts(VALUES, SETS, control="placebo", baseline="W1")
    assert str(e.value) == "continuous_contrasts: no visit 'W1'; the table has W0, W6, W12."


def test_endpoints_of_the_clinical_tables_are_taken_as_they_come() -> None:
    """Simulated: the study of sample_data. Proteinuria is that of nephritis, its logarithm the one that stands there."""
    study = io.read_study(datasets.sample_data_path())
    data = io.read_clinical(study)
    assert data.subjects is not None
    found, sets = clinical.endpoints(data, study.clinical), clinical.analysis_sets(data.subjects, data.visits)

    rates = binary_contrasts(found.binary, sets, control="placebo")
    courses = continuous_contrasts(found.continuous, sets, control="placebo", baseline="W0", log=["upe_g_24h"])

    itt = rates.filter(endpoint="sri4", set="itt", rule="nri", visit="W12").row(0, named=True)
    assert (itt["n_treatment"] + itt["n_control"], itt["x_treatment"] + itt["x_control"]) == (sets["itt"].sum(), 3)
    nephritis = data.subjects.join(sets.filter("itt"), on="subject")["lupus_nephritis"].sum()
    proteinuria = courses.filter(endpoint="upe_g_24h", visit="W12", model="hodges_lehmann").row(0, named=True)
    assert proteinuria["n_treatment"] + proteinuria["n_control"] <= nephritis
    assert proteinuria["unit"] == "ln(g/24 h)"
