"""Gates and cuts of a review picture, as the page reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.pl._outlines import AXES, NOTICES, Cuts, corners_of
from il2cyto.pl._scales import Scale

if TYPE_CHECKING:
    from il2cyto.pl._scales import Spec
    from il2cyto.template import Gate


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


def axis_of(key: str, limits: tuple[float, float], spec: Spec) -> Axis:
    """Axis of a channel or marker, with ticks in the units of the cytometer; without ticks where there is no key."""
    low, high = limits
    if not key:
        return Axis("", low, high)
    scale = Scale.within(spec, limits)
    ticks = [(round(float(at), 4), name) for at, name in zip(scale.major, scale.labels, strict=True)]
    return Axis(key, low, high, tuple(ticks))


def lines_of(cuts: Cuts) -> list[dict[str, Any]]:
    """Cuts that are a line across the picture."""
    return [
        {
            "axis": AXES[name],
            "final": _number(final),
            "own": _number(cuts.own[name]),
            "consensus": _number(cuts.consensus[name]),
        }
        for name, final in cuts.final.items()
        if name in AXES
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
        cuts["flags"] |= {flag for flag in (flags or "").split(";") if flag} - NOTICES
    return {key: Cuts(**{**cuts, "flags": tuple(sorted(cuts["flags"]))}) for key, cuts in found.items()}


def outline_of(gate: Gate | None, cuts: Cuts, x: Axis, y: Axis) -> list[tuple[float, float]] | None:
    """Corners of a gate that is more than a line; None for the others."""
    corners = corners_of(gate, cuts.final, (x.low, x.high), (y.low, y.high))
    return None if corners is None else [(round(float(a), 4), round(float(b), 4)) for a, b in corners]


def _number(value: float | None) -> float | None:
    return round(value, 5) if value is not None and np.isfinite(value) else None
