"""Reading Gating-ML 2.0: the compliance suite event for event, and what FlowKit leaves out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.gt._tree import Tree
from il2cyto.io import open_fcs, read_gatingml, write_fcs
from tests.io._gatingml import document, no_cuts, range_gate

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
