from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flowkit
import numpy as np
import pytest
from matplotlib.figure import Figure

from il2cyto import pl
from il2cyto.pl._scales import Scale
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

if TYPE_CHECKING:
    from pathlib import Path

LOGICLE = Logicle()
LINEAR = Linear()
FLOWKIT = flowkit.transforms.LogicleTransform(262144, 0.5, 4.5, 0)


def events(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return 10 ** rng.normal(3.4, 0.3, n), rng.normal(0, 80, n)


def ticks(scale: Scale) -> dict[str, float]:
    return dict(zip(scale.labels, scale.major.tolist(), strict=True))


def test_logicle_ticks_stand_where_flowkit_puts_those_values() -> None:
    values = {"−10³": -1e3, "0": 0.0, "10³": 1e3, "10⁴": 1e4, "10⁵": 1e5}
    expected = FLOWKIT.apply(np.array(list(values.values())))

    assert ticks(Scale.of(LOGICLE, np.empty(0))) == pytest.approx(dict(zip(values, expected, strict=True)), abs=1e-6)


def test_linear_ticks_are_round_thousands_and_those_of_a_logarithm_decades() -> None:
    assert ticks(Scale.of(LINEAR, np.empty(0))) == pytest.approx(
        {f"{k}K" if k else "0": 1000 * k / 262144 for k in (0, 50, 100, 150, 200, 250)}
    )
    assert ticks(Scale.of(Log(t=1e4, m=4), np.empty(0))) == pytest.approx(
        {"10⁰": 0, "10¹": 0.25, "10²": 0.5, "10³": 0.75, "10⁴": 1}
    )


@pytest.mark.parametrize(
    "spec", [LOGICLE, Logicle(w=1.5), Logicle(w=0), LINEAR, Log(), Asinh(), Asinh(cofactor=5), NoTransform()]
)
def test_ticks_lie_within_the_axis_and_apart(spec: Logicle) -> None:
    scale = Scale.of(spec, np.random.default_rng(0).normal(3, 1, 1000))

    assert len(scale.major) >= 3
    assert scale.low <= scale.major.min() < scale.major.max() <= scale.high
    assert np.diff(np.sort(scale.major)).min() > 0.09 * (scale.high - scale.low)


def test_scales_with_a_top_do_not_depend_on_the_sample() -> None:
    one, other = (Scale.of(LOGICLE, np.array(values)) for values in ([0.1, 0.2], [0.7, 0.9]))

    assert (one.low, one.high) == (other.low, other.high)


def test_every_event_is_in_the_image_or_a_dot() -> None:
    x, y = events()
    ax: Any = Figure().subplots()

    pl.density(ax, x, y, spec_x=LOGICLE, spec_y=LOGICLE)

    image = ax.images[0]
    low_x, high_x, low_y, high_y = image.get_extent()
    tx, ty = FLOWKIT.apply(x), FLOWKIT.apply(y)
    shape = image.get_array().shape
    columns = ((tx - low_x) / (high_x - low_x) * shape[1]).astype(int)
    rows = ((ty - low_y) / (high_y - low_y) * shape[0]).astype(int)
    dotted = np.ma.getmaskarray(image.get_array())[rows, columns]
    assert 0 < dotted.sum() < 4000
    dots = np.column_stack(ax.lines[0].get_data())
    np.testing.assert_allclose(np.sort(dots[:, 0]), np.sort(tx[dotted]), atol=1e-6)
    # Undoing the logarithm gives the events back, but for the rim that the blur draws below its threshold.
    assert np.expm1(image.get_array()).sum() == pytest.approx(len(x) - dotted.sum(), rel=0.05)


def test_events_beyond_the_axes_stand_at_their_edge_and_non_finite_ones_are_left_out() -> None:
    ax: Any = Figure().subplots()

    pl.density(ax, [1e9, 1e3, np.nan], [-1e9, 1e3, 1.0], spec_x=LOGICLE, spec_y=LOGICLE)

    thousand = FLOWKIT.apply(np.array([1e3])).item()
    dots = np.column_stack(ax.lines[0].get_data())
    np.testing.assert_allclose(dots, [(ax.get_xlim()[1], ax.get_ylim()[0]), (thousand, thousand)], atol=1e-6)
    assert ax.get_title(loc="right") == "n = 2"


def test_no_events_are_an_empty_picture_with_its_axes() -> None:
    ax: Any = Figure().subplots()

    pl.density(ax, [], [], spec_x=LOGICLE, spec_y=Asinh(), label_x="CD4", title="T cells")

    assert ax.get_title(loc="right") == "n = 0"
    assert [*ax.images, *ax.lines] == []
    assert ax.get_xlabel() == "CD4"


def test_gates_are_drawn_at_their_corners_and_infinite_ones_reach_the_edge() -> None:
    ax: Any = Figure().subplots()
    corners = np.array([(0.2, 0.2), (0.5, 0.2), (0.4, 0.6)])
    gates = [
        pl.Outline("Treg", corners, 0.0531),
        pl.Outline.above("CD4", x=0.5, fraction=0.412),
        pl.Outline("NK", corners, overridden=True),
    ]

    pl.density(ax, *events(), spec_x=LOGICLE, spec_y=LOGICLE, gates=gates)

    np.testing.assert_array_equal(ax.patches[0].get_xy()[:-1], corners)
    high_x, (low_y, high_y) = ax.get_xlim()[1], ax.get_ylim()
    np.testing.assert_allclose(
        ax.patches[1].get_xy()[:-1], [(0.5, low_y), (high_x, low_y), (high_x, high_y), (0.5, high_y)]
    )
    assert [text.get_text() for text in ax.texts] == ["Treg 5.31 %", "CD4 41.2 %", "NK (manual)"]
    assert [patch.get_linestyle() for patch in ax.patches] == ["-", "-", "--"]


def test_the_histogram_holds_every_event_and_the_cut_with_its_spread() -> None:
    x, _ = events()
    ax: Any = Figure().subplots()

    pl.histogram(ax, x, spec=LOGICLE, cut=0.55, spread=0.02, name="CD25hi", fraction=0.123, label="CD25", title="CD4")

    outline = ax.collections[0].get_paths()[0].vertices
    low, high = ax.get_xlim()
    top = outline[np.argsort(outline[:, 0])]
    assert top[:, 1].sum() == pytest.approx(len(x), rel=0.01)
    assert np.average(top[:, 0], weights=top[:, 1]) == pytest.approx(FLOWKIT.apply(x).mean(), abs=(high - low) / 200)
    assert ax.lines[0].get_xdata() == [0.55, 0.55]
    band = ax.patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.53, 0.57))
    assert [text.get_text() for text in ax.texts] == ["CD25hi 12.3 %"]


def test_without_a_cut_there_is_no_line() -> None:
    ax: Any = Figure().subplots()

    pl.histogram(ax, events()[0], spec=LOGICLE)

    assert [*ax.lines, *ax.texts, *ax.patches] == []


def test_a_hostile_population_is_drawn_as_it_is(tmp_path: Path) -> None:
    ax: Any = Figure().subplots()

    pl.density(
        ax,
        *events(500),
        spec_x=LOGICLE,
        spec_y=LOGICLE,
        gates=[pl.Outline.above("$\\frac{🧬", y=0.4)],
        title="<script>",
    )

    first, second = (pl.save_figure(ax.figure, tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    assert ax.texts[0].get_text() == "$\\frac{\ufffd"
