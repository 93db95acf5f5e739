"""The uncertainty of a cut from repeated draws, and the rules that every one-dimensional method shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.gt._types import Cut, Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Bootstrap draws per cut.
DRAWS: Final = 50
#: Fewer events than this have no shape that a density could show.
MIN_EVENTS: Final = 20
#: Median absolute deviation of a normal distribution in units of its standard deviation.
MAD_SCALE: Final = 1.4826


def mad(values: FloatArray) -> float:
    """Compute 1.4826 * median(|x - median x|) of at least one value."""
    return MAD_SCALE * float(np.median(np.abs(values - np.median(values))))


def finite(values: FloatArray) -> FloatArray:
    """Keep the finite values of (n,), or the rows of (n, k) that are finite throughout."""
    keep = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    return values if keep.all() else values[keep]


def within(value: float, bounds: tuple[float, float]) -> bool:
    """Whether a cut is acceptable; NaN is not."""
    return bounds[0] <= value <= bounds[1]


def kernel_seed(rng: np.random.Generator) -> np.uint64:
    """Draw the seed of a kernel's own generator."""
    return np.uint64(rng.integers(0, 1 << 64, dtype=np.uint64))


def drawn_cut(
    value: float, draws: npt.ArrayLike, *, bounds: tuple[float, float], quality: float = float("nan")
) -> Proposal:
    """Make the proposal of a one-dimensional method.

    Parameters
    ----------
    value
        The cut of all events.
    draws
        The cut of each bootstrap draw, NaN where the rule found none. A draw outside the bounds counts as one without a cut.
    bounds
        Where an acceptable cut lies; both ends belong to it.
    quality
        What the method says of its fit, 0-1.

    Returns
    -------
    A proposal with the coordinate `cut`, or a failed one whose reason tells the value and the bounds.
    """
    if not within(value, bounds):
        return Proposal.failed(f"cut {value:.6g} is outside the bounds {bounds[0]:g} to {bounds[1]:g}")
    cuts = np.asarray(draws, dtype=np.float64)
    found = cuts[(cuts >= bounds[0]) & (cuts <= bounds[1])]
    missing = 1.0 - found.size / cuts.size
    if not found.size:
        return Proposal({"cut": Cut(value, missing=missing, quality=quality)})
    q05, q95 = np.quantile(found, [0.05, 0.95])
    return Proposal({"cut": Cut(value, mad(found), float(q05), float(q95), missing, quality)})
