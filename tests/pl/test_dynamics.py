from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from il2cyto import pl, tl
from tests._cohort import make_cohort, not_evaluable

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

ENDPOINTS = ["CD4", "CD8", "Treg", "NK", "CD56bright"]


@pytest.fixture
def cohort() -> AnnData:
    return make_cohort(5)


def panels(figure: Figure) -> list[Any]:
    """The axes that are drawn; Any, since artists are found by what they turn out to be."""
    return [ax for ax in figure.axes if ax.axison]


def means(ax: Any) -> dict[str, Any]:
    return {container.get_label().removeprefix("_mean "): container for container in ax.containers}


def subjects(ax: Any, arm: str) -> Any:
    return next(line for line in ax.lines if line.get_label() == f"_subjects {arm}")


def counts(ax: Any) -> list[list[str]]:
    """The rows below the axis, by height, each from left to right."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in ax.texts:
        rows.setdefault(text.xyann[1], []).append((text.xyann[0] if text.xyann[0] else 1 + text.xy[0], text.get_text()))
    return [[text for _, text in sorted(row)] for _, row in sorted(rows.items(), reverse=True)]


@pytest.mark.parametrize("interval", ["sem", "ci"])
def test_means_and_intervals_are_those_of_the_table(cohort: AnnData, interval: str) -> None:
    not_evaluable(cohort, "SIM-000_W0", "Treg", "NO_PARENT")
    table = tl.summarise_dynamics(cohort)

    figure = pl.dynamics(cohort, interval=interval)  # type: ignore[arg-type]

    assert len(panels(figure)) == 5
    for ax, population in zip(panels(figure), ENDPOINTS, strict=True):
        assert list(means(ax)) == ["placebo", "IL-2"]
        for arm, (line, _, (bars,)) in means(ax).items():
            rows = table.filter(population=population, arm=arm)
            low, high = (
                (rows["ci_low"], rows["ci_high"])
                if interval == "ci"
                else (
                    rows["mean"] - rows["sem"],
                    rows["mean"] + rows["sem"],
                )
            )
            np.testing.assert_array_equal(line.get_xdata(), rows["week"])
            np.testing.assert_array_equal(line.get_ydata(), rows["mean"])
            np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], np.array([low, high]).T, rtol=1e-12)


def test_every_subject_is_a_line_through_its_own_values(cohort: AnnData) -> None:
    table = tl.subject_dynamics(cohort, populations=["NK"]).filter(arm="IL-2")

    drawn = subjects(panels(pl.dynamics(cohort, populations=["NK"]))[0], "IL-2")

    points = np.column_stack([drawn.get_xdata(), drawn.get_ydata()]).reshape(5, 9, 2)
    assert np.isnan(points[:, -1]).all()
    for subject, line in zip(table["subject"].unique().sort(), points, strict=True):
        rows = table.filter(subject=subject)
        np.testing.assert_array_equal(line[~np.isnan(line[:, 1])], rows.select("week", "frequency").to_numpy())


def test_a_gap_stays_a_gap(cohort: AnnData) -> None:
    for sample in cohort.obs_names[(cohort.obs["visit"] == "W6") & (cohort.obs["arm"] == "IL-2")]:
        not_evaluable(cohort, sample, "Treg", "NO_PARENT")
    absent = cohort[~((cohort.obs["visit"] == "W8") & (cohort.obs["arm"] == "IL-2"))]

    ax = panels(pl.dynamics(absent, populations=["Treg"]))[0]

    assert np.isnan(means(ax)["IL-2"][0].get_ydata()).tolist() == [False, False, False, True, True, False, False, False]
    assert np.isnan(subjects(ax, "IL-2").get_ydata().reshape(5, 9)[:, 3:5]).all()
    assert not np.isnan(means(ax)["placebo"][0].get_ydata()).any()


def test_the_number_of_subjects_stands_below_every_visit_of_every_arm(cohort: AnnData) -> None:
    not_evaluable(cohort, "SIM-000_W0", "Treg", "NO_PARENT")
    table = tl.summarise_dynamics(cohort, populations=["Treg"])

    rows = counts(panels(pl.dynamics(cohort, populations=["Treg"]))[0])

    assert rows == [[f"n {arm}", *map(str, table.filter(arm=arm)["n"])] for arm in ("placebo", "IL-2")]
    assert rows[0][1] == "4"


def test_weeks_are_ticks_at_their_distance_and_treatment_periods_are_shaded(cohort: AnnData) -> None:
    ax = panels(pl.dynamics(cohort, populations=["Treg"]))[0]

    assert ax.get_xticks().tolist() == [0, 2, 4, 6, 8, 10, 12, 24]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "2", "4", "6", "8", "10", "12", "24"]
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    assert spans == [(0, 2), (4, 6), (8, 10)]


def test_panels_are_lettered_labelled_and_in_percent(cohort: AnnData) -> None:
    figure = pl.dynamics(cohort)

    first, *_, last = panels(figure)
    assert (first.get_title(loc="left"), first.get_ylabel()) == ("A  CD4+ T cells", "% of T cells")
    assert (last.get_title(loc="left"), last.get_ylabel()) == ("E  CD56bright NK cells", "% of NK cells")
    assert first.yaxis.get_major_formatter()(0.125, 0) == "12.5"
    assert figure.get_figwidth() == pytest.approx(183 / 25.4)


def test_another_denominator_is_what_the_axis_says(cohort: AnnData) -> None:
    figure = pl.dynamics(cohort, populations=["Treg"], denominator="lymphocytes")

    ax = panels(figure)[0]
    table = tl.summarise_dynamics(cohort, populations=["Treg"], denominator="lymphocytes")
    assert ax.get_ylabel() == "% of lymphocytes"
    np.testing.assert_array_equal(means(ax)["placebo"][0].get_ydata(), table.filter(arm="placebo")["mean"])


def test_arms_keep_their_colours_and_the_legend_stands_once(cohort: AnnData) -> None:
    figure = pl.dynamics(cohort)

    legends = [ax.get_legend() for ax in figure.axes if ax.get_legend()] + figure.legends
    assert [[text.get_text() for text in legend.get_texts()] for legend in legends] == [  # type: ignore[union-attr]
        ["placebo", "IL-2", "95 % CI", "treatment period"]
    ]
    alone = pl.dynamics(cohort[cohort.obs["arm"] == "IL-2"], populations=["CD4"])
    for ax in (panels(figure)[0], panels(alone)[0]):
        assert to_rgb(means(ax)["IL-2"][0].get_color()) == to_rgb("#C04E00")


def test_the_caption_names_the_interval_and_simulated_data_say_so(cohort: AnnData) -> None:
    simulated = [text.get_text().replace("\n", " ") for text in pl.dynamics(cohort, interval="ci").texts]
    cohort.uns["il2cyto"]["simulated"] = False
    real = [text.get_text() for text in pl.dynamics(cohort, interval="sem", individuals=False).texts]

    assert simulated == [
        "Mean and 95 % confidence interval of the subjects of each arm; thin lines: single subjects; grey: on treatment. "
        "n: subjects with a value.",
        "SIMULATED DATA",
    ]
    assert real == [
        "Mean and standard error (SEM) of the subjects of each arm; grey: on treatment. n: subjects with a value."
    ]


def test_without_arms_and_weeks_visits_stand_one_after_the_other(cohort: AnnData) -> None:
    del cohort.obs["arm"], cohort.obs["week"], cohort.uns["il2cyto"]["schedule"]
    table = tl.summarise_dynamics(cohort, populations=["NK"])

    ax = panels(pl.dynamics(cohort, populations=["NK"]))[0]

    assert [label.get_text() for label in ax.get_xticklabels()] == ["W0", "W2", "W4", "W6", "W8", "W10", "W12", "W24"]
    assert ax.get_xticks().tolist() == list(range(8))
    np.testing.assert_array_equal(means(ax)["all"][0].get_ydata(), table["mean"])
    assert len(ax.patches) == 0


def test_it_draws_into_axes_that_are_given_and_asks_for_enough_of_them(cohort: AnnData) -> None:
    axes = Figure().subplots(1, 2)

    figure = pl.dynamics(cohort, populations=["CD4", "NK"], axes=axes)

    assert figure is axes[0].figure
    assert [ax.get_title(loc="left") for ax in axes] == ["A  CD4+ T cells", "B  NK cells"]
    with pytest.raises(ValueError) as e:  # noqa: PT011
        pl.dynamics(cohort, axes=axes)
    assert str(e.value) == ("dynamics: 2 axes for 5 populations (CD4, CD8, Treg, NK, CD56bright); give one for each.")


def test_an_unknown_interval_is_an_error(cohort: AnnData) -> None:
    with pytest.raises(ValueError, match=r"^dynamics: no interval 'sd'; allowed are 'ci', 'sem'\.$"):
        pl.dynamics(cohort, interval="sd")  # type: ignore[arg-type]


def test_nothing_overlaps_or_leaves_the_page_in_a_trial_of_60_subjects() -> None:
    figure = pl.dynamics(make_cohort(30))

    figure.draw_without_rendering()

    page = figure.bbox
    for ax in panels(figure):
        # The locator also makes a tick beyond the axis, which is not drawn.
        y_ticks = [label for label in ax.get_yticklabels() if label.get_position()[1] <= ax.get_ylim()[1]]
        texts = [*ax.texts, *ax.get_xticklabels(), *y_ticks, ax.xaxis.label, ax.yaxis.label]
        boxes = [text.get_window_extent() for text in texts]
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)
        assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_hostile_names_are_drawn_as_they_are_and_the_file_is_the_same_every_time(
    cohort: AnnData, tmp_path: Path
) -> None:
    arms = {"placebo": "$\\frac{", "IL-2": "_<script>" + "x" * 300}
    cohort.obs["arm"] = cohort.obs["arm"].cat.rename_categories(arms)
    cohort.obs["visit"] = cohort.obs["visit"].cat.rename_categories({"W0": "🧬 \x00 --> visit"})
    cohort.uns["il2cyto"]["arms"] = list(arms.values())
    cohort.var["label"] = cohort.var["label"].cat.rename_categories({"NK cells": "]]> & \\alpha $NK_{1}$"})
    del cohort.uns["il2cyto"]["schedule"], cohort.obs["week"]

    first, second = (
        pl.save_figure(pl.dynamics(cohort), tmp_path / name).read_bytes() for name in ("first.svg", "second.svg")
    )

    assert first == second
    assert b"<script>" not in first
    title = panels(pl.dynamics(cohort))[3].get_title(loc="left")
    assert title == "D  ]]> & \\alpha $NK_{1}$"


def test_a_difference_is_marked_where_the_adjusted_p_is_small_and_the_caption_names_the_model(cohort: AnnData) -> None:
    contrasts = polars.DataFrame(
        {
            "population": ["Treg", "Treg", "NK"],
            "visit": ["W6", "W12", "W6"],
            "model": ["MMRM, unstructured, Kenward-Roger"] * 3,
            "p": [0.001, 0.02, 0.2],
            "p_adjusted": [0.005, 0.1, 1.0],
        }
    )

    figure = pl.dynamics(cohort, populations=["Treg", "NK"], contrasts=contrasts)

    treg, nk = panels(figure)
    assert [text.xy[0] for text in treg.texts if text.get_text() == "*"] == [6]
    assert not [text for text in nk.texts if text.get_text() == "*"]
    caption = figure.texts[0].get_text().replace("\n", " ")
    assert "*: difference between the groups, p < 0.05 adjusted for multiplicity (MMRM, unstructured" in caption


def test_subjects_can_be_parted_by_response_instead_of_arm(cohort: AnnData) -> None:
    cohort.obs["responder"] = np.where(cohort.obs["subject"].astype(str) < "SIM-004", "responder", "non-responder")
    table = tl.summarise_dynamics(cohort, populations=["Treg"], group="responder")

    ax = panels(pl.dynamics(cohort, populations=["Treg"], group="responder"))[0]

    for group, (line, _, _) in means(ax).items():
        np.testing.assert_array_equal(line.get_ydata(), table.filter(responder=group)["mean"])
    assert set(means(ax)) == {"responder", "non-responder"}


def test_the_axis_is_that_of_a_fraction_also_where_an_interval_leaves_it() -> None:
    cohort = make_cohort(2)

    for ax in panels(pl.dynamics(cohort, interval="ci")):
        low, high = ax.get_ylim()
        assert low == 0
        assert high <= 1


def test_with_one_visit_every_subject_is_a_dot_and_the_arms_stand_beside_each_other(cohort: AnnData) -> None:
    one = cohort[cohort.obs["visit"] == "W12"].copy()
    table = tl.subject_dynamics(one, populations=["NK"])

    figure = pl.dynamics(one, populations=["NK"], interval="ci")

    (ax,) = panels(figure)
    for arm in ("placebo", "IL-2"):
        dots = next(line for line in ax.lines if line.get_label() == f"_lone values {arm}")
        assert sorted(dots.get_ydata()) == sorted(table.filter(arm=arm)["frequency"])
    places = [means(ax)[arm][0].get_xdata()[0] for arm in ("placebo", "IL-2")]
    assert places[0] < 12 < places[1]
    assert ax.get_xlim()[0] < places[0]
    assert "dots: single subjects" in figure.texts[0].get_text().replace("\n", " ")


def test_the_interval_of_two_subjects_is_not_drawn_and_the_caption_says_from_where_on(cohort: AnnData) -> None:
    not_evaluable(cohort, "SIM-000_W6", "CD4", "NO_PARENT")
    for subjects, said in ((2, True), (3, True), (5, False)):
        few = cohort[cohort.obs["subject"].isin(cohort.obs["subject"].unique()[: 2 * subjects])]

        figure = pl.dynamics(few, populations=["CD4"], interval="ci")

        for arm, (_, _, (bars,)) in means(panels(figure)[0]).items():
            drawn = [segment.size > 0 and bool(np.isfinite(segment).all()) for segment in bars.get_segments()]
            assert drawn == (tl.summarise_dynamics(few, populations=["CD4"]).filter(arm=arm)["n"] > 2).to_list()
        assert ("(where there are 3 or more)" in figure.texts[0].get_text().replace("\n", " ")) == said


def test_a_population_without_any_value_says_so(cohort: AnnData) -> None:
    for sample in cohort.obs_names:
        not_evaluable(cohort, sample, "Treg", "NO_PARENT")

    treg, nk = panels(pl.dynamics(cohort, populations=["Treg", "NK"]))

    assert "not evaluable in any sample" in [text.get_text() for text in treg.texts]
    assert len(treg.get_yticks()) == 0
    assert "not evaluable in any sample" not in [text.get_text() for text in nk.texts]


def test_groups_that_are_no_arms_are_not_called_arms(cohort: AnnData) -> None:
    cohort.obs["response"] = np.where(cohort.obs["subject"].astype(str) < "SIM-004", "responder", "non-responder")

    caption = pl.dynamics(cohort, populations=["NK"], group="response").texts[0].get_text().replace("\n", " ")

    assert caption.startswith("Mean and 95 % confidence interval of the subjects by response, arms together;")


def test_asterisks_stand_between_the_axes_and_the_title(cohort: AnnData) -> None:
    rows = [(name, visit, "MMRM", 0.001) for name in ENDPOINTS for visit in ("W0", "W2", "W24")]
    contrasts = polars.DataFrame(rows, schema=["population", "visit", "model", "p"], orient="row")

    figure = pl.dynamics(cohort, contrasts=contrasts)

    figure.draw_without_rendering()
    for ax in panels(figure):
        marks = [text.get_window_extent() for text in ax.texts if text.get_text() == "*"]
        assert len(marks) == 3
        assert max(mark.y1 for mark in marks) + 2 < ax._left_title.get_window_extent().y0
