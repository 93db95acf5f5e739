from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto._intervals import wilson
from il2cyto.errors import StudyError
from il2cyto.tl import binary_contrasts, binary_endpoints, cochran_mantel_haenszel, compare_proportions
from tests.tl._trial import make_binary, make_sets

SETS = make_sets()
BINARY = make_binary(SETS)
ARM = dict(SETS.select("subject", pl.col("arm").cast(pl.String)).iter_rows())
MITT = set(SETS.filter("mitt")["subject"])


def by_hand(endpoint: str, name: str, rule: str, visit: str, arm: str) -> tuple[int, int]:
    """Count the subjects one by one."""
    x = n = 0
    for subject, at, what, value, observed, evaluable in BINARY.iter_rows():
        status = value if rule == "nri" else observed
        inside = name == "itt" or subject in MITT
        if (at, what, ARM[subject]) == (visit, endpoint, arm) and evaluable and inside and status is not None:
            x, n = x + status, n + 1
    return x, n


def test_proportions_are_counts_of_subjects_with_wilsons_interval() -> None:
    table = binary_endpoints(BINARY, SETS, control="placebo", weeks={"W6": 6, "W12": 12})

    assert table.height == 2 * 2 * 2 * 2 * 2
    for row in table.iter_rows(named=True):
        x, n = by_hand(*(row[key] for key in ("endpoint", "set", "rule", "visit", "arm")))
        low, high = wilson(x, n)
        assert (row["x"], row["n"], row["proportion"], row["ci_low"], row["ci_high"]) == (x, n, x / n, low, high)
        assert row["week"] == float(row["visit"][1:])
    assert table["arm"][:2].to_list() == ["placebo", "IL-2"]


def test_contrasts_compare_the_same_counts_treatment_first() -> None:
    table = binary_contrasts(BINARY, SETS, control="placebo", interval="newcombe", test="n_minus_1")

    assert table["contrast"].unique().to_list() == ["IL-2 - placebo"]
    assert table["week"].null_count() == table.height == 16
    for row in table.iter_rows(named=True):
        key = {"endpoint": row["endpoint"], "name": row["set"], "rule": row["rule"], "visit": row["visit"]}
        counts = (*by_hand(**key, arm="IL-2"), *by_hand(**key, arm="placebo"))
        c = compare_proportions(*counts, interval="newcombe", test="n_minus_1")
        assert (row["x_treatment"], row["n_treatment"], row["x_control"], row["n_control"]) == counts
        assert (row["risk_difference"], row["ci_low"], row["ci_high"]) == (c.risk_difference, c.ci_low, c.ci_high)
        assert (row["p"], row["p_method"], row["method"]) == (c.p, "n_minus_1", "newcombe")


def test_with_a_stratum_the_comparison_is_that_of_mantel_and_haenszel() -> None:
    table = binary_contrasts(BINARY, SETS, control="placebo", analysis_sets=["itt"], stratum="sex")
    row = table.filter(endpoint="sri4", rule="nri", visit="W12").row(0, named=True)
    joined = BINARY.filter(endpoint="sri4", visit="W12").join(SETS, on="subject")
    cells = [
        joined.filter(pl.col("sex") == sex, pl.col("arm").cast(pl.String) == arm)["value"]
        for arm in ("IL-2", "placebo")
        for sex in ("F", "M")
    ]
    x, n = [int(c.sum()) for c in cells], [len(c) for c in cells]
    expected = cochran_mantel_haenszel(x[:2], n[:2], x[2:], n[2:])

    assert (row["risk_difference"], row["p"], row["or_high"]) == (
        expected.risk_difference, expected.p, expected.or_high,
    )  # fmt: skip
    assert (row["method"], row["p_method"]) == ("mantel_haenszel, sato", "cochran_mantel_haenszel")


def test_a_visit_without_anybody_of_an_arm_is_a_row_of_nan() -> None:
    placebo = [name for name, arm in ARM.items() if arm == "placebo"]
    gap = BINARY.filter(~(pl.col("subject").is_in(placebo) & (pl.col("visit") == "W6")))

    row = binary_contrasts(gap, SETS, control="placebo").filter(endpoint="sri4", visit="W6").row(0, named=True)
    arm = binary_endpoints(gap, SETS, control="placebo").filter(visit="W6", arm="placebo").row(0, named=True)

    assert (row["n_control"], row["n_treatment"]) == (0, 11)
    assert np.isnan([row["risk_difference"], row["ci_low"], row["p"], row["odds_ratio"]]).all()
    assert np.isnan([arm["proportion"], arm["ci_low"]]).all()


def test_wrong_tables_are_refused_in_words() -> None:
    cases = {
        "binary_contrasts: no column 'evaluable'; the table has subject, visit, endpoint, value, observed.": (
            BINARY.drop("evaluable"), SETS,
        ),
        "binary_contrasts: 2 rows are not the only one of their subject, visit, endpoint, first subject SIM-000, visit W6, "
        "endpoint sri4.": (pl.concat([BINARY, BINARY[:1]]), SETS),
        "binary_contrasts: 1 subjects stand in more than one row, first SIM-004; one row and arm each.": (
            BINARY, pl.concat([SETS, SETS[4:5]]),
        ),
        "binary_contrasts: nobody is in the control arm 'placebo'; arms are IL-2.": (
            BINARY, SETS.filter(pl.col("arm") == "IL-2"),
        ),
    }  # fmt: skip
    for message, (binary, sets) in cases.items():
        with pytest.raises(StudyError) as e:
            binary_contrasts(binary, sets, control="placebo")
        assert str(e.value) == message
