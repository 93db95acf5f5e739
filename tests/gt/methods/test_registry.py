from __future__ import annotations

import importlib.metadata

import pytest

from il2cyto.errors import GatingError
from il2cyto.gt import methods


@pytest.fixture
def plug_in(monkeypatch):
    entries = importlib.metadata.EntryPoints(
        [
            importlib.metadata.EntryPoint("entropy", "math:sqrt", methods.ENTRY_POINT_GROUP),
            importlib.metadata.EntryPoint("valley", "math:sqrt", methods.ENTRY_POINT_GROUP),
        ]
    )
    monkeypatch.setattr(methods, "entry_points", lambda *, group: entries.select(group=group))
    methods.find_method.cache_clear()
    yield
    methods.find_method.cache_clear()


def test_own_methods_are_found_and_no_plug_in_replaces_them(plug_in):
    assert {name: methods.find_method(name) for name in methods.METHODS} == dict(methods.METHODS)


def test_a_plug_in_is_found_by_its_name(plug_in):
    assert methods.find_method("entropy").__name__ == "sqrt"  # type: ignore[attr-defined]


def test_an_unknown_method_is_refused_with_the_known_ones(plug_in):
    with pytest.raises(GatingError) as e:
        methods.find_method("valey")
    assert str(e.value) == (
        "no gate method 'valey'; known are entropy, quantile, reference_line, reference_offset, singlet, tail, valley; correct the template or "
        "install the package that provides it under the entry point group il2cyto.gate_methods"
    )
