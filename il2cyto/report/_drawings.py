"""The figures of an analysis as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import pl as pictures
from il2cyto._keys import Obs
from il2cyto.pl._theme import add_footer, printable
from il2cyto.pl._trial import PANELS

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
    pairs = changes_in_pairs(done)
    if pairs is not None:
        yield "correlation", pictures.correlation(pairs, arms=arms, simulated=trial.simulated)
    contrasts = _of_parent(done)
    if contrasts is None or not contrasts.height:
        return
    for name, own in contrasts.group_by("contrast", maintain_order=True):
        suffix = "" if contrasts["contrast"].n_unique() == 1 else f"-{_plain_name(str(name[0]))}"
        at = done.inputs.primary or done.inputs.after[-1]
        forest = pictures.forest(own.filter(visit=at)).figure.get_figure(root=True)
        with pictures.theme():
            compared = printable(str(name[0]).replace(" - ", " v "))
            caption = f"Odds ratio with its {100 * level:g} % interval at {printable(at)}, {compared}; above 1: more in the former."
            add_footer(forest, caption, simulated=trial.simulated)
        yield f"forest{suffix}", forest
        yield f"effects{suffix}", pictures.effect_map(own, simulated=trial.simulated)


def changes_in_pairs(done: Analysis) -> pl.DataFrame | None:
    """Change of each population on treatment beside the later change of SLEDAI, subject by subject.

    Parameters
    ----------
    done
        An analysis.

    Returns
    -------
    `population subject arm x y`: x is the change of the log odds from baseline to the last visit before the primary one, y
    that of SLEDAI from baseline to the primary visit. None where a visit or SLEDAI is missing, or no subject has both.
    """
    inputs = done.inputs
    order = list(inputs.after)
    if done.endpoints is None or inputs.baseline is None or inputs.primary not in order[1:]:
        return None
    early = order[order.index(inputs.primary) - 1]
    logit = ((pl.col("count") + 0.5) / (pl.col("parent_count") - pl.col("count") + 0.5)).log()
    parent = pl.col("population").replace_strict(dict(inputs.parents), default=None, return_dtype=pl.String)
    own = inputs.frequencies.filter(pl.col("parent") == parent, pl.col("frequency").is_finite())
    x = _change(own.with_columns(value=logit), ["population", "subject", "arm"], inputs.baseline, early, "x")
    sledai = done.endpoints.continuous.filter(pl.col("endpoint") == "sledai")
    y = _change(sledai, ["subject"], inputs.baseline, inputs.primary, "y")
    pairs = x.join(y, on="subject", maintain_order="left").drop_nulls(["x", "y"])
    return pairs if pairs.height else None


def _change(rows: pl.DataFrame, keys: list[str], first: str, last: str, name: str) -> pl.DataFrame:
    """Mean value at one visit minus that at another."""
    visit = pl.col("visit").cast(pl.String)
    at = [
        pl.col("value").filter(visit == when).mean().alias(column)
        for when, column in ((first, "first"), (last, "last"))
    ]
    text = rows.with_columns(pl.col(*keys).cast(pl.String))
    changed = (
        text.group_by(keys, maintain_order=True).agg(*at).with_columns((pl.col("last") - pl.col("first")).alias(name))
    )
    return changed.select(*keys, name)


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
