"""P values of several hypotheses: Holm and Benjamini-Hochberg, raw and adjusted side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

PRIMARY = "primary"


def holm(p: npt.ArrayLike) -> np.ndarray:
    """Adjust p values so that the familywise error is controlled (Holm, Scand J Stat 1979;6:65).

    Parameters
    ----------
    p
        Raw p values, one per hypothesis of the family.

    Returns
    -------
    Adjusted p values in the same order; NaN where the raw one is. **A NaN still counts as a hypothesis**: the family is that
    which was planned (ICH E9, 2.2.5), and a test that failed must not make the others easier. It is treated as p = 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")]).round(3)
    array([0.04, 0.09, 0.09,  nan])
    """
    raw, order, filled = _ordered(p)
    steps = np.maximum.accumulate(filled[order] * np.arange(len(raw), 0, -1))
    return _restored(raw, order, steps)


def benjamini_hochberg(p: npt.ArrayLike) -> np.ndarray:
    """Adjust p values so that the false discovery rate is controlled (Benjamini and Hochberg, JRSS B 1995;57:289).

    Parameters
    ----------
    p
        Raw p values.

    Returns
    -------
    Adjusted p values in the same order; NaN where the raw one is, counted as a hypothesis as in :func:`holm`.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    raw, order, filled = _ordered(p)
    ratios = filled[order] * len(raw) / np.arange(1, len(raw) + 1)
    return _restored(raw, order, np.minimum.accumulate(ratios[::-1])[::-1])


def adjust_contrasts(contrasts: pl.DataFrame, *, omnibus: Mapping[str, float] | None = None) -> pl.DataFrame:
    """Adjust the p values of a table of contrasts.

    Rows whose `role` is ``primary`` are one family and get Holm's adjustment: the populations at the primary visit. The
    others get Benjamini and Hochberg's over population and visit, separately for each `role` and, where that column is there,
    each `model`, so that a sensitivity analysis is no further hypothesis.

    Parameters
    ----------
    contrasts
        `population`, `role`, `p` (NaN or null: not estimable) and any other columns.
    omnibus
        Population -> p value of its omnibus arm x visit test. If given, a primary contrast can be significant only where its
        population's omnibus test is: its raw p is replaced by the larger of the two before Holm (an intersection of
        hypotheses, so the familywise error holds). A population that is not there, or NaN, is never significant. Off by
        default, as the planned test is that of the primary visit.

    Returns
    -------
    The frame with `p_adjusted` (NaN where `p` is) and `adjustment`: ``holm``, ``holm, gated by omnibus`` or
    ``benjamini-hochberg (exploratory)``.

    Examples
    --------
    >>> frame = pl.DataFrame({"population": ["CD4", "Treg"], "role": ["primary"] * 2, "p": [0.2, 0.01]})
    >>> adjust_contrasts(frame)["p_adjusted"].to_list()
    [0.2, 0.02]
    """
    require_frame(contrasts, caller="adjust_contrasts")
    keys = [name for name in ("role", "model") if name in contrasts.columns]
    p = contrasts["p"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    adjusted, method = np.full(contrasts.height, np.nan), np.empty(contrasts.height, object)
    primary = (contrasts["role"].cast(pl.String) == PRIMARY).fill_null(value=False).to_numpy()
    gated = p
    if omnibus is not None:
        gates = np.array([omnibus.get(name, np.nan) for name in contrasts["population"].cast(pl.String)])
        gated = np.where(np.isnan(p), np.nan, np.maximum(p, np.nan_to_num(gates, nan=1.0)))
    adjusted[primary] = holm(gated[primary])
    method[primary] = "holm" if omnibus is None else "holm, gated by omnibus"
    rows = contrasts.select(keys).with_row_index("row").filter(pl.Series(~primary))
    for _, family in rows.group_by(keys):
        index = family["row"].to_numpy()
        adjusted[index] = benjamini_hochberg(p[index])
        method[index] = "benjamini-hochberg (exploratory)"
    return contrasts.with_columns(
        p_adjusted=pl.Series(adjusted), adjustment=pl.Series(method.tolist(), dtype=pl.String)
    )


def _ordered(p: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw = np.asarray(p, np.float64)
    if ((raw < 0) | (raw > 1)).any():
        msg = f"{((raw < 0) | (raw > 1)).sum()} of {raw.size} p values lie outside 0-1; they are not p values."
        raise StudyError(msg)
    filled = np.nan_to_num(raw, nan=1.0)
    return raw, np.argsort(filled, kind="stable"), filled


def _restored(raw: np.ndarray, order: np.ndarray, steps: np.ndarray) -> np.ndarray:
    adjusted = np.empty(len(raw))
    adjusted[order] = np.minimum(steps, 1.0)
    return np.where(np.isnan(raw), np.nan, adjusted)
