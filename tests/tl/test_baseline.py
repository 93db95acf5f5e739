from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto.errors import StudyError
from il2cyto.tl import baseline_table, standardised_difference

SUBJECTS = pl.DataFrame(
    {
        "subject": [f"SIM-{i}" for i in range(7)],
        "arm": ["placebo", "placebo", "placebo", "IL-2", "IL-2", "IL-2", "IL-2"],
        "age": [30.0, 40.0, 35.0, 28.0, 36.0, None, 44.0],
        "nephritis": [True, False, False, True, True, None, True],
        "site": ["a", "b", "b", "a", "a", "c", "b"],
    }
)


def test_the_table_says_what_a_count_by_hand_says() -> None:
    table = baseline_table(SUBJECTS, control="placebo", statistics=["mean_sd", "median_iqr", "median_range"])

    assert table.select("characteristic", "level", "arm", "n", "value").rows() == [
        ("age", "mean±SD", "placebo", 3, "35.00±5.00"),
        ("age", "mean±SD", "IL-2", 3, "36.00±8.00"),
        ("age", "median (IQR)", "placebo", 3, "35.00 (32.50-37.50)"),
        ("age", "median (IQR)", "IL-2", 3, "36.00 (32.00-40.00)"),
        ("age", "median (range)", "placebo", 3, "35.00 (30.00-40.00)"),
        ("age", "median (range)", "IL-2", 3, "36.00 (28.00-44.00)"),
        ("nephritis", "yes", "placebo", 3, "1 (33.3)"),
        ("nephritis", "yes", "IL-2", 3, "3 (100.0)"),
        ("site", "a", "placebo", 3, "1 (33.3)"),
        ("site", "a", "IL-2", 4, "2 (50.0)"),
        ("site", "b", "placebo", 3, "2 (66.7)"),
        ("site", "b", "IL-2", 4, "1 (25.0)"),
        ("site", "c", "placebo", 3, "0 (0.0)"),
        ("site", "c", "IL-2", 4, "1 (25.0)"),
    ]


def test_standardised_differences_are_those_of_their_formulas() -> None:
    table = baseline_table(SUBJECTS, control="placebo")
    difference = dict(table.select("characteristic", "standardised_difference").iter_rows())

    assert difference["age"] == pytest.approx(1 / np.sqrt((25 + 64) / 2))
    assert difference["nephritis"] == pytest.approx((1 - 1 / 3) / np.sqrt((0 + 2 / 9) / 2))
    p, q = np.array([1 / 3, 2 / 3]), np.array([2 / 4, 1 / 4])
    spread = sum(np.diag(x) - np.outer(x, x) for x in (p, q)) / 2
    assert difference["site"] == pytest.approx(np.sqrt((q - p) @ np.linalg.inv(spread) @ (q - p)))


def test_a_category_of_two_levels_differs_as_its_indicator_does() -> None:
    yes = np.array([1.0, 0, 0, 1, 1])
    two = np.column_stack([yes, 1 - yes])
    no = np.array([1.0, 1, 0, 1])

    distance = standardised_difference(two, np.column_stack([no, 1 - no]))

    assert distance == pytest.approx(abs(standardised_difference(yes, no)))


def test_equal_groups_differ_by_nothing_and_other_than_two_arms_by_no_number() -> None:
    third = SUBJECTS.with_columns(arm=pl.when(pl.col("subject") == "SIM-6").then(pl.lit("other")).otherwise("arm"))

    assert baseline_table(third, control="placebo")["standardised_difference"].is_nan().all()
    assert np.isnan(standardised_difference(np.ones(3), np.ones(4)))
    assert np.isnan(standardised_difference(np.array([]), np.ones(4)))
    assert standardised_difference(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == 0.0


def test_an_arm_without_a_value_shows_none() -> None:
    empty = SUBJECTS.with_columns(age=pl.when(pl.col("arm") == "IL-2").then("age"))
    table = baseline_table(empty, control="placebo", characteristics=["age"], statistics=["mean_sd"])

    assert table.select("n", "value").rows() == [(0, "-"), (3, "36.00±8.00")]


def test_unknown_statistics_and_columns_are_named() -> None:
    with pytest.raises(StudyError) as e:
        baseline_table(SUBJECTS, control="placebo", statistics=["p"])  # type: ignore[list-item]
    assert str(e.value) == "baseline_table: no statistic 'p'; allowed are mean_sd, median_iqr, median_range."
    with pytest.raises(StudyError) as e:
        baseline_table(SUBJECTS, control="placebo", characteristics=["weight"])
    assert str(e.value) == ("baseline_table: no column 'weight'; the table has subject, arm, age, nephritis, site.")
