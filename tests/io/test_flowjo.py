"""FlowJo workspaces: gate for gate FlowKit's counts, beside the ones that FlowJo stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flowkit
import numpy as np
import polars as pl
import pytest

from il2cyto.errors import TemplateError
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.io import FlowJoSample, open_fcs, read_flowjo, write_fcs
from il2cyto.io._xml import MAX_DEPTH

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning"),
    pytest.mark.filterwarnings("ignore:WSP references:UserWarning"),  # FlowKit's, of samples without a file here
]

#: Workspace -> gates that are counted here, stored counts among them, and those that differ by > 5 events and > 0.5 %.
WORKSPACES = {
    "facspy_unstained/test_suite.wsp": (17, 17, []),
    "flowsom_68983/gating.wsp": (15, 15, []),
    "simple_diamond_example/simple_diamond_example_quad_gate.wsp": (4, 4, []),
    "simple_diamond_example/test_data_diamond_asinh_rect.wsp": (1, 1, []),
    "simple_diamond_example/test_data_diamond_asinh_rect2.wsp": (1, 1, []),
    "simple_diamond_example/test_data_diamond_biex_rect.wsp": (1, 1, []),
    "simple_line_example/simple_poly_and_rect.wsp": (2, 0, []),  # FlowJo had not counted: count="-1"
    # The polygon was edited by hand to hold 50 events (its name says so); the stored 0 is older than the edit.
    "simple_line_example/simple_poly_and_rect_v2_poly50.wsp": (2, 2, ["/poly1"]),
    "simple_line_example/single_ellipse_51_events.wsp": (1, 1, []),
}


def counts_of(sample: FlowJoSample, path: Path) -> dict[str, float]:
    file = open_fcs(path)
    events = Events(file, make_plan(sample.template, file.panel(), file=file.name))
    return dict(apply(events, pl.DataFrame(schema=CUT_SCHEMA), sample="one").counts)


def flowkit_counts(workspace: Path, files: list[Path]) -> dict[tuple[str, str], int]:
    session = flowkit.Workspace(str(workspace), fcs_samples=[str(path) for path in files], filename_as_id=True)
    counts = {}
    for sample in session.get_sample_ids():
        session.analyze_samples(sample_id=sample, use_mp=False)
        for row in session.get_gating_results(sample).report.itertuples():
            counts[sample, "/" + "/".join([*row.gate_path, row.gate_name][1:])] = row.count
    return counts


@pytest.mark.parametrize("name", WORKSPACES)
def test_counts_equal_flowkits_and_stand_beside_flowjos(name, shared):
    workspace = shared / "data/flowjo" / name
    gates, stored, apart = WORKSPACES[name]
    ours, theirs = {}, {}
    for sample in read_flowjo(workspace):
        path = next((workspace.parent / file for file in sample.files if (workspace.parent / file).exists()), None)
        if path is None:
            continue
        counts = counts_of(sample, path)
        for population in sample.template.populations:
            ours[sample.name, population.label] = counts[population.name]
            if population.name in sample.stored:
                theirs[sample.name, population.label] = sample.stored[population.name]

    assert ours == flowkit_counts(workspace, sorted(workspace.parent.glob("*.fcs")))
    assert (len(ours), len(theirs)) == (gates, stored)
    far = [key[1] for key, count in theirs.items() if abs(ours[key] - count) > max(5, 0.005 * count)]
    assert far == apart


# --- a workspace made here: what the ones above do not have --------------------------------------------------------------

HEAD = (
    '<Workspace version="20.0" flowJoVersion="10.8.1" xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"><Groups/><SampleList>'
)
LINEAR = (
    '<transforms:linear transforms:minRange="0" transforms:maxRange="100"><data-type:parameter data-type:name="{}"/>'
    "</transforms:linear>"
)
UNKNOWN = '<transforms:secret><data-type:parameter data-type:name="{}"/></transforms:secret>'


def population(
    name: str, channel: str, low: float, high: float, *, count: int = -1, inside: int = 1, below: str = ""
) -> str:
    return (
        f'<Population name="{name}" owningGroup="" count="{count}"><Gate gating:id="x"><gating:RectangleGate '
        f'eventsInside="{inside}"><gating:dimension gating:min="{low}" gating:max="{high}"><data-type:fcs-dimension '
        f'data-type:name="{channel}"/></gating:dimension></gating:RectangleGate></Gate>'
        f"<Subpopulations>{below}</Subpopulations></Population>"
    )


def boolean(kind: str, name: str, *of: str, count: int = -1) -> str:
    dependents = "".join(f'<Dependent name="{path}"/>' for path in of)
    return f'<{kind} name="{name}" owningGroup="" count="{count}"><Dependents>{dependents}</Dependents></{kind}>'


def sample(name: str, *populations: str, scales: str = LINEAR.format("A") + LINEAR.format("B")) -> str:
    return (
        f'<Sample><DataSet uri="file:/C:/Data/a%20b/{name}.fcs" sampleID="{name}"/><Transformations>{scales}</Transformations>'
        f'<Keywords/><SampleNode name="{name}" sampleID="{name}" count="6"><Subpopulations>{"".join(populations)}'
        "</Subpopulations></SampleNode></Sample>"
    )


def workspace(tmp_path: Path, *samples: str) -> Path:
    path = tmp_path / "made.wsp"
    path.write_text(f"{HEAD}{''.join(samples)}</SampleList></Workspace>")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    events = np.array([[5, 10], [15, 20], [25, 30], [35, 40], [45, 50], [55, 60]], dtype=np.float64)
    write_fcs(tmp_path / "one.fcs", events, names=["A", "B"])
    return tmp_path / "one.fcs"


def test_complements_and_boolean_nodes_count_as_in_flowkit_and_by_hand(small, tmp_path):
    gates = [
        population("A+", "A", 20, 50, count=3, below=population("B/x", "B", 35, 99, count=2)),
        population("not A", "A", 20, 50, inside=0, count=3),
        boolean("OrNode", "any", "A+", "not A", count=6),
        boolean("NotNode", "rest", "any", count=0),
        boolean("AndNode", "none", "A+", "not A", count=0),
    ]
    path = workspace(tmp_path, sample("one.fcs", *gates))
    (read,) = read_flowjo(path)
    found = counts_of(read, small)

    counts = {p.label: found[p.name] for p in read.template.populations if p.label}

    assert counts == {"/A+": 3, "/A+/B/x": 2, "/not A": 3, "/any": 6, "/rest": 0, "/none": 0}
    assert {read.template.by_name[name].label: count for name, count in read.stored.items()} == counts
    assert counts == {key[1]: count for key, count in flowkit_counts(path, [small]).items()}
    assert read.files == ("one.fcs", "one.fcs.fcs")


def test_each_sample_has_its_own_gates_and_one_that_cannot_be_read_is_named(small, tmp_path):
    mine, yours = sample("one.fcs", population("g", "A", 0, 30)), sample("two.fcs", population("g", "A", 0, 50))
    first, second = read_flowjo(workspace(tmp_path, mine, yours, sample("no gates")))
    assert [counts_of(s, small)["g"] for s in (first, second)] == [3, 5]

    # A scale whose definition is not public matters only where a gate is on it.
    off, on = (
        sample("s", population("g", "A", 0, 30), scales=LINEAR.format("A") + UNKNOWN.format(c)) for c in ("B", "A")
    )
    assert len(read_flowjo(workspace(tmp_path, off))) == 1
    with pytest.raises(
        TemplateError, match=r"^made.wsp: s: FlowKit cannot read its gates: FlowJo transform type 'secret'"
    ):
        read_flowjo(workspace(tmp_path, mine, on))


def test_samples_of_one_name_and_workspaces_without_gates_are_refused(tmp_path):
    one = sample("one.fcs", population("g", "A", 0, 30))
    with pytest.raises(TemplateError) as error:
        read_flowjo(workspace(tmp_path, one, one))
    assert str(error.value) == "made.wsp: two samples are called one.fcs; give each its own name in FlowJo"
    with pytest.raises(TemplateError) as error:
        read_flowjo(workspace(tmp_path, sample("one.fcs")))
    assert str(error.value) == "made.wsp: no sample of the workspace has gates"


def test_a_workspace_with_a_document_type_or_endless_gates_is_refused(tmp_path):
    path = tmp_path / "made.wsp"
    path.write_text('<!DOCTYPE W [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + HEAD + "</SampleList></Workspace>")
    with pytest.raises(TemplateError, match=r"made.wsp: has a DOCTYPE; documents with one are not read"):
        read_flowjo(path)
    nested = ""
    for i in range(MAX_DEPTH + 2):
        nested = population(f"g{i}", "A", 0, 30, below=nested)
    with pytest.raises(
        TemplateError, match=f"^made.wsp: more than {MAX_DEPTH} gates under one another; at most {MAX_DEPTH} are read$"
    ):
        read_flowjo(workspace(tmp_path, sample("one.fcs", nested)))
