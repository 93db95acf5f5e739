from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from statsmodels.stats.proportion import proportion_confint

from il2cyto._intervals import wilson


@given(
    st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_wilson_equals_statsmodels(counts: tuple[int, int], level: float) -> None:
    count, total = counts

    expected = proportion_confint(count, total, alpha=1 - level, method="wilson")

    np.testing.assert_allclose(wilson(count, total, level=level), expected, rtol=0, atol=1e-14)


def test_wilson_is_nan_where_a_count_is_missing_or_the_total_empty() -> None:
    low, high = wilson([np.nan, 3, 0, 5], [10, np.nan, 0, 10])

    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, True, False]


def test_none_and_all_are_exact_limits() -> None:
    low, high = wilson([0, 7], [7, 7])

    assert low[0] == 0
    assert high[1] == 1
