from __future__ import annotations

import copy

import numpy as np
import pytest

from il2cyto.errors import TemplateError
from il2cyto.io import read_template, template_folders
from il2cyto.template import GatingTemplate, parse

ENDPOINTS = {"CD4", "CD8", "Treg", "NK", "CD56bright"}

TEXT = """schema: il2cyto/gating-template/1
name: tiny
version: "1.0"
requires: [CD3, CD4]
populations:
- {name: T, parent: root, gate: {method: valley, channel: CD3, keep: above, bounds: [0.3, 0.7], one_peak: fail}}
- {name: CD4, parent: T, gate: {method: valley, channel: CD4, keep: above, bounds: [0.3, 0.7], one_peak: {method: fixed, at: 0.5}}}
- {name: rest, parent: T, where: not CD4}
"""


def read(tmp_path, text):
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    return read_template(path)


@pytest.mark.parametrize("name", sorted(template_folders()))
def test_every_shipped_template_is_valid_and_names_the_endpoints_exactly(name):
    template = read_template(name)
    assert template.name == name
    assert {p.name for p in template.populations if p.endpoint} <= ENDPOINTS
    assert (template_folders()[name] / "README.md").is_file()


def test_the_digest_ignores_comments_and_order_of_keys_but_no_number(tmp_path):
    base = read(tmp_path, TEXT).digest
    assert (
        read(tmp_path, "# a comment\n" + TEXT.replace("{name: T, parent: root,", "{parent: root, name: T,")).digest
        == base
    )
    assert read(tmp_path, TEXT.replace("0.7], one_peak: fail", "0.71], one_peak: fail")).digest != base
    # A default that is written out is the same template.
    assert read(tmp_path, TEXT + "adapt: {level: sample}\n").digest == base
    assert read(tmp_path, TEXT + "adapt: {level: batch}\n").digest != base


def test_settings_of_the_template_are_the_defaults_of_its_populations(tmp_path):
    text = TEXT.replace("where: not CD4}", "where: not CD4, min_parent: {warn: 7}}")
    template = read(tmp_path, text + "adapt: {level: batch, min_group: 5}\nmin_parent: {nan: 9, warn: 99}\n")
    assert (template.adapt_of("T").level, template.adapt_of("T").min_group) == ("batch", 5)
    assert (template.min_parent_of("rest").nan, template.min_parent_of("rest").warn) == (9, 7)


def test_populations_may_stand_in_any_order_in_the_file(tmp_path):
    head, rows = TEXT.split("populations:\n")
    shuffled = head + "populations:\n" + "".join(sorted(rows.splitlines(keepends=True), reverse=True))
    template = read(tmp_path, shuffled)
    assert template.order.index("T") < template.order.index("CD4") < template.order.index("rest")


def test_all_problems_of_a_template_stand_in_one_message(tmp_path):
    text = TEXT.replace("parent: T, where", "parent: TT, where").replace("where: not CD4", "where: not CD44")
    with pytest.raises(TemplateError) as error:
        read(tmp_path, text)
    assert str(error.value) == (
        "tiny.yaml:8: populations[rest].parent: rest: parent 'TT' is unknown; nearest: T\n"
        "tiny.yaml:8: populations[rest].where: rest: population 'CD44' is unknown; nearest: CD4"
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("0.3, 0.7], one_peak: fail", "0.7, 0.3], one_peak: fail", "bounds: 0.7 to 0.3; the first must be lower than the second; swap them"),
        (", one_peak: fail", "", "one_peak"),
        ("bounds: [0.3, 0.7], one_peak: fail", "one_peak: fail", "bounds"),
        ("name: rest", "name: CD4", "population 'CD4' stands twice (also number 2); rename one"),
        ("channel: CD3", "channel: CD33", "marker 'CD33' stands neither in requires nor in optional; nearest: CD3"),
        ("where: not CD4", "where: not rest", "populations need one another in a circle: rest -> rest; break it at one of them"),
        ("where: not CD4", "where: not CD4, report: false", "not reported and not used by any population; remove it or report it"),
        ("where: not CD4", "where: not CD4, endpoint: {denominators: [CD4]}", "the first denominator is 'CD4', the parent 'T'"),
        ("where: not CD4", "where: CD4 nor T", "found 'nor' at character"),
        ("name: rest", "name: root", "'root' is a word of the template language"),
        ("requires:", "expect: [{marker: CD33, higher_in: T, than: rest, auc_above: 0.9}]\nrequires:", "expect: marker 'CD33' stands neither in requires nor in optional; nearest: CD3"),
        ("requires:", "expect: [{marker: CD3, higher_in: T, than: Rest, auc_above: 0.9}]\nrequires:", "expect: population 'Rest' is unknown; nearest: rest"),
        ("requires:", "expect: [{marker: CD3, against: CD4, correlation_below: -2}]\nrequires:", "within"),
        ("requires:", "expect: [{marker: CD3, against: CD4, within: T, correlation_below: -2}]\nrequires:", "allowed a number >= -1"),
        ("requires:", "grouping: {batch: visit}\nrequires:", "grouping.batch"),
        ("0.3, 0.7], one_peak: fail", "0.3, .nan], one_peak: fail", "allowed a finite number"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_named(tmp_path, old, new, problem):
    assert old in TEXT
    with pytest.raises(TemplateError) as error:
        read(tmp_path, TEXT.replace(old, new))
    assert problem in str(error.value)


def test_an_unknown_template_names_those_that_exist():
    with pytest.raises(TemplateError, match=r"template 'tnkk': no such template or file; there are .*; nearest: tnk"):
        read_template("tnkk")


def test_boolean_gates_bind_like_the_language_they_look_like():
    rng = np.random.default_rng(0)
    values = {name: rng.random(64) < 0.5 for name in "abc"}
    a, b, c = values.values()
    for text, expected in {
        "a or b and not c": a | (b & ~c),
        "(a or b) and not c": (a | b) & ~c,
        "not not a": a,
        "not (a and b) or c": ~(a & b) | c,
    }.items():
        np.testing.assert_array_equal(parse(text).evaluate(values.__getitem__), expected)


@pytest.mark.parametrize(
    "text", ["", "a and", "a b", "a and (b", "a & b", "not", "a or __import__('os')", "(" * 60 + "a" + ")" * 60]
)
def test_what_is_no_boolean_gate_is_refused(text):
    with pytest.raises(TemplateError, match="boolean gate"):
        parse(text)


def test_a_template_cannot_be_changed_or_built_half():
    template = read_template("tnk")
    data = template.model_dump(mode="json", by_alias=True)
    assert GatingTemplate.model_validate(copy.deepcopy(data)).digest == template.digest
    with pytest.raises(ValueError, match="frozen"):
        template.name = "other"  # type: ignore[misc]


IMPORTED = """
schema: il2cyto/gating-template/1
name: imported
version: "1"
dimensions:
  X: {channel: FL1-H, compensation: none}
  Y: {ratio: {numerator: FL1-H, denominator: FL2-H}}
populations:
- {name: A, parent: root, gate: {method: rectangle, channels: [X, Y, X], min: [0, null, 1], max: [1, 2, null]}}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("compensation: none", "compensation: spil", "X: matrix 'spil' is unknown"),
        ("{ratio:", "{channel: Z, ratio:", "give a channel or a ratio, exactly one of the two"),
        ("compensation: none", "low: 1, high: 0", "low is 1.0, high 0.0; the first must be lower"),
        ("[1, 2, null]", "[1, 2]", "rectangle: 3 channels, 3 lower and 2 upper sides; give as many of each"),
        ("channels: [X, Y, X]", "channels: [X, Y, W]", "marker 'W' stands neither in requires nor in optional"),
        (
            "populations:",
            "matrices: {m: {fluorochromes: [a, b], detectors: [c], spillover: [[1], [2]]}}\npopulations:",
            "2 fluorochromes and 1 detectors need 2 rows of 1 numbers, and no more fluorochromes than detectors",
        ),
        (
            "populations:",
            "matrices: {m: {fluorochromes: [a, a], detectors: [c, d], spillover: [[1, 0], [0, 1]]}}\npopulations:",
            "matrix: a fluorochrome stands twice",
        ),
    ],
)
def test_dimensions_and_matrices_hold_together(tmp_path, old, new, message):
    path = tmp_path / "t.yaml"
    path.write_text(IMPORTED)
    gate = read_template(path).by_name["A"].gate
    assert gate is not None
    assert gate.keys == ("X", "Y", "X")
    path.write_text(IMPORTED.replace(old, new))

    with pytest.raises(TemplateError) as error:
        read_template(path)

    assert message in str(error.value)
