"""Put what is known of subjects and visits beside their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto._keys import Obs
from il2cyto._tidy import panels
from il2cyto.clinical._course import need
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from anndata import AnnData

    from il2cyto.clinical._endpoints import Endpoints

_KEY: Final = [Obs.SUBJECT, Obs.VISIT]
_STATUS: Final = ("non-responder", "responder")
_SETS: Final = (Obs.ITT, Obs.MITT, Obs.SAFETY)
#: Columns of the visit table that become columns of obs, beside the continuous endpoints.
_VISIT_COLUMNS: Final = (
    *(Obs.STUDY_DAY, Obs.PREDNISONE_MG, Obs.ALBUMIN_G_L, Obs.UPE_G_24H, Obs.UPCR_G_G, Obs.CREATININE_UMOL_L, Obs.EGFR),
    *(Obs.C3_G_L, Obs.C4_G_L, Obs.DSDNA_IU_ML, Obs.WBC_1E9_L, Obs.PLATELETS_1E9_L, Obs.LYMPHOCYTES_1E9_L),
)


def join(
    adata: AnnData,
    endpoints: Endpoints | None = None,
    *,
    sets: pl.DataFrame | None = None,
    visits: pl.DataFrame | None = None,
    primary_visit: str | None = None,
    endpoint: str = "sri4",
) -> AnnData:
    """Copy a cohort object and add clinical columns to its obs, by subject and visit.

    Parameters
    ----------
    adata
        The cohort, samples × populations; it is left as it is.
    endpoints
        From :func:`endpoints`: a column for each, named like it; binary ones Boolean with NA, continuous ones float64.
    sets
        From :func:`analysis_sets`: `itt`, `mitt`, `safety`.
    visits
        The visit table: `study_day` and laboratory values.
    primary_visit
        Visit of the study's primary endpoint, ``study.primary.visit``: `response` and `responder` are the subject's
        status there, at each of the subject's samples.
    endpoint
        The primary endpoint.

    Returns
    -------
    A copy with the columns added, replaced where they were there already. A sample whose subject or visit a table
    lacks, and a subject outside an endpoint's population, has NA or NaN.

    Raises
    ------
    StudyError
        `primary_visit` is not a visit of the endpoint.

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> from il2cyto import clinical, datasets, io
    >>> study = io.read_study(datasets.sample_data_path())
    >>> found = clinical.endpoints(io.read_clinical(study), study.clinical)
    >>> cohort = AnnData(obs=pd.DataFrame({"subject": ["SIM-001"], "visit": ["W0"]}, index=["SIM-001_W0"]))
    >>> joined = clinical.join(cohort, found, primary_visit="W12")
    >>> float(joined.obs["sledai"].iloc[0]), bool(joined.obs["responder"].iloc[0])
    (20.0, False)
    """
    if not hasattr(adata, "obs"):
        panels(adata)  # says what it is, and how to get a cohort object
    adata = adata.copy()
    samples = pl.DataFrame({key: [str(value) for value in adata.obs[key]] for key in _KEY})
    for table in _tables(endpoints, sets, visits, primary_visit, endpoint):
        keys = [key for key in _KEY if key in table.columns]
        text = table.with_columns(pl.col(keys).cast(pl.String))
        joined = samples.join(text, on=keys, how="left", maintain_order="left").drop(_KEY)
        for column in joined.iter_columns():
            adata.obs[column.name] = _to_pandas(column)
    return adata


def _tables(
    endpoints: Endpoints | None,
    sets: pl.DataFrame | None,
    visits: pl.DataFrame | None,
    primary_visit: str | None,
    endpoint: str,
) -> Iterator[pl.DataFrame]:
    """Tables keyed by subject, or by subject and visit, whose other columns are those of obs."""
    if sets is not None:
        need(sets, (Obs.SUBJECT, *_SETS), table="analysis sets", purpose="join")
        yield sets.select(Obs.SUBJECT, *_SETS)
    if visits is not None:
        yield visits.select(*_KEY, *(name for name in _VISIT_COLUMNS if name in visits.columns))
    if endpoints is None:
        return
    for frame in (endpoints.continuous, endpoints.binary):
        if frame.height:
            yield frame.pivot("endpoint", index=_KEY, values="value")
    if primary_visit is not None:
        yield _response(endpoints.binary, primary_visit, endpoint)


def _response(binary: pl.DataFrame, visit: str, endpoint: str) -> pl.DataFrame:
    at = binary.filter(pl.col("visit").cast(pl.String) == visit, pl.col("endpoint") == endpoint)
    if at.is_empty():
        visits = binary.filter(pl.col("endpoint") == endpoint)["visit"].cast(pl.String).unique(maintain_order=True)
        msg = f"join: no {endpoint} at visit {visit!r}; it is there at {', '.join(visits) or 'no visit'}"
        raise StudyError(msg)
    status = pl.col("value")
    no, yes = (pl.lit(word) for word in _STATUS)
    words = pl.when(status).then(yes).when(~status).then(no)
    return at.select(Obs.SUBJECT, words.alias(Obs.RESPONSE), status.alias(Obs.RESPONDER))


def _to_pandas(column: pl.Series) -> pd.api.extensions.ExtensionArray | np.ndarray:
    import pandas as pd

    if column.dtype == pl.String:
        return pd.Categorical(column.to_list(), categories=list(_STATUS))
    if column.dtype.is_float():
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return pd.array(column.to_list(), dtype="boolean" if column.dtype == pl.Boolean else "Int64")
