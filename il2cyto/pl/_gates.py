"""Events of one population with the gates on them: densities of two channels, histograms of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import matplotlib as mpl
import numpy as np

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
        Corners, shape (k, 2). An infinite coordinate reaches to the edge of the picture. Two corners make a line.
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
    def cut(cls, name: str, *, x: float | None = None, y: float | None = None, fraction: float = float("nan")) -> Self:
        """Make the line of a threshold on one axis, or the corner of one on each."""
        inf = float("inf")
        if x is None or y is None:
            line = [(-inf, y), (inf, y)] if x is None else [(x, -inf), (x, inf)]
            return cls(name, np.array(line, np.float64), fraction)
        return cls(name, np.array([(x, inf), (x, y), (inf, y)], np.float64), fraction)

    @classmethod
    def rectangle(
        cls, name: str, x: tuple[float, float], y: tuple[float, float], *, fraction: float = float("nan")
    ) -> Self:
        """Make a rectangle from its bounds; infinite ones reach to the edge of the picture."""
        return cls(name, np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], np.float64), fraction)

    @property
    def text(self) -> str:
        """Name, percentage and whether a person set it."""
        share = f" {_percent(self.fraction)}" if np.isfinite(self.fraction) else ""
        return f"{printable(self.name, limit=24)}{share}{' (manual)' if self.overridden else ''}"
