"""The highest maximum of the restricted likelihood that can be reached from several starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.tl._mmrm._cholesky import search
from il2cyto.tl._mmrm._covariance import Unstructured
from il2cyto.tl._mmrm._reml import Maximum, ascend

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._covariance import FloatArray, Structure
    from il2cyto.tl._mmrm._reml import Rows


def maximise(rows: Rows, structure: Structure, sd: FloatArray) -> Maximum | str:
    """Climb from every start and take the highest maximum; the reason in words where none leads to one.

    Parameters
    ----------
    rows, structure
        The data, and how Ω depends on its parameters.
    sd
        Of the residuals at each visit.

    Notes
    -----
    Where subjects were seen at all visits there is one hill, and one start will do. With holes there may be several, beside slopes
    that rise without end towards a singular Ω: a climb that gets onto one of those says nothing of the others. If all Newton climbs
    do, the slower search goes first and Newton's method ends it.
    """
    starts = structure.starts(sd)
    if len(rows.patterns) == 1:
        starts = starts[:1]
    ends = [ascend(rows, structure, start) for start in starts]
    maxima = [end for end in ends if isinstance(end, Maximum)]
    if not maxima and isinstance(structure, Unstructured):
        near = [omega for start in starts if (omega := search(rows, structure.omega(start))) is not None]
        again = [ascend(rows, structure, omega[np.tril_indices(structure.T)]) for omega in near]
        maxima = [end for end in again if isinstance(end, Maximum)]
    if maxima:
        return min(maxima, key=lambda maximum: maximum.point.minus2l)
    return f"{ends[0]}, from each of {len(starts)} starts" if len(starts) > 1 else str(ends[0])
