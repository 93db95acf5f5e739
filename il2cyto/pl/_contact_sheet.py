"""One gate over all samples, tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from il2cyto.pl._gated import GatedCohort
from il2cyto.pl._order import ordered
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, MM, add_footer, printable, theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.io import Density

COLUMNS: Final = 8
#: Inches: what a tile takes with the two lines above it, the lines, the gap between tiles, room for ticks on the left.
PITCH_Y, HEAD, GAP, LEFT = 25 * MM, 5.5 * MM, 1.6 * MM, 8 * MM
TOP, BOTTOM = 8 * MM, 15 * MM


def contact_sheet(
    adata: AnnData,
    densities: Mapping[str, Mapping[str, Density]],
    *,
    population: str,
    by: Sequence[str] = ("batch", "visit"),
    per_page: int = 64,
) -> list[Figure]:
    """Draw the gate of one population in every sample, so that the one that is out of line is seen.

    All tiles have the same axes. Above each stand the sample and what it is sorted by. Black is the final gate, dotted the
    file's own cut where it was another; gates that a person set are dashed and say "manual"; flagged tiles are framed and
    name their first flag.

    Parameters
    ----------
    adata
        Cohort object.
    densities
        Of :func:`il2cyto.io.read_densities`, or of the gated study.
    population
        Whose gate; also one that is not reported.
    by
        Columns of `obs` that sort the samples; equal ones are sorted by name, B2 before B10.
    per_page
        Tiles of a page.

    Returns
    -------
    The pages, 183 mm wide.

    Raises
    ------
    PopulationError
        The population is unknown or has no gate of its own, such as a boolean.
    SchemaError
        A column of `by` is not in `obs`.
    """
    cohort = GatedCohort.of(adata, densities)
    cohort.require(caller="contact_sheet", population=population)
    samples = ordered(adata, cohort.samples, tuple(by), caller="contact_sheet")
    pages = [samples[start : start + per_page] for start in range(0, len(samples), per_page)]
    return [
        _page(cohort, page, population, tuple(by), number=f"page {i} of {len(pages)}" if len(pages) > 1 else "")
        for i, page in enumerate(pages, start=1)
    ]


def _page(cohort: GatedCohort, samples: list[str], population: str, by: tuple[str, ...], *, number: str) -> Figure:
    rows = -(-len(samples) // COLUMNS)
    width, height = DOUBLE_COLUMN, TOP + rows * PITCH_Y + BOTTOM
    pitch = (width - LEFT) / COLUMNS
    with theme():
        # Places are computed: a layout engine would take longer than all that is drawn.
        figure = Figure(figsize=(width, height))
        for i, sample in enumerate(samples):
            row, column = divmod(i, COLUMNS)
            left, bottom = LEFT + column * pitch, height - TOP - (row + 1) * PITCH_Y + GAP
            place = (left / width, bottom / height, (pitch - GAP) / width, (PITCH_Y - HEAD - GAP) / height)
            ax = figure.add_axes(place)
            cohort.draw(ax, sample, population, size=4.5, names=False)
            lowest = i + COLUMNS >= len(samples)
            _tick(ax, cohort, sample, population, across=lowest, up=column == 0)
            _head(ax, cohort, sample, population, by)
        view = cohort.view(population)
        parent = printable(cohort.template.by_name[population].parent, limit=24)
        title = f"{printable(population, limit=30)} of {parent}"
        figure.text(2 * MM / width, 1 - 2 * MM / height, title, size=8, weight="bold", va="top")
        figure.text(1 - 2 * MM / width, 1 - 2 * MM / height, number, size=6, color=GREY, ha="right", va="top")
        axes = f"{printable(view.x, limit=24)} across" + (f", {printable(view.y, limit=24)} up" if view.y else "")
        caption = (
            f"{axes}; sorted by {', '.join(by) or 'name'}. Black: final gate; dotted: own cut where it differs; dashed: set by a "
            "person; framed: flagged. Percentages are of the parent; ≈ read from the histogram."
        )
        add_footer(figure, caption, simulated=cohort.simulated)
    return figure


def _tick(ax: Axes, cohort: GatedCohort, sample: str, population: str, *, across: bool, up: bool) -> None:
    view = cohort.densities[sample].get(population)
    ax.tick_params(labelsize=4, pad=1, length=1.5, width=0.4)
    for axis, scale, shown in zip((ax.xaxis, ax.yaxis), cohort.scales(population), (across, up), strict=True):
        # A tick costs as much as a tile's picture; those at the edge of the page serve for all.
        if shown and view is not None:
            scale.draw(axis, size=4, minor=False)
        else:
            axis.set_ticks([])


def _head(ax: Axes, cohort: GatedCohort, sample: str, population: str, by: tuple[str, ...]) -> None:
    """Write two lines above a tile: the sample and its place in the order, then the share and what is to be said of it."""
    where = " ".join(printable(str(cohort.adata.obs.at[sample, name]), limit=10) for name in by)
    name = printable(sample, limit=22 if len(where) < 8 else 18)
    flags = cohort.warnings(sample, population)
    manual = "manual" if cohort.manual(sample, population) else ""
    second = " ".join(filter(None, [cohort.share(sample, population), manual, *flags[:1]]))
    above: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "annotation_clip": False,
        "size": 4.3,
    }
    ax.annotate(name, (0, 1), (0, 7), color=INK, **above)
    ax.annotate(where, (1, 1), (0, 7), color=GREY, ha="right", **above)
    ax.annotate(printable(second, limit=34), (0, 1), (0, 1.5), color=INK, weight="bold" if flags else "normal", **above)
