from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from il2cyto.errors import StudyError
from il2cyto.io._yaml import MAX_BYTES, load_yaml, validate_yaml


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Valley(Model):
    method: Literal["valley"]
    bounds: tuple[float, float]
    one_peak: Literal["fail"] | Tail


class Tail(Model):
    method: Literal["tail"]
    tol: Annotated[float, Field(gt=0)] = 0.01


class Population(Model):
    name: str
    gate: Annotated[Valley | Tail, Field(discriminator="method")]
    report: bool = True


class Template(Model):
    kind: Literal["gating"] = Field(alias="schema")
    populations: tuple[Population, ...] = ()
    top: Annotated[float, Field(gt=0)] | Literal["range"] = 1.0
    source: Path | None = None

    @field_validator("source")
    @classmethod
    def _in_folder(cls, value: Path | None) -> Path | None:
        if value is not None and value.is_absolute():
            msg = "an absolute path; allowed is a relative one"
            raise ValueError(msg)
        return value


Valley.model_rebuild()


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(StudyError) as e:
        load_yaml(write(folder, text), error_class=StudyError)
    return str(e.value)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(StudyError) as e:
        validate_yaml(load_yaml(write(folder, text)), Template, StudyError)
    return str(e.value)


def test_values_are_plain_and_every_entry_knows_its_line_and_column(tmp_path: Path) -> None:
    document = load_yaml(
        write(tmp_path, "a: 1\nb:\n  - {c: NO, d: 12:30:45}\n  - [2020-01-01, ~, true, 1e3]\n1.0: x\n")
    )

    assert document.data == {
        "a": 1,
        "b": [{"c": "NO", "d": "12:30:45"}, ["2020-01-01", None, True, 1000.0]],
        "1.0": "x",
    }
    assert (document.line(("b", 0, "d")), document.column(("b", 0, "d"))) == (3, 13)
    assert (document.line(("b", 1, 3)), document.column(("b", 1, 3))) == (4, 27)
    assert document.line(("b", 0, "absent")) == document.line(("b", 0)) == 3
    assert document.problem(("b", 1, 3), "too large") == "t.yaml:4: b[1][3]: too large"


# Control characters and line separators: YAML folds them, JSON keeps them.
words = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_json_is_yaml_and_means_the_same(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = load_yaml(write(Path(folder), json.dumps(value, ensure_ascii=False)))

    assert document.data == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\n", "t.yaml:1: anchor &x; remove it and write the value out where it is used"),
        ("a: !!str 1\n", "t.yaml:1: tag tag:yaml.org,2002:str; remove it"),
        ("a: !!python/object:os.system [x]\n", "t.yaml:1: tag tag:yaml.org,2002:python/object:os.system; remove it"),
        ("a: 1\n<<: {b: 1}\n", "t.yaml:2: merge key <<; write the values out instead"),
        ("%YAML 1.1\n---\na: NO\n", "t.yaml:2: a %YAML or %TAG directive; remove it"),
        ("a: 1\n---\nb: 1\n", "t.yaml:2: a second document; allowed is one: remove the line '---' and what follows"),
        ("? [a]\n: 1\n", "t.yaml:1: a key that is no text; allowed are names"),
        ("a: 1\nb: {c: 1, c: 2}\na: 2\n", "t.yaml:2: duplicate key c, first in line 2; keep one\n"
         "t.yaml:3: duplicate key a, first in line 1; keep one"),
        ("a: " + "9" * 5000, "t.yaml:1: a value that cannot be read; shorten or retype it"),
        ('"\\ud800": 1', "t.yaml:1: a key that is no text; allowed are names"),
        ('a: "\\ud800"', "t.yaml:1: a value that cannot be read; shorten or retype it"),
        ("[" * 100_000, "t.yaml:1: nested deeper than 50 levels; allowed are 50"),
        ("a: b: c\n", "t.yaml:1: not valid YAML: mapping values are not allowed here; put a text that holds ': ' in quotes, and begin the "
            "entries of one mapping in one column"),
        ("a:\n\t- b\n", "t.yaml:2: not valid YAML: found character '\\t' that cannot start any token; indent with blanks, not with "
            "a tab"),
        ("a: \x01\n", "t.yaml: not valid YAML: it holds a character that YAML does not allow; save it as plain text"),
        (b"a: \xff\n", "t.yaml: not UTF-8 text; save it as UTF-8"),
        (b"#" * (MAX_BYTES + 1), "t.yaml: larger than 1 MB; allowed is 1 MB: tables belong in a CSV file beside it"),
    ],
)  # fmt: skip
def test_what_would_hide_something_from_the_reader_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert refusal(tmp_path, text) == expected


def test_all_that_is_refused_is_named_at_once(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: &x [1]\nb: *x\nc: !t 1\n") == (
        "t.yaml:1: anchor &x; remove it and write the value out where it is used\n"
        "t.yaml:2: alias *x; write the value out instead\n"
        "t.yaml:3: tag !t; remove it"
    )


def test_a_file_that_is_not_there_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as e:
        load_yaml(tmp_path / "none.yaml", error_class=StudyError)

    assert str(e.value) == "none.yaml: no such file"


def test_a_valid_document_becomes_the_model(tmp_path: Path) -> None:
    text = """
schema: gating
top: range
source: a/b
populations: [{name: T, gate: {method: valley, bounds: [0, 1], one_peak: {method: tail}}}]
"""
    template = validate_yaml(load_yaml(write(tmp_path, text)), Template, StudyError)

    gate = Valley(method="valley", bounds=(0.0, 1.0), one_peak=Tail(method="tail", tol=0.01))
    assert template.populations == (Population(name="T", gate=gate),)
    assert (template.top, template.source) == ("range", Path("a/b"))


def test_every_fault_of_a_document_stands_in_one_message_with_its_line_and_remedy(tmp_path: Path) -> None:
    text = """shema: gating
top: rang
source: /etc
populations:
- {name: a, gate: {method: vally}}
- {name: 3, gate: {method: valley, bounds: [1, .nan, 3], one_peak: fial}}
- {name: b, gate: {method: valley, bounds: ["1", 2], one_peak: {method: tail, tol: 0, tool: 3}}, report: NO}
- {name: c, gate: {bounds: [1, 2]}}
- {gate: {method: tail, tol: .inf}}
"""
    assert complaint(tmp_path, text) == (
        "t.yaml:1: schema: required field is missing; add it\n"
        "t.yaml:1: shema: unknown field; allowed schema, populations, top, source; did you mean 'schema'?\n"
        "t.yaml:2: top: found 'rang'; allowed a number or 'range'; did you mean 'range'?\n"
        "t.yaml:3: source: an absolute path; allowed is a relative one\n"
        "t.yaml:5: populations[a].gate.method: found 'vally'; allowed tail, valley; did you mean 'valley'?\n"
        "t.yaml:6: populations[1].name: found 3; allowed text; put it in quotes\n"
        "t.yaml:6: populations[1].gate.bounds: found a list of 3; allowed at most 2 of them\n"
        "t.yaml:6: populations[1].gate.bounds[1]: found nan; allowed a finite number\n"
        "t.yaml:6: populations[1].gate.one_peak: found 'fial'; allowed 'fail' or a mapping; did you mean 'fail'?\n"
        "t.yaml:7: populations[b].gate.bounds[0]: found '1'; allowed a number\n"
        "t.yaml:7: populations[b].gate.one_peak.tol: found 0; allowed a number > 0\n"
        "t.yaml:7: populations[b].gate.one_peak.tool: unknown field; allowed method, tol; did you mean 'tol'?\n"
        "t.yaml:7: populations[b].report: found 'NO'; allowed true or false\n"
        "t.yaml:8: populations[c].gate.method: required field is missing; allowed tail, valley; add it\n"
        "t.yaml:9: populations[4].name: required field is missing; add it\n"
        "t.yaml:9: populations[4].gate.tol: found inf; allowed a finite number"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "t.yaml: the file is empty; allowed are the fields schema, populations, top, source"),
        ("- 1\n", "t.yaml: found a list of 1; allowed a mapping"),
        ("schema: gating\npopulations: {}\n", "t.yaml:2: populations: found a mapping; allowed a list"),
        ("schema: gating\n'a\\e[31m\u202eb': 1\n", "t.yaml:2: 'a\\\\e[31m\\u202eb': unknown field; "
         "allowed schema, populations, top, source; remove it"),
    ],
)  # fmt: skip
def test_a_document_of_the_wrong_shape_says_what_it_should_be(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text) == expected
