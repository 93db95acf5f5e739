"""The analysis of a trial: numbers, roles, and what happens where the data do not suffice."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from il2cyto import analysis, datasets, io, tl
from il2cyto.errors import PopulationError, StudyError
from tests.analysis._data import WEEKS, frequencies, trial


@pytest.fixture(scope="module")
def clinical():
    return analysed(covariates=())


def analysed(*, covariates):
    study = io.read_trial(datasets.sample_data_path())
    settings = study.analysis.model_copy(update={"covariates": covariates})
    study = study.model_copy(update={"analysis": settings})
    assert study.subject_sheet is not None
    subjects = study.subject_sheet["subject"].to_list()
    frame = frequencies(len(subjects), arms=(None,), weeks=study.weeks)
    code = dict(zip(frame["subject"].unique(maintain_order=True), subjects, strict=True))
    frame = frame.with_columns(pl.col("subject").replace(code))
    return analysis.analyse(frame, trial=study, clinical=io.read_clinical(study))


def test_the_primary_contrasts_are_those_of_the_mixed_model_and_adjusted_by_holm() -> None:
    frame = frequencies(24)

    done = analysis.analyse(frame, trial=trial())
    primary = done.tables["population_contrasts"].filter(role="primary")

    models = tl.population_mmrm(frame, baseline="W0", control="placebo").contrasts.filter(visit="W12")
    models = models.sort("population", descending=True)  # Treg, then NK: the order of the endpoints
    assert_frame_equal(primary.select("population", "estimate", "se", "df", "p"), models.select("population", "estimate", "se", "df", "p"))  # fmt: skip
    small, large = sorted(primary["p"])
    assert sorted(primary["p_adjusted"]) == pytest.approx(sorted([min(1, 2 * small), max(min(1, 2 * small), large)]))
    assert primary["odds_ratio"].to_list() == pytest.approx(np.exp(primary["estimate"].to_numpy()).tolist())


def test_the_mean_on_drug_is_that_of_the_visits_on_the_last_days_of_treatment() -> None:
    weeks = {"W0": 0.0, "W2": 2.0, "W4": 4.0, "W6": 6.0}
    done = analysis.analyse(
        frequencies(30, weeks=weeks), trial=trial(weeks=weeks, primary="W4", treatment_weeks=[[0, 2], [4, 6]])
    )

    rows = done.tables["population_contrasts"].filter(population="NK", model="MMRM")

    at = dict(rows.select("visit", "estimate").iter_rows())
    assert done.inputs.on_drug == ("W2", "W6")
    assert at["on drug"] == pytest.approx((at["W2"] + at["W6"]) / 2)


def test_sensitivity_analyses_stand_beside_the_model_and_the_rank_test_is_scipys() -> None:
    frame = frequencies(24)
    contrasts = analysis.analyse(frame, trial=trial()).tables["population_contrasts"]

    logit = np.log((frame["count"] + 0.5) / (frame["parent_count"] - frame["count"] + 0.5))
    wide = (
        frame.with_columns(logit=logit).filter(population="NK").pivot("visit", index=["subject", "arm"], values="logit")
    )
    change = wide.with_columns(change=pl.col("W12") - pl.col("W0"))
    groups = [change.filter(arm=arm)["change"].to_numpy() for arm in ("IL-2", "placebo")]

    row = contrasts.filter(population="NK", visit="W12", model="Wilcoxon, Hodges-Lehmann of change")
    assert row["p"].item() == pytest.approx(stats.mannwhitneyu(*groups, method="exact").pvalue)
    assert set(contrasts.filter(role="sensitivity")["model"]) == {"ANCOVA HC3", "Wilcoxon, Hodges-Lehmann of change"}


def test_low_counts_are_flagged_stay_in_and_are_left_out_in_a_sensitivity_analysis() -> None:
    low = (pl.col("subject") == "S03") & (pl.col("visit") == "W12") & (pl.col("population") == "NK")
    frame = frequencies(24).with_columns(flags=pl.when(low).then(pl.lit("SHRUNK;DETECTABLE")).otherwise(pl.lit("")))

    done = analysis.analyse(frame, trial=trial())
    rows = done.tables["population_contrasts"].filter(population="NK", visit="W12")

    n = dict(rows.select("model", "n_treatment").iter_rows())
    assert n["MMRM"] == 12
    assert n["MMRM without low counts"] == 11
    flags = dict(rows.select("model", "flags").iter_rows())
    assert flags["MMRM"] == "low_counts"
    assert flags["MMRM without low counts"] == ""
    assert set(done.tables["population_contrasts"].filter(population="Treg")["flags"]) == {""}
    flagged = done.tables["flags"].filter(flag="DETECTABLE")
    assert flagged.select("arm", "visit", "samples").rows() == [("IL-2", "W12", 1)]


def test_frequencies_without_counts_have_the_logit_of_the_frequency_and_half_the_smallest_for_0() -> None:
    frame = frequencies(24).with_columns(
        pl.when(pl.col("subject") == "S05").then(0.0).otherwise("frequency").alias("frequency")
    )
    bare = frame.drop("count", "parent_count").with_columns(
        count=pl.lit(None, pl.Int64), parent_count=pl.lit(None, pl.Int64)
    )

    done = analysis.analyse(bare, trial=trial())

    half = pl.col("frequency").filter(pl.col("frequency") > 0).min().over("population") / 2
    filled = frame.with_columns(f=pl.when(pl.col("frequency") == 0).then(half).otherwise("frequency"))
    keys = ["population", "subject", "visit"]
    f = filled.sort(keys)["f"].to_numpy()
    rows = done.inputs.frequencies.with_columns(pl.col("visit").cast(pl.String)).sort(keys)
    np.testing.assert_allclose(tl.empirical_logit(rows["count"], rows["parent_count"]), np.log(f / (1 - f)), rtol=1e-9)
    assert "144 of 144 frequencies have no counts" in done.notices[0]
    counting = done.tables["variance"].filter(component="counting")
    assert counting["sd"].is_nan().all()


@pytest.mark.parametrize(
    ("subjects", "arms", "weeks", "there", "notice"),
    [
        (8, (), {"W0": 0.0, "W2": 2.0}, {"population_within", "population_change"}, "no arms"),
        (8, ("placebo", "IL-2"), {"W0": 0.0}, set(), "no visit after baseline"),
        (2, ("placebo", "IL-2"), WEEKS, {"population_within", "population_contrasts"}, "no mixed model"),
        (1, ("placebo",), WEEKS, {"population_within"}, "only arm placebo has samples"),
    ],
    ids=["no arms", "one visit", "one subject per arm", "one subject"],
)
def test_what_the_data_do_not_allow_is_left_out_with_a_notice(subjects, arms, weeks, there, notice) -> None:
    frame = frequencies(subjects, arms=arms or (None,), weeks=weeks)

    done = analysis.analyse(frame, trial=trial(arms, weeks, primary=None))

    always = {"population_means", "variance", "missing"}
    assert set(done.tables) - always - {"population_omnibus"} == there
    assert notice in " ".join(done.notices)
    if "population_contrasts" in done.tables:
        rows = done.tables["population_contrasts"].filter(model="MMRM")
        assert rows["estimate"].is_nan().all()
        assert set(rows["flags"]) == {"not_fitted"}


def test_arms_without_a_named_control_are_described_and_not_compared() -> None:
    done = analysis.analyse(frequencies(12))

    assert "population_contrasts" not in done.tables
    assert set(done.tables["population_means"]["arm"]) == {"placebo", "IL-2"}
    assert done.notices[0] == "no control among the arms placebo, IL-2: they are described, and not compared"


def test_the_order_of_rows_and_the_number_of_threads_change_nothing() -> None:
    frame = frequencies(20)

    one = analysis.analyse(frame, trial=trial(), workers=1)
    two = analysis.analyse(frame, trial=trial(), workers=4)

    for name, table in one.tables.items():
        assert_frame_equal(table, two.tables[name])
    assert one.methods == two.methods


def test_an_unknown_population_or_covariate_is_refused() -> None:
    with pytest.raises(PopulationError) as e:
        analysis.analyse(frequencies(4), trial=trial(analysis={"populations": ["NKT"]}))
    assert str(e.value) == "analysis: no population 'NKT'; the table has NK, Treg"

    with pytest.raises(StudyError) as s:
        analysis.analyse(frequencies(4), trial=trial(analysis={"covariates": ["stratum"]}))
    assert str(s.value) == "analysis: covariates: no column stratum in the table of subjects; it has "


def test_a_gate_on_the_omnibus_test_replaces_a_smaller_p() -> None:
    frame = frequencies(24)
    gated = analysis.analyse(frame, trial=trial(analysis={"gate_on_omnibus": True}))
    rows = (
        gated.tables["population_contrasts"]
        .filter(role="primary")
        .join(gated.tables["population_omnibus"], on="population")
    )

    expected = tl.holm(np.maximum(rows["p"], rows["p_right"]))

    assert rows["p_adjusted"].to_list() == pytest.approx(expected.tolist())
    assert set(rows["adjustment"]) == {"holm, gated by omnibus"}


def test_clinical_tables_count_the_subjects_of_the_sample_data(clinical) -> None:
    tables = clinical.tables

    at = {"endpoint": "sri4", "set": "mitt", "rule": "nri", "visit": "W12"}
    assert tables["binary_endpoints"].filter(**at).select("arm", "x", "n").rows() == [("placebo", 1, 4), ("IL-2", 2, 4)]
    contrast = tables["binary_contrasts"].filter(**at).row(0, named=True)
    assert contrast["p"] == pytest.approx(stats.fisher_exact([[2, 2], [1, 3]]).pvalue)
    safety = tables["safety"].filter(row="infection")
    assert safety.select("arm", "subjects", "n").rows() == [("placebo", 1, 4), ("IL-2", 0, 4)]
    assert safety["risk_difference"].to_list() == [None, -0.25]
    years = safety.filter(arm="placebo")["patient_years"].item()
    assert safety.filter(arm="placebo")["rate_high"].item() == pytest.approx(100 * stats.chi2.ppf(0.975, 4) / 2 / years)
    assert tables["consort"].filter(stage="analysed")["n"].sum() == 8
    assert {"sri_components", "baseline", "exposure", "response", "continuous_contrasts"} <= set(tables)


def test_planned_covariates_give_a_standardised_risk_difference_as_a_sensitivity_analysis(clinical) -> None:
    adjusted = analysed(covariates=("age",))

    at = {"endpoint": "sri4", "set": "mitt", "rule": "nri", "method": "g-computation, ye"}
    row = adjusted.tables["binary_sensitivities"].filter(**at).row(0, named=True)
    study = io.read_trial(datasets.sample_data_path())
    assert study.primary is not None
    assert study.subject_sheet is not None
    visit = study.primary.visit
    status = adjusted.endpoints.binary.filter(pl.col("endpoint") == "sri4", pl.col("visit").cast(pl.String) == visit)
    people = adjusted.sets.filter("mitt").join(study.subject_sheet.select("subject", "age"), on="subject")
    joined = people.join(status.filter("evaluable").select("subject", "value"), on="subject")
    treated = (joined["arm"].cast(pl.String) == "IL-2").to_numpy()
    risk = tl.standardised_risk(joined["value"].to_numpy(), treated, joined.select("age"))
    assert (row["risk_difference"], row["p"]) == (pytest.approx(risk.risk_difference), pytest.approx(risk.p))
    assert "Adjusted for age: logistic g-computation" in adjusted.methods
    assert not clinical.tables["binary_sensitivities"]["method"].str.starts_with("g-comp").any()


def test_cells_per_ul_are_the_fraction_of_lymphocytes_times_the_blood_count(clinical) -> None:
    visits = io.read_clinical(io.read_trial(datasets.sample_data_path())).visits
    assert visits is not None
    rows = clinical.inputs.frequencies.filter(population="NK").with_columns(pl.col("visit", "arm").cast(pl.String))
    both = rows.join(visits.with_columns(pl.col("visit").cast(pl.String)), on=["subject", "visit"]).filter(
        visit="W12", arm="IL-2"
    )

    cells = clinical.tables["absolute_endpoints"].filter(endpoint="NK", visit="W12", arm="IL-2")

    assert cells["mean"].item() == pytest.approx((both["frequency"] * both["lymphocytes_1e9_l"] * 1000).mean())
    assert set(clinical.tables["absolute_contrasts"]["unit"]) == {"ln(cells/µL)"}


def test_one_model_per_continuous_endpoint_and_the_others_beside_it(clinical) -> None:
    chosen = clinical.tables["continuous_contrasts"]

    assert not chosen.select("endpoint", "visit", "contrast").is_duplicated().any()
    assert set(clinical.tables["continuous_sensitivities"]["model"]) == {"ancova_hc3", "hodges_lehmann"}
    assert set(clinical.tables["response"]["label"]) == {"exploratory"}


def test_no_table_holds_what_contradicts_its_contract(clinical) -> None:
    for name, table in clinical.tables.items():
        assert table.height > 0, name
        for column in set(table.columns) & {"proportion", "share", "frequency"}:
            inside = table[column].fill_nan(None).drop_nulls()
            assert inside.is_between(0, 1).all(), (name, column)


def test_the_methods_say_what_was_done_and_name_no_other_trial() -> None:
    done = analysis.analyse(frequencies(24), trial=trial(simulated=True))

    assert done.methods.startswith("# Methods: T\n\n**Simulated data")
    for words in (
        "unstructured in 2 of 2 models",
        "The primary contrast is that at W12",
        "Holm's method over the 2 primary contrasts",
    ):
        assert words in done.methods
    assert "He et al" not in done.methods
    assert "SRI" not in done.methods
    assert "24 samples" not in done.methods.partition("72 samples of 24 subjects")[2]


def test_the_methods_cite_the_papers_of_what_was_done_and_no_others() -> None:
    once = {"W0": 0.0}
    compared = analysis.analyse(frequencies(24), trial=trial()).methods
    described = analysis.analyse(frequencies(6, arms=(None,), weeks=once), trial=trial((), once, primary=None)).methods

    for paper in ("Mallinckrodt", "Kenward and Roger, Biometrics", "Holm, Scand", "Benjamini and Hochberg, J R Stat"):
        assert paper in compared
    for paper in ("Miettinen", "Newcombe", "DeLong", "Wilson"):
        assert paper not in compared
    assert "References" not in described
    assert "Frequencies are described by visit: " in described


def test_names_that_look_like_markup_or_formulas_pass_through(tmp_path) -> None:
    weeks = {"=W0": 0.0, "<b>|x": 2.0}
    arms = ("=placebo", "*IL-2*\u202e")
    frame = frequencies(12, arms=arms, weeks=weeks, names=("NK/../x", "CON"))

    done = analysis.analyse(frame, trial=trial(arms, weeks, primary="<b>|x"))
    files = list(analysis.write_tables(done, tmp_path))

    assert all(path.is_relative_to(tmp_path) and path.is_file() for path in files)
    assert {path.parent for path in files} == {tmp_path, tmp_path / "tables", tmp_path / "prism"}
    assert "<b>" not in done.methods.replace("\\<b\\>", "")
    means = (tmp_path / "tables" / "population_means.csv").read_text("utf-8")
    assert "\n=" not in means
    assert ",=" not in means
