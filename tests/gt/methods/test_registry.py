"""Methods of other packages, installed for real: a distribution with an entry point on the import path."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from il2cyto.errors import GatingError, TemplateError
from il2cyto.gt import Events, make_plan, methods, propose
from il2cyto.io import open_fcs, read_template, write_fcs, write_template

MODULE = """
from typing import Annotated, Literal
from pydantic import Field
from il2cyto.gt import Cut, Proposal
from il2cyto.template import Cut1D, GateMethod

class MidpointGate(Cut1D):
    method: Literal["midpoint"]
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5

def propose(values, gate, reference, rng):
    low, high = values.min(), values.max()
    return Proposal({"cut": Cut(float(low + gate.share * (high - low)), spread=0.0)})

METHOD = GateMethod(MidpointGate, propose)
NOT_ONE = propose
"""
TEMPLATE = """schema: il2cyto/gating-template/1
name: tiny
version: "1.0"
requires: [CD3]
transform: {default: {method: none}}
min_parent: {nan: 1, warn: 1}
populations:
- {name: T, parent: root, gate: {method: midpoint, channel: CD3, share: 0.25, bounds: [-10, 110]}}
"""


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    about = folder / "midpoint_gates-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "midpoint_gates.py").write_text(MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: midpoint-gates\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        textwrap.dedent("""
            [il2cyto.gate_methods]
            midpoint = midpoint_gates:METHOD
            valley = midpoint_gates:METHOD
            broken = midpoint_gates:NOT_ONE
            """)
    )
    monkeypatch.syspath_prepend(str(folder))
    methods.find_method.cache_clear()
    yield
    methods.find_method.cache_clear()


def read(tmp_path, text=TEMPLATE):
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    return read_template(path)


def test_own_methods_are_found_and_no_plug_in_replaces_them(plug_in):
    assert {name: methods.find_method(name) for name in methods.METHODS} == dict(methods.METHODS)


def test_a_template_gates_by_the_method_of_an_installed_package(plug_in, tmp_path):
    template = read(tmp_path)
    assert template.by_name["T"].gate.share == 0.25
    write_fcs(tmp_path / "a.fcs", np.array([[0.0], [10], [100]], dtype=np.float32), names=["A"], labels=["CD3"])
    file = open_fcs(tmp_path / "a.fcs")
    table = propose(Events(file, make_plan(template, file.panel(), file=file.name)), sample="s", content="simulated")
    assert table.select("population", "method", "value").row(0) == ("T", "midpoint", 25.0)


def test_a_template_with_a_foreign_gate_survives_writing_and_its_parameters_are_in_the_digest(plug_in, tmp_path):
    template = read(tmp_path)
    assert read_template(write_template(template, tmp_path)).digest == template.digest
    assert read(tmp_path, TEMPLATE.replace("0.25", "0.5")).digest != template.digest


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("share: 0.25", "share: 2", "midpoint: share: Input should be less than 1"),
        ("share: 0.25", "chare: 0.2", "midpoint: chare: Extra inputs are not permitted"),
        (", bounds: [-10, 110]", "", "midpoint: bounds: Field required"),
        ("midpoint", "midpiont", "method: found 'midpiont'; allowed boundary, corner, ellipse, fixed, fmo, interval, polygon, quadrant, quantile, "
         "rectangle, ref, reference_line, reference_offset, singlet, tail, tmix1d, tmix2d, valley; of installed packages broken, midpoint, valley"),
        ("midpoint", "broken", "gate method 'broken': the entry point midpoint_gates:NOT_ONE gives no il2cyto.template.GateMethod with a "
         "subclass of Cut1D; update or remove the package that provides it"),
    ],
)  # fmt: skip
def test_what_the_plug_ins_model_refuses_is_an_error_of_the_template(plug_in, tmp_path, old, new, problem):
    with pytest.raises(TemplateError) as error:
        read(tmp_path, TEMPLATE.replace(old, new))
    assert str(error.value) == f"tiny.yaml:8: populations[T].gate: {problem}"


def test_an_unknown_method_is_refused_with_the_known_ones(plug_in):
    with pytest.raises(GatingError) as e:
        methods.find_method("valey")
    assert str(e.value) == (
        "no gate method 'valey'; known are broken, fmo, midpoint, quantile, reference_line, reference_offset, singlet, tail, tmix1d, tmix2d, "
        "valley; correct the template or install the package that provides it under the entry point group il2cyto.gate_methods"
    )
