"""The tree on files small enough to count by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto.gt import Events, Flag, apply, flag_names, make_plan, propose, reconcile
from il2cyto.gt._shapes import ellipse, polygon
from il2cyto.io import open_fcs, read_template, write_fcs

HEAD = """schema: il2cyto/gating-template/1
name: hand
version: "1.0"
requires: [CD3]
optional: [CD4, CD19]
transform: {default: {method: none}}
min_parent: {nan: 1, warn: 1}
populations:
"""


def gate(tmp_path, rows, populations, *, names=("FSC-A", "A", "B"), labels=("", "CD3", "CD4"), head=HEAD):
    write_fcs(tmp_path / "hand.fcs", np.asarray(rows, dtype=np.float32), names=names, labels=labels)
    (tmp_path / "hand.yaml").write_text(head + populations)
    template = read_template(tmp_path / "hand.yaml")
    file = open_fcs(tmp_path / "hand.fcs")
    events = Events(file, make_plan(template, file.panel(), file=file.name))
    proposals = propose(events, sample="s", content=file.sha256())
    groups = pl.DataFrame(
        {"sample": ["s"], "batch": [None], "subject": [None]},
        schema_overrides={"batch": pl.String, "subject": pl.String},
    )
    return apply(events, reconcile(proposals, groups, template), sample="s", keep_masks=True)


ROWS = [(1, 1, 1), (1, 2, 1), (1, 2, 2), (1, 3, 5), (1, 3, 2), (1, 9, 9)]


def test_a_lower_edge_belongs_to_an_interval_and_an_upper_edge_does_not(tmp_path):
    result = gate(
        tmp_path,
        ROWS,
        "- {name: mid, parent: root, gate: {method: interval, channel: CD3, min: 2, max: 3}}\n"
        "- {name: high, parent: root, gate: {method: fixed, channel: CD3, at: 3, keep: above}}\n"
        "- {name: low, parent: root, gate: {method: ref, of: high, keep: below}}\n",
    )
    assert (result.counts["mid"], result.counts["high"], result.counts["low"]) == (2, 3, 3)
    assert result.masks["mid"].tolist() == [False, True, True, False, False, False]


def test_a_boolean_population_counts_inside_its_parent_only(tmp_path):
    result = gate(
        tmp_path,
        ROWS,
        "- {name: a, parent: root, gate: {method: fixed, channel: CD3, at: 2, keep: above}}\n"
        "- {name: b, parent: root, gate: {method: fixed, channel: CD4, at: 2, keep: above}}\n"
        "- {name: both, parent: a, where: b}\n"
        "- {name: only_a, parent: a, where: not b}\n"
        "- {name: again, parent: root, where: a and not only_a or b}\n",
    )
    assert [result.counts[name] for name in ("a", "b", "both", "only_a", "again")] == [5, 4, 4, 1, 4]
    assert result.parent_counts["both"] == 5


def test_events_that_are_not_finite_are_in_no_population_and_said(tmp_path):
    rows = [*ROWS, (1, np.nan, 1), (1, np.inf, 2)]
    result = gate(
        tmp_path, rows, "- {name: low, parent: root, gate: {method: fixed, channel: CD3, at: 3, keep: below}}\n"
    )
    assert (result.n_events, result.n_usable, result.parent_counts["low"], result.counts["low"]) == (8, 6, 6, 3)
    assert Flag(result.flags["low"]) & Flag.NONFINITE


@pytest.mark.parametrize(("policy", "count", "flags"), [("pass", 6, "BELOW_DETECTION;MISSING_PASS"), ("fail", np.nan, "CHANNEL_MISSING"), ("skip", np.nan, "CHANNEL_MISSING")])  # fmt: skip
def test_an_absent_marker_is_passed_with_a_warning_or_not_evaluable_but_never_zero(tmp_path, policy, count, flags):
    result = gate(
        tmp_path,
        ROWS,
        f"- {{name: not_B, parent: root, if_missing: {policy}, gate: {{method: fixed, channel: CD19, at: 1, keep: below}}}}\n"
        "- {name: child, parent: not_B, gate: {method: fixed, channel: CD3, at: 3, keep: above}}\n",
    )
    np.testing.assert_equal(result.counts["not_B"], count)
    assert flag_names(result.flags["not_B"]) == flags
    if policy == "pass":
        assert result.counts["child"] == 3
        assert flag_names(result.flags["child"]) == "MISSING_ABOVE;BELOW_DETECTION"
    else:
        assert np.isnan(result.counts["child"])
        assert flag_names(result.flags["child"]) == "CHANNEL_MISSING"


def test_a_step_passed_through_is_warned_of_once_and_noted_on_all_that_follow_from_it(tmp_path):
    result = gate(
        tmp_path,
        ROWS,
        "- {name: not_B, parent: root, if_missing: pass, report: false, gate: {method: fixed, channel: CD19, at: 1, keep: below}}\n"
        "- {name: NK_lineage, parent: not_B, gate: {method: fixed, channel: CD3, at: 0, keep: above}}\n"
        "- {name: high, parent: NK_lineage, report: false, gate: {method: fixed, channel: CD4, at: 2, keep: above}}\n"
        "- {name: NK, parent: root, where: high}\n"
        "- {name: T, parent: root, gate: {method: fixed, channel: CD3, at: 1, keep: above}}\n",
    )
    passed = {name: flag_names(flags & ~Flag.BELOW_DETECTION) for name, flags in result.flags.items()}
    assert passed == {
        "not_B": "MISSING_PASS",
        "NK_lineage": "MISSING_ABOVE;MISSING_PASS",  # the first reported one speaks for the step that is not
        "high": "MISSING_ABOVE",
        "NK": "MISSING_ABOVE",  # through what it is made of, though its parent knows nothing of the step
        "T": "",
    }


def test_a_gate_without_a_cut_is_nan_and_its_descendants_inherit_it(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.ones(500), rng.normal(5, 1, 500), rng.normal(5, 1, 500)])
    result = gate(
        tmp_path,
        rows,
        "- {name: pos, parent: root, gate: {method: valley, channel: CD3, bounds: [1, 9], one_peak: fail}}\n"
        "- {name: child, parent: pos, gate: {method: fixed, channel: CD4, at: 5, keep: above}}\n"
        "- {name: other, parent: root, where: not pos}\n",
    )
    assert flag_names(result.flags["pos"]) == "NO_VALLEY;GATE_FAILED"
    assert flag_names(result.flags["child"]) == flag_names(result.flags["other"]) == "PARENT_FAILED"
    assert all(np.isnan(result.counts[name]) for name in ("pos", "child", "other"))


def test_a_parent_below_the_floor_gives_nan_and_keeps_its_count(tmp_path):
    head = HEAD.replace("nan: 1, warn: 1", "nan: 4, warn: 6")
    result = gate(
        tmp_path,
        ROWS,
        "- {name: a, parent: root, gate: {method: fixed, channel: CD3, at: 3, keep: above}}\n"
        "- {name: b, parent: a, gate: {method: fixed, channel: CD4, at: 5, keep: above}}\n",
        head=head,
    )
    assert (result.counts["a"], result.parent_counts["b"]) == (3, 3)
    assert np.isnan(result.counts["b"])
    assert flag_names(result.flags["b"]) == "NO_PARENT"


def test_a_cut_interval_holds_the_fraction_and_follows_negation(tmp_path):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(3, 1, 3000), rng.normal(7, 1, 2000)])
    rows = np.column_stack([np.ones(5000), x, x])
    result = gate(
        tmp_path,
        rows,
        "- {name: pos, parent: root, gate: {method: valley, channel: CD3, bounds: [3, 7], one_peak: fail}}\n"
        "- {name: neg, parent: root, where: not pos}\n",
    )
    for name in ("pos", "neg"):
        assert result.low[name] < result.counts[name] / 5000 < result.high[name]
    assert result.low["pos"] == pytest.approx(1 - result.high["neg"])
    assert result.high["pos"] == pytest.approx(1 - result.low["neg"])


def test_compensation_is_undone_with_the_files_own_matrix(tmp_path):
    from il2cyto.io import Spillover

    true = np.array([[0.0, 100.0, 0.0], [0.0, 0.0, 100.0]])
    matrix = np.array([[1.0, 0.3], [0.1, 1.0]])
    rows = true.copy()
    rows[:, 1:] = true[:, 1:] @ matrix
    path = tmp_path / "spill.fcs"
    write_fcs(
        path,
        rows.astype(np.float32),
        names=["FSC-A", "A", "B"],
        labels=["", "CD3", "CD4"],
        spillover=Spillover(("A", "B"), matrix, "$SPILLOVER"),
    )
    (tmp_path / "t.yaml").write_text(
        HEAD + "- {name: a, parent: root, gate: {method: fixed, channel: CD3, at: 50, keep: above}}\n"
    )
    file = open_fcs(path)
    events = Events(file, make_plan(read_template(tmp_path / "t.yaml"), file.panel(), file=file.name))
    np.testing.assert_allclose(events.linear("CD3"), [100, 0], atol=1e-4)
    np.testing.assert_allclose(events.linear("CD4"), [0, 100], atol=1e-4)
    assert events.compensation == "acquisition"


def test_the_unit_square_owns_its_left_and_bottom_edges():
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    points = np.array([(0, 0.5), (0.5, 0), (1, 0.5), (0.5, 1), (0, 0), (1, 1), (0.5, 0.5), (np.nan, 0.5)])
    for vertices in (square, square[::-1], square[2:] + square[:2]):
        inside = polygon(points[:, 0], points[:, 1], vertices)
        assert inside.tolist() == [True, True, False, False, True, False, True, False]


def test_the_centre_of_a_pentagram_is_outside_and_an_ellipse_owns_its_edge():
    star = [(float(np.cos(a)), float(np.sin(a))) for a in np.arange(5) * 4 * np.pi / 5]
    assert not polygon(np.array([0.0]), np.array([0.0]), star)[0]
    x, y = np.array([2.0, 2.0000001, 0.0]), np.array([0.0, 0.0, 1.0])
    assert ellipse(x, y, (0, 0), ((4.0, 0.0), (0.0, 1.0)), 1.0).tolist() == [True, False, True]
