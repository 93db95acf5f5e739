"""FlowJo 10's biexponential scale: not a formula but a table, which clamps at both ends."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.pp._rate import falling_rate

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Positions run from 0 to this number, one entry of the table each.
LENGTH = 4096


@lru_cache(maxsize=256)
def biex_table(negative: float, width: float, positive: float, top: float) -> tuple[FloatArray, FloatArray]:
    """Data values, increasing, and the positions 0..4096 at which they stand.

    The values are those of a biexponential in position / 4097, zero at the whole position nearest to where it belongs, and
    mirrored below; `width` (negative, as FlowJo shows it) is the data value down to which the scale is nearly linear.
    Values beyond the table lie at its ends: ``numpy.interp`` does both.
    """
    basis = math.log10(-width)
    below, above = max(negative, 0.0) + basis / 2, positive - basis / 2
    zero = min(int(below * LENGTH / (below + above)), LENGTH // 2)
    # The zero point is a whole number; the decades above it give way.
    decades = below * LENGTH / zero if zero > 0 else above
    linear = basis / (2 * decades)
    b = math.log(10.0) * decades
    d = falling_rate(b, linear)
    positions = np.arange(LENGTH + 1, dtype=np.float64)
    u = positions / (LENGTH + 1)
    curve = np.exp(b * u) - np.exp((b + d) * (linear + below / decades)) * np.exp(-d * u)
    data = (top / math.exp(b)) * (curve - curve[zero])
    data[:zero] = -data[2 * zero : zero : -1]
    data.setflags(write=False)
    positions.setflags(write=False)
    return data, positions
