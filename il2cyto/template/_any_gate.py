"""Any gate that a template may hold, told apart by its method."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, SerializeAsAny, Tag, ValidationError
from pydantic_core import PydanticCustomError

from il2cyto.errors import TemplateError
from il2cyto.template._corner import CornerGate
from il2cyto.template._cuts import QuantileGate, ReferenceOffsetGate, SingletGate, TailGate, ValleyGate
from il2cyto.template._gate import Gate, RefGate
from il2cyto.template._line import ReferenceLineGate
from il2cyto.template._mixtures import FmoGate, TMix1dGate, TMix2dGate
from il2cyto.template._plugins import installed_methods, load_method
from il2cyto.template._shapes import (
    BoundaryGate,
    EllipseGate,
    FixedGate,
    IntervalGate,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)

AnyGate = Annotated[
    IntervalGate
    | FixedGate
    | RectangleGate
    | QuadrantGate
    | PolygonGate
    | EllipseGate
    | QuantileGate
    | FmoGate
    | ReferenceOffsetGate
    | TailGate
    | ValleyGate
    | TMix1dGate
    | TMix2dGate
    | CornerGate
    | ReferenceLineGate
    | BoundaryGate
    | SingletGate
    | RefGate,
    Field(discriminator="method"),
]
#: The methods of this package; none of another package takes their place.
OWN_METHODS = tuple(get_args(gate.model_fields["method"].annotation)[0] for gate in get_args(get_args(AnyGate)[0]))


class _Foreign(Gate):
    """A gate of a method that is not this package's, before its own model has seen it."""

    model_config = ConfigDict(frozen=True, extra="allow")


def _validated(gate: Gate) -> Gate:
    """The gate as the model of its method sees it."""
    if type(gate) not in (Gate, _Foreign):
        return gate
    if gate.method not in installed_methods():
        text = f"found {gate.method!r}; allowed {', '.join(sorted(OWN_METHODS))}; of installed packages {', '.join(installed_methods())}"
        msg = "template"
        raise PydanticCustomError(msg, "{text}", {"text": f"method: {text}"})
    try:
        return load_method(gate.method).gate.model_validate_json(json.dumps(gate.model_dump()), strict=True)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        msg = "template"
        raise PydanticCustomError(msg, "{text}", {"text": f"{gate.method}: {found}"}) from None
    except TemplateError as error:
        msg = "template"
        raise PydanticCustomError(msg, "{text}", {"text": str(error)}) from None


def _whose(gate: Any) -> str:
    method = gate.get("method") if isinstance(gate, dict) else getattr(gate, "method", None)
    return "own" if not isinstance(method, str) or method in OWN_METHODS or not installed_methods() else "foreign"


GateField = SerializeAsAny[
    Annotated[
        Annotated[AnyGate, Tag("own")] | Annotated[_Foreign | Gate, AfterValidator(_validated), Tag("foreign")],
        Discriminator(_whose),
    ]
]
