"""Densities for review against histograms of whole columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from il2cyto.gt import Events, apply, make_plan, propose, reconcile
from il2cyto.gt._apply import FinalCuts
from il2cyto.gt._plan import Plan
from il2cyto.gt._tree import Tree
from il2cyto.gt._views import axis_limits, clipped_bins, plan_views, with_scatter
from il2cyto.io import Density, open_fcs, read_template, write_fcs
from il2cyto.template import NoTransform

PROJECT = Path(__file__).parents[2]
FILE = sorted((PROJECT / "sample_data" / "fcs").glob("*.fcs"))[0]


def template_of(name):
    return read_template(PROJECT / "gating" / name / "template.yaml")


def events_of(template, path=FILE):
    file = open_fcs(path)
    return Events(file, make_plan(template, file.panel(), file=file.name))


def cuts_of(events):
    groups = pl.DataFrame(
        {"sample": ["s"], "batch": [None], "subject": [None]},
        schema_overrides={"batch": pl.String, "subject": pl.String},
    )
    return reconcile(propose(events, sample="s", content="simulated"), groups, events.plan.template)


@pytest.fixture(scope="module", params=["tnk", "tbnk"])
def gated(request):
    template = template_of(request.param)
    cuts = cuts_of(events_of(template))
    found = apply(events_of(template), cuts, sample="s", keep_densities=True)
    final = FinalCuts(cuts, "s")
    return template, Tree(events_of(template), lambda population, gate, tree: final.decide(population)), found


def bin_columns(events, views, members):
    """The same in numpy, from whole columns."""
    found = {}
    for view in views:
        if view.parent not in members:
            continue
        x, y = (
            clipped_bins((events.scaled(key)[members[view.parent]] - low) / (high - low)).astype(np.intp)
            for key, (low, high) in ((view.x, view.x_limits), (view.y, view.y_limits))
        )
        grid = np.zeros((64, 64), dtype=np.uint16)
        np.add.at(grid, (x >> 2, y >> 2), 1)
        spectrum = np.bincount(x, minlength=256).astype(np.uint32) if view.fitted else None
        found[view.population] = Density(view.population, view.x, view.y, view.x_limits, view.y_limits, grid, spectrum)
    return found


def moved(found, expected):
    """Events that are in another bin."""
    return np.abs(found.astype(np.int64) - expected.astype(np.int64)).sum() / 2


def test_a_density_is_the_histogram_of_the_parents_events(gated):
    template, tree, found = gated
    assert len(found.densities) > 8
    for name, density in found.densities.items():
        inside = tree.nodes[template.by_name[name].parent].mask
        x, y = (tree.events.scaled(key)[inside] for key in (density.x, density.y))
        x, y = (np.clip(v, *limits) for v, limits in ((x, density.x_limits), (y, density.y_limits)))
        expected, _, _ = np.histogram2d(x, y, bins=64, range=[density.x_limits, density.y_limits])
        # The bins are looked up to a millionth of the axis.
        assert moved(density.counts, expected) <= 1e-4 * inside.sum() + 3
        assert density.counts.sum() == inside.sum()
        if density.histogram is not None:
            expected, _ = np.histogram(x, bins=256, range=density.x_limits)
            assert moved(density.histogram, expected) <= 1e-4 * inside.sum() + 3


def test_every_fitted_cut_has_a_histogram_and_no_complement_is_drawn_twice(gated):
    template, _, found = gated
    for population in template.populations:
        gate, name = population.gate, population.name
        if name in found.densities:
            assert (found.densities[name].histogram is not None) == (gate.fitted and len(gate.keys) == 1)
    assert {"T", "CD4pos", "singlets", "inside"} <= found.densities.keys()
    assert not {"nonT", "CD4", "NK"} & found.densities.keys()
    assert (found.densities["T"].x, found.densities["T"].y) == ("CD3", "SSC-A")
    assert (found.densities["lymphocytes"].x, found.densities["lymphocytes"].y) == ("SSC-A", "FSC-A")
    assert (found.densities["singlets"].x, found.densities["singlets"].y) == ("FSC-A", "FSC-H")


def test_nothing_else_changes_and_nothing_is_kept_unasked(gated):
    template, tree, found = gated
    cuts = cuts_of(events_of(template))
    masks = apply(events_of(template), cuts, sample="s", keep_masks=True, keep_densities=True)
    plain = apply(events_of(template), cuts, sample="s")
    assert plain.densities == {}
    assert plain.masks == {}
    assert found.masks == {}
    for name, mask in masks.masks.items():
        node = tree.nodes[name]
        assert np.array_equal(mask, node.mask) if node.evaluable else not mask.any()
    for field in ("counts", "low", "high", "flags", "medians"):
        np.testing.assert_equal(getattr(found, field), getattr(plain, field))


def test_whole_columns_give_the_same_but_for_events_on_an_edge(gated):
    _, tree, found = gated
    members = {name: node.mask for name, node in tree.nodes.items() if node.evaluable}
    events = Events(tree.events.file, with_scatter(tree.plan))
    columns = bin_columns(events, plan_views(events.plan), members)
    assert columns.keys() == found.densities.keys()
    for name, density in columns.items():
        assert density.view == found.densities[name].view
        assert moved(density.counts, found.densities[name].counts) <= 1e-4 * density.counts.sum() + 3


def test_what_lies_beyond_an_axis_is_in_its_outermost_bin(tmp_path):
    write_fcs(
        tmp_path / "hand.fcs",
        np.array([[-1e9, 5], [-0.2, 5], [0.5, 5], [1e9, 5], [1e38, 5]], dtype=np.float32),
        names=["A", "SSC-A"], labels=["CD3", ""],
    )  # fmt: skip
    (tmp_path / "hand.yaml").write_text(
        "schema: il2cyto/gating-template/1\nname: hand\nversion: '1'\nrequires: [CD3]\ntransform: {default: {method: linear, "
        "t: 1, a: 0}}\nmin_parent: {nan: 1, warn: 1}\npopulations:\n- {name: a, parent: root, gate: {method: interval, channel: "
        "CD3, min: 0}}\n- {name: b, parent: a, gate: {method: fixed, channel: CD3, at: 0.1, keep: above}}\n"
    )
    events = events_of(read_template(tmp_path / "hand.yaml"), tmp_path / "hand.fcs")
    found = apply(events, cuts_of(events), sample="s", keep_densities=True).densities
    assert found["a"].counts.sum(axis=1).nonzero()[0].tolist() == [0, 32, 63]
    assert found["a"].counts.sum(axis=1)[[0, 32, 63]].tolist() == [2, 1, 2]
    assert found["a"].y == "SSC-A"  # although no gate uses it
    assert found["b"].counts.sum() == 3
    assert found["a"].histogram is None


def test_axes_come_from_the_template_alone():
    tnk, euroflow = template_of("tnk"), template_of("euroflow-lst")
    assert axis_limits(tnk, "CD3") == (-0.1, 1.1)
    assert axis_limits(tnk, "SSC-A") == (0.0, 1.0)
    assert axis_limits(euroflow, "CD56") == (-1000.0, 9000.0)
    # Without that, bounds from -2000 to 10000 lie in the middle third.
    stored = euroflow.transform.model_copy(update={"default": NoTransform()})
    unsaid = euroflow.model_copy(update={"transform": stored})
    assert axis_limits(unsaid, "CD56") == (-14_000.0, 22_000.0)
    assert axis_limits(unsaid, "CD38") == (-2621.44, 262144.0)


def test_a_gate_whose_channel_is_missing_has_no_density():
    template = template_of("tnk")
    plan = events_of(template).plan
    without = Plan(template, plan.panel, {key: c for key, c in plan.channels.items() if key not in ("CD14", "SSC-A")})
    names = {view.population: view.y for view in plan_views(without)}
    assert "not_monocyte" not in names
    assert "lymphocytes" not in names
    assert names["CD4pos"] == "FSC-A"


def test_a_logarithm_that_does_not_exist_lies_in_the_lowest_bin(tmp_path):
    write_fcs(
        tmp_path / "hand.fcs",
        np.array([[0, 1], [100, 1], [100, 1000], [1e9, 1]], dtype=np.float32),
        names=["A", "SSC-A"], labels=["CD3", ""],
    )  # fmt: skip
    (tmp_path / "hand.yaml").write_text(
        "schema: il2cyto/gating-template/1\nname: hand\nversion: '1'\nrequires: [CD3]\ntransform: {default: {method: log, "
        "t: 10000, m: 4}}\nmin_parent: {nan: 1, warn: 1}\npopulations:\n"
        "- {name: a, parent: root, gate: {method: fixed, channel: CD3, at: 0.1, keep: above}}\n"
    )
    events = events_of(read_template(tmp_path / "hand.yaml"), tmp_path / "hand.fcs")
    density = apply(events, cuts_of(events), sample="s", keep_densities=True).densities["a"]
    # log10(100 / 10000) / 4 + 1 is 0.5; 0 and 1e9 lie beyond the axis.
    assert np.argwhere(density.counts).tolist() == [[0, 0], [32, 0], [32, 48], [63, 0]]
    assert density.view == ("a", "CD3", "SSC-A", (0.0, 1.0), (0.0, 1.0))
