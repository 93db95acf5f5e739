"""The score interval of a stratified risk difference against its definition, worked out by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlog1py, xlogy

from il2cyto.errors import StudyError
from il2cyto.tl import cochran_mantel_haenszel, risk_difference_interval

# Treatment and control: events and subjects in each stratum.
TRIALS = {
    "three": ([10, 6, 2], [15, 14, 9], [6, 3, 0], [16, 14, 7]),
    "no events in one": ([0, 6], [15, 14], [0, 3], [16, 14]),
    "all events in an arm": ([8, 14], [8, 14], [5, 3], [9, 15]),
    "many small": ([1, 0, 2, 1, 1, 0, 2, 1], [2] * 8, [0, 1, 1, 0, 0, 0, 1, 1], [2, 2, 3, 1, 2, 1, 2, 2]),
}


def restricted(x1: int, n1: int, x2: int, n2: int, delta: float) -> tuple[float, float]:
    """Both proportions at the maximum of the binomial likelihood given their difference."""
    lo, hi = max(0.0, -delta), min(1.0, 1 - delta)

    def loss(p: float) -> float:
        q = min(max(p + delta, 0.0), 1.0)
        return -float(xlogy(x1, q) + xlog1py(n1 - x1, -q) + xlogy(x2, p) + xlog1py(n2 - x2, -p))

    p = minimize_scalar(loss, bounds=(lo, hi), method="bounded", options={"xatol": 1e-12}).x
    p = min((lo, p, hi), key=loss)
    return p + delta, p


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("name", TRIALS)
def test_limits_are_where_the_weighted_score_is_the_normal_quantile(name: str, level: float) -> None:
    strata = list(zip(*TRIALS[name], strict=True))
    z = {0.9: 1.6448536, 0.95: 1.9599640}[level]

    def score(delta: float) -> float:
        top = variance = 0.0
        for x1, n1, x2, n2 in strata:
            w, total = n1 * n2 / (n1 + n2), n1 + n2
            p1, p2 = restricted(x1, n1, x2, n2, delta)
            top += w * (x1 / n1 - x2 / n2 - delta)
            variance += w**2 * (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * total / (total - 1)
        return top / np.sqrt(variance)

    result = cochran_mantel_haenszel(*TRIALS[name], interval="miettinen_nurminen", level=level)

    middle = result.risk_difference
    assert middle == pytest.approx(cochran_mantel_haenszel(*TRIALS[name]).risk_difference)
    assert result.rd_low == pytest.approx(brentq(lambda d: score(d) - z, -0.98, middle - 1e-9), abs=1e-6)
    assert result.rd_high == pytest.approx(brentq(lambda d: score(d) + z, middle + 1e-9, 0.98), abs=1e-6)
    assert result.rd_method == "miettinen_nurminen"


def test_one_stratum_gives_the_interval_of_two_proportions_and_empty_ones_play_no_part() -> None:
    alone = cochran_mantel_haenszel([16], [29], [9], [30], interval="miettinen_nurminen")
    more = cochran_mantel_haenszel([16, 3], [29, 5], [9, 0], [30, 0], interval="miettinen_nurminen")
    none = cochran_mantel_haenszel([0, 3], [0, 5], [9, 0], [30, 0], interval="miettinen_nurminen")

    assert (alone.rd_low, alone.rd_high) == pytest.approx(risk_difference_interval(16, 29, 9, 30))
    assert (more.rd_low, more.rd_high, more.empty) == (alone.rd_low, alone.rd_high, 1)
    assert np.isnan([none.risk_difference, none.rd_low, none.rd_high]).all()


def test_swapping_arms_mirrors_the_interval() -> None:
    x1, n1, x2, n2 = TRIALS["three"]

    there = cochran_mantel_haenszel(x1, n1, x2, n2, interval="miettinen_nurminen")
    back = cochran_mantel_haenszel(x2, n2, x1, n1, interval="miettinen_nurminen")

    assert (back.rd_low, back.rd_high) == pytest.approx((-there.rd_high, -there.rd_low))


def test_an_unknown_interval_is_refused() -> None:
    with pytest.raises(StudyError) as e:
        cochran_mantel_haenszel([1], [2], [1], [2], interval="wald")  # type: ignore[arg-type]
    assert str(e.value) == "cochran_mantel_haenszel: no interval 'wald'; allowed are 'sato', 'miettinen_nurminen'."
