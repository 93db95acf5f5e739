from __future__ import annotations

import polars as pl
import pytest
from scipy import stats

from il2cyto.tl import published
from il2cyto.tl._published import rounds_to


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return published()


def matching(table: pl.DataFrame, statement: str) -> set[str]:
    return set(table.filter(id=statement, match=True)["method"])


def test_the_methods_behind_the_headlines_are_all_listed_and_none_explains_all_three(table: pl.DataFrame) -> None:
    week_12 = matching(table, "SRI-4, week 12")
    week_24 = matching(table, "SRI-4, week 24")
    remission = matching(table, "nephritis, complete remission")

    assert week_12 == {"n_minus_1", "t_pooled", "t_welch"}
    assert week_24 == {"pearson", "z_pooled", "t_pooled", "t_welch"}
    assert remission == {"mid_p_one_sided"}
    notes = table.filter(id="nephritis, complete remission")["note"]
    assert notes.str.contains("no two-sided method of this list gives the printed value").all()
    assert table.filter(id="SRI-4, week 12").height == 17


def test_every_printed_percentage_follows_from_its_count(table: pl.DataFrame) -> None:
    percent = table.filter(method="percent")

    assert percent.height == 35
    assert percent["match"].all()
    assert set(percent["source"]) == {"abstract", "Table 2", "Table 3"}


def test_fisher_gives_the_counts_of_tables_1_and_2_but_for_the_known_exceptions(table: pl.DataFrame) -> None:
    fisher = table.filter(pl.col("method") == "fisher", pl.col("source") != "abstract")

    assert set(fisher.filter(~pl.col("match"))["id"]) == {
        "baseline: azathioprine",
        "baseline: leflunomide",
        "alopecia, IL-2, week 12 v baseline",
        "alopecia, placebo, week 12 v baseline",
        "alopecia, placebo, week 24 v baseline",
        "fever, placebo, week 12 v baseline",
        "fever, placebo, week 24 v baseline",
        *(f"ANA decreased, {arm}, week {week} v baseline" for arm in ("IL-2", "placebo") for week in (12, 24)),
    }
    expected = {
        "alopecia, IL-2, week 12 v baseline": 0.1550,
        "alopecia, placebo, week 12 v baseline": 0.1455,
        "fever, placebo, week 12 v baseline": 0.3533,
        "fever, placebo, week 24 v baseline": 0.1124,
        "ANA decreased, IL-2, week 12 v baseline": 0.0104,
        "ANA decreased, IL-2, week 24 v baseline": 0.0045,
        "ANA decreased, placebo, week 12 v baseline": 0.0003,
        "ANA decreased, placebo, week 24 v baseline": 0.0001,
    }
    computed = dict(fisher.select("id", "computed").iter_rows())
    assert {name: computed[name] for name in expected} == pytest.approx(expected, abs=6e-5)


def test_the_means_of_table_1_give_none_of_their_p_values(table: pl.DataFrame) -> None:
    rows = table.filter(
        pl.col("source") == "Table 1", pl.col("method") == "t_pooled", pl.col("counts").str.contains("±")
    )

    assert not rows["match"].any()
    assert rows["computed"].to_list() == pytest.approx([0.478, 0.086, 0.783, 0.157, 0.839], abs=6e-4)
    age = stats.ttest_ind_from_stats(31.58, 9.25, 30, 29.83, 9.72, 30).pvalue
    assert rows["computed"][0] == age


def test_what_needs_the_subjects_own_data_is_said_to(table: pl.DataFrame) -> None:
    raw = table.filter(method="none")

    assert raw.height == 4 + 22
    assert raw["computed"].null_count() == raw["match"].null_count() == raw.height
    assert set(raw["note"]) == {"needs the subjects' own data, which are not published"}
    paired = table.filter(pl.col("source") == "Table 2", pl.col("method") == "fisher")
    assert paired["note"].str.starts_with("the same subjects twice").all()


@pytest.mark.parametrize(
    ("value", "printed", "equal"),
    [(0.05249, ".052", True), (0.0526, ".052", False), (0.9996, "1.000", True), (0.0009, "<.001", True),
     (0.001, "<.001", False), (20.04, "20.0", True)],
)  # fmt: skip
def test_rounding_is_to_the_printed_decimals(value: float, printed: str, equal: bool) -> None:  # noqa: FBT001
    assert rounds_to(value, printed) is equal
