from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import minimize_scalar
from statsmodels.stats import proportion as statsmodels_proportion
from statsmodels.stats.contingency_tables import StratifiedTable

from il2cyto.errors import StudyError
from il2cyto.tl import (
    cochran_mantel_haenszel,
    compare_proportions,
    conditional_odds_ratio,
    proportions_p,
    risk_difference_interval,
)
from il2cyto.tl._proportions import restricted_proportions

if TYPE_CHECKING:
    from il2cyto.tl._proportions import IntervalName

# RD, Miettinen-Nurminen, Newcombe, OR (logit), RR (log)
KNOWN = {
    (16, 29, 9, 30): (0.2517, -0.0027, 0.4764, 0.0007, 0.4632, 2.872, 0.985, 8.374, 1.839, 0.972, 3.479),
    (19, 29, 11, 30): (0.2885, 0.0313, 0.5098, 0.0340, 0.4959, 3.282, 1.130, 9.536, 1.787, 1.042, 3.064),
    (7, 13, 2, 12): (0.3718, -0.0130, 0.6611, -0.0026, 0.6306, 5.833, 0.900, 37.82, 3.231, 0.828, 12.61),
    (16, 30, 9, 30): (0.2333, -0.0183, 0.4577, -0.0147, 0.4450, 2.667, 0.924, 7.699, 1.778, 0.937, 3.375),
    (19, 30, 11, 30): (0.2667, 0.0115, 0.4892, 0.0147, 0.4759, 2.983, 1.044, 8.527, 1.727, 1.003, 2.974),
}
# Per cent, Miettinen-Nurminen, and Fisher's p.
SAFETY = {
    (0, 29, 3, 30): (-10.0, -25.8, 2.5, 0.237),
    (0, 29, 1, 30): (-3.3, -16.8, 8.7, 1.000),
    (2, 29, 6, 30): (-13.1, -31.9, 5.2, 0.254),
    (2, 29, 4, 30): (-6.4, -24.2, 10.9, 0.671),
    (0, 29, 2, 30): (-6.7, -21.5, 5.6, 0.492),
    (9, 29, 2, 30): (24.4, 4.8, 44.0, 0.021),
    (4, 29, 0, 30): (13.8, 1.5, 30.7, 0.052),
    (3, 29, 0, 30): (10.3, -1.8, 26.6, 0.112),
}


@pytest.mark.parametrize("counts", KNOWN)
def test_the_responses_of_the_trial_have_their_known_differences_and_ratios(counts: tuple[int, int, int, int]) -> None:
    mn, newcombe = compare_proportions(*counts), compare_proportions(*counts, interval="newcombe")
    rd, mn_low, mn_high, n_low, n_high, odds, or_low, or_high, risk, rr_low, rr_high = KNOWN[counts]

    assert (mn.risk_difference, mn.ci_low, mn.ci_high) == pytest.approx((rd, mn_low, mn_high), abs=5e-5)
    assert (newcombe.ci_low, newcombe.ci_high) == pytest.approx((n_low, n_high), abs=5.1e-5)
    assert (mn.odds_ratio, mn.or_low, mn.or_high) == pytest.approx((odds, or_low, or_high), rel=6e-4)
    assert (mn.risk_ratio, mn.rr_low, mn.rr_high) == pytest.approx((risk, rr_low, rr_high), rel=6e-4)


@pytest.mark.parametrize("counts", SAFETY)
def test_the_safety_table_has_its_known_differences(counts: tuple[int, int, int, int]) -> None:
    c = compare_proportions(*counts)

    percent = (100 * c.risk_difference, 100 * c.ci_low, 100 * c.ci_high)
    assert percent == pytest.approx(SAFETY[counts][:3], abs=0.0501)
    assert c.p == pytest.approx(SAFETY[counts][3], abs=5e-4)


def test_the_benchmarks_of_newcombe_1998_are_met() -> None:
    a, b = (56, 70, 48, 80), (9, 10, 3, 10)

    assert risk_difference_interval(*a) == pytest.approx((0.0528, 0.3382), abs=5e-5)
    assert risk_difference_interval(*a, method="mee") == pytest.approx((0.0533, 0.3377), abs=5e-5)
    assert risk_difference_interval(*b) == pytest.approx((0.1700, 0.8406), abs=5e-5)
    assert risk_difference_interval(*b, method="mee") == pytest.approx((0.1821, 0.8370), abs=5e-5)
    assert risk_difference_interval(*b, method="newcombe") == pytest.approx((0.1705, 0.8090), abs=5e-5)


@pytest.mark.parametrize(
    ("x1", "x2", "delta"), [(16, 9, 0.4), (16, 9, -0.3), (0, 3, 0.02), (29, 0, 0.9), (0, 0, 0.1), (29, 30, -0.2)]
)
def test_the_restricted_estimates_maximise_the_likelihood_on_their_line(x1: int, x2: int, delta: float) -> None:
    def minus_log_likelihood(p2: float) -> float:
        return -float(stats.binom.logpmf(x1, 29, p2 + delta) + stats.binom.logpmf(x2, 30, p2))

    bounds = (max(0.0, -delta), min(1.0, 1 - delta))
    best = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-10})

    assert restricted_proportions(x1, 29, x2, 30, delta) == pytest.approx((best.x + delta, best.x), abs=1e-6)


@pytest.mark.parametrize("counts", [*KNOWN, *SAFETY, (0, 5, 0, 5), (5, 5, 0, 5), (0, 9, 0, 4)])
@pytest.mark.parametrize("method", ["miettinen_nurminen", "mee", "newcombe"])
def test_the_interval_turns_round_with_the_arms(counts: tuple[int, int, int, int], method: IntervalName) -> None:
    x1, n1, x2, n2 = counts
    low, high = risk_difference_interval(*counts, method=method)

    assert risk_difference_interval(x2, n2, x1, n1, method=method) == pytest.approx((-high, -low), abs=1e-9)
    assert -1 <= low <= x1 / n1 - x2 / n2 <= high <= 1


def test_the_interval_of_the_pearson_test_agrees_with_it_about_zero() -> None:
    """Mee's interval is made of the tests that Pearson's chi-square is at a difference of 0."""
    tables = [(a, 12, b, 9) for a in range(13) for b in range(10) if 0 < a + b < 21]

    for counts in tables:
        low, high = risk_difference_interval(*counts, method="mee")
        assert (low > 0 or high < 0) == (proportions_p(*counts, test="pearson") < 0.05), counts


@pytest.mark.parametrize("counts", [*KNOWN, (0, 29, 3, 30), (4, 29, 0, 30), (5, 5, 3, 7)])
def test_the_conditional_odds_ratio_equals_scipy(counts: tuple[int, int, int, int]) -> None:
    x1, n1, x2, n2 = counts
    expected = stats.contingency.odds_ratio([[x1, n1 - x1], [x2, n2 - x2]], kind="conditional")
    interval = expected.confidence_interval()

    found = conditional_odds_ratio(*counts)

    assert found == pytest.approx((expected.statistic, interval.low, interval.high), rel=1e-5)


def test_the_wald_interval_and_level_are_those_of_the_formula() -> None:
    low, high = risk_difference_interval(16, 29, 9, 30, method="wald", level=0.9)

    half = stats.norm.ppf(0.95) * np.sqrt(16 / 29 * 13 / 29 / 29 + 0.3 * 0.7 / 30)
    assert (low, high) == pytest.approx((16 / 29 - 0.3 - half, 16 / 29 - 0.3 + half), rel=1e-12)


def test_a_zero_cell_is_not_estimable_and_an_empty_arm_nothing_at_all() -> None:
    zero = compare_proportions(0, 29, 2, 30)
    exact = compare_proportions(0, 29, 2, 30, odds_ratio="conditional")
    empty = compare_proportions(0, 0, 2, 30)

    assert np.isnan([zero.odds_ratio, zero.or_low, zero.or_high, zero.risk_ratio, zero.rr_low, zero.rr_high]).all()
    assert zero.note == "odds ratio and risk ratio not estimable: a cell is zero"
    assert np.isfinite([zero.risk_difference, zero.ci_low, zero.ci_high, zero.p]).all()
    assert (exact.odds_ratio, exact.note) == (0.0, "risk ratio not estimable: a cell is zero")
    assert exact.or_high == pytest.approx(5.4, abs=0.2)
    assert np.isnan([empty.risk_difference, empty.ci_low, empty.p, empty.odds_ratio, empty.p_treatment]).all()
    assert (empty.p_control, empty.note) == (2 / 30, "not estimable: an arm is empty")
    assert np.isnan(conditional_odds_ratio(0, 5, 0, 5)).all()


def test_unknown_methods_are_named() -> None:
    with pytest.raises(StudyError) as e:
        compare_proportions(1, 2, 1, 2, interval="score")  # type: ignore[arg-type]
    assert str(e.value) == (
        "risk_difference_interval: no interval 'score'; allowed are miettinen_nurminen, mee, newcombe, wald."
    )
    with pytest.raises(StudyError) as e:
        compare_proportions(1, 2, 1, 2, odds_ratio="exact")  # type: ignore[arg-type]
    assert str(e.value) == "compare_proportions: no odds ratio 'exact'; allowed are 'logit', 'conditional'."


STRATA = ([10, 6, 3], [15, 14, 5], [6, 3, 0], [16, 14, 4])


def test_stratified_comparisons_equal_statsmodels() -> None:
    x1, n1, x2, n2 = (np.array(column) for column in STRATA)
    tables = StratifiedTable(np.array([[x1, n1 - x1], [x2, n2 - x2]], float))
    null = tables.test_null_odds(correction=False)

    found = cochran_mantel_haenszel(*STRATA)

    assert (found.statistic, found.p) == pytest.approx((null.statistic, null.pvalue), rel=1e-12)
    assert found.odds_ratio == pytest.approx(tables.oddsratio_pooled, rel=1e-12)
    assert (found.or_low, found.or_high) == pytest.approx(tables.oddsratio_pooled_confint(), rel=1e-9)


def test_one_stratum_is_the_plain_comparison() -> None:
    found = cochran_mantel_haenszel([16], [29], [9], [30])

    assert found.p == pytest.approx(proportions_p(16, 29, 9, 30, test="n_minus_1"), rel=1e-12)
    plain = compare_proportions(16, 29, 9, 30)
    assert (found.odds_ratio, found.risk_difference) == pytest.approx((plain.odds_ratio, plain.risk_difference))
    # With one stratum the Robins-Breslow-Greenland variance is Woolf's.
    assert (found.or_low, found.or_high) == pytest.approx((plain.or_low, plain.or_high), rel=1e-12)


def test_the_common_risk_difference_covers_as_often_as_it_says() -> None:
    """Simulated: 40 strata of about three subjects per arm, where the difference is .2 whatever the stratum's risk."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        n1, n2 = rng.integers(1, 5, (2, 40))
        risk = rng.uniform(0.1, 0.7, 40)
        found = cochran_mantel_haenszel(rng.binomial(n1, risk + 0.2), n1, rng.binomial(n2, risk), n2)
        covered += found.rd_low <= 0.2 <= found.rd_high

    assert stats.binomtest(covered, 400, 0.95).pvalue > 0.01


def test_strata_with_an_empty_arm_are_left_out_and_counted() -> None:
    with_empty = cochran_mantel_haenszel(
        *([*column, extra] for column, extra in zip(STRATA, (1, 3, 0, 0), strict=True))
    )
    plain = cochran_mantel_haenszel(*STRATA)

    assert (with_empty.strata, with_empty.empty) == (3, 1)
    assert (with_empty.p, with_empty.risk_difference) == (plain.p, plain.risk_difference)
    nothing = cochran_mantel_haenszel([0], [5], [0], [5])
    assert np.isnan([nothing.p, nothing.odds_ratio]).all()
    with pytest.raises(StudyError) as e:
        cochran_mantel_haenszel([1, 2], [3, 4], [1], [2])
    assert str(e.value) == "cochran_mantel_haenszel: x1, n1, x2, n2 have [2, 2, 1, 1] strata; they must be as many."


def test_guard_the_score_interval_of_statsmodels_is_not_ours() -> None:
    """statsmodels #10269: method="score" for a difference is wrong or raises; if this fails it was mended."""
    try:
        theirs = statsmodels_proportion.confint_proportions_2indep(16, 29, 9, 30, compare="diff", method="score")
    except (ValueError, RuntimeError, TypeError):
        theirs = (np.nan, np.nan)

    assert theirs != pytest.approx(risk_difference_interval(16, 29, 9, 30), abs=1e-4)
    for name in ("_proportions", "_two_by_two", "_stratified"):
        assert "statsmodels" not in inspect.getsource(__import__(f"il2cyto.tl.{name}", fromlist=[name]))


def test_guard_a_binomial_glm_scaled_by_x2_forgets_its_trials() -> None:
    """With [success, failure] and scale="X2" the error shrinks with the cells; proportions weighted by trials keep it."""
    rng = np.random.default_rng(3)
    trials = rng.integers(5_000, 50_000, 59)
    p = 1 / (1 + np.exp(2.8 - rng.normal(0, 0.4, 59)))
    success, treated = rng.binomial(trials, p), (np.arange(59) % 2).astype(float)
    design = sm.add_constant(treated)
    family = sm.families.Binomial()
    wrong = sm.GLM(np.column_stack([success, trials - success]), design, family=family).fit(scale="X2")
    right = sm.GLM(success / trials, design, family=family, var_weights=trials).fit(scale="X2")
    # The spread of the subjects' own logits says what order of magnitude is true.
    logit = np.log(success / (trials - success))
    plain = np.sqrt(logit[treated == 1].var(ddof=1) / 29 + logit[treated == 0].var(ddof=1) / 30)

    assert right.bse[1] == pytest.approx(plain, rel=0.3)
    assert wrong.bse[1] < plain / 10
