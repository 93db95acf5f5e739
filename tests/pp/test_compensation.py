from __future__ import annotations

import flowkit as fk
import numpy as np
import pytest

from il2cyto.errors import GatingError
from il2cyto.pp import compensate


def spillover(k: int, seed: int = 0) -> np.ndarray:
    matrix = np.random.default_rng(seed).uniform(0, 0.25, (k, k)) / np.sqrt(k)
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_flowkit(dtype):
    k = 9
    events = np.random.default_rng(1).lognormal(5, 2, (10_000, k)).astype(dtype)
    names = [f"F{i}-A" for i in range(k)]
    sample = fk.Sample(events.astype(np.float64), channel_labels=names, sample_id="simulated")
    events = sample.get_events(source="raw").astype(dtype)  # FlowKit keeps them in single precision
    theirs = fk.Matrix(spillover(k), names).apply(sample)
    # An event's small channels are differences of its large ones: its largest value is the unit.
    error = np.abs(compensate(events, spillover(k)) - theirs) / np.abs(events).max(axis=1, keepdims=True)
    assert error.max() < 1e-13


def test_undoes_spillover():
    pure = np.random.default_rng(2).lognormal(4, 1, (500, 5))
    np.testing.assert_allclose(compensate(pure @ spillover(5), spillover(5)), pure, rtol=1e-9)


def test_two_channels_by_hand():
    # 100 of the first fluorochrome give 20 to the second detector; 50 of the second give 5 to the first.
    np.testing.assert_allclose(compensate([[105.0, 70.0]], [[1.0, 0.2], [0.1, 1.0]]), [[100.0, 50.0]], rtol=1e-12)


def test_an_event_does_not_depend_on_the_others_nor_on_memory_order():
    events = np.random.default_rng(3).lognormal(5, 2, (9001, 6)).astype(np.float32)
    whole = compensate(events, spillover(6))
    np.testing.assert_array_equal(whole[4090:4100], compensate(events[4090:4100], spillover(6)))
    np.testing.assert_array_equal(whole, compensate(np.asfortranarray(events), spillover(6)))
    np.testing.assert_array_equal(whole, compensate(events[::-1], spillover(6))[::-1])


def test_the_identity_changes_nothing_and_a_pivot_of_zero_is_no_obstacle():
    events = np.random.default_rng(4).normal(0, 100, (50, 2))
    np.testing.assert_array_equal(compensate(events, np.eye(2)), events)
    np.testing.assert_array_equal(compensate(events, [[0.0, 1.0], [1.0, 0.0]]), events[:, ::-1])


def test_a_nan_reaches_only_the_columns_that_need_it():
    matrix = np.eye(3)
    matrix[0, 1] = 0.1
    out = compensate([[np.nan, 2.0, 3.0]], matrix)
    np.testing.assert_array_equal(np.isnan(out), [[True, True, False]])


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [0.5, 1.0]], [[1.0, np.nan], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_a_matrix_without_an_inverse_is_refused(bad):
    with pytest.raises(
        GatingError, match=r"^compensate: the 2 x 2 spillover matrix has no inverse \(seen at column [12]\); "
    ):
        compensate(np.ones((3, 2)), bad)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(GatingError) as e:
        compensate(np.ones((3, 3)), np.eye(2))
    assert str(e.value) == (
        "compensate: events have the shape (3, 3), the spillover matrix (2, 2); needed are (n, k) and (k, k); "
        "select the matrix' channels first"
    )


def test_with_more_detectors_than_fluorochromes_compensation_is_a_least_squares_fit():
    rng = np.random.default_rng(3)
    matrix, truth = rng.uniform(0, 1, (3, 8)), rng.normal(100, 50, (500, 3))
    mixed = truth @ matrix
    np.testing.assert_allclose(compensate(mixed, matrix), truth, rtol=1e-9, atol=1e-9)
    noisy = mixed + rng.normal(0, 1, mixed.shape)
    best = np.linalg.lstsq(matrix.T, noisy.T)[0].T
    np.testing.assert_allclose(compensate(noisy, matrix), best, rtol=1e-9, atol=1e-9)
