"""Gating-ML documents that attack, or that do not hold together."""

from __future__ import annotations

import pytest

from il2cyto.errors import TemplateError
from il2cyto.io import read_gatingml
from il2cyto.io._xml import MAX_DEPTH, MAX_GATES
from tests.io._gatingml import HEAD, document, range_gate

GATE_A = range_gate("gate", "A", rest='gating:min="0"')
NOT_B = '<gating:BooleanGate gating:id="not"><gating:not><gating:gateReference gating:ref="b"/></gating:not></gating:BooleanGate>'


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
        ([range_gate("", "A")], "gates.xml: a gate without gating:id"),
        ([NOT_B], "gates.xml: line 1: gate 'b' is not in the document"),
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
