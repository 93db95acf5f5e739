"""The slanted corner: its geometry against the inequalities it stands for, and its way through reconcile and the engine."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

from il2cyto.batch import Job, gate_files
from il2cyto.errors import TemplateError
from il2cyto.gt import Cut, Events, Flag, Proposal, apply, make_plan, propose, reconcile
from il2cyto.gt._apply import FinalCuts
from il2cyto.gt._shapes import fixed_shape
from il2cyto.gt._tree import Tree
from il2cyto.gt._versions import versions
from il2cyto.gt.methods._corner import join
from il2cyto.io import open_fcs, write_fcs
from il2cyto.io._templates import parse_template
from il2cyto.template import QuadrantGate

HEAD = """schema: il2cyto/gating-template/1
name: corner
version: "1.0"
requires: [CD25, CD127]
transform: {default: {method: asinh, cofactor: 100}}
min_parent: {nan: 1, warn: 1}
populations:
- {name: CD25pos, parent: root, report: false, gate: {method: quantile, channel: CD25, q: 0.7, bounds: [-9, 9]}, adapt: {level: batch}}
"""
CORNER = """- name: Treg
  parent: root
  gate:
    method: corner
    x: {method: ref, of: CD25pos}
    y: {method: quantile, channel: CD127, q: 0.4, bounds: [-9, 9]}
    keep: [above, below]
    slant: 20
  adapt: {level: batch}
"""


def corner(*, keep=("above", "below"), slant=20.0):
    text = CORNER.replace("[above, below]", f"[{', '.join(keep)}]").replace("slant: 20", f"slant: {slant}")
    return parse_template(HEAD + text).by_name["Treg"].gate


@pytest.mark.parametrize("keep", list(itertools.product(("above", "below"), repeat=2)))
@pytest.mark.parametrize("slope", [0.0, 0.4, -0.7, 3.0])
def test_inside_is_one_side_of_the_cut_and_one_side_of_the_line_however_far(keep, slope):
    rng = np.random.default_rng(1)
    gate = corner(keep=keep).at_cuts({"x": 0.5, "y": 0.3, "slope": slope})
    for size in (1.0, 30.0, 1e5):
        x, y = rng.normal(0.5, size, (2, 4000))
        line = 0.3 + slope * (x - 0.5)
        expected = (x >= 0.5 if keep[0] == "above" else x < 0.5) & (y >= line if keep[1] == "above" else y < line)
        np.testing.assert_array_equal(fixed_shape(gate, [x, y]), expected)


def test_the_interval_moves_both_cuts_towards_fewer_and_towards_more_events():
    cuts, spread = {"x": 0.5, "y": 0.3, "slope": 0.0}, {"x": 0.1, "y": 0.05, "slope": 0.0}
    strict, exact, loose = versions(corner(), cuts, spread)
    assert [(g.x, g.y) for g in (strict, exact, loose) if isinstance(g, QuadrantGate)] == [
        pytest.approx(at) for at in ((0.6, 0.25), (0.5, 0.3), (0.4, 0.35))
    ]
    assert len(set(map(id, versions(corner(), cuts, {"x": 0.0})))) == 1


def test_the_slope_is_the_slant_in_units_of_the_parents_deviations():
    rng = np.random.default_rng(2)
    values = rng.normal(0, [2, 0.5], (5000, 2))
    axes = [Proposal({"cut": Cut(at, 0.01)}) for at in (1.0, 0.2)]
    slope = join(values, 20, axes).cuts["slope"].value
    assert slope == pytest.approx(math.tan(math.radians(20)) * 0.5 / 2, rel=0.05)
    assert join(values * [1, 3], 20, axes).cuts["slope"].value == pytest.approx(3 * slope, rel=1e-12)
    assert join(values, 0, axes).cuts["slope"].value == 0


def test_a_corner_fails_with_either_cut_and_says_which():
    found, failed = Proposal({"cut": Cut(1.0)}), Proposal.failed("one peak", flags=Flag.NO_VALLEY)
    proposal = join(np.zeros((50, 2)), 20, [found, failed])
    assert (proposal.found, proposal.flags, proposal.reason) == (False, Flag.NO_VALLEY, "y: one peak")
    assert join(np.zeros((50, 2)), 20, [found, found]).reason.endswith("MAD is 0")
    assert join(np.zeros((9, 2)), 20, [found, found]).reason == "too few events: 9, at least 20 are needed"


@pytest.fixture
def files(tmp_path):
    """Simulated: three files of one batch, each shifted."""
    rng = np.random.default_rng(3)
    for i in range(3):
        points = np.sinh(rng.normal([1 + 0.1 * i, 2 - 0.2 * i], [1, 0.7], (3000, 2))) * 100
        write_fcs(tmp_path / f"s{i}.fcs", points.astype(np.float32), names=["A", "B"], labels=["CD25", "CD127"])
    return sorted(tmp_path.glob("*.fcs"))


def gated(files, template):
    opened = {path.stem: open_fcs(path) for path in files}
    events = {name: Events(f, make_plan(template, f.panel(), file=f.name)) for name, f in opened.items()}
    proposals = pl.concat([propose(e, sample=name, content=name) for name, e in events.items()])
    groups = pl.DataFrame({"sample": list(events), "batch": ["1"] * len(events), "subject": list(events)})
    cuts = reconcile(proposals, groups, template)
    return events, proposals, cuts


def test_both_axes_of_the_apex_and_the_slope_become_the_batchs(files):
    template = parse_template(HEAD + CORNER)
    events, proposals, cuts = gated(files, template)
    finals = {}
    for name in ("x", "y", "slope"):
        own = proposals.filter((pl.col("population") == "Treg") & (pl.col("coordinate") == name))["value"]
        rows = cuts.filter((pl.col("population") == "Treg") & (pl.col("coordinate") == name))
        assert own.n_unique() == 3
        assert rows["final"].to_list() == [pytest.approx(own.median(), rel=1e-12)] * 3
        finals[name] = rows["final"][0]
    alone = cuts.filter(pl.col("population") == "CD25pos")
    assert alone["final"].to_list() == [finals["x"]] * 3
    for name, e in events.items():
        result = apply(e, cuts, sample=name, keep_masks=True)
        x, y = e.scaled("CD25"), e.scaled("CD127")
        expected = (x >= finals["x"]) & (y < finals["y"] + finals["slope"] * (x - finals["x"]))
        np.testing.assert_array_equal(result.masks["Treg"], expected)
        assert result.low["Treg"] < result.counts["Treg"] / 3000 < result.high["Treg"]


def test_of_an_ellipse_the_centre_follows_its_level_and_size_and_tilt_are_the_groups(files):
    text = (
        "- {name: cells, parent: root, gate: {method: tmix2d, channels: [CD25, CD127], centers: [[1, 2]], target: 0}}\n"
    )
    template = parse_template(HEAD.replace(", report: false", "") + text)
    events, _, cuts = gated(files, template)
    rows = cuts.filter(pl.col("population") == "cells")
    assert rows["coordinate"].unique(maintain_order=True).to_list() == ["l21", "log_l11", "log_l22", "mean_x", "mean_y"]
    for (name,), table in rows.partition_by("coordinate", as_dict=True).items():
        if name in ("mean_x", "mean_y"):  # 0.1 and 0.2 apart, known to about 0.02: each keeps nearly its own
            np.testing.assert_allclose(table["final"], table["own"], atol=0.03)
            assert table["final"].n_unique() == 3
        else:
            assert table["final"].to_list() == [table["own"].median()] * 3
    for name, e in events.items():
        result = apply(e, cuts, sample=name)
        assert result.counts["cells"] / 3000 == pytest.approx(0.98, abs=0.02)  # of a normal, more than 95 % of a t


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("x: {method: ref, of: CD25pos}", "x: {method: ref, of: Treg2}", "Treg: population 'Treg2' is unknown; nearest: Treg"),
        ("of: CD25pos}", "of: CD25pos, keep: below}", "corner: x keeps 'below', the corner 'above'; leave out the keep in x"),
        ("adapt: {level: batch}", "adapt: {level: batch, fixed: 0.4}", "Treg: adapt.fixed is one number, and a corner gate has several; leave it out"),
        ("slant: 20", "slant: 90", "found 90; allowed a number < 90"),
        ("of: CD25pos}", "of: CD25pos, channel: CD127}", "Treg: x names 'CD127', but 'CD25pos' is a cut on 'CD25'; leave the channel out"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_corner_is_named(old, new, problem):
    text = HEAD + CORNER.replace(old, new)
    with pytest.raises(TemplateError) as error:
        parse_template(text)
    assert str(error.value).endswith(problem)


def test_an_axis_that_refers_to_a_shape_is_refused():
    text = HEAD.replace(", report: false", "") + "- {name: box, parent: root, gate: {method: rectangle, channels: [CD25, CD127], min: [1, 1], max: [2, 2]}}\n"  # fmt: skip
    with pytest.raises(TemplateError) as error:
        parse_template(text + CORNER.replace("of: CD25pos", "of: box"))
    assert str(error.value).endswith("Treg: x refers to 'box', which is no cut on one channel; refer to one that is")


def test_the_engine_gates_corners_and_ellipses_as_numpy_does(tmp_path):
    """Simulated: values on both sides of zero, some far beyond the rest; every event and every interval is the same."""
    rng = np.random.default_rng(4)
    points = rng.standard_t(2, (40_000, 2)) * [300, 200] + [200, 400]
    points[:5] = [[1e7, 1e6], [-1e7, 1e6], [1e7, -1e6], [3e4, 3e4], [-5e5, 12]]
    write_fcs(tmp_path / "a.fcs", points.astype(np.float32), names=["A", "B"], labels=["CD25", "CD127"])
    text = (
        HEAD
        + CORNER
        + """- {name: cells, parent: root, gate: {method: tmix2d, channels: [CD25, CD127], centers: [[1, 2]], target: 0, quantile: 0.8}}
- {name: other, parent: cells, gate: {method: ref, of: Treg, keep: below}}
- {name: steep, parent: cells, gate: {method: corner, x: {method: quantile, channel: CD25, q: 0.5, bounds: [-9, 9]}, y: {method: ref, of: CD25pos}, keep: [below, above], slant: -70}}
- {name: both, parent: root, where: Treg and not steep}
"""
    )
    text = text.replace(
        "y: {method: ref, of: CD25pos}", "y: {method: quantile, channel: CD127, q: 0.5, bounds: [-9, 9]}"
    )
    for scale in (
        "{method: asinh, cofactor: 100}",
        "{method: logicle, t: 262144, w: 0.8, m: 4.5, a: 0}",
        "{method: none}",
    ):
        template = parse_template(
            text.replace("{method: asinh, cofactor: 100}", scale).replace("[-9, 9]", "[-900, 900]")
        )
        events, _, cuts = gated([tmp_path / "a.fcs"], template)
        decide = FinalCuts(cuts, "a").decide
        tree = Tree(events["a"], lambda population, gate, tree, decide=decide: decide(population))
        fresh = Events(events["a"].file, events["a"].plan)
        result = apply(fresh, cuts, sample="a", keep_masks=True)
        for name in ("Treg", "cells", "other", "steep", "both"):
            band, n = tree.nodes[name].band, tree.nodes[name].parent_count
            assert band is not None
            np.testing.assert_array_equal(result.masks[name], band.mask, err_msg=f"{name}, {scale}")
            assert 0 < band.mask.sum() < n
            if name != "cells":
                assert result.low[name] * n == pytest.approx(np.count_nonzero(band.strict))
                assert result.high[name] * n == pytest.approx(np.count_nonzero(band.loose))


def test_a_shape_that_its_group_moved_is_given_whole_to_the_gates_below(tmp_path):
    """Simulated: the tilt of one file's cloud is not its group's, so the cut below is proposed again under the group's ellipse."""
    rng = np.random.default_rng(6)
    jobs = []
    for i in range(4):
        covariance = [[1, 0.8 if i == 3 else 0.0], [0.8 if i == 3 else 0.0, 1]]
        points = np.sinh(rng.multivariate_normal([1, 2], covariance, 4000)) * 100
        path = tmp_path / f"s{i}.fcs"
        write_fcs(path, points.astype(np.float32), names=["A", "B"], labels=["CD25", "CD127"])
        jobs.append(Job(path.stem, path, batch="1"))
    text = """- {name: cells, parent: root, gate: {method: tmix2d, channels: [CD25, CD127], centers: [[1, 2]], target: 0}}
- {name: half, parent: cells, gate: {method: quantile, channel: CD127, q: 0.5, bounds: [-9, 9]}}
"""
    stages = set()
    template = parse_template(HEAD.replace(", report: false", "") + text)
    batch = gate_files(jobs, template, progress=lambda stage, done, total: stages.add(stage))
    assert batch.failures == ()
    assert "propose again" in stages
    assert [result.counts["half"] > 1000 for result in batch.results] == [True] * 4
