"""FlowKit is the oracle; where it answers badly (NaN, logarithms of negatives) our rule is stated instead."""

from __future__ import annotations

import flowkit as fk
import numpy as np
import pytest
from hypothesis import given, strategies as st

from il2cyto.errors import GatingError
from il2cyto.pp import inverse_transform, transform
from il2cyto.template._transforms import (
    Asinh,
    FlowJoBiex,
    FlowJoLog,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    NoTransform,
    ScaledAsinh,
)

MAGNITUDES = np.concatenate([[0.0], np.geomspace(1e-6, 1e12, 4001), [262143.0, 262144.0, 262145.0]])
VALUES = np.concatenate([-MAGNITUDES[::-1], MAGNITUDES])
LOGICLES = [
    (262144.0, 0.5, 4.5, 0.0),
    (262144.0, 0.0, 4.5, 0.0),
    (262144.0, 2.25, 4.5, 0.0),
    (262144.0, 1.5, 4.5, 1.0),
    (1e4, 0.1, 4.5, 0.0),
    (1000.0, 1.0, 4.0, 0.0),
    (4194304.0, 1.0, 6.0, 0.5),
    (1e7, 0.5, 7.0, 0.0),
]
SPECS = [
    Logicle(),
    Logicle(t=1e4, w=0.0),
    Logicle(w=1.0, a=1.0),
    Linear(a=100.0),
    Asinh(cofactor=5),
    Hyperlog(),
    Hyperlog(t=1e4, w=0.1, a=1.0),
    ScaledAsinh(t=1e4, m=4, a=1),
    Log(),
    NoTransform(),
]


@pytest.mark.parametrize(("t", "w", "m", "a"), LOGICLES)
def test_logicle_equals_flowkit_over_the_whole_range(t, w, m, a):
    ours = transform(VALUES, Logicle(t=t, w=w, m=m, a=a))
    theirs = fk.transforms.LogicleTransform(param_t=t, param_w=w, param_m=m, param_a=a).apply(VALUES)
    # The absolute part is for positions near 0, where both sides are a difference of two numbers near 0.1.
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=2e-15)


@pytest.mark.parametrize(("t", "w", "m", "a"), LOGICLES)
def test_the_inverse_logicle_equals_flowkit(t, w, m, a):
    positions = np.linspace(-1.0, 1.5, 2001)
    ours = inverse_transform(positions, Logicle(t=t, w=w, m=m, a=a))
    theirs = fk.transforms.LogicleTransform(param_t=t, param_w=w, param_m=m, param_a=a).inverse(positions)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12 * t)


@pytest.mark.parametrize(("t", "w", "m", "a"), [(t, w, m, a) for t, w, m, a in LOGICLES if w > 0])
def test_hyperlog_and_its_inverse_equal_flowkit(t, w, m, a):
    x = VALUES[np.abs(VALUES) <= 1e3 * t]
    theirs = fk.transforms.HyperlogTransform(param_t=t, param_w=w, param_m=m, param_a=a)
    ours = Hyperlog(t=t, w=w, m=m, a=a)
    np.testing.assert_allclose(transform(x, ours), theirs.apply(x), rtol=1e-12, atol=2e-15)
    y = np.linspace(-0.5, 1.25, 1001)
    np.testing.assert_allclose(inverse_transform(y, ours), theirs.inverse(y), rtol=1e-11, atol=1e-12 * t)


def test_the_arcsinh_of_gating_ml_equals_flowkit():
    theirs = fk.transforms.AsinhTransform(param_t=1e4, param_m=4, param_a=1)
    np.testing.assert_allclose(
        transform(VALUES, ScaledAsinh(t=1e4, m=4, a=1)), theirs.apply(VALUES), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize(
    ("negative", "width", "positive", "top"),
    [
        (0.0, -10.0, 4.41854, 262144.000029),
        (1.0, -100.0, 4.41854, 262144.000029),
        (0.5, -1000.0, 4.9, 4194304.0),
        (0.0, -1.0, 4.5, 262144.0),
        (0.0, -3.98, 5.5, 1e7),
    ],
)
def test_flowjos_biexponential_equals_flowkit_and_clamps(negative, width, positive, top):
    theirs = fk.transforms.WSPBiexTransform(negative=negative, width=width, positive=positive, max_value=top)
    ours = FlowJoBiex(negative=negative, width=width, positive=positive, max=top)
    np.testing.assert_allclose(transform(VALUES, ours), theirs.apply(VALUES), rtol=1e-11, atol=1e-8)
    y = np.linspace(0, 4096, 1001)
    np.testing.assert_allclose(inverse_transform(y, ours), theirs.inverse(y), rtol=1e-9, atol=1e-9 * top)
    assert transform([-1e300, 1e300], ours).tolist() == [0.0, 4096.0]
    assert np.isnan(transform([np.nan], ours)[0])


def test_flowjos_logarithm_starts_at_its_offset():
    assert transform([-5.0, 0.0, 2.0, 20.0, 2e4], FlowJoLog(offset=2, decades=4)).round(12).tolist() == [
        0,
        0,
        0,
        0.25,
        1,
    ]
    assert inverse_transform([0.0, 1.0], FlowJoLog(offset=2, decades=4)).round(8).tolist() == [2.0, 20000.0]


def test_linear_and_log_equal_flowkit():
    np.testing.assert_array_equal(
        transform(VALUES, Linear(t=1024, a=50)), fk.transforms.LinearTransform(param_t=1024, param_a=50).apply(VALUES)
    )
    positive = VALUES[VALUES > 0]
    np.testing.assert_allclose(
        transform(positive, Log(t=1e4, m=4)),
        fk.transforms.LogTransform(param_t=1e4, param_m=4).apply(positive),
        rtol=1e-12,
        atol=1e-15,
    )


def test_asinh_is_the_inverse_hyperbolic_sine_of_the_ratio():
    x = np.array([-1500.0, 0.0, 150.0, 1e6])
    by_hand = np.sign(x) * np.log(np.abs(x) / 150 + np.sqrt((x / 150) ** 2 + 1))
    np.testing.assert_allclose(transform(x, Asinh(cofactor=150)), by_hand, rtol=1e-12)


def test_the_logarithm_of_zero_and_of_negatives_is_minus_infinity_and_never_nan():
    np.testing.assert_array_equal(transform([0.0, -0.0, -1.0, -np.inf], Log()), [-np.inf] * 4)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_nan_stays_nan_and_infinity_infinite(spec):
    y = transform([np.nan, np.inf, -np.inf], spec)
    assert np.isnan(y[0])
    assert y[1] == np.inf
    assert y[2] == -np.inf
    assert np.isnan(inverse_transform([np.nan], spec)[0])


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.sampled_from(SPECS))
def test_there_and_back_again(values, spec):
    x = np.array(values)
    if isinstance(spec, Log):
        # On a logarithmic scale a value far below the last decade is a small difference of large positions.
        x = np.abs(x) + 1.0
    unit = 1e-12 * getattr(spec, "t", 1.0)
    np.testing.assert_allclose(inverse_transform(transform(x, spec), spec), x, rtol=1e-10, atol=max(unit, 1e-12))


def test_a_value_does_not_depend_on_its_neighbours():
    x = np.random.default_rng(0).normal(0, 5000, 20_001)
    whole = transform(x, Logicle())
    np.testing.assert_array_equal(whole[::-1], transform(x[::-1], Logicle()))
    np.testing.assert_array_equal(whole[8190:8200], [float(transform(v, Logicle())) for v in x[8190:8200]])
    np.testing.assert_array_equal(whole[:20_000].reshape(100, 200), transform(x[:20_000].reshape(100, 200), Logicle()))


def test_the_logicle_is_increasing_and_odd_about_zero():
    y = transform(np.unique(VALUES), Logicle())
    assert (np.diff(y) >= -2e-16).all()
    zero = float(transform(0.0, Logicle()))
    np.testing.assert_allclose(y + y[::-1], 2 * zero, atol=1e-14)


def test_a_top_that_is_still_a_word_is_refused():
    text = "transform: t is 'range', a number is needed; put the channel's $PnR in with `spec.at_range($PnR)` first"
    for spec in (Logicle(t="range"), Linear(t="range"), Log(t="range")):
        for function in (transform, inverse_transform):
            with pytest.raises(GatingError) as e:
                function([1.0], spec)
            assert str(e.value) == text
