from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto.errors import GatingError
from il2cyto.gt import Flag, reconcile
from il2cyto.gt._propose import PROPOSAL_SCHEMA
from il2cyto.template import GatingTemplate


def template(**adapt):
    gate = {"method": "valley", "channel": "CD3", "keep": "above", "bounds": [0.2, 0.8], "one_peak": "fail"}
    return GatingTemplate.model_validate(
        {
            "schema": "il2cyto/gating-template/1",
            "name": "one",
            "version": "1",
            "requires": ["CD3"],
            "populations": [{"name": "T", "parent": "root", "gate": gate, "adapt": adapt}],
        }
    )


def proposals(cuts, *, spread=0.01, n=1000):
    rows = [
        (f"s{i:02}", "T", "cut", "valley", t, spread, t - 0.01, t + 0.01, 0.0, 0.5, n, 1.0, 0, "", "")
        for i, t in enumerate(cuts)
    ]
    return pl.DataFrame(rows, schema=PROPOSAL_SCHEMA, orient="row")


def groups(batches, subjects=None):
    subjects = subjects or [f"p{i}" for i in range(len(batches))]
    return pl.DataFrame({"sample": [f"s{i:02}" for i in range(len(batches))], "batch": batches, "subject": subjects})


def flags(row):
    return Flag(row["flags"])


def test_at_level_sample_a_cut_shrinks_towards_its_group_as_the_formula_says():
    cuts = np.array([0.44, 0.48, 0.50, 0.52, 0.56])
    table = reconcile(proposals(cuts, spread=0.02), groups(["b"] * 5), template(level="sample"))
    mad = 1.4826 * 0.02
    weight = (mad**2 - 0.02**2) / mad**2
    np.testing.assert_allclose(table["final"], 0.5 + weight * (cuts - 0.5))
    np.testing.assert_allclose(table["final_spread"], np.sqrt(weight) * 0.02)
    assert flags(table.row(0, named=True)) == Flag.SHRUNK
    assert flags(table.row(2, named=True)) == Flag.NONE


def test_a_locked_level_gives_every_member_the_same_cut():
    table = reconcile(
        proposals([0.4, 0.42, 0.44, 0.6, 0.62, 0.64]), groups(["a"] * 3 + ["b"] * 3), template(level="batch")
    )
    np.testing.assert_allclose(table["final"], [0.42] * 3 + [0.62] * 3)
    assert all(flag & Flag.LOCKED for flag in map(Flag, table["flags"]))


def test_an_outlier_takes_the_cut_of_its_group_and_does_not_move_it():
    table = reconcile(proposals([0.5, 0.5, 0.51, 0.49, 0.75]), groups(["b"] * 5), template(level="sample"))
    assert table["final"][4] == pytest.approx(0.5)
    assert flags(table.row(4, named=True)) & Flag.OUTLIER_CUT
    assert not flags(table.row(0, named=True)) & Flag.OUTLIER_CUT


@pytest.mark.parametrize("size", [3, 4, 5, 6, 8, 12, 16])
def test_of_cuts_that_differ_by_chance_alone_at_most_one_in_a_hundred_is_called_an_outlier(size):
    n = 1200 // size * size
    cuts = np.random.default_rng(size).normal(0.5, 0.04, n).clip(0.21, 0.79)
    table = proposals(cuts, spread=0).with_columns(
        sample=pl.format("s{}", pl.int_range(n).cast(pl.String).str.zfill(4))
    )
    together = pl.DataFrame({
        "sample": table["sample"], "batch": [str(i // size) for i in range(n)], "subject": [str(i) for i in range(n)],
    })  # fmt: skip
    found = reconcile(table, together, template(level="sample"))["flags"]
    assert np.mean([bool(Flag(flag) & Flag.OUTLIER_CUT) for flag in found]) <= 0.01


def test_a_cut_that_is_far_off_because_it_is_uncertain_is_shrunk_and_not_called_wrong():
    cuts = proposals([0.49, 0.5, 0.51, 0.49, 0.5, 0.51, 0.6, 0.6])
    cuts = cuts.with_columns(spread=pl.Series([0.002] * 7 + [0.05]))
    table = reconcile(cuts, groups(["b"] * 8), template(level="sample"))
    assert flags(table.row(6, named=True)) == Flag.OUTLIER_CUT
    assert flags(table.row(7, named=True)) == Flag.SHRUNK


def test_the_number_that_stands_in_for_a_valley_is_no_cut_of_the_file_that_could_be_an_outlier():
    cuts = proposals([0.49, 0.5, 0.51, 0.49, 0.5, 0.51, 0.7])
    last = pl.col("sample") == "s06"
    cuts = cuts.with_columns(
        spread=pl.when(last).then(0.0).otherwise(pl.col("spread")),
        flags=pl.when(last).then(int(Flag.NO_VALLEY)).otherwise(pl.col("flags")),
    )
    table = reconcile(cuts, groups(["b"] * 7), template(level="sample"))
    assert (table["final"][6], flags(table.row(6, named=True))) == (0.5, Flag.NO_VALLEY | Flag.CONSENSUS)


@pytest.mark.parametrize("bad", [np.nan, 0.9])
def test_a_file_without_a_usable_cut_takes_the_consensus(bad):
    table = reconcile(proposals([0.5, 0.5, 0.52, bad]), groups(["b"] * 4), template(level="sample"))
    assert table["final"][3] == pytest.approx(0.5)
    assert flags(table.row(3, named=True)) & Flag.CONSENSUS


def test_a_file_with_too_few_events_takes_the_consensus_and_has_no_say():
    table = proposals([0.5, 0.5, 0.52, 0.7]).with_columns(
        n=pl.when(pl.col("sample") == "s03").then(60).otherwise(1000).cast(pl.Int64)
    )
    final = reconcile(table, groups(["b"] * 4), template(level="batch"))
    assert final["final"].to_list() == [0.5] * 4
    assert final["group_size"].to_list() == [3] * 4


def test_a_small_batch_climbs_to_the_study_and_says_so():
    table = reconcile(proposals([0.5, 0.5, 0.52, 0.6]), groups(["a", "a", "a", "b"]), template(level="batch"))
    assert table["level"].to_list() == ["batch"] * 3 + ["study"]
    assert flags(table.row(3, named=True)) & Flag.SMALL_GROUP
    assert table["final"][3] == pytest.approx(0.51)


def test_a_patients_visits_share_a_cut_only_if_run_together_and_close():
    subjects, batches = ["p", "p", "q", "q", "r"], ["a", "a", "a", "b", "a"]
    table = reconcile(proposals([0.40, 0.41, 0.5, 0.5, 0.5]), groups(batches, subjects), template(level="subject"))
    assert table["level"].to_list() == ["subject", "subject", "batch", "study", "batch"]
    assert table["final"][0] == table["final"][1] == pytest.approx(0.405)
    far = reconcile(proposals([0.40, 0.60, 0.5, 0.5, 0.5]), groups(batches, subjects), template(level="subject"))
    assert far["level"][0] == "batch"


def test_without_any_group_the_order_is_own_cut_then_number_then_nothing():
    alone = groups(["b"])
    assert reconcile(proposals([0.44]), alone, template(level="sample"))["final"].to_list() == [0.44]
    fixed = reconcile(proposals([0.44]), alone, template(level="batch", fixed=0.5))
    assert (fixed["final"][0], Flag(fixed["flags"][0])) == (0.5, Flag.FIXED)
    locked = reconcile(proposals([0.44]), alone, template(level="batch"))
    assert (locked["final"][0], Flag(locked["flags"][0])) == (0.44, Flag.SMALL_GROUP)
    assert np.isnan(reconcile(proposals([np.nan]), alone, template(level="sample"))["final"][0])


def test_a_cut_that_resampling_moves_by_a_quarter_decade_is_called_unstable():
    table = proposals([0.5, 0.5, 0.5, 0.5]).with_columns(
        q95=pl.when(pl.col("sample") == "s01").then(0.57).otherwise(0.51)
    )
    final = reconcile(table, groups(["b"] * 4), template(level="sample"))
    assert [bool(flag & Flag.UNSTABLE) for flag in map(Flag, final["flags"])] == [False, True, False, False]


@pytest.mark.parametrize("column", ["arm", "visit", "response", "week"])
def test_arm_visit_and_response_cannot_reach_it(column):
    with pytest.raises(GatingError) as error:
        reconcile(proposals([0.5]), groups(["b"]).with_columns(pl.lit("x").alias(column)), template())
    assert (
        str(error.value)
        == f"reconcile: groups has the columns {column}; allowed are sample, batch, subject, control alone"
    )


def test_order_of_rows_and_names_of_subjects_change_nothing():
    rng = np.random.default_rng(0)
    table, group = proposals(rng.normal(0.5, 0.05, 24)), groups(list("aaabbbcc") * 3, [f"p{i % 8}" for i in range(24)])
    for level in ("sample", "subject", "batch", "study"):
        base = reconcile(table, group, template(level=level))
        shuffled = reconcile(
            table.sample(fraction=1, shuffle=True, seed=1),
            group.sample(fraction=1, shuffle=True, seed=2),
            template(level=level),
        )
        assert shuffled.equals(base, null_equal=True)
        renamed = group.with_columns(subject="x" + pl.col("subject"))
        assert reconcile(table, renamed, template(level=level))["final"].to_list() == base["final"].to_list()


def test_at_level_own_only_a_file_without_a_cut_takes_the_groups():
    table = reconcile(proposals([0.5, 0.5, 0.51, 0.75, np.nan]), groups(["b"] * 5), template(level="own"))
    assert table["final"].to_list() == [0.5, 0.5, 0.51, 0.75, pytest.approx(0.5)]
    assert [Flag(flag) for flag in table["flags"]] == [Flag.NONE] * 4 + [Flag.CONSENSUS]


def with_controls(group, *controls):
    return group.with_columns(control=pl.col("sample").is_in(controls))


def test_fitted_on_controls_a_batch_takes_the_cut_of_its_control_whatever_its_samples_say():
    table = proposals([0.40, 0.55, 0.56, 0.57, 0.50, 0.60, 0.61, 0.62])
    group = with_controls(groups(["a"] * 4 + ["b"] * 4), "s00", "s04")
    found = reconcile(table, group, template(level="batch", fit_on="controls"))
    assert found["final"].to_list() == [0.40] * 4 + [0.50] * 4
    assert found["group_size"].to_list() == [1] * 8
    assert reconcile(table, group, template(level="batch"))["final"][1] == pytest.approx(0.555)
    moved = table.with_columns(value=pl.when(pl.col("sample").is_in(["s00", "s04"])).then("value").otherwise(0.3))
    assert (
        reconcile(moved, group, template(level="batch", fit_on="controls"))["final"].to_list()
        == found["final"].to_list()
    )


def test_a_batch_without_a_control_takes_that_of_the_studys_controls():
    table = proposals([0.40, 0.55, 0.50, 0.60, 0.7, 0.7])
    group = with_controls(groups(["a", "a", "b", "b", "c", "c"]), "s00", "s02")
    found = reconcile(table, group, template(level="batch", fit_on="controls"))
    assert found["final"].to_list() == [0.40, 0.40, 0.50, 0.50, pytest.approx(0.45), pytest.approx(0.45)]
    assert found["level"].to_list() == ["batch"] * 4 + ["study"] * 2
    assert [bool(flag & Flag.SMALL_GROUP) for flag in map(Flag, found["flags"])] == [False] * 4 + [True] * 2


def test_a_template_that_does_not_say_fit_on_keeps_the_digest_it_had():
    assert template().digest == template(fit_on="all").digest != template(fit_on="controls").digest


def line(**adapt):
    gate = {
        "method": "reference_line", "channels": ["CD8", "CD56"], "reference": "NK", "k": 1, "pivot": 0.5, "bounds": [0.4, 0.9],
    }  # fmt: skip
    nk = {"name": "NK", "parent": "root", "gate": {"method": "fixed", "channel": "CD56", "at": 0.3, "keep": "above"}}
    populations = [nk, {"name": "T", "parent": "NK", "gate": gate, "adapt": adapt}]
    head = {"schema": "il2cyto/gating-template/1", "name": "line", "version": "1", "requires": ["CD8", "CD56"]}
    return GatingTemplate.model_validate({**head, "populations": populations})


@pytest.mark.parametrize(
    ("level", "slopes"), [("sample", [-1.0, 0.1, 3.0]), ("own", [-1.0, 0.1, 3.0]), ("batch", [0.1] * 3)]
)
def test_the_slope_of_a_line_is_the_files_own_unless_the_level_is_locked_and_has_no_bounds(level, slopes):
    cut = proposals([0.5, 0.6, 0.7])
    slope = proposals([-1.0, 0.1, 3.0]).with_columns(coordinate=pl.lit("slope"))
    table = reconcile(pl.concat([cut, slope]), groups(["b"] * 3), line(level=level))
    assert table.filter(pl.col("coordinate") == "slope")["final"].to_list() == slopes


def test_a_file_with_an_implausible_panel_has_no_cut_and_no_say_unless_accepted():
    table = proposals([0.5, 0.52, 0.54, 0.6]).with_columns(
        panel=pl.when(pl.col("sample") == "s03").then(pl.lit("CD4 is not CD4")).otherwise(pl.lit(""))
    )
    refused = reconcile(table, groups(["b"] * 4), template(level="batch"))
    assert refused["final"].to_list()[:3] == [0.52] * 3
    last = refused.row(3, named=True)
    assert np.isnan(last["final"])
    assert (Flag(last["flags"]), last["reason"]) == (Flag.PANEL_IMPLAUSIBLE, "CD4 is not CD4")
    accepted = reconcile(table, groups(["b"] * 4), template(level="batch"), accepted=["s03"])
    assert accepted["final"].to_list() == [0.53] * 4


@pytest.mark.parametrize(
    ("level", "slopes", "flag"),
    [("own", [-1.0, 0.1, 3.0], Flag.NONE), ("sample", [0.1] * 3, Flag.NONE), ("batch", [0.1] * 3, Flag.LOCKED)],
)
def test_the_slope_of_a_corner_is_the_groups_unless_the_level_is_own(level, slopes, flag):
    axis = {"method": "quantile", "q": 0.5, "bounds": [0, 1]}
    gate = {
        "method": "corner", "x": {**axis, "channel": "CD8"}, "y": {**axis, "channel": "CD56"}, "keep": ["above", "above"], "slant": 20,
    }  # fmt: skip
    head = {"schema": "il2cyto/gating-template/1", "name": "corner", "version": "1", "requires": ["CD8", "CD56"]}
    populations = [{"name": "T", "parent": "root", "gate": gate, "adapt": {"level": level}}]
    apex = [proposals([0.5, 0.6, 0.7]).with_columns(coordinate=pl.lit(name)) for name in "xy"]
    slope = proposals([-1.0, 0.1, 3.0]).with_columns(coordinate=pl.lit("slope"))
    corner = GatingTemplate.model_validate({**head, "populations": populations})
    found = reconcile(pl.concat([*apex, slope]), groups(["b"] * 3), corner).filter(pl.col("coordinate") == "slope")
    assert found["final"].to_list() == slopes
    assert [Flag(flags) for flags in found["flags"]] == [flag] * 3
