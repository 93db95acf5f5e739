"""A file's own cuts: what is looked at, and in how much memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from il2cyto.gt import Events, apply, make_plan, propose, reconcile
from il2cyto.gt._membership import Membership
from il2cyto.gt._propose import PROPOSAL_SCHEMA
from il2cyto.gt._sample import MOST, draw_root
from il2cyto.gt._sampled_tree import ENOUGH, SampledTree
from il2cyto.gt._tree import Tree
from il2cyto.gt._types import Decision
from il2cyto.io import Spillover, open_fcs, read_template, write_fcs

PROJECT = Path(__file__).parents[2]
TNK = read_template(PROJECT / "gating" / "tnk" / "template.yaml")
FILE = sorted((PROJECT / "sample_data" / "fcs").glob("*.fcs"))[0]


def events_of(path=FILE, template=TNK):
    file = open_fcs(path)
    return Events(file, make_plan(template, file.panel(), file=file.name))


def cuts_of(table):
    return {
        str(population): dict(rows.select("coordinate", "value").iter_rows())
        for (population,), rows in table.partition_by("population", as_dict=True).items()
    }


@pytest.fixture(scope="module")
def proposals():
    return propose(events_of(), sample="s", content="simulated")


def test_each_gate_is_fitted_to_the_events_that_whole_columns_give(proposals):
    cuts = cuts_of(proposals)
    tree = Tree(events_of(), lambda population, gate, tree: Decision(cuts[population.name]))
    assert {"cells", "singlets", "T", "CD25pos", "CD16pos"} <= cuts.keys()
    for population, n in proposals.select("population", "n").iter_rows():
        assert n == tree.nodes[population].parent_count, population


def test_the_same_content_gives_the_same_table_and_another_only_other_spreads(proposals):
    assert_frame_equal(propose(events_of(), sample="s", content="simulated"), proposals)
    other = propose(events_of(), sample="s", content="other")
    assert other["value"].equals(proposals["value"], null_equal=True)
    assert not other["spread"].equals(proposals["spread"])


def test_given_cuts_are_not_proposed_and_those_below_them_are_what_they_were(proposals):
    below = ("CD25pos", "CD127low")
    given = {name: cuts for name, cuts in cuts_of(proposals).items() if name not in below}
    again = propose(events_of(), sample="s", content="simulated", given=given, panel="")
    assert_frame_equal(again, proposals.filter(pl.col("population").is_in(below)))


def test_only_what_a_wanted_gate_stands_on_is_looked_at(proposals, monkeypatch):
    looked_at = []
    linear = Membership.linear

    def note(self, key, population, sample):
        looked_at.append(key)
        return linear(self, key, population, sample)

    monkeypatch.setattr(Membership, "linear", note)
    given = {name: cuts for name, cuts in cuts_of(proposals).items() if name != "CD4pos"}
    again = propose(events_of(), sample="s", content="simulated", given=given, panel="")
    assert again["population"].to_list() == ["CD4pos"]
    assert set(looked_at) == {"FSC-A", "FSC-H", "SSC-A", "viability", "CD45", "CD3", "CD4"}
    looked_at.clear()
    assert_frame_equal(
        propose(events_of(), sample="s", content="simulated", given=cuts_of(proposals), panel=""),
        pl.DataFrame(schema=PROPOSAL_SCHEMA),
    )
    assert not looked_at


def enlarged(path, n, *, shuffled=False):
    """Simulated events of the sample data's kind, 18 channels."""
    small = open_fcs(FILE)
    channels, spillover = [c for c in small.channels if not c.is_time], small.spillover()
    rng = np.random.default_rng(1)
    stored = np.asarray(small.events([c.index for c in channels]), dtype=np.float32)
    rows = stored[rng.integers(0, len(stored), n)]
    rows *= rng.normal(1, 0.003, (n, 1)).astype(np.float32)
    names, labels = [c.name for c in channels], [c.label for c in channels]
    more = 18 - len(names)
    write_fcs(
        path,
        np.column_stack([rows, rows[:, :more]])[rng.permutation(n) if shuffled else slice(None)],
        names=[*names, *(f"X{i}" for i in range(more))],
        labels=[*labels, *[""] * more],
        ranges=[*(c.range for c in channels), *[262144] * more],
        spillover=None if spillover is None else Spillover(spillover.channels, spillover.matrix),
    )
    return path


def peak_of(function, *arguments, **named):
    tracemalloc.start()
    try:
        found = function(*arguments, **named)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_hardly_grows_with_the_file(tmp_path):
    few, many = (enlarged(tmp_path / f"{n}.fcs", n) for n in (400_000, 1_200_000))
    own, small = peak_of(propose, events_of(few), sample="s", content="simulated")
    found, large = peak_of(propose, events_of(many), sample="s", content="simulated")
    assert found["value"].is_finite().all()
    assert found["n"].to_numpy().max() > 1_000_000
    # Samples hold 50,000 to 100,000 events each: between these numbers, memory may be more for fewer events.
    assert large < 1.2 * small
    assert large < 40e6
    cuts = reconcile(own, pl.DataFrame({"sample": ["s"], "batch": ["b"], "subject": ["p"]}), TNK)
    _, small = peak_of(apply, events_of(few), cuts, sample="s", keep_densities=True)
    _, large = peak_of(apply, events_of(many), cuts, sample="s", keep_densities=True)
    assert large < small + 9e6  # values near the medians: their number grows as a root
    assert large < 32e6


def test_of_a_population_of_many_events_a_sample_is_taken_that_hangs_on_them_and_not_on_their_order(tmp_path):
    paths = enlarged(tmp_path / "a.fcs", 350_000), enlarged(tmp_path / "b.fcs", 350_000, shuffled=True)
    trees = [
        SampledTree(events_of(path), lambda *_: Decision({"cut": 0.1}), (), only_fitted=["cells", "singlets"])
        for path in paths
    ]
    whole = Tree(events_of(paths[0]), lambda *_: Decision(None))
    for key in ("FSC-A", "SSC-A"):
        first, second = (np.sort(tree.values(key, "inside")) for tree in trees)
        assert ENOUGH <= first.size <= MOST
        np.testing.assert_array_equal(first, second)
        every = np.sort(whole.events.scaled(key)[whole.nodes["inside"].mask])
        assert every.size == trees[0].nodes["inside"].count
        # The sample's median lies within four standard errors of the median of all.
        rank = np.searchsorted(every, np.median(first)) / every.size
        assert abs(rank - 0.5) < 2 / np.sqrt(first.size)


def test_a_large_file_gives_the_counts_and_the_cuts_that_whole_columns_give(tmp_path):
    """Rare populations are sampled anew from the whole file: none has fewer events to fit than it need have."""
    events = events_of(enlarged(tmp_path / "a.fcs", 350_000))
    looked_at = {}

    def fit(population, gate, tree):
        for name in (population.parent, getattr(gate, "reference", None)):
            if name is not None:
                looked_at[name] = tree.values(gate.keys[0], name).size
        return Decision(cuts.get(population.name))

    cuts = cuts_of(propose(events, sample="s", content="simulated"))
    tree = SampledTree(events, fit, TNK.order)
    whole = Tree(events, lambda population, gate, tree: Decision(cuts.get(population.name)))
    assert len(looked_at) > 8
    for name, node in whole.nodes.items():
        assert (tree.nodes[name].evaluable, tree.nodes[name].count) == (node.evaluable, node.count), name
        if name in looked_at:
            assert min(node.count, ENOUGH) <= looked_at[name] <= min(node.count, MOST), name


def test_of_events_that_are_all_alike_all_or_none_are_sampled_and_no_cut_is_made_up(tmp_path):
    """They have one lot between them, so that no share of them can be taken."""
    write_fcs(tmp_path / "alike.fcs", np.full((250_000, 2), 7, dtype=np.float32), names=["FSC-A", "SSC-A"])
    gate = {"method": "valley", "channel": "FSC-A", "keep": "above", "bounds": [-1e9, 1e9], "one_peak": "fail"}
    head = {"schema": "il2cyto/gating-template/1", "name": "t", "version": "1"}
    template = TNK.model_validate({**head, "populations": [{"name": "p", "parent": "root", "gate": gate}]})
    events = events_of(tmp_path / "alike.fcs", template)
    assert len(draw_root(events)) in (0, 250_000)
    assert not propose(events, sample="s", content="simulated")["value"].is_finite().any()
