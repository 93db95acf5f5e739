"""Where gates and cuts lie on the axes of a review picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from il2cyto.pl._scales import Scale
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.template import Gate, GatingTemplate

    FloatArray = npt.NDArray[np.float64]

#: Coordinate of a cut -> axis of the picture.
_AXES: Final = {"cut": "x", "x": "x", "y": "y"}
_CIRCLE: Final = np.linspace(0, 2 * np.pi, 48, endpoint=False)


@dataclass(frozen=True)
class Axis:
    """An axis of a picture, in transformed units."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()

    def shown(self) -> dict[str, Any]:
        """The axis as the page reads it."""
        return {"label": self.label, "low": self.low, "high": self.high, "ticks": self.ticks}


def axis_of(template: GatingTemplate, key: str, limits: tuple[float, float]) -> Axis:
    """Axis of a channel or marker, with ticks in the units of the cytometer where the template alone tells them."""
    low, high = limits
    if not key:
        return Axis("", low, high)
    spec = template.scale_of(key)
    # A top that is the range of each file's own channel is not known here: the axis then shows the gate's own units.
    known = isinstance(spec, Logicle | Linear | Asinh | Log) and not isinstance(getattr(spec, "t", None), str)
    scale = Scale.of(spec if known else NoTransform(method="none"), np.array([low, high]))  # type: ignore[arg-type]
    ticks = [
        (round(float(at), 4), name) for at, name in zip(scale.major, scale.labels, strict=True) if low <= at <= high
    ]
    return Axis(key, low, high, tuple(ticks))


@dataclass(frozen=True)
class Cuts:
    """Cuts of one gate in one sample: coordinate -> final, own, consensus; and what was done to them."""

    final: Mapping[str, float | None] = field(default_factory=dict)
    own: Mapping[str, float | None] = field(default_factory=dict)
    consensus: Mapping[str, float | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def lines(self) -> list[dict[str, Any]]:
        """Cuts that are a line across the picture."""
        return [
            {
                "axis": _AXES[name],
                "final": _number(final),
                "own": _number(self.own[name]),
                "consensus": _number(self.consensus[name]),
            }
            for name, final in self.final.items()
            if name in _AXES
        ]


def cuts_of(table: pl.DataFrame | None, panel: str) -> dict[tuple[str, str], Cuts]:
    """Cuts by sample and population, from the table of cuts."""
    if table is None:
        return {}
    rows = table.filter(pl.col("panel") == panel) if panel and "panel" in table.columns else table
    found: dict[tuple[str, str], dict[str, Any]] = {}
    columns = ("sample", "population", "coordinate", "final", "own", "centre", "flags")
    for sample, population, coordinate, final, own, centre, flags in rows.select(columns).iter_rows():
        cuts = found.setdefault((sample, population), {"final": {}, "own": {}, "consensus": {}, "flags": set()})
        cuts["final"][coordinate], cuts["own"][coordinate], cuts["consensus"][coordinate] = final, own, centre
        cuts["flags"] |= {flag for flag in (flags or "").split(";") if flag} - _NOTICES
    return {key: Cuts(**{**cuts, "flags": tuple(sorted(cuts["flags"]))}) for key, cuts in found.items()}


#: What is done to nearly every cut is no reason to look at it.
_NOTICES: Final = frozenset(("LOCKED", "SHRUNK"))


def outline_of(gate: Gate | None, cuts: Cuts, x: Axis, y: Axis) -> list[tuple[float, float]] | None:
    """Corners of a gate that is more than a line: polygons, ellipses, rectangles, lines, the band of single cells; else None."""
    if gate is None:
        return None
    corners = _corners(gate, cuts, x, y)
    if corners is None or not np.isfinite(corners).all():
        return None
    inside = _clipped(corners, x, y)
    return [(round(float(a), 4), round(float(b), 4)) for a, b in inside]


def _clipped(corners: FloatArray, x: Axis, y: Axis) -> FloatArray:
    """The part of a polygon inside the picture, one edge of the picture after the other (Sutherland and Hodgman, 1974)."""
    for axis, edge, sign in ((0, x.low, 1), (0, x.high, -1), (1, y.low, 1), (1, y.high, -1)):
        kept: list[FloatArray] = []
        for a, b in zip(np.roll(corners, 1, axis=0), corners, strict=True):
            inside_a, inside_b = (sign * (point[axis] - edge) >= 0 for point in (a, b))
            if inside_a != inside_b:
                crossing = a + (edge - a[axis]) / (b[axis] - a[axis]) * (b - a)
                crossing[axis] = edge
                kept.append(crossing)
            if inside_b:
                kept.append(b)
        corners = np.array(kept, np.float64).reshape(-1, 2)
    return corners


def _corners(gate: Any, cuts: Cuts, x: Axis, y: Axis) -> FloatArray | None:
    final = {name: np.nan if value is None else value for name, value in cuts.final.items()}
    if gate.fitted and final and np.isfinite(list(final.values())).all():
        gate = gate.at_cuts(final)
    match gate.method:
        case "polygon":
            return np.array(gate.vertices, np.float64)
        case "ellipse" if len(gate.mean) == 2:
            return _ellipse(np.array(gate.mean), np.array(gate.covariance), gate.distance_square)
        case "rectangle" if len(gate.keys) == 2:
            (left, bottom), (right, top) = (
                [edge if side is None else side for side, edge in zip(sides, edges, strict=True)]
                for sides, edges in ((gate.min, (x.low, y.low)), (gate.max, (x.high, y.high)))
            )
            return np.array([(left, bottom), (right, bottom), (right, top), (left, top)], np.float64)
        case "interval":
            left = x.low if gate.min is None else gate.min
            right = x.high if gate.max is None else gate.max
            return np.array([(left, y.low), (right, y.low), (right, y.high), (left, y.high)], np.float64)
        case "singlet" if {"intercept", "slope", "width"} <= final.keys():
            ends = np.array([x.low, x.high])
            intercept, slope, width = (final[name] for name in ("intercept", "slope", "width"))
            middle = intercept + slope * ends
            lower = np.column_stack([ends, middle - width])
            upper = np.column_stack([ends, middle + width if gate.side == "both" else np.full(2, y.high)])
            return np.vstack([lower, upper[::-1]])
        case _:
            return None


def _ellipse(mean: FloatArray, covariance: FloatArray, distance_square: float) -> FloatArray:
    circle = np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])
    corners: FloatArray = mean + np.sqrt(distance_square) * circle @ np.linalg.cholesky(covariance).T
    return corners


def _number(value: float | None) -> float | None:
    return round(value, 5) if value is not None and np.isfinite(value) else None
