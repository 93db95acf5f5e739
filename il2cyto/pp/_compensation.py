"""Compensation: events divided by the spillover matrix, the same bits on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.errors import GatingError

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Events per block: the columns of a block stay in the second-level cache.
BLOCK = 4096


def compensate(events: npt.ArrayLike, spillover: npt.ArrayLike) -> FloatArray:
    """Remove spillover: the x that solves x @ spillover = events, in the least-squares sense if detectors outnumber fluorochromes.

    Parameters
    ----------
    events
        (n, k), linear values; columns in the order of the matrix' detectors.
    spillover
        (f, k), f <= k; row i says what fluorochrome i gives to each detector.

    Returns
    -------
    (n, f) float64, stored column by column. An event with a non-finite value becomes non-finite in the columns that need it.

    Raises
    ------
    GatingError
        If the shapes do not fit or the matrix cannot be inverted.

    Notes
    -----
    The inverse and the products are plain sums in a fixed order. BLAS and LAPACK sum in an order that depends on the processor
    and the number of threads, which would move events across a cut from one machine to the next.

    Examples
    --------
    >>> compensate([[110.0, 15.0]], [[1.0, 0.1], [0.05, 1.0]]).round(6)
    array([[109.798995,   4.020101]])
    """
    x, matrix = np.asarray(events), np.asarray(spillover, dtype=np.float64)
    fits = x.ndim == matrix.ndim == 2 and matrix.shape[0] <= matrix.shape[1] == x.shape[1]
    if not fits:
        msg = (
            f"compensate: events have the shape {x.shape}, the spillover matrix {matrix.shape}; needed are (n, k) and (k, k); "
            "select the matrix' channels first"
        )
        raise GatingError(msg)
    coefficients = unmixing(matrix)
    n = x.shape[0]
    out = np.zeros((matrix.shape[0], n))
    for start in range(0, n, BLOCK):
        block = np.ascontiguousarray(x[start : start + BLOCK].T, dtype=np.float64)
        for target in range(matrix.shape[0]):
            total = out[target, start : start + BLOCK]
            for source in np.flatnonzero(coefficients[:, target]):
                total += block[source] * coefficients[source, target]
    return out.T


def unmixing(spillover: FloatArray) -> FloatArray:
    """(k, f) weights: column i says how much of each detector makes fluorochrome i."""
    square = spillover.shape[0] == spillover.shape[1]
    return inverse(spillover) if square else _pseudoinverse(spillover)


def _pseudoinverse(matrix: FloatArray) -> FloatArray:
    """M' (M M')^-1, with plain sums as in `inverse`."""
    normal = (matrix[:, np.newaxis, :] * matrix[np.newaxis, :, :]).sum(axis=2)
    return np.asarray((matrix.T[:, :, np.newaxis] * inverse(normal)[np.newaxis, :, :]).sum(axis=1))


def inverse(matrix: FloatArray) -> FloatArray:
    """Invert a small square matrix by Gauss-Jordan elimination with row pivoting; GatingError if it has no inverse."""
    k = matrix.shape[0]
    work = np.hstack([matrix, np.eye(k)])
    for column in range(k):
        pivot = column + int(np.argmax(np.abs(work[column:, column])))
        size = abs(float(work[pivot, column]))
        if not np.isfinite(work).all() or size <= 1e-12 * float(np.abs(matrix).max()):
            msg = (
                f"compensate: the {k} x {k} spillover matrix has no inverse (seen at column {column + 1}); its rows must be "
                "finite and linearly independent; correct the matrix"
            )
            raise GatingError(msg)
        work[[column, pivot]] = work[[pivot, column]]
        work[column] /= work[column, column]
        others = np.arange(k) != column
        work[others] -= work[others, column, np.newaxis] * work[column]
    return work[:, k:]
