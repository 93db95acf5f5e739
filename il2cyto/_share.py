"""The one division behind every frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def share(count: npt.NDArray[np.float64], total: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide; NaN where `total` is 0: an empty parent means that too few cells were seen, not that the fraction is 0."""
    share: npt.NDArray[np.float64] = np.divide(count, total, out=np.full(count.shape, np.nan), where=total > 0)
    return share
