"""Where the conclusion of a trial tips: verdicts under every outcome of those who were not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto.errors import ModelError
from il2cyto.tl._proportions import compare_proportions

if TYPE_CHECKING:
    from il2cyto.tl._proportions import IntervalName
    from il2cyto.tl._two_by_two import TestName


def tipping_contrasts(
    counts: pl.DataFrame,
    *,
    interval: IntervalName = "miettinen_nurminen",
    test: TestName = "fisher",
    level: float = 0.95,
) -> pl.DataFrame:
    """Test every outcome that the missing subjects of two arms could have had, and say where the conclusion tips.

    Parameters
    ----------
    counts
        From :func:`il2cyto.clinical.tipping_point`: `responders_treatment responders_control x_treatment n_treatment x_control
        n_control`, the row without responders among the missing (non-responder imputation) included.
    interval, test, level
        As in :func:`compare_proportions`; 1 - `level` is the significance level of `tips`.

    Returns
    -------
    `counts` with `risk_difference ci_low ci_high p`, treatment minus control, and `tips`: the verdict of the test, or the sign
    of a significant difference, is another than where no missing subject responds. NaN where an arm is empty.

    Raises
    ------
    ModelError
        Columns are missing, or the row of non-responder imputation.

    Notes
    -----
    Yan, Lee and Li, J Biopharm Stat 2009;19:1085.

    Examples
    --------
    >>> rows = [(r, 0, 16 + r, 30, 6, 30) for r in range(3)]
    >>> names = ["responders_treatment", "responders_control", "x_treatment", "n_treatment", "x_control", "n_control"]
    >>> table = tipping_contrasts(pl.DataFrame(rows, schema=names, orient="row"))
    >>> table.select(pl.col("p").round(4), "tips").rows()
    [(0.015, False), (0.0073, False), (0.0033, False)]
    """
    arms = ("treatment", "control")
    needed = [f"{kind}_{arm}" for arm in arms for kind in ("x", "n")]
    absent = [name for name in (*needed, *(f"responders_{arm}" for arm in arms)) if name not in counts.columns]
    start = None if absent else counts.filter(responders_treatment=0, responders_control=0)
    if start is None or start.height != 1:
        what = (
            f"no column {', '.join(absent)}" if absent else "no row, or several, without responders among the missing"
        )
        msg = f"tipping_contrasts: {what}; clinical.tipping_point makes the table."
        raise ModelError(msg)
    found = {
        four: compare_proportions(*four, interval=interval, test=test, level=level)
        for four in counts.select(needed).unique(maintain_order=True).iter_rows()
    }
    verdicts = {four: verdict(c.p, c.risk_difference, level) for four, c in found.items()}
    first = verdicts[start.select(needed).row(0)]
    rows = [
        (c.risk_difference, c.ci_low, c.ci_high, c.p, verdicts[four] != first)
        for four in counts.select(needed).iter_rows()
        for c in (found[four],)
    ]
    numbers = dict.fromkeys(("risk_difference", "ci_low", "ci_high", "p"), pl.Float64)
    return counts.hstack(pl.DataFrame(rows, schema=numbers | {"tips": pl.Boolean}, orient="row"))


def verdict(p: float, estimate: float, level: float) -> int:
    """-1 or 1 where the difference is significant, else 0."""
    return int(np.sign(estimate)) if p < 1 - level else 0
