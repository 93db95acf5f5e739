from __future__ import annotations

import polars as pl
import pytest

from il2cyto import get
from il2cyto.errors import StudyError
from il2cyto.tl import missing_table, population_within, signed_rank, variance_components
from tests._cohort import make_cohort, not_evaluable
from tests.tl._trial import make_frequencies, make_sets

SETS = make_sets()


def test_change_within_an_arm_is_the_signed_rank_of_its_own_subjects() -> None:
    frequencies = make_frequencies(SETS)
    table = population_within(frequencies, baseline="W0")

    assert table.height == 2 * 2 * 2
    row = table.filter(population="NK", arm="IL-2", visit="W12").row(0, named=True)
    wide = frequencies.filter(population="NK", arm="IL-2").pivot("visit", index="subject", values="frequency")
    expected = signed_rank((wide["W12"] - wide["W0"]).to_numpy())
    assert (row["denominator"], row["week"], row["n"]) == ("lymphocytes", 12.0, 12)
    assert (row["change"], row["ci_low"], row["p"]) == (expected.shift, expected.ci_low, expected.p)
    assert row["method"] == "signed rank, exact"


def test_replicates_are_one_subject_and_samples_without_an_arm_none() -> None:
    frequencies = make_frequencies(SETS, replicates=2)
    control = frequencies.filter(subject="SIM-000").with_columns(subject=pl.lit("PBMC"), arm=pl.lit(None, pl.String))
    control = control.with_columns(pl.col("arm").cast(frequencies.schema["arm"]))

    table = population_within(pl.concat([frequencies, control]), baseline="W0")

    assert table["n"].to_list() == [12] * 8
    assert table.equals(population_within(frequencies, baseline="W0"))


def test_a_table_of_pandas_is_refused_with_how_to_make_it_one_of_polars() -> None:
    with pytest.raises(StudyError) as caught:
        population_within(make_frequencies(SETS).to_pandas(), baseline="W0")  # type: ignore[arg-type]

    assert str(caught.value) == (
        "population_within: the table is a DataFrame that is not of polars; polars.from_pandas makes one of pandas'."
    )


def test_a_hundred_times_as_many_cells_is_no_more_evidence() -> None:
    few, many = (population_within(make_frequencies(SETS, cells=cells), baseline="W0") for cells in (1, 100))

    assert few.equals(many)


def test_the_tables_take_what_get_gives() -> None:
    cohort = make_cohort()
    not_evaluable(cohort, "SIM-000_W6", "Treg", "NO_PARENT")
    frequencies = get.frequencies(cohort, populations=["Treg", "NK"])
    sets = frequencies.select("subject", "arm").unique()

    within = population_within(frequencies, baseline="W0").filter(population="Treg", visit="W6")
    missing = missing_table(frequencies, sets, control="placebo").filter(population="Treg", visit="W6", arm="placebo")
    variance = variance_components(frequencies)

    assert dict(within.select("arm", "n").iter_rows()) == {"placebo": 3, "IL-2": 6}
    assert missing.select("expected", "observed", "missing", "reason").rows() == [
        (6, 3, 1, "NO_PARENT"),
        (6, 3, 2, "no record"),
    ]
    assert variance.filter(component="visit")["sd"].is_finite().all()
