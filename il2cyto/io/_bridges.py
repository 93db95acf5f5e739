"""Cohort objects in the forms of other scverse packages: mudata, pertpy's compositions, ehrdata."""

from __future__ import annotations

import logging
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from il2cyto._composition import split
from il2cyto._keys import Obs, Uns
from il2cyto._populations import require_populations
from il2cyto.errors import IndependenceWarning, SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

_log = logging.getLogger("il2cyto")
_OF_SUBJECT = (Obs.ARM, Obs.RESPONSE, Obs.RESPONDER)


def to_mudata(cohorts: Mapping[str, AnnData]) -> Any:
    """Put the cohorts of several panels into one MuData, specimens × populations of each panel.

    Parameters
    ----------
    cohorts
        Panel -> cohort object.

    Returns
    -------
    ``mudata.MuData``. Its rows are specimens, ``{subject}_{visit}``; the name of the tube stays in each panel's
    ``obs["sample"]``. A panel that lacks a specimen has no row for it. `get` takes the result as it takes a cohort.

    Raises
    ------
    SchemaError
        A panel has several tubes of one specimen.
    """
    import mudata  # an extra

    panels, problems = {}, []
    for panel, adata in cohorts.items():
        adata = adata[adata.obs[Obs.SUBJECT].notna().to_numpy()].copy()
        names = adata.obs[Obs.SUBJECT].astype(str) + "_" + adata.obs[Obs.VISIT].astype(str)
        problems += [f"{panel}: {name}" for name in names[names.duplicated()].unique()]
        adata.obs[Obs.SAMPLE] = pd.Categorical(adata.obs_names)
        adata.obs_names = pd.Index(names.to_numpy())  # the frames in obsm follow
        adata.obs_names.name = "specimen"
        panels[panel] = adata
    if problems:
        msg = f"to_mudata: several tubes of {', '.join(problems)}; keep one replicate of each"
        raise SchemaError(msg)
    # mudata 0.3 would copy the panels' columns into the common obs; 0.4 has no such option and does not.
    apart = mudata.set_options(pull_on_update=False) if hasattr(mudata, "set_options") else nullcontext()
    with apart:
        return mudata.MuData(panels)


def to_composition(adata: AnnData, parent: str, *, visit: str | None = None) -> AnnData:
    """Make the counts of a population's children and the rest, as pertpy's scCODA takes them.

    Samples in which a count is not evaluable are left out and named in the log.

    Parameters
    ----------
    adata
        Cohort object.
    parent
        A population whose children exclude each other.
    visit
        Samples of this visit only. scCODA takes rows as independent: give one.

    Returns
    -------
    Whole counts (float64), samples × (children, ``other``), with the cohort's obs.

    Warns
    -----
    IndependenceWarning
        A subject has several samples.

    Raises
    ------
    PopulationError
        The parent is not there, has no children, or they overlap.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> adata = datasets.toy_trial(subjects=2)
    >>> list(io.to_composition(adata, "T", visit="W0").var_names)
    ['CD4', 'CD8', 'other']
    """
    from anndata import AnnData

    require_populations(adata.var_names, [parent], caller="to_composition")
    if visit is not None:
        adata = adata[(adata.obs[Obs.VISIT].astype(str) == visit).to_numpy()]
    names, count, _ = split(adata, parent, caller="to_composition")
    whole = np.isfinite(count).all(axis=1)
    if not whole.all():
        _log.warning("composition of %s: not evaluable, left out: %s", parent, ", ".join(adata.obs_names[~whole]))
    obs = adata.obs[whole].copy()
    warn_of_repeats(obs, "to_composition")
    simulated = {Uns.SIMULATED: bool(adata.uns[Uns.IL2CYTO][Uns.SIMULATED])}
    var = pd.DataFrame(index=pd.Index(names, name="population", dtype="str"))
    return AnnData(count[whole], obs=obs, var=var, uns={Uns.IL2CYTO: simulated})


def to_ehrdata(adata: AnnData) -> Any:
    """Make the cube subjects × populations × visits that ehrdata and ehrapy work on.

    Parameters
    ----------
    adata
        Cohort object.

    Returns
    -------
    ``ehrdata.EHRData``: obs one row a subject, with the columns that are constant within subjects; var that of the cohort;
    ``tem`` the visits in order, with their weeks; layer ``tem_data`` the fractions, NaN where there is no sample or no
    number. Replicates are averaged.

    Raises
    ------
    SchemaError
        Arm or response changes within a subject.
    """
    import ehrdata  # an extra

    adata = adata[adata.obs[Obs.SUBJECT].notna().to_numpy()]
    obs = adata.obs
    subject = obs[Obs.SUBJECT].astype(str)
    constant = [
        name for name in obs if name != Obs.SUBJECT and obs.groupby(subject)[name].nunique(dropna=False).max() == 1
    ]
    varying = [name for name in _OF_SUBJECT if name in obs and name not in constant]
    if varying:
        found = {name: obs.groupby(subject)[name].nunique(dropna=False) for name in varying}
        where = "; ".join(f"{name}: {', '.join(counts.index[counts > 1])}" for name, counts in found.items())
        msg = f"to_ehrdata: a column changes within a subject ({where}); correct the table of subjects"
        raise SchemaError(msg)
    visits = [str(visit) for visit in obs[Obs.VISIT].cat.categories]
    subjects = sorted(subject.unique())
    first = obs.assign(**{Obs.SUBJECT: subject}).drop_duplicates(Obs.SUBJECT).set_index(Obs.SUBJECT)
    return ehrdata.EHRData(
        layers={"tem_data": _cube(adata, subject, subjects, visits)},
        obs=first.loc[subjects, constant],
        var=adata.var.copy(),
        tem=_visits(obs, visits),
        uns={Uns.IL2CYTO: {Uns.SIMULATED: bool(adata.uns[Uns.IL2CYTO][Uns.SIMULATED])}},
    )


def warn_of_repeats(obs: pd.DataFrame, caller: str) -> None:
    """Warn where rows that a method takes as independent are visits of one subject."""
    repeated = int(obs[Obs.SUBJECT].duplicated().sum())
    if repeated:
        text = (
            f"{caller}: {obs[Obs.SUBJECT].nunique()} subjects have {len(obs)} samples, which the method takes as independent: "
            "its p values and intervals are too small; give one visit"
        )
        warnings.warn(text, IndependenceWarning, stacklevel=3)


def _cube(adata: AnnData, subject: pd.Series[Any], subjects: list[str], visits: list[str]) -> Any:
    """Average each subject's evaluable samples of each visit."""
    shape = (len(subjects), adata.n_vars, len(visits))
    total, number = np.zeros(shape), np.zeros(shape)
    x = np.asarray(adata.X, np.float64)
    for row, who, visit in zip(x, subject, adata.obs[Obs.VISIT].astype(str), strict=True):
        if visit in visits:
            known = np.isfinite(row)
            i, k = subjects.index(who), visits.index(visit)
            total[i, known, k] += row[known]
            number[i, known, k] += 1
    return np.divide(total, number, out=np.full(shape, np.nan), where=number > 0)


def _visits(obs: pd.DataFrame, visits: list[str]) -> pd.DataFrame:
    tem = pd.DataFrame(index=pd.Index(visits, name=Obs.VISIT, dtype="str"))
    if Obs.WEEK in obs:
        weeks = obs.groupby(obs[Obs.VISIT].astype(str))[Obs.WEEK].first()
        tem[Obs.WEEK] = weeks.reindex(visits).to_numpy(np.float64)
    return tem
