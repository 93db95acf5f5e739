"""Write the pages that follow from the code: ``python docs/_generate.py``.

``docs/reference/templates.md`` comes from the models of a template, ``docs/reference/api.md`` from the public namespaces. A test
compares them with what this module gives, so they cannot go stale.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

import il2cyto
from il2cyto.template import AnyGate, Gate, GatingTemplate, Population

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FOLDER = Path(__file__).resolve().parent / "reference"
NAMESPACES = {
    "io": "Files in, nouns out, and back",
    "drafting": "A study drafted from a folder",
    "pp": "Events: compensation and scales",
    "gt": "Gates",
    "cohort": "From files to one object",
    "get": "Tables out of it",
    "tl": "Statistics",
    "clinical": "Clinical endpoints",
    "analysis": "All statistics of a trial at once",
    "pl": "Pictures",
    "report": "Pages that open in a browser",
    "inventory": "What is wrong with a folder",
    "checks": "A study looked at before it is gated",
    "explaining": "Why a cut lies where it does",
    "sensitivity": "Whether a result hangs on the level of the cuts",
    "exchange": "Gates from and to other programs",
    "pipeline": "A study in, a folder of results out",
    "datasets": "Simulated trials",
    "errors": "Errors",
}
_HEAD = "<!-- Written by docs/_generate.py: change the code, not this page. -->\n"
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")


def public_names(namespace: str) -> list[str]:
    """What a namespace offers: its ``__all__``, or what its module defines."""
    module = importlib.import_module(f"il2cyto.{namespace}")
    if hasattr(module, "__all__"):
        return list(module.__all__)
    defined = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return [name for name, value in defined.items() if getattr(value, "__module__", "") == module.__name__]


def api_page() -> str:
    """The page with every public function and class."""
    missing = set(il2cyto.__all__) - set(NAMESPACES)
    if missing:
        msg = f"docs/_generate.py: namespaces without a title: {', '.join(sorted(missing))}"
        raise ValueError(msg)
    seen: dict[int, str] = {}
    parts = [
        _HEAD,
        "# API reference\n",
        "Every public name, by namespace. The models of templates, `il2cyto.template`, are in the [template reference](templates.md).\n",
    ]
    for namespace, title in NAMESPACES.items():
        parts += [
            f"## il2cyto.{namespace}\n",
            f"{title}.\n",
            "```{eval-rst}",
            f".. currentmodule:: il2cyto.{namespace}\n",
        ]
        for name in public_names(namespace):
            value = getattr(importlib.import_module(f"il2cyto.{namespace}"), name)
            known = seen.setdefault(id(value), f"il2cyto.{namespace}.{name}")
            parts += (
                _directive(name, value)
                if known == f"il2cyto.{namespace}.{name}"
                else [f"``{name}`` is :class:`{known}`.\n"]
            )
        parts += ["```\n"]
    # Python 3.13 calls the class by the private module that defines it.
    return "\n".join(parts).replace("pathlib._local.", "pathlib.")


def _directive(name: str, value: object) -> list[str]:
    if inspect.isclass(value):
        lines = [f".. autoclass:: {name}"]
        if not issubclass(value, BaseException):
            lines.append("   :members:")
        return [*lines, ""]
    if callable(value):
        return [f".. autofunction:: {name}", ""]
    described = f"{len(value)} entries." if isinstance(value, Sized) else f"The type ``{value}``."
    return [f".. py:data:: {name}", "", f"   {described}", ""]


def templates_page() -> str:
    """The page with every key of a template and of every gate."""
    union, _ = get_args(AnyGate)
    gates = sorted(get_args(union), key=_method)
    parts = [
        _HEAD,
        "# Template reference\n",
        "Every key of a gating template, taken from the models that read it. What the gates do, and how to choose one, is in "
        "[Gating templates](../templates.md). A key without a default has to be given.\n",
        "## The template\n",
        _table(GatingTemplate),
        "## A population\n",
        _table(Population),
        *_helpers(),
        "## Gates\n",
    ]
    for gate in gates:
        parts += [f"### {_method(gate)}\n", _summary(gate) + "\n", _table(gate)]
    parts += ["## Scales\n"]
    for scale in sorted(_scales(), key=_method):
        parts += [f"### {_method(scale)} (scale)\n", _summary(scale) + "\n", _table(scale)]
    return "\n".join(parts)


def _helpers() -> list[str]:
    """Sections for every model that a template holds beside populations, gates and scales."""
    union, _ = get_args(AnyGate)
    seen = {GatingTemplate, Population, *get_args(union), *_scales()}
    found, waiting = [], [GatingTemplate, Population]
    while waiting:
        for model in _parts(waiting.pop(0)):
            if model not in seen:
                seen.add(model)
                found.append(model)
                waiting.append(model)
    return [
        text
        for model in found
        for text in (f"### {model.__name__} (a part of the template)\n", _summary(model) + "\n", _table(model))
    ]


def _parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that the fields of a model hold, however deep; a base class of gates is none."""
    waiting = [field.annotation for field in model.model_fields.values()]
    found: list[type[BaseModel]] = []
    while waiting:
        kind = waiting.pop(0)
        if inspect.isclass(kind) and issubclass(kind, Gate):
            continue
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            found.append(kind)
        waiting += [inside for inside in get_args(kind) if not isinstance(inside, str)]
    return found


def _scales() -> list[type[BaseModel]]:
    from il2cyto.template import _transforms

    found = [value for value in vars(_transforms).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, _transforms._Transform) and "method" in value.model_fields]


def _method(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["method"].annotation)[0])


def _summary(model: type[BaseModel]) -> str:
    """The docstring up to its first section, as Markdown."""
    text = inspect.getdoc(model) or ""
    text = re.split(r"\n\n[A-Z][a-z]+\n-{3,}", text)[0]
    return " ".join(_ROLE.sub(r"`\1`", text).replace("``", "`").split())


def _table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True)
    rows = ["| key | value | default |", "|-|-|-|"]
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key == "method":
            continue
        rows.append(f"| `{key}` | {_kind(schema['properties'][key], schema)} | {_default(field)} |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else "No keys.\n"


def _kind(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """Say in words what JSON Schema allows."""
    if "$ref" in value:
        return _named(value["$ref"], schema)
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in value:
            kinds = [_kind(each, schema) for each in value[key] if each.get("type") != "null"]
            return "a gate, see below" if len(kinds) > 4 or "Gate" in kinds else " or ".join(dict.fromkeys(kinds))
    kind = value.get("type", "any")
    if kind == "array":
        if "prefixItems" in value:
            return f"[{', '.join(_kind(each, schema) for each in value['prefixItems'])}]"
        return f"list of {_kind(value.get('items', {}), schema)}"
    if kind == "object":
        inside = value.get("additionalProperties")
        return f"mapping to {_kind(inside, schema)}" if isinstance(inside, dict) else "mapping"
    return {"string": "text", "boolean": "yes or no", "integer": "whole number"}.get(kind, kind) + _bounds(value)


def _named(reference: str, schema: dict[str, Any]) -> str:
    name = reference.rsplit("/", 1)[-1]
    model = schema["$defs"][name]
    if "properties" in model:
        return f"{name.lstrip('_')}"
    return _kind(model, schema)


def _bounds(value: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    found = [f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value]
    return f" {' and '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if hasattr(value, "model_dump"):
        return "see below"
    return f"`{json.dumps(value, default=str)}`"


PAGES = {"api.md": api_page, "templates.md": templates_page}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, make in PAGES.items():
        (FOLDER / file).write_text(make(), encoding="utf-8")
        print(f"docs/reference/{file}")
