"""Gating templates: the frozen models of what stands in ``gating/<name>/template.yaml``."""

from __future__ import annotations

from il2cyto.template._boolean import Expression, parse
from il2cyto.template._dimensions import Dimension, Matrix, Ratio
from il2cyto.template._expect import Correlation, Expectation, Higher
from il2cyto.template._gates import (
    AnyGate,
    BoundaryGate,
    Cut1D,
    EllipseGate,
    FixedGate,
    Gate,
    IntervalGate,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
    ReferenceLineGate,
    RefGate,
    SingletGate,
    ValleyGate,
)
from il2cyto.template._overrides import Override, Overrides
from il2cyto.template._template import Adapt, Endpoint, GatingTemplate, Population
from il2cyto.template._transforms import (
    AnyTransform,
    Asinh,
    FlowJoBiex,
    FlowJoLog,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    NoTransform,
    ScaledAsinh,
    Transform,
    TransformRules,
)

__all__ = [
    "Adapt",
    "AnyGate",
    "AnyTransform",
    "Asinh",
    "BoundaryGate",
    "Correlation",
    "Cut1D",
    "Dimension",
    "EllipseGate",
    "Endpoint",
    "Expectation",
    "Expression",
    "FixedGate",
    "FlowJoBiex",
    "FlowJoLog",
    "Gate",
    "GatingTemplate",
    "Higher",
    "Hyperlog",
    "IntervalGate",
    "Linear",
    "Log",
    "Logicle",
    "Matrix",
    "NoTransform",
    "Override",
    "Overrides",
    "PolygonGate",
    "Population",
    "QuadrantGate",
    "Ratio",
    "RectangleGate",
    "RefGate",
    "ReferenceLineGate",
    "ScaledAsinh",
    "SingletGate",
    "Transform",
    "TransformRules",
    "ValleyGate",
    "parse",
]
