"""Gating templates: the frozen models of what stands in ``gating/<name>/template.yaml``."""

from __future__ import annotations

from il2cyto.template._boolean import Expression, parse
from il2cyto.template._gates import AnyGate, BoundaryGate, Cut1D, FixedGate, Gate, RefGate, SingletGate, ValleyGate
from il2cyto.template._overrides import Override, Overrides
from il2cyto.template._template import Adapt, Endpoint, GatingTemplate, Population, template_json_schema
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform, Transform, TransformRules

__all__ = [
    "Adapt",
    "AnyGate",
    "Asinh",
    "BoundaryGate",
    "Cut1D",
    "Endpoint",
    "Expression",
    "FixedGate",
    "Gate",
    "GatingTemplate",
    "Linear",
    "Log",
    "Logicle",
    "NoTransform",
    "Override",
    "Overrides",
    "Population",
    "RefGate",
    "SingletGate",
    "Transform",
    "TransformRules",
    "ValleyGate",
    "parse",
    "template_json_schema",
]
