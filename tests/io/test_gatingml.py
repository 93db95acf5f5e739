"""Gating-ML 2.0: the compliance suite event for event, what FlowKit leaves out, documents that attack, and the way back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import flowkit
import numpy as np
import polars as pl
import pytest

from il2cyto.errors import TemplateError
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.gt._tree import Tree
from il2cyto.gt._types import Decision
from il2cyto.gt.methods._singlet import propose as fit_singlets
from il2cyto.io import SampleChannel, Spillover, open_fcs, read_gatingml, write_fcs, write_gatingml
from il2cyto.io._templates import parse_template
from il2cyto.io._xml import MAX_DEPTH, MAX_GATES

if TYPE_CHECKING:
    from pathlib import Path

    from il2cyto.io import FcsFile
    from il2cyto.template import GatingTemplate

pytestmark = pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning")

# fmt: off
SUITE = (
    "And1", "And2", "And3", "And4", "Ellipse1", "Ellipsoid3D", "FL2N-FL4N", "FL2N-FL4P", "FL2P-FL4N", "FL2P-FL4P",
    "FSCD-FL1P", "FSCD-SSCN-FL1N", "FSCN-SSCN", "FSCN-SSCP-FL1P", "FSCP-SSCN-FL1N", "Not1", "Or1", "Or2",
    "ParAnd2", "ParAnd3", "ParQuadRect", "Polygon1", "Polygon2", "Polygon3NS", "Polygon4", "Range1", "Range2",
    "RatRange1", "RatRange1a", "RatRange2", "Rectangle1", "Rectangle2", "Rectangle3", "Rectangle4", "Rectangle5",
    "ScalePar1", "ScaleRange1", "ScaleRange1c", "ScaleRange2", "ScaleRange2c", "ScaleRange3", "ScaleRange3c",
    "ScaleRange4", "ScaleRange4c", "ScaleRange5", "ScaleRange5c", "ScaleRange6", "ScaleRange6c", "ScaleRange7c",
    "ScaleRange8c", "ScaleRect1",
)
# fmt: on
#: Truth and gate differ in name.
GATE = {"ParQuadRect": "ParRectangle1"}
HEAD = (
    '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">'
)


def no_cuts(population, gate, tree) -> Decision:
    raise AssertionError(population)


def masks(file: FcsFile, template: GatingTemplate) -> dict[str, np.ndarray]:
    """Membership by the last step of each population's path in the source; the engine's, which must be the reference's."""
    plan = make_plan(template, file.panel(), file=file.name)
    gated = apply(Events(file, plan), pl.DataFrame(schema=CUT_SCHEMA), sample="one", keep_masks=True)
    tree = Tree(Events(file, plan), no_cuts)
    for p in template.populations:
        np.testing.assert_array_equal(gated.masks[p.name], tree.nodes[p.name].mask, err_msg=p.label)
    return {p.label.rpartition("/")[2]: gated.masks[p.name] for p in template.populations}


@cache
def suite(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Gate -> document -> membership, for every document of the suite."""
    file = open_fcs(folder / "data1.fcs")
    found: dict[str, dict[str, np.ndarray]] = {}
    for path in sorted((folder / "gml").glob("*.xml")):
        if path.name != "gml_range_gate_attr_testing.xml":  # not Gating-ML: FlowKit's test of its own checks
            for gate, mask in masks(file, read_gatingml(path)).items():
                found.setdefault(gate, {})[path.name] = mask
    return found


@pytest.mark.parametrize("name", SUITE)
def test_every_document_of_the_suite_that_has_a_gate_gives_its_truth_event_for_event(name, shared):
    folder = shared / "data/gatingml"
    truth = np.loadtxt(folder / f"truth/Results_{name}.txt", dtype=np.int8).astype(bool)

    found = suite(folder)[GATE.get(name, name)]

    assert {document: int((mask != truth).sum()) for document, mask in found.items()} == dict.fromkeys(found, 0)


def test_the_suite_is_complete(shared):
    truths = sorted(path.stem.partition("_")[2] for path in (shared / "data/gatingml/truth").glob("*.txt"))

    assert truths == sorted(SUITE)
    assert len(SUITE) == 51


def document(tmp_path: Path, *elements: str, head: str = HEAD) -> Path:
    path = tmp_path / "gates.xml"
    path.write_text(f"{head}{''.join(elements)}</gating:Gating-ML>")
    return path


def range_gate(
    name: str, channel: str, *, rest: str = "", parent: str = "", compensation: str = "uncompensated"
) -> str:
    parent = f'gating:parent_id="{parent}"' if parent else ""
    return (
        f'<gating:RectangleGate gating:id="{name}" {parent}><gating:dimension gating:compensation-ref="{compensation}" {rest}>'
        f'<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension></gating:RectangleGate>'
    )


@pytest.fixture
def small(tmp_path: Path) -> FcsFile:
    """Six events, simulated."""
    events = np.array([[-5, 1], [0, 2], [1, 3], [10, 4], [100, 5], [1000, 6]], dtype=np.float64)
    write_fcs(tmp_path / "small.fcs", events, names=["A", "B"])
    return open_fcs(tmp_path / "small.fcs")


def test_a_bound_of_a_scale_gathers_what_lies_beyond_it(small, tmp_path):
    scale = (
        '<transforms:transformation transforms:id="s" transforms:boundMin="0.25" transforms:boundMax="0.5">'
        '<transforms:flog transforms:T="1000" transforms:M="4"/></transforms:transformation>'
    )
    # The scale is 0.25 at 1, 0.5 at 10, 1 at 1000.
    low = range_gate("low", "A", rest='gating:transformation-ref="s" gating:max="0.3"')
    high = range_gate("high", "A", rest='gating:transformation-ref="s" gating:min="0.5" gating:max="0.51"')

    found = masks(small, read_gatingml(document(tmp_path, scale, low, high)))

    assert found["low"].tolist() == [True, True, True, False, False, False]
    assert found["high"].tolist() == [False, False, False, True, True, True]


def test_without_bounds_the_logarithm_of_nothing_is_in_no_gate(small, tmp_path):
    scale = (
        '<transforms:transformation transforms:id="s"><transforms:flog transforms:T="1000" transforms:M="4"/>'
        "</transforms:transformation>"
    )
    below = range_gate("below", "A", rest='gating:transformation-ref="s" gating:max="0.3"')

    assert masks(small, read_gatingml(document(tmp_path, scale, below)))["below"].tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_matrix_may_come_inverted(small, tmp_path, inverted):
    spillover = np.array([[1.0, 0.5], [0.25, 1.0]])
    matrix = np.linalg.inv(spillover) if inverted else spillover
    names = "".join(f'<data-type:fcs-dimension data-type:name="{name}"/>' for name in ("{0}1", "{0}2"))
    rows = "".join(
        "<transforms:spectrum>"
        + "".join(f'<transforms:coefficient transforms:value="{value!r}"/>' for value in row.tolist())
        + "</transforms:spectrum>"
        for row in matrix
    )
    element = (
        f'<transforms:spectrumMatrix transforms:id="m" transforms:matrix-inverted-already="{str(inverted).lower()}">'
        f"<transforms:fluorochromes>{names.format('dye')}</transforms:fluorochromes><transforms:detectors>"
        '<data-type:fcs-dimension data-type:name="A"/><data-type:fcs-dimension data-type:name="B"/></transforms:detectors>'
        f"{rows}</transforms:spectrumMatrix>"
    )
    gate = range_gate("gate", "dye2", rest='gating:min="0"', compensation="m")
    a, b = small.events().astype(float).T

    found = masks(small, read_gatingml(document(tmp_path, element, gate)))["gate"]

    assert found.tolist() == ((b - 0.5 * a) / 0.875 >= 0).tolist()


# --- documents that attack ----------------------------------------------------------------------------------------------

GATE_A = range_gate("gate", "A", rest='gating:min="0"')


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE g [<!ENTITY a "b">]>',
        '<!DOCTYPE g [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE g SYSTEM "http://localhost:1/gates.dtd">',
        '<!DOCTYPE g [<!ENTITY a SYSTEM "secret.txt">]>',
        '<!DOCTYPE g [<!ENTITY % p SYSTEM "http://localhost:1/p.dtd"> %p;]>',
        "<!DOCTYPE g>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(tmp_path, doctype, encoding):
    path = tmp_path / "gates.xml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{HEAD}{GATE_A}</gating:Gating-ML>', encoding)

    with pytest.raises(TemplateError) as error:
        read_gatingml(path)

    assert str(error.value) in (
        "gates.xml: has a DOCTYPE; documents with one are not read. Remove the declaration.",
        "gates.xml:1: not well-formed XML, or nested too deeply; export it again",
    )


def test_an_external_entity_is_not_opened(tmp_path):
    (tmp_path / "secret.txt").write_text("Secret")
    path = tmp_path / "gates.xml"
    uri = (tmp_path / "secret.txt").as_uri()
    path.write_text(
        f'<!DOCTYPE g [<!ENTITY a SYSTEM "{uri}">]>{HEAD}<data-type:custom_info>&a;</data-type:custom_info></gating:Gating-ML>'
    )

    with pytest.raises(TemplateError) as error:
        read_gatingml(path)

    assert "Secret" not in str(error.value)


def test_a_document_is_limited_in_size_gates_and_depth(tmp_path, monkeypatch):
    many = document(tmp_path, *(range_gate(f"g{i}", "A", rest='gating:min="0"') for i in range(MAX_GATES + 1)))
    with pytest.raises(TemplateError, match=rf"gates.xml: {MAX_GATES + 1} gates; at most {MAX_GATES} are read"):
        read_gatingml(many)
    chain = [
        range_gate(f"g{i}", "A", rest='gating:min="0"', parent=f"g{i - 1}" if i else "") for i in range(MAX_DEPTH + 5)
    ]
    with pytest.raises(TemplateError, match=f"gates stand in a circle, or more than {MAX_DEPTH} under one another"):
        read_gatingml(document(tmp_path, *chain))
    deep = tmp_path / "deep.xml"
    deep.write_text("<a>" * 100_000)
    with pytest.raises(TemplateError, match=r"deep.xml:1: not well-formed XML, or nested too deeply; export it again"):
        read_gatingml(deep)
    monkeypatch.setattr("il2cyto.io._xml.MAX_BYTES", 1000)
    with pytest.raises(TemplateError, match=r"at most 0 MB are read. Export fewer samples."):
        read_gatingml(many)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([GATE_A, GATE_A], "gates.xml: gate 'gate' stands twice; rename one"),
        ([range_gate("a", "A", parent="b")], "gates.xml: gate 'a': parent 'b' is not a gate of the document"),
        (
            [range_gate("a", "A", parent="b"), range_gate("b", "A", parent="a")],
            f"gates.xml: gates stand in a circle, or more than {MAX_DEPTH} under one another",
        ),
        (
            [range_gate("a", "A", rest='gating:min="2" gating:max="1"')],
            "gates.xml: /a: Value error, interval: 2.0 to 1.0; the first must be lower than the second; swap them",
        ),
        ([range_gate("a", "A", rest='gating:min="NaN"')], "gates.xml: /a: Input should be a finite number"),
    ],
)
def test_a_document_that_does_not_hold_together_is_refused_with_its_gate(tmp_path, elements, message):
    with pytest.raises(TemplateError) as error:
        read_gatingml(document(tmp_path, *elements))

    assert str(error.value).splitlines()[0] == message


def test_names_become_plain_and_stay_apart_while_labels_keep_the_path(tmp_path):
    gates = [
        range_gate("CD4.x", "A", rest='gating:min="0"'),
        range_gate("CD4-x", "A", rest='gating:min="1"', parent="CD4.x"),
    ]

    template = read_gatingml(document(tmp_path, *gates, range_gate("not", "B", rest='gating:min="1"')))

    assert [(p.name, p.parent, p.label) for p in template.populations] == [
        ("CD4_x", "root", "/CD4.x"),
        ("CD4_x_CD4_x", "CD4_x", "/CD4.x/CD4-x"),
        ("not_2", "root", "/not"),
    ]


# --- and back ------------------------------------------------------------------------------------------------------------


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
