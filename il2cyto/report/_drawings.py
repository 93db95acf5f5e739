"""The figures of an analysis as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import pl as pictures
from il2cyto._keys import Obs
from il2cyto.pl._labels import interval_text
from il2cyto.pl._theme import add_footer, printable
from il2cyto.pl._trial import PANELS
from il2cyto.report._figures import response_correlation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.figure import Figure

    from il2cyto.analysis import Analysis

KINDS: Final = ("svg", "pdf", "png")


def draw_figures(analysis: Analysis, folder: Path, *, cohorts: Mapping[str, AnnData] | None = None) -> Iterator[Path]:
    """Draw what an analysis found into ``figures/``, each as SVG, PDF and PNG.

    Parameters
    ----------
    analysis
        From :func:`il2cyto.analysis.analyse`.
    folder
        The folder of results.
    cohorts
        Name to put behind the files -> cohort object; its courses are ``dynamics``, by arm, and ``dynamics-response``.

    Yields
    ------
    The files. A figure whose table the analysis does not have is left out.
    """
    for suffix, adata in (cohorts or {}).items():
        for name, figure in _courses(adata, analysis):
            yield from _saved(f"{name}{suffix}", figure, folder)
    for name, figure in _figures(analysis):
        yield from _saved(name, figure, folder)


def _courses(adata: AnnData, done: Analysis) -> Iterator[tuple[str, Figure]]:
    """Courses of the populations by arm, and their twin by response."""
    contrasts = _of_parent(done)
    mine = None if contrasts is None else contrasts.filter(pl.col("population").is_in(list(adata.var_names)))
    yield "dynamics", pictures.dynamics(adata, contrasts=mine)
    if Obs.RESPONSE in adata.obs and adata.obs[Obs.RESPONSE].nunique() > 1:
        yield "dynamics-response", pictures.dynamics(adata, group=Obs.RESPONSE)


def _figures(done: Analysis) -> Iterator[tuple[str, Figure]]:
    """Pictures that the tables alone give."""
    trial, tables = done.inputs.trial, done.tables
    arms, level = done.inputs.arms or None, done.inputs.settings.level
    drawn = [t for n in ("binary_endpoints", "continuous_endpoints") if (t := tables.get(n)) is not None]
    if any(table["endpoint"].is_in(list(PANELS)).any() for table in drawn):
        yield (
            "endpoints",
            pictures.trial_endpoints(
                tables, treatment_weeks=trial.treatment_weeks, arms=arms, level=level, simulated=trial.simulated
            ),
        )
    if (flow := tables.get("consort")) is not None:
        yield "consort", pictures.consort(flow, arms=arms, simulated=trial.simulated)
    if (pairs := tables.get("response_pairs")) is not None:
        yield "correlation", response_correlation(pairs, arms=arms, simulated=trial.simulated)
    contrasts = _of_parent(done)
    if contrasts is None or not contrasts.height:
        return
    for name, own in contrasts.group_by("contrast", maintain_order=True):
        suffix = "" if contrasts["contrast"].n_unique() == 1 else f"-{_plain_name(str(name[0]))}"
        at = done.inputs.primary or done.inputs.after[-1]
        forest = pictures.forest(own.filter(visit=at)).figure.get_figure(root=True)
        with pictures.theme():
            compared = printable(str(name[0]).replace(" - ", " v "))
            caption = f"Odds ratio with its {interval_text('ci', level)} at {printable(at)}, {compared}; above 1: more in the former."
            add_footer(forest, caption, simulated=trial.simulated)
        yield f"forest{suffix}", forest
        yield f"effects{suffix}", pictures.effect_map(own, simulated=trial.simulated)


def _of_parent(done: Analysis) -> pl.DataFrame | None:
    """Contrasts of the mixed model with each population's own denominator."""
    table = done.tables.get("population_contrasts")
    if table is None:
        return None
    parent = pl.col("population").replace_strict(dict(done.inputs.parents), return_dtype=pl.String)
    return table.filter(pl.col("denominator") == parent, pl.col("role") != "sensitivity")


def _saved(name: str, figure: Figure, folder: Path) -> Iterator[Path]:
    for kind in KINDS:
        yield pictures.save_figure(figure, folder / "figures" / f"{name}.{kind}")


def _plain_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-+." else "_" for letter in text)
