"""Power of a trial: exact for two proportions, by simulation for anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl
from scipy.stats import binom

from il2cyto._intervals import wilson
from il2cyto.errors import StudyError
from il2cyto.tl._frames import table
from il2cyto.tl._two_by_two import proportions_p

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from il2cyto.tl._two_by_two import TestName

Trial = TypeVar("Trial")
_TABLE = {
    "test": pl.String, "runs": pl.Int64, "not_estimable": pl.Int64, "rejections": pl.Int64, "power": pl.Float64,
    "se": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
}  # fmt: skip


def power_by_simulation(
    draw: Callable[[np.random.Generator], Trial],
    analyse: Callable[[Trial], Mapping[str, float]],
    *,
    runs: int,
    seed: int,
    alpha: float = 0.05,
) -> pl.DataFrame:
    """Count how often tests reject in simulated trials: their power, or under the null their type I error.

    Parameters
    ----------
    draw
        Draws one trial of whatever kind; run i gets the generator of (`seed`, i), so that more runs keep the first ones.
    analyse
        Name of a test -> its p value in that trial.
    runs
        Trials, 1 or more.
    seed
        Same seed, same table.
    alpha
        A test rejects where p <= alpha.

    Returns
    -------
    `test runs not_estimable rejections power se ci_low ci_high`, in the order of the first trial's tests. A p value of NaN, or one
    that a trial lacks, is no rejection and is counted in `not_estimable`. `se` is the Monte Carlo error, the interval Wilson's.

    Raises
    ------
    StudyError
        Fewer than one run.

    Examples
    --------
    >>> draw = lambda rng: rng.random()
    >>> power_by_simulation(draw, lambda p: {"uniform": p}, runs=200, seed=1)["rejections"].item()
    11
    """
    if runs < 1:
        msg = f"power_by_simulation: runs is {runs}; allowed is 1 or more."
        raise StudyError(msg)
    results = [
        analyse(draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(run,))))) for run in range(runs)
    ]
    rows = []
    for name in dict.fromkeys(name for result in results for name in result):
        p = np.array([result.get(name, np.nan) for result in results])
        rejections = int((p <= alpha).sum())
        power = rejections / runs
        low, high = wilson(rejections, runs)
        se = float(np.sqrt(power * (1 - power) / runs))
        rows.append((name, runs, int(np.isnan(p).sum()), rejections, power, se, float(low), float(high)))
    return table(rows, _TABLE)


def power_of_proportions(
    p1: float, n1: int, p2: float, n2: int, *, test: TestName = "fisher", alpha: float = 0.05
) -> float:
    """Exact power of a test of two proportions: the probability of all the tables it rejects.

    Parameters
    ----------
    p1, n1, p2, n2
        True proportions, 0-1, and subjects per arm, treatment first. Equal proportions give the type I error.
    test
        See :func:`proportions_p`; what it leaves NaN is not rejected.
    alpha
        The test rejects where p <= alpha.

    Returns
    -------
    The power, 0-1. Every one of the (n1+1)(n2+1) tables is tested: ten seconds at 30 per arm with an unconditional test, a
    tenth of a second with the others.

    Raises
    ------
    StudyError
        A proportion or alpha outside 0-1, an arm of less than nobody, or an unknown test.

    Examples
    --------
    >>> round(power_of_proportions(16 / 29, 30, 0.3, 30, test="pearson"), 3)
    0.512
    """
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1):
        msg = f"power_of_proportions: proportions are {p1} and {p2}; allowed is 0 to 1."
        raise StudyError(msg)
    if min(n1, n2) < 0 or not 0 < alpha < 1:
        msg = f"power_of_proportions: arms of {n1} and {n2}, alpha {alpha}; allowed are 0 or more, and between 0 and 1."
        raise StudyError(msg)
    rejected = np.array(
        [[proportions_p(x1, n1, x2, n2, test=test) <= alpha for x2 in range(n2 + 1)] for x1 in range(n1 + 1)]
    )
    power = binom.pmf(np.arange(n1 + 1), n1, p1) @ rejected @ binom.pmf(np.arange(n2 + 1), n2, p2)
    return min(float(power), 1.0)
