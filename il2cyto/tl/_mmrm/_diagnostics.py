"""How a model was fitted, and to what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._fallback import Failure, Models


@dataclass(frozen=True)
class Diagnostics:
    """How a model was fitted, and to what.

    Parameters
    ----------
    converged
        Whether a covariance structure converged; False for per-visit ANCOVA.
    gradient
        Distance to the maximum in standard errors of the variances and correlations (the Newton decrement), which does not
        depend on units; below 1e-4 where converged, NaN for per-visit ANCOVA.
    iterations
        Steps of the optimiser.
    requested, covariance
        Structure that was asked for, and used: `us`, `ar1`, `cs`, ... or `per-visit ANCOVA`.
    fallback
        The structures that were tried in vain, each with its reason.
    ddf
        Method of the degrees of freedom that was used; `residual` for per-visit ANCOVA, n − p at each visit.
    notes
        What else a reader of the tables must know: terms that are not estimable, a change of method.
    n_subjects, n_obs
        In the model.
    dropped
        Rows that were left out: the subject's and the visit's column, `reason`.
    patterns
        At which visits subjects were seen: `pattern` (`1` seen, `0` not, in the order of the visits), `n`.
    """

    converged: bool
    gradient: float
    iterations: int
    requested: str
    covariance: str
    fallback: tuple[Failure, ...]
    ddf: str
    notes: tuple[str, ...]
    n_subjects: int
    n_obs: int
    dropped: pl.DataFrame = field(repr=False)
    patterns: pl.DataFrame = field(repr=False)


def diagnose(models: Models, dropped: pl.DataFrame, *, requested: str) -> Diagnostics:
    """Describe what was fitted."""
    joint, trial = models.joint, models.trial
    seen, n = np.unique(trial.seen, axis=0, return_counts=True)
    patterns = pl.DataFrame({"pattern": ["".join("01"[int(bit)] for bit in row) for row in seen], "n": n})
    return Diagnostics(
        converged=joint is not None,
        gradient=float("nan") if joint is None else joint.distance,
        iterations=0 if joint is None else joint.iterations,
        requested=requested,
        covariance=models.covariance,
        fallback=models.failures,
        ddf=models.ddf,
        notes=models.notes,
        n_subjects=len(trial.seen),
        n_obs=len(trial.y),
        dropped=dropped,
        patterns=patterns.sort("pattern", descending=True),
    )
