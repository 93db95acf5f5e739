from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from il2cyto import pl as pictures
from tests.pl import _tables as tables

ARMS = tables.ARMS
WEEKS = [(0.0, 2.0), (4.0, 6.0), (8.0, 10.0)]


def bars(ax: Any) -> dict[str, list[float]]:
    return {
        container.get_label().removeprefix("_rate "): [bar.get_height() for bar in container]
        for container in ax.containers
        if container.get_label().startswith("_rate ")
    }


def courses(ax: Any) -> dict[str, Any]:
    return {
        container.get_label().removeprefix("_course "): container
        for container in ax.containers
        if container.get_label().startswith("_course ")
    }


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_bars_and_counts_are_those_of_the_table_and_p_that_of_the_contrast() -> None:
    ax = pictures.response_rates(tables.binary_endpoints(), contrasts=tables.binary_contrasts(), arms=ARMS)

    assert bars(ax) == {"placebo": [9 / 30, 11 / 30], "IL-2": [16 / 29, 19 / 29]}
    assert texts(ax) == ["9/30", "11/30", "16/29", "19/29", "p = 0.052", "p = 0.028"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["12", "24"]


def test_a_count_is_read_where_there_is_no_bar_to_write_on() -> None:
    rates = tables.binary_endpoints({"sri4": {"W12": ((0, 30), (16, 29)), "W24": ((3, 30), (19, 29))}})

    ax = pictures.response_rates(rates, arms=ARMS)

    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["16/29"] == colours["19/29"] == "white"
    assert "white" not in {colours["0/30"], colours["3/30"]}


def test_beside_three_visits_p_has_no_letter_that_would_touch_its_neighbour() -> None:
    rates = tables.binary_endpoints({"sri4": {f"W{week}": ((9, 30), (16, 29)) for week in (6, 12, 24)}})

    assert [
        text
        for text in texts(pictures.response_rates(rates, contrasts=tables.binary_contrasts(), arms=ARMS))
        if "/" not in text
    ] == [
        *("0.052", "0.028"),
    ]


def test_intervals_reach_from_low_to_high() -> None:
    rates = tables.binary_endpoints().filter(endpoint="sri4")
    ax: Any = pictures.response_rates(rates, arms=ARMS)

    drawn = [c.lines[2][0].get_segments() for c in ax.containers if c.get_label().startswith("_container")]
    drawn = drawn or [line.get_segments() for line in ax.collections]
    for arm, segments in zip(ARMS, drawn, strict=True):
        rows = rates.filter(arm=arm)
        expected = np.column_stack([rows["ci_low"], rows["ci_high"]])
        np.testing.assert_allclose([segment[:, 1] for segment in segments], expected)


def test_many_visits_are_a_course_with_the_counts_below_and_small_p_above() -> None:
    visits = {f"W{week}": ((3, 30), (9, 29)) for week in (2, 4, 6, 8, 12)}
    ax: Any = pictures.response_rates(
        tables.binary_endpoints({"sri4": visits}),
        contrasts=tables.binary_contrasts().with_columns(p=pl.Series([0.01, 0.2])),
        treatment_weeks=WEEKS,
        arms=ARMS,
    )

    assert not bars(ax)
    assert {arm: list(course[0].get_ydata()) for arm, course in courses(ax).items()} == {
        "placebo": [0.1] * 5,
        "IL-2": [9 / 29] * 5,
    }
    assert "0.010" in texts(ax)
    assert "0.200" not in texts(ax)
    assert texts(ax).count("30") == texts(ax).count("29") == 5
    # The p value stands above the highest interval, not on it.
    (p,) = (text for text in ax.texts if text.get_text() == "0.010")
    ax.figure.draw_without_rendering()
    highest = max(s[:, 1].max() for course in ax.containers for s in course.lines[2][0].get_segments())
    assert ax.transData.inverted().transform(p.get_window_extent())[0, 1] > highest


@pytest.mark.parametrize(
    ("centre", "columns"), [("mean", ("mean", "ci_low", "ci_high")), ("median", ("median", "q1", "q3"))]
)
def test_a_course_draws_centre_and_interval_of_the_table(centre: Any, columns: tuple[str, str, str]) -> None:
    table = tables.continuous_endpoints()
    ax = pictures.measure_course(table, endpoint="upe_g_24h", centre=centre, arms=ARMS)

    for arm, (line, _, (errors,)) in courses(ax).items():
        rows = table.filter(endpoint="upe_g_24h", arm=arm)
        np.testing.assert_array_equal(line.get_xdata(), rows["week"])
        np.testing.assert_allclose(line.get_ydata(), rows[columns[0]])
        limits = np.column_stack([rows[columns[1]], rows[columns[2]]])
        np.testing.assert_allclose([segment[:, 1] for segment in errors.get_segments()], limits)
    assert ax.get_ylabel() == "g/24 h"


def test_a_visit_without_a_value_stays_a_gap() -> None:
    table = tables.continuous_endpoints().filter(~((pl.col("arm") == "IL-2") & (pl.col("visit") == "W12")))

    line = courses(pictures.measure_course(table, endpoint="sledai", arms=ARMS))["IL-2"][0]

    assert np.isnan(line.get_ydata()).tolist() == [False, True, False]


def test_the_trial_figure_has_a_panel_for_each_endpoint_with_rows_in_order() -> None:
    figure = pictures.trial_endpoints(
        {
            "binary_endpoints": tables.binary_endpoints(),
            "binary_contrasts": tables.binary_contrasts(),
            "continuous_endpoints": tables.continuous_endpoints(),
            "continuous_contrasts": tables.continuous_contrasts(),
        },
        treatment_weeks=WEEKS,
        arms=ARMS,
        level=0.9,
        simulated=True,
    )

    titles = [ax.get_title(loc="left").split()[0] for ax in figure.axes if ax.axison]
    assert titles == list("ABCDEFGH")
    footer = [text.get_text() for text in figure.texts]
    assert "SIMULATED DATA" in footer
    assert "(N-1) chi-squared" in footer[0].replace("-\n", "-").replace("\n", " ")
    assert "ANCOVA" in footer[0]
    assert "its 90 % confidence interval" in footer[0].replace("\n", " ")
    assert "95" not in footer[0]


def test_an_endpoint_that_the_table_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="no rows") as raised:
        pictures.response_rates(tables.binary_endpoints().filter(endpoint="sri4"), endpoint="lldas")
    assert str(raised.value) == "response_rates: the table has no rows of endpoint 'lldas'; it has sri4."


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", r"$\frac{1}{0}$", "_hidden", "مرحبا", "🧬" * 40, "x" * 300]
)
def test_hostile_arm_names_are_drawn_or_cut_short(name: str, tmp_path: Any) -> None:
    table = tables.binary_endpoints().with_columns(pl.col("arm").replace({"IL-2": name}))
    figure = pictures.trial_endpoints({"binary_endpoints": table}, arms=["placebo", name])

    assert pictures.save_figure(figure, tmp_path / "x.png").stat().st_size > 10_000


def caption(figure: Any) -> str:
    return figure.texts[0].get_text().replace("\n", " ")


def test_bars_are_the_standard_error_where_that_is_asked_for_and_the_caption_names_either() -> None:
    table = tables.continuous_endpoints()
    sem: Any = pictures.measure_course(table, endpoint="sledai", interval="sem", arms=ARMS)
    ci: Any = pictures.measure_course(table, endpoint="sledai", level=0.9, arms=ARMS)

    for arm, (_, _, (errors,)) in courses(sem).items():
        rows = table.filter(endpoint="sledai", arm=arm)
        half = rows["sd"] / rows["n"].sqrt()
        limits = np.column_stack([rows["mean"] - half, rows["mean"] + half])
        np.testing.assert_allclose([segment[:, 1] for segment in errors.get_segments()], limits)
    assert caption(sem.figure) == "Mean and standard error (SEM)."
    assert caption(ci.figure) == "Mean and 90 % confidence interval."
    median: Any = pictures.measure_course(table, endpoint="sledai", centre="median", interval="sem", arms=ARMS)
    assert caption(median.figure) == "Median and quartiles."
    with pytest.raises(ValueError, match=r"^measure_course: no interval 'sd'; allowed are 'ci', 'sem'\.$"):
        pictures.measure_course(table, endpoint="sledai", interval="sd")  # type: ignore[arg-type]


def test_a_rate_says_interval_set_rule_and_test() -> None:
    ax: Any = pictures.response_rates(tables.binary_endpoints(), contrasts=tables.binary_contrasts(), arms=ARMS)

    assert caption(ax.figure) == (
        "Share of subjects with its 95 % confidence interval (Wilson); analysis set mITT; missing counts as non-response. p "
        "between arms, not adjusted: (N-1) chi-squared."
    )


@pytest.mark.parametrize(("interval", "key"), [("ci", ["95 % CI"]), ("sem", [])])
def test_the_trial_figure_says_what_bars_are_of_rates_and_of_means(interval: Any, key: list[str]) -> None:
    shown = {"binary_endpoints": tables.binary_endpoints(), "continuous_endpoints": tables.continuous_endpoints()}

    figure = pictures.trial_endpoints(shown, interval=interval, arms=ARMS)

    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*ARMS, *key]
    means = {"ci": "mean and 95 % confidence interval", "sem": "mean and standard error (SEM)"}
    assert f"Measurements: {means[interval]}; n below the axis" in caption(figure)
    assert "Responses: share of subjects with its 95 % confidence interval (Wilson)" in caption(figure)


def test_the_interval_of_a_mean_of_two_is_left_out_and_the_caption_says_from_where_on() -> None:
    few = pl.when(pl.col("visit") == "W12").then(2).otherwise("n")
    table = tables.continuous_endpoints().with_columns(n=few)

    figure = pictures.trial_endpoints({"continuous_endpoints": table}, endpoints=["sledai"], arms=ARMS)

    for _, _, (errors,) in courses(figure.axes[0]).values():
        drawn = [segment.size > 0 and bool(np.isfinite(segment).all()) for segment in errors.get_segments()]
        assert drawn == [True, False, True]
    assert "(where there are 3 subjects or more)" in caption(figure)


def test_counts_of_an_arm_without_responders_are_not_white_on_white_and_p_values_do_not_touch() -> None:
    visits = {f"W{week}": ((0, 30), (16, 29)) for week in (0, 12, 24)}
    p = tables.binary_contrasts().with_columns(visit=pl.Series(["W0", "W12"]), p=pl.lit(0.0001))

    figure = pictures.trial_endpoints(
        {
            "binary_endpoints": tables.binary_endpoints(dict.fromkeys(("sri4", "c3_normal"), visits)),
            "binary_contrasts": p,
        },
        arms=ARMS,
    )

    figure.draw_without_rendering()
    ax: Any = figure.axes[0]
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["0/30"] != "white" == colours["16/29"]
    ps = [text.get_window_extent() for text in ax.texts if text.get_text() == "< 0.001"]
    assert len(ps) == 2
    assert not ps[0].overlaps(ps[1])


def test_p_above_a_course_stands_between_axes_and_title() -> None:
    p = tables.continuous_contrasts().with_columns(p=pl.lit(0.01))

    ax: Any = pictures.measure_course(tables.continuous_endpoints(), endpoint="sledai", contrasts=p, arms=ARMS)

    ax.figure.draw_without_rendering()
    marks = [text.get_window_extent() for text in ax.texts if text.get_text() == "0.010"]
    assert marks
    assert min(mark.y0 for mark in marks) >= ax.get_window_extent().y1
    assert max(mark.y1 for mark in marks) <= ax._left_title.get_window_extent().y0
