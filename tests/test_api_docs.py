"""Every public name is described, and every function says what it takes and gives."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

import il2cyto


def public_callables() -> list[Any]:
    found = []
    for namespace in il2cyto.__all__:
        module = importlib.import_module(f"il2cyto.{namespace}")
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
        ]
        values = [(name, getattr(module, name)) for name in names if not name.startswith("_")]
        found += [
            pytest.param(value, id=f"{namespace}.{name}")
            for name, value in values
            if inspect.isroutine(value) or inspect.isclass(value)
        ]
    return found


def section(text: str, title: str) -> str:
    """What stands under a heading of a numpydoc docstring; "" where it has none."""
    match = re.search(rf"^{title}\n-+\n(.*?)(?=^[A-Z][a-z]+\n-+$|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return match[1] if match else ""


@pytest.mark.parametrize("value", public_callables())
def test_a_public_name_is_described_and_a_function_of_several_arguments_tells_each_and_its_result(value: Any) -> None:
    text = inspect.getdoc(value) or ""
    assert text.partition("\n")[0].endswith((".", ":"))
    if inspect.isclass(value) or "are those of :func:" in text:
        return
    signature = inspect.signature(value)
    if len(signature.parameters) < 2:
        return

    described = re.findall(r"^(\S.*)$", section(text, "Parameters"), flags=re.MULTILINE)
    assert {name for line in described for name in line.split(", ")} == set(signature.parameters)
    told = section(text, "Returns") or section(text, "Yields")
    assert told or signature.return_annotation in ("None", None)
