"""Gating templates: the frozen models of what stands in ``gating/<name>/template.yaml``."""

from __future__ import annotations

from il2cyto.template._absent import Loss, keys_of, loss_without
from il2cyto.template._any_gate import OWN_METHODS, AnyGate
from il2cyto.template._boolean import Expression, parse
from il2cyto.template._corner import CornerGate, RefAxis
from il2cyto.template._cuts import Cut1D, SingletGate, ValleyGate
from il2cyto.template._dimensions import Dimension, Matrix, Ratio
from il2cyto.template._expect import Correlation, Expectation, Higher
from il2cyto.template._gate import Gate, RefGate
from il2cyto.template._line import ReferenceLineGate
from il2cyto.template._mixtures import FmoGate, TMix1dGate, TMix2dGate
from il2cyto.template._overrides import Override, Overrides
from il2cyto.template._plugins import GateMethod, installed_methods, load_method
from il2cyto.template._shapes import (
    BoundaryGate,
    EllipseGate,
    FixedGate,
    IntervalGate,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)
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
    "OWN_METHODS",
    "Adapt",
    "AnyGate",
    "AnyTransform",
    "Asinh",
    "BoundaryGate",
    "CornerGate",
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
    "FmoGate",
    "Gate",
    "GateMethod",
    "GatingTemplate",
    "Higher",
    "Hyperlog",
    "IntervalGate",
    "Linear",
    "Log",
    "Logicle",
    "Loss",
    "Matrix",
    "NoTransform",
    "Override",
    "Overrides",
    "PolygonGate",
    "Population",
    "QuadrantGate",
    "Ratio",
    "RectangleGate",
    "RefAxis",
    "RefGate",
    "ReferenceLineGate",
    "ScaledAsinh",
    "SingletGate",
    "TMix1dGate",
    "TMix2dGate",
    "Transform",
    "TransformRules",
    "ValleyGate",
    "installed_methods",
    "keys_of",
    "load_method",
    "loss_without",
    "parse",
]
