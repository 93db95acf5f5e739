"""States of low disease activity: LLDAS and DORIS remission."""

from __future__ import annotations

from typing import Final

import polars as pl

from il2cyto._scores import SEROLOGY_ITEMS, SLEDAI_WEIGHTS
from il2cyto._tidy import require_frame
from il2cyto.clinical._course import course, judge, need, not_evaluable
from il2cyto.clinical._sledai import sledai
from il2cyto.clinical._sri import rescaled_pga

#: Organs that LLDAS does not allow to be active.
_ORGANS: Final = (
    *("casts", "haematuria", "proteinuria", "pyuria"),
    *("seizure", "psychosis", "organic_brain_syndrome", "visual", "cranial_nerve", "lupus_headache", "cva"),
    *("pleurisy", "pericarditis", "vasculitis", "fever"),
)
_CLINICAL_ITEMS: Final = tuple(item for item in SLEDAI_WEIGHTS if item not in SEROLOGY_ITEMS)


def lldas(
    visits: pl.DataFrame,
    subjects: pl.DataFrame | None = None,
    *,
    version: str | None,
    pga_scale: float = 3,
) -> pl.DataFrame:
    """Tell who is in the lupus low disease activity state, from baseline on.

    SLEDAI-2K of 4 at most without renal, CNS or cardiopulmonary activity, vasculitis, fever, haemolytic anaemia or
    gastrointestinal activity; no new features since the last visit; PGA of 1 at most (scale 0 to 3); 7.5 mg
    prednisolone a day at most; standard therapy.

    Parameters
    ----------
    visits
        `sledai_total`, ``sledai_<item>``, `haemolytic_anaemia`, `gi_activity`, `new_features`, `pga`, `prednisone_mg`,
        `standard_therapy`.
    subjects
        Subjects without any row in `visits` count too.
    version
        Of the SLEDAI in `visits`: the state is defined on ``2k`` only. With another, or None (not stated), nobody is
        evaluable.
    pga_scale
        Upper end of the PGA as recorded.

    Returns
    -------
    subject, visit, week; lldas (non-responder imputation), lldas_obs; evaluable; reason: ``met``, the component that
    fails, ``missing:...``, ``needs_sledai_2k``; for SLEDAI-2K also sledai_met, organs_met, new_features_met, pga_met,
    prednisone_met, therapy_met. An organ that is known to be active fails its component even where another is blank.

    Raises
    ------
    StudyError
        Columns are missing.

    Notes
    -----
    Source: Franklyn et al. 2016; ard.bmj.com/highwire/markup/226088.
    """
    require_frame(visits, caller="lldas")
    items = [f"sledai_{item}" for item in _ORGANS]
    flags = ["haemolytic_anaemia", "gi_activity"]
    if version != "2k":
        return not_evaluable(course(visits, subjects, from_baseline=True), "lldas", "needs_sledai_2k")
    others = ("pga", "prednisone_mg", "new_features", "standard_therapy")
    need(visits, (*items, *flags, *others), table="visits", purpose="LLDAS")
    frame = course(visits.with_columns(_sledai=sledai(visits)["sledai"]), subjects, from_baseline=True)
    components = {
        "sledai": pl.col("_sledai") <= 4,
        "organs": ~pl.any_horizontal(*items, *flags),
        "new_features": ~pl.col("new_features"),
        "pga": rescaled_pga(pga_scale) <= 1,
        "prednisone": pl.col("prednisone_mg") <= 7.5,
        "therapy": pl.col("standard_therapy"),
    }
    return judge(frame, "lldas", components)


def doris(visits: pl.DataFrame, subjects: pl.DataFrame | None = None, *, pga_scale: float = 3) -> pl.DataFrame:
    """Tell who is in remission by DORIS 2021, from baseline on.

    Clinical SLEDAI (without low complement and DNA binding) of 0; PGA below 0.5 (scale 0 to 3); 5 mg prednisolone a
    day at most; standard therapy.

    Parameters
    ----------
    visits
        ``sledai_<item>``, `pga`, `prednisone_mg`, `standard_therapy`. Either version of the SLEDAI will do.
    subjects
        Subjects without any row in `visits` count too.
    pga_scale
        Upper end of the PGA as recorded.

    Returns
    -------
    subject, visit, week; doris (non-responder imputation), doris_obs; evaluable, always True; reason: ``met``, the
    component that fails, ``missing:...``; clinical_sledai_met, pga_met, prednisone_met, therapy_met. An item that is
    on fails the clinical SLEDAI even where another is blank.

    Raises
    ------
    StudyError
        Columns are missing.

    Notes
    -----
    Source: van Vollenhoven et al. 2021 (PMC8614136).
    """
    items = [f"sledai_{item}" for item in _CLINICAL_ITEMS]
    need(visits, (*items, "pga", "prednisone_mg", "standard_therapy"), table="visits", purpose="DORIS")
    components = {
        "clinical_sledai": ~pl.any_horizontal(*items),
        "pga": rescaled_pga(pga_scale) < 0.5,
        "prednisone": pl.col("prednisone_mg") <= 5,
        "therapy": pl.col("standard_therapy"),
    }
    return judge(course(visits, subjects, from_baseline=True), "doris", components)
