"""Display scales of Gating-ML 2.0 and their inverses, equal to FlowKit's over the whole range of float64.

Every value is transformed by itself: the result does not depend on its neighbours, so a cut may be searched with one value
at a time and agrees with the transform of a whole column.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from il2cyto.errors import GatingError
from il2cyto.pp._biex import biex_table
from il2cyto.pp._hyperlog import HyperlogScale, hyperlog_scale
from il2cyto.pp._rate import falling_rate
from il2cyto.template._transforms import (
    AnyTransform as Spec,
    Asinh,
    FlowJoBiex,
    FlowJoLog,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    NoTransform,
    ScaledAsinh,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

LN10 = math.log(10.0)
#: Values per block: the temporary arrays of the logicle stay in the second-level cache.
BLOCK = 8192
#: Measured over w = 0..m/2 and values to 1e12: the second step is within 2e-8, the third within one unit in the last place.
HALLEY_STEPS = 3


def transform(values: npt.ArrayLike, spec: Spec) -> FloatArray:
    """Bring values to the scale on which cuts and gates are placed.

    Parameters
    ----------
    values
        Any shape; linear, compensated values.
    spec
        A transform of a template, with a number for `t`.

    Returns
    -------
    float64, the shape of `values`. NaN stays NaN and an infinite value infinite. A logarithm of a value <= 0 is minus
    infinity, never NaN: such an event lies below every cut, and being non-finite it lies in no gate.

    Raises
    ------
    GatingError
        If `t` is still the word `range`.

    Notes
    -----
    Gating-ML 2.0; the logicle after Moore and Parks, Cytometry A 81A:273 (2012).

    Examples
    --------
    >>> from il2cyto.template._transforms import Logicle
    >>> transform([-100.0, 0.0, 1000.0, 262144.0], Logicle()).round(4)
    array([0.009 , 0.1111, 0.4543, 1.    ])
    """
    x = np.asarray(values, dtype=np.float64)
    match spec:
        case Logicle():
            return _blockwise(x, logicle_scale(_top(spec.t), spec.w, spec.m, spec.a))
        case Linear():
            return (x + spec.a) / (_top(spec.t) + spec.a)
        case Hyperlog():
            return _blockwise(x, hyperlog_scale(_top(spec.t), spec.w, spec.m, spec.a))
        case Asinh():
            return np.arcsinh(x / spec.cofactor)
        case ScaledAsinh():
            return (np.arcsinh(x * (math.sinh(spec.m * LN10) / _top(spec.t))) + spec.a * LN10) / (
                (spec.m + spec.a) * LN10
            )
        case FlowJoLog():
            return (np.log10(np.maximum(x, spec.offset)) - math.log10(spec.offset)) / spec.decades
        case FlowJoBiex():
            data, positions = biex_table(spec.negative, spec.width, spec.positive, spec.max)
            return np.asarray(np.interp(x, data, positions))
        case Log():
            positive = np.where(x <= 0, 0.0, x)
            with np.errstate(divide="ignore"):
                return np.log10(positive / _top(spec.t)) / spec.m + 1.0
        case NoTransform():
            return x.copy()


def inverse_transform(values: npt.ArrayLike, spec: Spec) -> FloatArray:
    """Bring positions of the transformed scale back to linear values.

    Parameters
    ----------
    values
        Any shape; positions on the scale of `spec`.
    spec
        A transform of a template, with a number for `t`.

    Returns
    -------
    float64, the shape of `values`; NaN stays NaN, a position too large for float64 becomes infinite.

    Raises
    ------
    GatingError
        If `t` is still the word `range`.

    Examples
    --------
    >>> from il2cyto.template._transforms import Log
    >>> inverse_transform([0.0, 1.0], Log(t=1000, m=3)).round(9)
    array([   1., 1000.])
    """
    y = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        match spec:
            case Logicle():
                return logicle_scale(_top(spec.t), spec.w, spec.m, spec.a).inverse(y)
            case Linear():
                return y * (_top(spec.t) + spec.a) - spec.a
            case Hyperlog():
                return hyperlog_scale(_top(spec.t), spec.w, spec.m, spec.a).inverse(y)
            case Asinh():
                return np.sinh(y) * spec.cofactor
            case ScaledAsinh():
                return np.sinh(y * ((spec.m + spec.a) * LN10) - spec.a * LN10) / (
                    math.sinh(spec.m * LN10) / _top(spec.t)
                )
            case FlowJoLog():
                return np.power(10.0, y * spec.decades) * spec.offset
            case FlowJoBiex():
                data, positions = biex_table(spec.negative, spec.width, spec.positive, spec.max)
                return np.asarray(np.interp(y, positions, data))
            case Log():
                return _top(spec.t) * np.power(10.0, (y - 1.0) * spec.m)
            case NoTransform():
                return y.copy()


def _top(t: float | str) -> float:
    if isinstance(t, str):
        msg = f"transform: t is {t!r}, a number is needed; put the channel's $PnR in with `spec.at_range($PnR)` first"
        raise GatingError(msg)
    return t


class LogicleScale(NamedTuple):
    """The logicle in the form that is exact around zero, with u = y - x1 measured from the position of 0.

    The data value at u >= 0 is `unit` * (expm1(b u) - r expm1(-d u)) with r = (b/d)**2, which follows from the condition that
    the second derivative vanishes at 0; negative values are the mirror image.
    """

    b: float
    d: float
    r: float
    x1: float
    unit: float

    def __call__(self, x: FloatArray) -> FloatArray:
        """Find the scale positions of data values, by Halley's method on all at once."""
        b, d, r, x1, unit = self
        with np.errstate(invalid="ignore", over="ignore"):
            z = np.abs(x) / unit
            # Both are at or above the root of a function that is convex there: the steps cannot leave it.
            u = np.minimum(z / (b + r * d), np.log1p(z) / b)
            for _ in range(HALLEY_STEPS):
                rise, fall = np.expm1(b * u), np.expm1(-d * u)
                slope = b * (rise + 1.0) + (r * d) * (fall + 1.0)
                newton = (rise - r * fall - z) / slope
                u -= newton / (1.0 - (0.5 * b * b) * newton * (rise - fall) / slope)
        y = x1 + np.copysign(u, x)
        return np.where(np.isinf(x), x, y)

    def inverse(self, y: FloatArray) -> FloatArray:
        """Compute the data values at scale positions."""
        b, d, r, x1, unit = self
        u = y - x1
        with np.errstate(over="ignore"):
            x = unit * (np.expm1(b * np.abs(u)) - r * np.expm1(-d * np.abs(u)))
        return np.copysign(x, u)


@lru_cache(maxsize=256)
def logicle_scale(t: float, w: float, m: float, a: float) -> LogicleScale:
    """Compute the constants of one logicle; `b` and `d` are the rates of its exponentials per unit of the scale."""
    b = (m + a) * math.log(10.0)
    width = w / (m + a)
    x1 = a / (m + a) + width
    d = falling_rate(b, width)
    r = (b / d) ** 2
    return LogicleScale(b, d, r, x1, t / (math.expm1(b * (1.0 - x1)) - r * math.expm1(-d * (1.0 - x1))))


def _blockwise(x: FloatArray, scale: LogicleScale | HyperlogScale) -> FloatArray:
    flat = x.ravel()
    out = np.empty(flat.shape)
    for start in range(0, flat.size, BLOCK):
        out[start : start + BLOCK] = scale(flat[start : start + BLOCK])
    return out.reshape(x.shape)
