"""Outlines of gates against the gates' own formulas."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from scipy.stats import f as f_distribution

from il2cyto.io import read_template
from il2cyto.pl._outlines import corners_of, owned_gate
from il2cyto.template import CornerGate, EllipseGate, IntervalGate, QuadrantGate, RectangleGate, SingletGate, TMix2dGate

X, Y = (-2.0, 8.0), (-3.0, 5.0)


def grid() -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.column_stack([rng.uniform(*X, 4000), rng.uniform(*Y, 4000)])


def corner(slant: float, keep: tuple[str, str]) -> CornerGate:
    axes = [{"method": "quantile", "channel": key, "q": 0.5, "bounds": [-9, 9]} for key in "ab"]
    return CornerGate.model_validate({"method": "corner", "x": axes[0], "y": axes[1], "keep": keep, "slant": slant})


@pytest.mark.parametrize("slope", [0.0, 0.4, -0.7])
@pytest.mark.parametrize("keep", [("above", "below"), ("below", "above"), ("above", "above")])
def test_a_corner_holds_what_lies_on_its_sides_of_cut_and_line(slope: float, keep: tuple[str, str]) -> None:
    corners = corners_of(corner(20 if slope else 0, keep), {"x": 1.0, "y": 0.5, "slope": slope}, X, Y)
    x, y = grid().T
    line = 0.5 + slope * (x - 1.0)
    expected = ((x > 1.0) == (keep[0] == "above")) & ((y > line) == (keep[1] == "above"))

    assert corners is not None
    np.testing.assert_array_equal(Outline(corners).contains_points(grid()), expected)


def test_the_ellipse_of_a_mixture_lies_at_the_quantile_of_its_distance() -> None:
    centers = [(0.0, 0.0), (4.0, 1.0)]
    gate = TMix2dGate.model_validate(
        {"method": "tmix2d", "channels": ["a", "b"], "centers": centers, "target": 1, "quantile": 0.9}
    )
    cuts = {"mean_x": 4.0, "mean_y": 1.0, "log_l11": np.log(0.8), "l21": 0.3, "log_l22": np.log(0.5)}
    root = np.array([(0.8, 0.0), (0.3, 0.5)])

    corners = corners_of(gate, cuts, X, Y)

    assert corners is not None
    distance = np.square(np.linalg.solve(root, (corners - (4.0, 1.0)).T)).sum(axis=0)
    # The squared distance of a bivariate t with 4 degrees of freedom, halved, is F with 2 and 4.
    np.testing.assert_allclose(distance / 2, f_distribution.ppf(0.9, 2, 4), rtol=1e-9)


def test_open_sides_end_at_the_edge_of_the_picture() -> None:
    interval = IntervalGate(method="interval", channel="a", max=2.0)
    rectangle = RectangleGate(method="rectangle", channels=("a", "b"), min=(1.0, None), max=(None, 2.0))
    quadrant = QuadrantGate(method="quadrant", channels=("a", "b"), x=1.0, y=2.0, keep=("below", "above"))

    for gate, box in ((interval, (-2, 2, -3, 5)), (rectangle, (1, 8, -3, 2)), (quadrant, (-2, 1, 2, 5))):
        corners = corners_of(gate, {}, X, Y)
        assert corners is not None
        assert {*map(tuple, corners.tolist())} == {(a, b) for a in box[:2] for b in box[2:]}


def test_the_band_of_single_cells_is_parallel_to_its_line() -> None:
    gate = SingletGate(method="singlet", area="a", height="b", side="both")

    corners = corners_of(gate, {"intercept": 0.5, "slope": 0.2, "width": 0.7}, X, Y)

    assert corners is not None
    np.testing.assert_allclose(np.abs(corners[:, 1] - 0.5 - 0.2 * corners[:, 0]), 0.7)


def test_gates_without_cuts_and_gates_outside_the_picture_have_no_outline() -> None:
    far = EllipseGate(method="ellipse", channels=("a", "b"), mean=(90.0, 90.0), covariance=((1.0, 0.0), (0.0, 1.0)))

    assert corners_of(far, {}, X, Y) is None
    assert corners_of(corner(0, ("above", "above")), {"x": float("nan"), "y": 0.0, "slope": 0.0}, X, Y) is None
    assert corners_of(None, {}, X, Y) is None


def test_a_complement_stands_on_the_other_side_of_the_gate_it_refers_to() -> None:
    template = read_template("tnk")

    assert owned_gate(template, "nonT") == (template.by_name["T"].gate, "T", "below")
    assert owned_gate(template, "CD4") == (None, "CD4", None)
