"""The cohort object: fractions, counts and flags, with what is known of samples and populations."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import Layers, Obs, Uns
from il2cyto._share import share
from il2cyto.cohort._absolute import add_absolute_counts
from il2cyto.cohort._obs import sample_columns
from il2cyto.cohort._uns import add_cuts, add_medians, study_facts
from il2cyto.cohort._var import population_columns
from il2cyto.gt._flags import Flag

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    import polars as pl
    from anndata import AnnData

    from il2cyto.batch import GatedBatch
    from il2cyto.gt import GateResult
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]


def build_cohort(batch: GatedBatch, study: Study, rows: pl.DataFrame, *, panel: str, source: str) -> AnnData:
    """Put a gated batch and the study's columns into one AnnData, samples × reported populations.

    Parameters
    ----------
    batch
        The gated files of one panel.
    study
        The study they belong to.
    rows
        Their rows of the sample sheet.
    panel
        The panel's name.
    source
        Text of the template file, kept with the results.

    Returns
    -------
    The cohort object of docs/schema.md: ``X`` is the fraction of the parent (0-1), NaN where a population could not be
    evaluated.
    """
    from anndata import AnnData

    results, template = batch.results, batch.template
    names = [p.name for p in template.reported]
    counts, parents = (_matrix(results, names, field) for field in ("counts", "parent_counts"))
    flags = np.array([[r.flags[name] for name in names] for r in results], dtype=np.int32).reshape(counts.shape)
    fraction = share(counts, parents)
    obs = sample_columns(batch, study, rows, panel)
    flags |= _discordant(fraction, parents, obs)
    adata = AnnData(
        X=fraction,
        obs=obs,
        var=population_columns(template, panel),
        layers={
            Layers.COUNTS: counts,
            Layers.CUT_HIGH: _matrix(results, names, "high"),
            Layers.CUT_LOW: _matrix(results, names, "low"),
            Layers.FLAG: flags,
            Layers.FREQ_OF_TOTAL: _of_total(counts, names, template),
            Layers.PARENT_COUNTS: parents,
        },
        uns={Uns.IL2CYTO: study_facts(batch, study, source)},
    )
    add_cuts(adata, batch)
    add_medians(adata, batch)
    add_absolute_counts(adata, batch, rows)
    return adata


def _matrix(results: tuple[GateResult, ...], names: list[str], field: str) -> FloatArray:
    values = [[getattr(result, field)[name] for name in names] for result in results]
    return np.array(values, dtype=np.float64).reshape(len(results), len(names))


def _of_total(counts: FloatArray, names: list[str], template: GatingTemplate) -> FloatArray:
    if template.total is None or template.total not in names:
        return np.full(counts.shape, np.nan)
    return share(counts, np.broadcast_to(counts[:, [names.index(template.total)]], counts.shape))


def _discordant(fraction: FloatArray, parents: FloatArray, obs: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Flag replicates of one subject, visit and panel whose fractions differ by > 3 binomial standard errors and > 20 %."""
    flags = np.zeros(fraction.shape, dtype=np.int32)
    keys = [Obs.SUBJECT, Obs.VISIT]
    groups = obs.reset_index(drop=True).groupby(keys, observed=True).indices if len(obs) else {}
    for members in groups.values():
        for i, j in itertools.combinations(members, 2):
            a, b = fraction[i], fraction[j]
            with np.errstate(invalid="ignore", divide="ignore"):
                error = np.sqrt(a * (1 - a) / parents[i] + b * (1 - b) / parents[j])
                apart = (np.abs(a - b) > 3 * error) & (np.abs(a - b) > 0.2 * (a + b) / 2)
            flags[i, apart] |= Flag.DISCORDANT_REPLICATE
            flags[j, apart] |= Flag.DISCORDANT_REPLICATE
    return flags
