"""Cells per µL of blood: from counting beads, from the acquired volume, or from the blood count of a second instrument.

One sample has one method; which one it was stands in obs. Numbers of different methods are never compared: see
:func:`il2cyto.get.absolute_counts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pandas as pd
import polars as pl

from il2cyto._keys import LYMPHOCYTES, Layers, Obs
from il2cyto._populations import ancestors
from il2cyto._share import share
from il2cyto._tidy import panels
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto.batch import GatedBatch

Fraction = TypeVar("Fraction", "npt.NDArray[np.float64]", pl.Expr)
BEADS, VOLUMETRIC, DUAL_PLATFORM = METHODS = ("beads", "volumetric", "dual_platform")
#: So many beads are counted to 14 %; fewer give no number.
LEAST_BEADS: Final = 50
#: 1e9 cells per litre are 1000 per µL; 1 µL is 1000 nl.
_THOUSAND: Final = 1000.0


def add_absolute_counts(adata: AnnData, batch: GatedBatch, rows: pl.DataFrame) -> None:
    """Add ``cells_per_ul`` and ``count_method`` where the sheet or the file says enough for at least one sample.

    In this order: the sheet's `beads_per_ul` where the template names its beads, cells / beads · beads_per_ul; the sheet's
    `dilution` where the file has `$VOL` (nl), cells / volume · dilution; the sheet's `lymphocytes_1e9_l`, times the fraction
    of lymphocytes.
    """
    sheet = {row["sample"]: row for row in rows.iter_rows(named=True)}
    methods: list[str | None] = []
    factors = np.full(adata.n_obs, np.nan)
    for i, result in enumerate(batch.results):
        row, volume = sheet[result.sample], batch.facts[result.sample].volume_nl
        beads = None if batch.template.beads is None else result.counts[batch.template.beads]
        method, factors[i] = _of_tube(row, volume, beads)
        methods.append(method)
    _store(
        adata, methods, factors, {i: sheet[name].get(Obs.LYMPHOCYTES_1E9_L) for i, name in enumerate(adata.obs_names)}
    )


def add_blood_counts(adata: AnnData, visits: pl.DataFrame) -> AnnData:
    """Copy a cohort object and count the samples that have no absolute count by the blood count of their visit.

    Parameters
    ----------
    adata
        Cohort object; it is left as it is.
    visits
        Table of visits, see :func:`il2cyto.io.read_clinical`: subject, visit, `lymphocytes_1e9_l` (1e9 cells per litre).

    Returns
    -------
    A copy in which such samples have `cells_per_ul` = blood count · 1000 · fraction of `lymphocytes`, and the method
    ``dual_platform``. NaN for populations that are no part of the lymphocytes. A sample without a blood count stays without.

    Raises
    ------
    StudyError
        If a subject has two rows at a visit.
    """
    if not hasattr(adata, "obs"):
        panels(adata)  # says what it is, and how to get a cohort object
    adata = adata.copy()
    counts = {(subject, visit): count for subject, visit, count in blood_counts(visits).iter_rows()}
    if not counts:
        return adata
    keys = zip(adata.obs[Obs.SUBJECT].astype(str), adata.obs[Obs.VISIT].astype(str), strict=True)
    known = Layers.CELLS_PER_UL in adata.layers
    methods = [None if pd.isna(name) else str(name) for name in adata.obs[Obs.COUNT_METHOD]] if known else None
    _store(
        adata,
        methods or [None] * adata.n_obs,
        np.full(adata.n_obs, np.nan),
        {i: counts.get(k) for i, k in enumerate(keys)},
    )
    return adata


def blood_counts(visits: pl.DataFrame) -> pl.DataFrame:
    """Take `subject visit lymphocytes_1e9_l` of the visits that have a blood count; a second row of a visit is an error."""
    if Obs.LYMPHOCYTES_1E9_L not in visits.columns:
        return pl.DataFrame(schema={Obs.SUBJECT: pl.String, Obs.VISIT: pl.String, Obs.LYMPHOCYTES_1E9_L: pl.Float64})
    table = visits.select(pl.col(Obs.SUBJECT, Obs.VISIT).cast(pl.String), Obs.LYMPHOCYTES_1E9_L).drop_nulls()
    if table.select(Obs.SUBJECT, Obs.VISIT).is_duplicated().any():
        msg = "visits: a subject has two rows at a visit; keep one, so that each sample has one blood count"
        raise StudyError(msg)
    return table


def by_blood_count(fraction: Fraction, blood: Fraction | float) -> Fraction:
    """Cells per µL, from a fraction of lymphocytes and the lymphocytes in 1e9 per litre."""
    return fraction * blood * _THOUSAND


def _of_tube(row: Mapping[str, Any], volume: float | None, beads: float | None) -> tuple[str | None, float]:
    """The method that the tube itself allows, and the cells per µL for which one counted cell stands."""
    if beads is not None and row.get("beads_per_ul"):
        return BEADS, row["beads_per_ul"] / beads if beads >= LEAST_BEADS else np.nan
    if volume is not None and row.get("dilution"):
        return VOLUMETRIC, row["dilution"] * _THOUSAND / volume
    return None, np.nan


def _store(
    adata: AnnData, methods: list[str | None], factors: npt.NDArray[np.float64], blood: Mapping[int, float | None]
) -> None:
    """Count by the factors; where a sample has no method, by its blood count. Nothing is stored if no sample has any."""
    counts = np.asarray(adata.layers[Layers.COUNTS], np.float64)
    here = adata.layers.get(Layers.CELLS_PER_UL)
    cells = counts * factors[:, None] if here is None else np.array(here, np.float64)
    if LYMPHOCYTES in adata.var_names:
        among = [name == LYMPHOCYTES or LYMPHOCYTES in ancestors(adata, name) for name in adata.var_names]
        total = counts[:, adata.var_names.get_loc(LYMPHOCYTES)]
        for i, count in blood.items():
            if methods[i] is None and count is not None:
                fraction = share(counts[i], np.full(adata.n_vars, total[i]))
                methods[i], cells[i] = DUAL_PLATFORM, np.where(among, by_blood_count(fraction, count), np.nan)
    if any(methods):
        adata.layers[Layers.CELLS_PER_UL] = cells
        adata.obs[Obs.COUNT_METHOD] = pd.Categorical(methods, categories=[m for m in METHODS if m in methods])
