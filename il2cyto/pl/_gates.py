"""Events of one population with the gates on them: densities of two channels, histograms of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Polygon
from matplotlib.patheffects import withStroke
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from il2cyto.pl._scales import Scale
from il2cyto.pl._theme import GREY, INK, printable, theme
from il2cyto.pp import transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from il2cyto.pl._scales import Spec

    FloatArray = npt.NDArray[np.float64]

BINS: Final = 200
PALETTE: Final = "viridis"
CUT: Final = "#D55E00"
#: A bin with fewer events than this, after blurring, is drawn as dots; more dots than that only hide each other.
SPARSE: Final = 0.35
MOST_DOTS: Final = 4000


@dataclass(frozen=True)
class Outline:
    """A gate as it is drawn: its corners in transformed coordinates, its name, and what share of the parent it holds.

    Attributes
    ----------
    name
        The population's name.
    vertices
        Corners, shape (k, 2). An infinite coordinate reaches to the edge of the picture.
    fraction
        Share of the parent, 0-1; NaN is not written.
    overridden
        Whether a person set the gate; it is then dashed and says so.
    """

    name: str
    vertices: FloatArray
    fraction: float = float("nan")
    overridden: bool = False

    @classmethod
    def above(cls, name: str, *, x: float = -np.inf, y: float = -np.inf, fraction: float = float("nan")) -> Self:
        """Outline what lies above a cut on either axis, or on both."""
        return cls(name, np.array([(x, y), (np.inf, y), (np.inf, np.inf), (x, np.inf)], np.float64), fraction)

    @property
    def text(self) -> str:
        """Name, percentage and whether a person set it."""
        share = f" {percent(self.fraction)}" if np.isfinite(self.fraction) else ""
        return f"{printable(self.name, limit=24)}{share}{' (manual)' if self.overridden else ''}"


def density(
    ax: Axes,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    spec_x: Spec,
    spec_y: Spec,
    gates: Sequence[Outline] = (),
    label_x: str = "",
    label_y: str = "",
    title: str = "",
) -> None:
    """Draw the events of a population on two channels in pseudocolour, with gates on top.

    Colour is the logarithm of events per bin; where events are sparse each is a dot. Events beyond the axes are drawn at
    their edge, non-finite ones left out of the picture and of the `n` in its corner.

    Parameters
    ----------
    ax
        Where to draw. Its coordinates are the transformed ones; the ticks show the units of the cytometer.
    x, y
        Linear, compensated values, one per event.
    spec_x, spec_y
        Transforms of the template, with a number for `t`.
    gates
        Outlines in transformed coordinates.
    label_x, label_y, title
        Markers, and the population that is shown.
    """
    tx, ty = transform(x, spec_x), transform(y, spec_y)
    finite = np.isfinite(tx) & np.isfinite(ty)
    tx, ty = tx[finite], ty[finite]
    across, up = Scale.of(spec_x, tx), Scale.of(spec_y, ty)
    with theme():
        if tx.size:
            _draw_events(ax, np.clip(tx, across.low, across.high), np.clip(ty, up.low, up.high), across, up)
        for gate in gates:
            _draw_outline(ax, gate, across, up)
        across.draw(ax.xaxis)
        up.draw(ax.yaxis)
        _label(ax, label_x, label_y, title, tx.size)


def histogram(
    ax: Axes,
    values: npt.ArrayLike,
    *,
    spec: Spec,
    cut: float = float("nan"),
    spread: float = float("nan"),
    name: str = "",
    fraction: float = float("nan"),
    label: str = "",
    title: str = "",
) -> None:
    """Draw the events of a population on one channel, with the cut that divides them.

    Parameters
    ----------
    ax
        Where to draw. Its x axis is the transformed one; the ticks show the units of the cytometer.
    values
        Linear, compensated values, one per event.
    spec
        Transform of the template, with a number for `t`.
    cut, spread
        Position of the cut and its uncertainty, drawn as a band of one spread on both sides, in transformed coordinates;
        NaN is not drawn.
    name, fraction
        Population above the cut and its share, 0-1, written beside it.
    label, title
        Marker, and the population that is shown.
    """
    t = transform(values, spec)
    t = t[np.isfinite(t)]
    scale = Scale.of(spec, t)
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    counts = np.bincount(_bin(np.clip(t, scale.low, scale.high), scale), minlength=BINS)
    smooth = gaussian_filter1d(counts.astype(np.float64), 1.5)
    with theme():
        ax.fill_between((edges[1:] + edges[:-1]) / 2, smooth, color=GREY, alpha=0.45, linewidth=0)
        ax.set_ylim(0, 1.12 * max(smooth.max(), 1.0))
        if np.isfinite(cut):
            if np.isfinite(spread):
                ax.axvspan(cut - spread, cut + spread, color=CUT, alpha=0.2, linewidth=0)
            ax.axvline(cut, color=INK, linewidth=1.1)
            _annotate(ax, cut, ax.get_ylim()[1], Outline(name, np.empty((0, 2)), fraction).text, ha="left")
        scale.draw(ax.xaxis)
        _label(ax, label, "events per bin", title, t.size)


def _draw_events(ax: Axes, x: FloatArray, y: FloatArray, across: Scale, up: Scale) -> None:
    where = _bin(y, up) * BINS + _bin(x, across)
    counts = np.bincount(where, minlength=BINS * BINS).reshape(BINS, BINS)
    blurred = gaussian_filter(counts.astype(np.float64), 1.0, mode="constant")
    sparse = blurred < SPARSE
    ax.imshow(
        np.ma.masked_where(sparse, np.log1p(blurred)),
        extent=(across.low, across.high, up.low, up.high),
        origin="lower",
        aspect="auto",
        cmap=PALETTE,
        vmin=0,
        interpolation="nearest",
        zorder=1,
    )
    alone = np.flatnonzero(sparse.ravel()[where])
    alone = alone[:: max(1, -(-len(alone) // MOST_DOTS))]
    dots: dict[str, Any] = {
        "marker": "o",
        "linestyle": "none",
        "markersize": 0.7,
        "markeredgewidth": 0,
        "rasterized": True,
    }
    ax.plot(x[alone], y[alone], color=mpl.colormaps[PALETTE](0.0), zorder=0.9, **dots)


def _draw_outline(ax: Axes, gate: Outline, across: Scale, up: Scale) -> None:
    corners = np.clip(gate.vertices, [across.low, up.low], [across.high, up.high])
    style = "--" if gate.overridden else "-"
    ax.add_patch(Polygon(corners, closed=True, fill=False, edgecolor=INK, linewidth=1.1, linestyle=style, zorder=3))
    (left, _), (right, top) = corners.min(axis=0), corners.max(axis=0)
    above = top < up.high - 0.08 * (up.high - up.low)
    _annotate(ax, (left + right) / 2, top, gate.text, ha="center", va="bottom" if above else "top")


def _annotate(
    ax: Axes, x: float, y: float, text: str, *, ha: Literal["left", "center"], va: Literal["top", "bottom"] = "top"
) -> None:
    halo = [withStroke(linewidth=1.6, foreground="white")]
    offset = (2 if ha == "left" else 0, -2 if va == "top" else 1)
    ax.annotate(text, (x, y), offset, textcoords="offset points", size=6, ha=ha, va=va, path_effects=halo, zorder=4)


def _label(ax: Axes, x: str, y: str, title: str, n: int) -> None:
    ax.set_xlabel(printable(x, limit=30))
    ax.set_ylabel(printable(y, limit=30))
    ax.set_title(printable(title, limit=40), loc="left")
    ax.set_title(f"n = {n:,}", loc="right", size=5.5, color=GREY)


def _bin(values: FloatArray, scale: Scale) -> npt.NDArray[np.int64]:
    index = ((values - scale.low) * (BINS / (scale.high - scale.low))).astype(np.int64)
    return np.minimum(index, BINS - 1)


def percent(fraction: float) -> str:
    """Write a fraction as a percentage with three digits."""
    return f"{100 * fraction:.3g} %"
