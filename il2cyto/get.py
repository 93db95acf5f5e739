"""Tidy polars frames out of a cohort object (see docs/schema.md): one row per fact, text as text, missing as NaN.

Every function takes the AnnData of one panel or a MuData of several; frames of several panels are stacked, and the
column `panel` tells them apart.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._absent import absent_of
from il2cyto._absolute import absolute_counts
from il2cyto._composition import split
from il2cyto._drift import drift_of
from il2cyto._intervals import wilson
from il2cyto._keys import Layers, Obs, Obsm, Uns, Var
from il2cyto._populations import ancestors, require_populations
from il2cyto._share import share
from il2cyto._tidy import LegendRow, each_sample, flag_legend, flag_names, panels, plain, sample_columns, stack
from il2cyto.errors import PopulationError, SchemaError
from il2cyto.io._templates import parse_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto._tidy import Panels
    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]

__all__ = [
    "absent_markers",
    "absolute_counts",
    "complete_cases",
    "composition",
    "cut_drift",
    "cuts",
    "flags",
    "frequencies",
    "results",
    "template",
]

_log = logging.getLogger("il2cyto")


def __dir__() -> list[str]:
    return __all__


_SAMPLE_COLUMNS = (Obs.SUBJECT, Obs.VISIT, Obs.WEEK, Obs.ARM, Obs.PANEL)
_CUT_SLOTS = {"value": Obsm.CUTS, "proposal": Obsm.CUTS_RAW, "spread": Obsm.CUTS_SPREAD, "flags": Obsm.CUT_FLAG}


def frequencies(
    data: AnnData | Panels, *, populations: Sequence[str] | None = None, denominator: str | None = None
) -> pl.DataFrame:
    """Frequency of each population in each sample, with its counts, interval and flags.

    Parameters
    ----------
    data
        Cohort object.
    populations
        Which ones; all if None, or with a denominator all below it.
    denominator
        Divide by the events of this population in place of the parent's; it has to be an ancestor.

    Returns
    -------
    One row per sample and population, samples in the order of the object: `sample subject visit week arm panel
    population parent count parent_count frequency ci_low ci_high flags`. `parent` is what `frequency` (0-1) is a
    fraction of. The interval is Wilson's at 95 %: it covers the counting of events, not the placing of gates. Where the
    object calls a population not evaluable, or the denominator is missing or empty, `frequency` and its limits are NaN.
    `flags` are names joined by ";". `visit` and `arm` are ordered (Enum); a column the object lacks is null.

    Raises
    ------
    PopulationError
        A population is not in the object, or not below the denominator.
    SchemaError
        A flag bit has no row in the object's legend.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.frequencies(adata, populations=["Treg"], denominator="T").columns[-4:]
    ['frequency', 'ci_low', 'ci_high', 'flags']
    """
    for named in (populations or (), (denominator,) if denominator else ()):
        require_populations(_all_populations(data), named, caller="get.frequencies")
    return stack(data, lambda adata: _frequencies(adata, populations, denominator))


def complete_cases(adata: AnnData, *, populations: Sequence[str] | None = None, visit: str | None = None) -> AnnData:
    """Take the samples in which every population is evaluable: what scanpy's methods need, which cannot take NaN.

    Samples that are left out are named in the log.

    Parameters
    ----------
    adata
        Cohort object.
    populations
        Which ones; all if None.
    visit
        Samples of this visit only; of all visits if None.

    Returns
    -------
    A copy: its X and layers are those of the object.

    Raises
    ------
    PopulationError
        A population is not in the object.
    SchemaError
        There is no such visit, or no sample is complete.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.complete_cases(adata, populations=["CD4", "CD8"], visit="W12").shape
    (2, 2)
    """
    panels(adata)
    names = list(adata.var_names if populations is None else populations)
    require_populations(adata.var_names, names, caller="get.complete_cases")
    visits = adata.obs[Obs.VISIT].astype(str)
    if visit is not None and not (visits == visit).any():
        msg = f"get.complete_cases: no sample of visit {visit!r}; visits: {', '.join(sorted(set(visits)))}."
        raise SchemaError(msg)
    part = adata[(visits == (visits if visit is None else visit)).to_numpy(), names]
    whole = np.isfinite(np.asarray(part.X)).all(axis=1)
    if not whole.any():
        never = part.var_names[~np.isfinite(np.asarray(part.X)).any(axis=0)]
        without = f"; none has {', '.join(never)}" if part.n_obs and len(never) else ""
        msg = f"get.complete_cases: none of {part.n_obs} samples has all of {', '.join(names)}{without}; name fewer populations."
        raise SchemaError(msg)
    if not whole.all():
        _log.warning("complete cases: not evaluable, left out: %s", ", ".join(part.obs_names[~whole]))
    return part[whole].copy()


def composition(data: AnnData | Panels, parent: str) -> pl.DataFrame:
    """Split a population: its children and the rest, which add up to it in every sample.

    Samples in which the parent or a child is not evaluable are left out and named in the log.

    Parameters
    ----------
    data
        Cohort object.
    parent
        A population with children in the object.

    Returns
    -------
    `sample subject visit week arm panel population parent count parent_count frequency`; the rest, parent - sum of
    children, is the population `other` (`{parent}_other` if a child has that name). `frequency` is 0-1, NaN where the
    parent is empty.

    Raises
    ------
    PopulationError
        The parent has no children here, or they overlap: their sum exceeds it in some sample.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> parts = get.composition(adata, "NK")
    >>> parts["population"].unique().sort().to_list()
    ['CD16pos', 'CD56bright', 'other']
    """
    require_populations(_all_populations(data), [parent], caller="get.composition")
    return stack(data, lambda adata: _composition(adata, parent))


def cuts(data: AnnData | Panels) -> pl.DataFrame:
    """Every fitted cut in every sample, with the legend of the cuts.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per sample and cut: the sample's columns as in `frequencies`, `batch`, the columns of
    `uns["il2cyto"]["cuts"]` (`cut population channel marker coordinate ...`), then `value` (final), `proposal` (this
    file's own, NaN if none was found), `spread`, all in the gate's transformed coordinate, and `flags`.
    """
    return stack(data, _cuts)


def cut_drift(data: AnnData | Panels) -> pl.DataFrame:
    """Every fitted cut batch by batch, bridging controls beside the samples.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per number of a gate and batch, batches in the order of their names, which should be that of the runs: `panel population
    coordinate batch samples own own_mad final controls control_own control_final shift`. `own` and `final` are medians over the
    batch's samples, `own_mad` is 1.4826 times their median absolute deviation, `control_own` and `control_final` are medians over its
    bridging controls, `shift` is how far `own` lies from the median of the batches. NaN where there is no such cut.
    """
    return stack(data, lambda adata: drift_of(adata, _cuts(adata)))


def flags(data: AnnData | Panels) -> pl.DataFrame:
    """List every flag of every population: `sample population flag severity meaning`, one row per flag that is set.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.flags(adata).columns
    ['sample', 'population', 'flag', 'severity', 'meaning']
    """
    return stack(data, _flags)


def absent_markers(data: AnnData | Panels) -> pl.DataFrame:
    """List the markers and channels of the gating template that samples lack, and what that does.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per panel and marker: `panel marker absent samples passed lost`. `absent` of `samples` lack it; `passed` names the gates
    that are then passed through (flag MISSING_PASS), `lost` the populations that cannot be evaluated (CHANNEL_MISSING), joined by
    ";". No rows where every sample has every marker, or the object does not say which channels its files have.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> get.absent_markers(datasets.toy_trial(subjects=2)).row(0)
    ('tnk', 'lineage', 6, 6, 'NK_lineage', '')
    """
    return stack(data, lambda adata: absent_of(adata, template(adata)))


def template(adata: AnnData) -> GatingTemplate:
    """Give the gating template that an object was gated with; its text travels with the object.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.template(adata).name
    'tnk'
    """
    if Uns.IL2CYTO not in getattr(adata, "uns", ()):
        panels(adata)  # says what it is, and how to get a cohort object
    return parse_template(str(adata.uns[Uns.IL2CYTO][Uns.TEMPLATE]["source"]))


def results(adata: AnnData, key: str) -> pl.DataFrame:
    """Results that a function of `tl` left in the object.

    Parameters
    ----------
    adata
        Cohort object.
    key
        The `key_added` of that function: all of its contrasts, stacked, with a column `contrast`. Or one
        `varm` key, `{key_added}_{contrast}`.

    Returns
    -------
    `population` and the columns of the result, or the frame in `uns[key]["results"]`.

    Raises
    ------
    SchemaError
        Nothing is stored under the key; the message names what is.
    """
    if key in adata.varm:
        return plain(adata.varm[key], index=Var.POPULATION)
    contrasts = [name for name in adata.varm if _owner(adata, name) == key]
    if contrasts:
        frames = [plain(adata.varm[name], index=Var.POPULATION) for name in contrasts]
        return pl.concat(
            frame.insert_column(1, pl.Series("contrast", [name.removeprefix(f"{key}_")] * frame.height))
            for name, frame in zip(contrasts, frames, strict=True)
        )
    stored = adata.uns.get(key)
    if isinstance(stored, Mapping) and "results" in stored:
        return plain(stored["results"], index=stored["results"].index.name)
    there = sorted({*adata.varm, *(k for k, v in adata.uns.items() if isinstance(v, Mapping) and "results" in v)})
    msg = f"get.results: nothing stored under {key!r}; stored: {', '.join(there) or 'no results'}. Run its tl function."
    raise SchemaError(msg)


def _frequencies(adata: AnnData, populations: Sequence[str] | None, denominator: str | None) -> pl.DataFrame:
    names = _selected(adata, populations, denominator)
    part = adata[:, names]
    count = _layer(part, Layers.COUNTS)
    if denominator is None:
        parent, total = [str(name) for name in part.var[Var.PARENT]], _layer(part, Layers.PARENT_COUNTS)
        frequency = np.asarray(part.X, np.float64)
    else:
        parent = [denominator] * len(names)
        total = np.broadcast_to(_layer(adata[:, [denominator]], Layers.COUNTS), count.shape)
        frequency = share(count, total)
    # parent_counts stand where a fraction is not evaluable; its interval must not.
    low, high = wilson(np.where(np.isnan(frequency), np.nan, count), total)
    return _long(adata, names, parent).with_columns(
        pl.Series("count", count.ravel()),
        pl.Series("parent_count", total.ravel()),
        pl.Series("frequency", frequency.ravel()),
        pl.Series("ci_low", low.ravel()),
        pl.Series("ci_high", high.ravel()),
        flag_names(np.asarray(part.layers[Layers.FLAG]), flag_legend(adata)),
    )


def _selected(adata: AnnData, populations: Sequence[str] | None, denominator: str | None) -> list[str]:
    # With several panels each of them holds a part of the populations that were asked for.
    names = [name for name in (adata.var_names if populations is None else populations) if name in adata.var_names]
    if denominator is None:
        return names
    above = {name: ancestors(adata, name) for name in names}
    outside = [name for name in names if denominator not in above[name]]
    if populations is not None and outside:
        allowed = "; ".join(f"{name}: {', '.join(above[name]) or 'none'}" for name in outside)
        msg = f"get.frequencies: {denominator!r} does not contain all of the populations; allowed is {allowed}."
        raise PopulationError(msg)
    return [name for name in names if name not in outside]


def _composition(adata: AnnData, parent: str) -> pl.DataFrame:
    names, count, total = split(adata, parent, caller="get.composition")
    whole = np.isfinite(count).all(axis=1)
    if not whole.all():
        _log.warning("composition of %s: not evaluable, left out: %s", parent, ", ".join(adata.obs_names[~whole]))
    count, total = count[whole], np.broadcast_to(total, count.shape)[whole]
    return _long(adata[whole], names, [parent] * len(names)).with_columns(
        pl.Series("count", count.ravel()),
        pl.Series("parent_count", total.ravel()),
        pl.Series("frequency", share(count, total).ravel()),
    )


def _cuts(adata: AnnData) -> pl.DataFrame:
    legend = plain(adata.uns[Uns.IL2CYTO][Uns.CUTS].loc[adata.obsm[Obsm.CUTS].columns], index="cut")
    # The legend's own panel column, where there is one, says the same as the sample's.
    samples = sample_columns(adata, *_SAMPLE_COLUMNS, Obs.BATCH)
    slots = {name: adata.obsm[key][legend["cut"].to_list()].to_numpy() for name, key in _CUT_SLOTS.items()}
    masks = slots.pop("flags")
    return each_sample(samples, legend.drop(Obs.PANEL, strict=False)).with_columns(
        *(pl.Series(name, values.ravel()) for name, values in slots.items()),
        flag_names(masks, flag_legend(adata)),
    )


def _flags(adata: AnnData) -> pl.DataFrame:
    legend = flag_legend(adata)
    masks = np.asarray(adata.layers[Layers.FLAG])
    flag_names(masks, legend)
    samples, names = sample_columns(adata)[Obs.SAMPLE], list(adata.var_names)
    rows = [
        (samples[int(i)], names[j], *legend[bit])
        for i, j in np.argwhere(masks)
        for bit in sorted(legend)
        if masks[i, j] >> bit & 1
    ]
    columns = (Obs.SAMPLE, Var.POPULATION, *LegendRow._fields)
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _owner(adata: AnnData, varm_key: str) -> str:
    """Find the `key_added` in `{key_added}_{contrast}`: both may hold underscores, so ask which keys have parameters."""
    owners = [key for key, value in adata.uns.items() if isinstance(value, Mapping) and varm_key.startswith(f"{key}_")]
    return max(owners, key=len, default="")


def _long(adata: AnnData, names: Sequence[str], parents: Sequence[str]) -> pl.DataFrame:
    populations = pl.DataFrame(
        {Var.POPULATION: names, Var.PARENT: parents}, schema=dict.fromkeys((Var.POPULATION, Var.PARENT), pl.String)
    )
    return each_sample(sample_columns(adata, *_SAMPLE_COLUMNS), populations)


def _layer(adata: AnnData, key: str) -> FloatArray:
    return np.asarray(adata.layers[key], np.float64)


def _all_populations(data: AnnData | Panels) -> list[str]:
    return list(dict.fromkeys(name for adata in panels(data) for name in adata.var_names))
