"""openCyto's CSV: each kind of row by an example written for it, and one whole template that gates."""

from __future__ import annotations

import math

import polars as pl
import pytest

from il2cyto import exchange
from il2cyto.cli import app
from il2cyto.errors import TemplateError
from il2cyto.io import read_template
from il2cyto.io._opencyto_args import parse_arguments

HEAD = "alias,pop,parent,dims,gating_method,gating_args,collapseDataForGating,groupBy,preprocessing_method,preprocessing_args\n"
BASE = 'cells,+,root,FSC-A,mindensity,"gate_range=c(26214.4,104857.6)",,,,\n'


def convert(tmp_path, rows, *, name="mine"):
    (tmp_path / f"{name}.csv").write_text(HEAD + BASE + rows)
    return exchange.import_templates(tmp_path / f"{name}.csv", tmp_path / "gating")


def populations(imported):
    (template,) = imported.templates
    return {p.name: (p.parent, p.where or p.gate.model_dump(exclude_unset=True)) for p in template.populations}


def test_a_complete_template_loads_and_says_the_same(tmp_path):
    imported = convert(
        tmp_path,
        'singlets,+,cells,"FSC-A,FSC-H",singletGate,prediction_level=0.95,,,,\n'
        'CD3,CD3+/-,singlets,CD3,mindensity2,"gate_range=c(0.9,3.6),adjust=1.5",,PTID,,\n'
        '*,CD4+/-CD8+/-,CD3+,"CD4,CD8",mindensity,"gate_range=c(0.9,3.6)",,,,\n'
        'CD25hi,CD25+,CD4+CD8-,CD25,quantileGate,"probs=0.95,gate_range=c(0.9,4.05)",,,,\n'
        "resting,CD25-,CD4+CD8-,CD25,refGate,CD25hi,,,,\n"
        "both,+,singlets,,boolGate,CD4+CD8-&!CD25hi|CD4-CD8+,,,,\n".replace("CD3,CD3+/-", "*,CD3+/-"),
    )

    found = populations(imported)
    valley = {"method": "valley", "bounds": (0.2, 0.8), "one_peak": "fail", "keep": "above"}
    assert found["cells"] == ("root", {**valley, "channel": "FSC-A", "bounds": (0.1, 0.4)})
    assert found["singlets"] == ("cells", {"method": "singlet", "area": "FSC-A", "height": "FSC-H", "level": 0.95})
    assert found["CD3pos"] == ("singlets", {**valley, "channel": "CD3", "adjust": 1.5})
    assert found["CD3neg"] == ("singlets", {"method": "ref", "of": "CD3pos", "keep": "below"})
    assert found["CD4pos_CD8neg"] == ("CD3pos", "CD3pos_CD4_cut and not CD3pos_CD8_cut")
    assert found["CD4neg_CD8neg"] == ("CD3pos", "not CD3pos_CD4_cut and not CD3pos_CD8_cut")
    assert found["CD25hi"] == (
        "CD4pos_CD8neg",
        {"method": "quantile", "channel": "CD25", "bounds": (0.2, 0.9), "q": 0.95, "keep": "above"},
    )
    assert found["resting"] == ("CD4pos_CD8neg", {"method": "ref", "of": "CD25hi", "keep": "below"})
    assert found["both"] == ("singlets", "CD4pos_CD8neg and not CD25hi or CD4neg_CD8pos")
    template = read_template(imported.files[0])
    assert template.requires == ("CD3", "CD4", "CD8", "CD25")
    assert template.by_name["CD3pos"].adapt.level == "subject"
    assert not template.by_name["CD3pos_CD4_cut"].report
    assert imported.rows["converted"].all()


def test_two_references_become_refs_in_the_new_parent_whatever_their_order(tmp_path):
    imported = convert(
        tmp_path,
        'a,CD4+,cells,CD4,mindensity,"gate_range=c(1,3)",,,,\n'
        'b,CD8-,cells,CD8,mindensity,"gate_range=c(1,3)",,,,\n'
        'c,CD3+,cells,CD3,mindensity,"gate_range=c(1,3)",,,,\n'
        '*,CD4+CD8-,c,"CD4,CD8",refGate,b:a,,,,\n',
    )

    found = populations(imported)
    assert found["c_CD4_ref"] == ("c", {"method": "ref", "of": "a", "keep": "above"})
    assert found["c_CD8_ref"] == ("c", {"method": "ref", "of": "b", "keep": "above"})
    assert found["CD4pos_CD8neg"] == ("c", "c_CD4_ref and not c_CD8_ref")


def test_a_list_of_parents_repeats_the_row_and_a_path_tells_equal_names_apart(tmp_path):
    imported = convert(
        tmp_path,
        '*,CD4+/-,cells,CD4,mindensity,"gate_range=c(1,3)",,,,\n'
        'act,HLADR+,"CD4+,CD4-",HLADR,tailgate,"gate_range=c(1,4)",,,,\n'
        'deep,CD38+,/cells/CD4-/act,CD38,cytokine,"gate_range=c(1,4)",,,,\n'
        'vague,CD38+,act,CD38,cytokine,"gate_range=c(1,4)",,,,\n',
    )

    found = populations(imported)
    assert (found["act"][0], found["act_CD4neg"][0], found["deep"][0]) == ("CD4pos", "CD4neg", "act_CD4neg")
    assert (
        imported.rows.row(4)[-1] == "parent 'act': several populations of this name; give its path; the row is left out"
    )


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ('x,+,cells,"CD25,CD127",flowClust,"K=3,transitional=TRUE",,,,', "a transitional gate is no mixture; write a corner"),
        ("x,+,cells,CD3,rangeGate,,,,,", "write an interval, or two cuts"),
        ("x,+,cells,CD3,myPlugin,,,,,", "no counterpart of 'myPlugin' on 1 channels with pop '+'; write a gate"),
        ("x,+,cells,CD3,mindensity,system(1),,,,", "arguments 'system(1)' cannot be read: allowed are name=value with numbers, text, TRUE, FALSE, NULL, Inf and c(...)"),
        ("x,+,cells,CD3,refGate,nowhere,,,,", "refers to nowhere, which is not one gate each; write the gate"),
        ("x,+,cells,,boolGate,cells&other,,,,", "refers to other, which is no single row above; write the where"),
        ("x,+,nowhere,CD3,mindensity,,,,,", "parent 'nowhere': no such row above; the row is left out"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_converted_is_listed_with_the_reason(tmp_path, row, note):
    imported = convert(tmp_path, row + "\n")

    assert imported.rows.row(1)[4:] == (False, "" if "left out" in note else "x", note)


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        ('mindensity,"gate_range=c(1,3)",TRUE,PTID:VISITNO,,', "groupBy 'PTID:VISITNO' names a visit, by which no gate may be placed; each sample on its own"),
        ('mindensity,"gate_range=c(1,3)",TRUE,4,,', "pooling of samples is left out; each sample on its own, or give adapt: {level: batch}"),
        ('tailgate,"gate_range=c(1,3),tol=0.01",,,,', "left out: tol"),
        ('mindensity,"gate_range=c(1,3)",,,prior_flowClust,', "preprocessing 'prior_flowClust' is left out"),
    ],
)  # fmt: skip
def test_what_a_row_loses_is_said(tmp_path, cells, note):
    imported = convert(tmp_path, f"x,CD3+,cells,CD3,{cells}\n")

    assert imported.rows.row(1)[4]
    assert note in imported.rows.row(1)[-1]


def test_mixtures_keep_what_the_csv_says_of_them(tmp_path):
    rows = (
        'lymph,+,cells,"FSC-A,SSC-A",flowClust,"K=2,target=c(131072,65536),quantile=0.95",,,,\n'
        '*,CD25+/-,lymph,CD25,flowClust,"neg=2,pos=1",,,,\n'
    )
    imported = convert(tmp_path, rows)

    assert imported.templates == ()
    path = tmp_path / "gating/mine/template.yaml"
    text = path.read_text().replace("[FILL_IN, FILL_IN]", "[0.2, 0.7]")
    path.write_text(text)
    gates = {p.name: p.gate.model_dump(exclude_unset=True) for p in read_template(path).populations if p.gate}
    assert gates["lymph"] == {
        "method": "tmix2d",
        "channels": ("FSC-A", "SSC-A"),
        "centers": ((0.5, 0.25), (0.2, 0.7)),
        "target": 0,
        "quantile": 0.95,
    }
    assert gates["CD25pos"] == {
        "method": "tmix1d",
        "channel": "CD25",
        "components": 3,
        "between": (2, 3),
        "bounds": (0.2, 0.7),
        "keep": "above",
    }
    assert gates["CD25neg"]["of"] == "CD25pos"


def test_what_a_person_has_to_write_is_marked_and_keeps_the_template_from_loading(tmp_path, capsys):
    (tmp_path / "mine.csv").write_text(
        HEAD + BASE + "lymph,+,cells,SSC-A,rangeGate,,,,,\nCD3,CD3+,lymph,CD3,mindensity,,,,,\n"
    )

    app(["templates", "import", str(tmp_path / "mine.csv"), "--out", str(tmp_path)], standalone_mode=False)

    assert capsys.readouterr().err.splitlines()[1:] == [
        "line 3 lymph: NOT CONVERTED. write an interval, or two cuts",
        "line 4 CD3: converted. bounds of CD3: not in the CSV; fill in where an acceptable cut lies; CD3: fails where there is "
        "one peak; openCyto would take an end of the range",
        "Write numbers and gates where the template says FILL_IN; it does not load before.",
    ]
    assert pl.read_csv(tmp_path / "rows.csv")["line"].to_list() == [2, 3, 4]
    path = tmp_path / "mine" / "template.yaml"
    with pytest.raises(TemplateError) as error:
        read_template(path)
    assert [line.partition(": found")[0].partition(" ")[2] for line in str(error.value).splitlines()] == [
        "populations[lymph].gate", "populations[CD3].gate.bounds[0]", "populations[CD3].gate.bounds[1]",
    ]  # fmt: skip
    text = path.read_text().replace("'FILL_IN: rangeGate'", "{method: interval, channel: SSC-A, max: 0.4}")
    path.write_text(text.replace("[FILL_IN, FILL_IN]", "[0.2, 0.8]"))
    assert [p.parent for p in read_template(path).populations] == ["root", "cells", "lymph"]


def test_arguments_are_literals_and_nothing_else():
    assert parse_arguments('a=1e5, b="x,y", c=c(p=1,TRUE,NULL), d=-Inf,e=.5') == {
        "a": 1e5, "b": "x,y", "c": [1.0, True, None], "d": -math.inf, "e": 0.5,
    }  # fmt: skip
    assert parse_arguments("  ") == {}
    for text in ("f(1)", "a=b(2)", "a=1+1", "a=", "=1", "a=c(1", "a=1 b=2", "a=`x`"):
        with pytest.raises(TemplateError):
            parse_arguments(text)


def test_a_csv_of_another_kind_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("alias,pop\na,+\n")

    with pytest.raises(TemplateError) as error:
        exchange.import_templates(tmp_path / "x.csv", tmp_path)
    assert str(error.value) == (
        "x.csv: no column parent, dims, gating_method, gating_args; an openCyto template has alias, pop, parent, dims, "
        "gating_method, gating_args"
    )
