"""Where gates and cuts lie on the axes of a picture, in the gate's own (transformed) units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.template import Gate, GatingTemplate

    FloatArray = npt.NDArray[np.float64]
    Limits = tuple[float, float]
    Positions = Mapping[str, float | None]

#: Coordinate of a cut -> axis of the picture on which it is a line.
AXES: Final = {"cut": "x", "x": "x", "y": "y"}
#: What is done to nearly every cut is no reason to look at it.
NOTICES: Final = frozenset(("LOCKED", "SHRUNK"))
_CIRCLE: Final = np.linspace(0, 2 * np.pi, 48, endpoint=False)


@dataclass(frozen=True)
class Cuts:
    """Cuts of one gate in one sample: coordinate -> final, own, consensus; and what was done to them."""

    final: Positions = field(default_factory=dict)
    own: Positions = field(default_factory=dict)
    consensus: Positions = field(default_factory=dict)
    flags: tuple[str, ...] = ()


class Owned(NamedTuple):
    """A gate, the population that its cuts stand under, and the side it keeps (None where it has no sides)."""

    gate: Gate | None
    owner: str
    keep: str | None


def owned_gate(template: GatingTemplate, population: str) -> Owned:
    """Follow references to the gate that divides a population from its parent; booleans have none."""
    gate, owner = template.by_name[population].gate, population
    keep: str | None = getattr(gate, "keep", None)
    while isinstance(gate, RefGate):
        owner = gate.of
        gate = template.by_name[owner].gate
        keep = keep or getattr(gate, "keep", None)
    return Owned(gate, owner, keep if isinstance(keep, str) else None)


def corners_of(gate: Gate | None, cuts: Positions, x: Limits, y: Limits) -> FloatArray | None:
    """Corners (k, 2) of a gate that is more than a line: polygons, ellipses, rectangles, the band of single cells.

    Parameters
    ----------
    gate
        The gate.
    cuts
        Its final cuts by coordinate.
    x, y
        First and last value of the axes, at which open sides end.

    Returns
    -------
    None where the gate is a line, a boolean, outside the axes, or has no cuts. What lies beyond the axes is cut off.
    """
    corners = None if gate is None else _corners(gate, cuts, x, y)
    if corners is None or not np.isfinite(corners).all():
        return None
    # Cut at the edges, not moved to them: a slanted side would turn.
    picture = Bbox([(x[0], y[0]), (x[1], y[1])])
    parts = Path(np.vstack([corners, corners[:1]]), closed=True).clip_to_bbox(picture).to_polygons()
    return np.asarray(parts[0], np.float64)[:-1] if parts else None


def _corners(gate: Any, cuts: Positions, x: Limits, y: Limits) -> FloatArray | None:
    final = {name: _number(value) for name, value in cuts.items()}
    if gate.fitted and final and np.isfinite(list(final.values())).all():
        gate = gate.at_cuts(final)
    match gate.method:
        case "polygon":
            return np.array(gate.vertices, np.float64)
        case "ellipse" if len(gate.mean) == 2:
            return _ellipse(np.array(gate.mean), np.array(gate.covariance), gate.distance_square)
        case "rectangle" if len(gate.keys) == 2:
            (left, right), (bottom, top) = (_ends(gate.min[i], gate.max[i], edges) for i, edges in enumerate((x, y)))
            return _box(left, right, bottom, top)
        case "quadrant":
            (left, right), (bottom, top) = (
                (at, edges[1]) if side == "above" else (edges[0], at)
                for at, side, edges in zip((gate.x, gate.y), gate.keep, (x, y), strict=True)
            )
            return _box(left, right, bottom, top)
        case "interval":
            return _box(*_ends(gate.min, gate.max, x), *y)
        case "singlet" if {"intercept", "slope", "width"} <= final.keys():
            intercept, slope, width = (final[name] for name in ("intercept", "slope", "width"))
            ends = np.array(x)
            middle = intercept + slope * ends
            lower = np.column_stack([ends, middle - width])
            upper = np.column_stack([ends, middle + width if gate.side == "both" else np.full(2, y[1])])
            return np.vstack([lower, upper[::-1]])
        case _:
            return None


def _ends(low: float | None, high: float | None, edges: Limits) -> Limits:
    return edges[0] if low is None else low, edges[1] if high is None else high


def _box(left: float, right: float, bottom: float, top: float) -> FloatArray:
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)], np.float64)


def _ellipse(mean: FloatArray, covariance: FloatArray, distance_square: float) -> FloatArray:
    circle = np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])
    corners: FloatArray = mean + np.sqrt(distance_square) * circle @ np.linalg.cholesky(covariance).T
    return corners


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
