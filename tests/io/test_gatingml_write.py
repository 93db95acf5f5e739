"""Writing Gating-ML 2.0: FlowKit reads the gates back to the same counts."""

from __future__ import annotations

import flowkit
import numpy as np
import pytest

from il2cyto.gt import Events, make_plan
from il2cyto.gt._tree import Tree
from il2cyto.gt._types import Decision
from il2cyto.gt.methods._singlet import propose as fit_singlets
from il2cyto.io import SampleChannel, Spillover, open_fcs, read_gatingml, write_fcs, write_gatingml
from il2cyto.io._templates import parse_template
from tests.io._gatingml import no_cuts

pytestmark = pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning")


def test_flowkit_reads_exported_gates_of_the_suite_back_to_the_same_counts(shared, tmp_path):
    folder = shared / "data/gatingml"
    file = open_fcs(folder / "data1.fcs")
    template = read_gatingml(folder / "gml/gml_all_gates.xml")
    plan = make_plan(template, file.panel(), file=file.name)
    tree = Tree(Events(file, plan), no_cuts)
    channels = {key: SampleChannel(c.name, c.range, c.detector) for key, c in plan.channels.items()}

    omitted = write_gatingml(tmp_path / "out.xml", template, channels=channels, compensated=False, cuts={})

    strategy = flowkit.parse_gating_xml(str(tmp_path / "out.xml"))
    report = strategy.gate_sample(flowkit.Sample(str(folder / "data1.fcs"))).report
    assert omitted == ()
    assert dict(zip(report["gate_name"], report["count"], strict=True)) == {
        p.name: tree.nodes[p.name].count for p in template.populations
    }


EVERY_GATE = """
schema: il2cyto/gating-template/1
name: every
version: "1"
requires: [X, Y, Z]
transform:
  default: {method: logicle, t: range, w: 0.5, m: 4.5, a: 0}
  channels:
    FSC-A: {method: linear, t: range}
    FSC-H: {method: linear, t: range}
    Y: {method: asinh, cofactor: 150}
    Z: {method: log, t: range, m: 5}
min_parent: {nan: 1, warn: 1}
populations:
- {name: inside, parent: root, gate: {method: boundary, channels: [FSC-A, X], max: 0.97}}
- {name: outside, parent: root, gate: {method: ref, of: inside, keep: below}}
- {name: singlets, parent: inside, gate: {method: singlet, area: FSC-A, height: FSC-H}}
- {name: lower, parent: inside, gate: {method: singlet, area: FSC-A, height: FSC-H, side: lower}}
- {name: absent, parent: singlets, if_missing: pass, gate: {method: fixed, channel: FSC-W, at: 0.5, keep: above}}
- {name: Xpos, parent: absent, gate: {method: quantile, channel: X, q: 0.6, keep: above, bounds: [0, 1]}}
- {name: Xneg, parent: absent, gate: {method: ref, of: Xpos, keep: below}}
- {name: Xfixed, parent: absent, gate: {method: fixed, channel: X, at: 0.3, keep: below}}
- {name: Zneg, parent: singlets, gate: {method: fixed, channel: Z, at: 0.6, keep: below}}
- {name: Zpos, parent: singlets, gate: {method: ref, of: Zneg, keep: above}}
- {name: Zdim, parent: singlets, gate: {method: interval, channel: Z, max: 0.6}}
- {name: mid, parent: singlets, gate: {method: interval, channel: Y, min: -1, max: 2}}
- {name: notmid, parent: singlets, gate: {method: ref, of: mid, keep: below}}
- {name: box, parent: singlets, gate: {method: rectangle, channels: [X, Y, Z], min: [0.2, null, 0.3], max: [null, 3, 0.9]}}
- {name: quadrant, parent: singlets, gate: {method: quadrant, channels: [X, Z], x: 0.4, y: 0.6, keep: [above, below]}}
- {name: drawn, parent: singlets, gate: {method: polygon, channels: [X, Y], vertices: [[0.1, -2], [0.7, -1], [0.5, 3]]}}
- name: slanted
  parent: singlets
  gate: {method: reference_line, channels: [X, Y], reference: absent, k: 1, pivot: 0.4, keep: below, bounds: [-9, 9]}
- {name: over, parent: singlets, gate: {method: ref, of: slanted, keep: above}}
- name: round
  parent: singlets
  gate: {method: ellipse, channels: [X, Y], mean: [0.4, 0.5], covariance: [[0.02, 0.01], [0.01, 1]], distance_square: 2}
- name: ball
  parent: singlets
  gate:
    method: ellipse
    channels: [X, Y, Z]
    mean: [0.4, 0.5, 0.6]
    covariance: [[0.02, 0.01, 0], [0.01, 1, 0], [0, 0, 0.1]]
    distance_square: 2
- {name: mixed, parent: singlets, where: "Xpos and (mid or not drawn) and not (round or quadrant)"}
- {name: same, parent: singlets, where: mixed}
- {name: neither, parent: root, where: not singlets}
"""


@pytest.mark.filterwarnings("ignore:invalid value encountered in log10:RuntimeWarning")  # FlowKit's own
def test_flowkit_reads_every_kind_of_gate_back_to_the_same_counts(tmp_path):
    rng = np.random.default_rng(7)
    n = 20_000
    area = rng.normal(100_000, 30_000, n).clip(0, 262_143)
    height = area * rng.normal(0.8, 0.03, n)
    markers = np.exp(rng.normal(6, 2.5, (n, 3))) * rng.choice([-0.05, 1.0], (n, 3), p=[0.2, 0.8])
    spillover = Spillover(
        ("FL1-A", "FL2-A", "FL3-A"), np.array([[1, 0.1, 0], [0.05, 1, 0.2], [0, 0.02, 1]]), "$SPILLOVER"
    )
    path = tmp_path / "simulated.fcs"
    write_fcs(
        path,
        np.column_stack([area, height, markers @ spillover.matrix]),
        names=["FSC-A", "FSC-H", *spillover.channels],
        labels=["", "", "X", "Y", "Z"],
        ranges=[262_144.0] * 5,
        spillover=spillover,
    )
    template, file = parse_template(EVERY_GATE), open_fcs(path)
    plan = make_plan(template, file.panel(), file=file.name)
    drawn = {"round": [(0.2, -1.0), (0.8, -1.0), (0.5, 4.0)]}
    cuts: dict[str, dict[str, float]] = {"Xpos": {"cut": 0.41234}, "slanted": {"cut": 1.7, "slope": 3.1}}

    def source(population, gate, tree) -> Decision:
        if gate.method == "singlet":
            values = np.column_stack([tree.events.scaled(key)[tree.nodes["inside"].mask] for key in gate.keys])
            found = fit_singlets(values, gate, None, np.random.default_rng(0)).cuts
            cuts[population.name] = {key: cut.value for key, cut in found.items()}
        return Decision(cuts[population.name])

    tree = Tree(Events(file, plan), source, polygons=drawn)
    channels = {key: SampleChannel(c.name, c.range, c.detector) for key, c in plan.channels.items()}

    omitted = write_gatingml(
        tmp_path / "out.xml", template, channels=channels, compensated=True, cuts=cuts, polygons=drawn
    )

    report = flowkit.parse_gating_xml(str(tmp_path / "out.xml")).gate_sample(flowkit.Sample(str(path))).report
    counts = dict(zip(report["gate_name"], report["count"], strict=True))
    ours = {p.name: tree.nodes[p.name].count for p in template.populations}
    assert omitted == ()
    assert {name: counts[name] for name in ours} == ours
    assert ours["Zneg"] + ours["Zpos"] == ours["singlets"]
    assert ours["slanted"] + ours["over"] == ours["singlets"]
    assert ours["Zdim"] < ours["Zneg"]  # what has no logarithm is below the cut, and in no interval
    assert min(ours.values()) > 50
