from __future__ import annotations

import polars as pl
import pytest

from il2cyto.errors import StudyError
from il2cyto.tl import missing_table
from tests.tl._trial import make_binary, make_frequencies, make_sets

SETS = make_sets(8)
FREQUENCIES = make_frequencies(SETS, replicates=2)
TUBE = pl.col("sample").str.ends_with("_0")


def damaged() -> pl.DataFrame:
    """Simulated gaps: SIM-001 not seen at W12, NK of SIM-003 lost in both tubes, of SIM-005 in one of two."""
    lost = (pl.col("population") == "NK") & (pl.col("visit") == "W12")
    both = lost & (pl.col("subject") == "SIM-003")
    one = lost & (pl.col("subject") == "SIM-005") & TUBE
    return FREQUENCIES.filter(~((pl.col("subject") == "SIM-001") & (pl.col("visit") == "W12"))).with_columns(
        frequency=pl.when(both | one).then(float("nan")).otherwise("frequency"),
        flags=pl.when(both | one).then(pl.lit("NO_PARENT")).otherwise("flags"),
    )


def test_every_gap_is_counted_once_with_its_reason() -> None:
    table = missing_table(damaged(), SETS, control="placebo")

    counts = ["expected", "observed", "missing", "reason"]
    assert table.columns == ["population", "arm", "visit", *counts]
    assert table.filter(population="NK", arm="IL-2", visit="W12").select(counts).rows() == [
        (4, 2, 1, "NO_PARENT"),
        (4, 2, 1, "no record"),
    ]
    assert table.filter(population="Treg", arm="IL-2", visit="W12").select(counts).rows() == [(4, 3, 1, "no record")]
    assert table.filter(population="NK", arm="placebo", visit="W12").select(counts).rows() == [(4, 4, 0, "")]
    assert table.select("population", "arm", "visit").row(0) == ("Treg", "placebo", "W0")


def test_missing_adds_up_to_what_was_expected_and_not_observed() -> None:
    sums = (
        missing_table(damaged(), SETS, control="placebo", visits=["W0", "W12", "W24"])
        .group_by("population", "arm", "visit")
        .agg(pl.col("expected", "observed").first(), pl.col("missing").sum())
    )

    assert sums.height == 2 * 2 * 3
    assert (sums["expected"] - sums["observed"]).to_list() == sums["missing"].to_list()
    assert sums.filter(visit="W24").select("observed", "missing").unique().rows() == [(0, 4)]


def test_endpoints_are_counted_by_their_own_columns() -> None:
    binary = make_binary(SETS).with_columns(reason=pl.when(pl.col("observed").is_null()).then(pl.lit("missing:pga")))
    table = missing_table(binary, SETS, control="placebo", item="endpoint", value="observed", reason="reason")
    no_reason = missing_table(binary, SETS, control="placebo", item="endpoint", value="observed", reason=None)

    unobserved = binary.filter(pl.col("observed").is_null()).height
    assert table["missing"].sum() == no_reason["missing"].sum() == unobserved > 0
    assert set(table["reason"]) == {"", "missing:pga"}
    assert set(no_reason["reason"]) == {"", "no reason recorded"}


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(StudyError) as e:
        missing_table(make_binary(SETS), SETS, control="placebo", item="endpoint", value="observed", reason="why")
    assert str(e.value) == (
        "missing_table: no column 'why'; the table has subject, visit, endpoint, value, observed, evaluable."
    )
