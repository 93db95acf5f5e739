"""All endpoints of a study in two tidy frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto._clinical_settings import ClinicalSettings
from il2cyto.clinical._course import MissingColumnsError, course, not_evaluable
from il2cyto.clinical._lldas_doris import doris, lldas
from il2cyto.clinical._renal import renal_response
from il2cyto.clinical._serology import ANALYTES, complement_normalisation
from il2cyto.clinical._sledai import sledai, sledai_queries
from il2cyto.clinical._sri import rescaled_pga, sri4
from il2cyto.clinical._steroids import steroid_reduction
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from il2cyto.io import ClinicalData

#: Continuous endpoint -> unit.
CONTINUOUS_ENDPOINTS: Final = {
    "sledai": "points",
    "pga": "points, 0-3",
    "prednisone_mg": "mg/day",
    "albumin_g_l": "g/L",
    "upe_g_24h": "g/24 h",
    "c3_g_l": "g/L",
    "c4_g_l": "g/L",
    "dsdna_iu_ml": "IU/mL",
}


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of a study.

    Attributes
    ----------
    binary
        subject, visit, week, endpoint; value: after the rule for missing data (non-responder imputation), null where
        not evaluable; observed: as observed, null where missing; reason; evaluable: in the endpoint's population.
    continuous
        subject, visit, week, endpoint, unit, value (null: missing); evaluable: in the endpoint's population
        (proteinuria: nephritis); log_value: natural logarithm, of proteinuria only; zero_replaced: the value is 0 and
        its logarithm that of half the smallest positive value.
    queries
        SLEDAI items that contradict the total or the laboratory.
    notices
        Which endpoints are not evaluable, and why; how many queries there are.
    """

    binary: pl.DataFrame
    continuous: pl.DataFrame
    queries: pl.DataFrame
    notices: tuple[str, ...]


def endpoints(data: ClinicalData, settings: ClinicalSettings | None = None) -> Endpoints:
    """Evaluate the endpoints of a study, for every randomised subject and planned visit, taken place or not.

    Parameters
    ----------
    data
        From :func:`il2cyto.io.read_clinical`.
    settings
        ``study.clinical``: which endpoints, by which rules and limits.

    Returns
    -------
    The endpoints. One that cannot be evaluated (columns, limits or the version of the SLEDAI are missing) has rows
    that say so, and a notice; it is never guessed.

    Raises
    ------
    StudyError
        The study has no table of visits.

    Examples
    --------
    >>> from il2cyto import clinical, datasets, io
    >>> study = io.read_study(datasets.sample_data_path())
    >>> found = clinical.endpoints(io.read_clinical(study), study.clinical)
    >>> found.binary.filter(endpoint="sri4", visit="W12")["value"].sum()
    3
    """
    settings = settings or ClinicalSettings()
    if data.visits is None:
        msg = "clinical: no table of visits, which endpoints need; name it in study.yaml as clinical: {visits: visits.csv}"
        raise StudyError(msg)
    visits, subjects = data.visits, data.subjects
    notices = list(_unstated(settings))
    parts = [_tidy(not_evaluable(course(visits, subjects).clear(), "", ""), "")]
    for name in settings.endpoints:
        try:
            frame = _EVALUATE[name](visits, subjects, settings)
        except MissingColumnsError as error:
            notices.append(f"{name}: not evaluable: {error}")
            frame = not_evaluable(course(visits, subjects), name, "missing_columns")
        parts.append(_tidy(frame, name))
    queries = sledai_queries(visits, subjects, limits=settings.limits)
    if queries.height:
        notices.append(f"{queries.height} SLEDAI items or totals contradict other columns; see the list of queries")
    return Endpoints(
        binary=pl.concat(parts),
        continuous=_continuous(visits, subjects, settings),
        queries=queries,
        notices=tuple(notices),
    )


def _tidy(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    value, observed = pl.col(name).alias("value"), pl.col(f"{name}_obs").alias("observed")
    keys = ("subject", "visit", "week", pl.lit(name).alias("endpoint"))
    return frame.select(*keys, value, observed, "reason", "evaluable")


def _unstated(settings: ClinicalSettings) -> Iterator[str]:
    if "sri4" in settings.endpoints and settings.sri.k != 4:
        yield f"sri4: evaluated with k = {settings.sri.k}: it is the SRI-{settings.sri.k}"
    for analyte, column in ANALYTES.items():
        names = [name for name in settings.endpoints if name.startswith(f"{analyte}_")]
        limit = getattr(settings.limits, column)
        if names and (limit is None or (limit.lln is None and not limit.sites)):
            yield (
                f"{', '.join(names)}: not evaluable: study.yaml states no lower limit of normal; add it as clinical: "
                f"{{limits: {{{column}: {{lln: ...}}}}}}"
            )
    if "lldas" in settings.endpoints and settings.sledai_version != "2k":
        found = settings.sledai_version or "not stated"
        yield f"lldas: not evaluable: it is defined on SLEDAI-2K, and the version in study.yaml is {found}"


def _sri4(visits: pl.DataFrame, subjects: pl.DataFrame | None, settings: ClinicalSettings) -> pl.DataFrame:
    rule = settings.sri
    return sri4(
        visits,
        subjects,
        k=rule.k,
        pga_scale=settings.pga_scale,
        pga_worsening=rule.pga_worsening,
        bilag=settings.bilag,
    )


def _renal(visits: pl.DataFrame, subjects: pl.DataFrame | None, settings: ClinicalSettings) -> pl.DataFrame:
    people = pl.DataFrame(schema={"subject": pl.String}) if subjects is None else subjects
    return renal_response(visits, people, rule=settings.renal, limits=settings.limits)


def _complement(analyte: str, name: str) -> Callable[..., pl.DataFrame]:
    def evaluate(visits: pl.DataFrame, subjects: pl.DataFrame | None, settings: ClinicalSettings) -> pl.DataFrame:
        frame = complement_normalisation(visits, subjects, limits=settings.limits, analyte=analyte)
        renamed = frame.rename({f"{name}_evaluable": "evaluable", f"{name}_reason": "reason"})
        # Whether it became normal cannot be asked at baseline.
        return renamed.filter(pl.col("reason") != "baseline")

    return evaluate


_EVALUATE: Final[dict[str, Callable[..., pl.DataFrame]]] = {
    "sri4": _sri4,
    "nephritis_remission": _renal,
    "steroid_reduction": lambda v, s, settings: steroid_reduction(v, s, reduction=settings.steroid_reduction),
    **{f"{a}_{kind}": _complement(a, f"{a}_{kind}") for a in ANALYTES for kind in ("normal", "normalised")},
    "lldas": lambda v, s, settings: lldas(v, s, version=settings.sledai_version, pga_scale=settings.pga_scale),
    "doris": lambda v, s, settings: doris(v, s, pga_scale=settings.pga_scale),
}


def _continuous(visits: pl.DataFrame, subjects: pl.DataFrame | None, settings: ClinicalSettings) -> pl.DataFrame:
    added = {"pga": rescaled_pga(settings.pga_scale)} if "pga" in visits.columns else {}
    if any(name.startswith("sledai_") for name in visits.columns):
        added["sledai"] = pl.lit(sledai(visits)["sledai"])
    frame = course(visits.with_columns(**added), subjects, from_baseline=True)
    nephritis = pl.col("lupus_nephritis") if "lupus_nephritis" in frame.columns else pl.lit(value=False)
    measured = [name for name in CONTINUOUS_ENDPOINTS if name in frame.columns]
    value, proteinuria = pl.col("value"), pl.col("endpoint") == "upe_g_24h"
    zero = (proteinuria & (value == 0)).fill_null(value=False)
    smallest = value.filter(proteinuria & (value > 0)).min()
    return (
        frame.with_columns(nephritis=nephritis.fill_null(value=False))
        .unpivot(measured, index=["subject", "visit", "week", "nephritis"], variable_name="endpoint")
        .select(
            "subject",
            "visit",
            "week",
            "endpoint",
            unit=pl.col("endpoint").replace_strict(CONTINUOUS_ENDPOINTS, return_dtype=pl.String),
            value=value.cast(pl.Float64),
            evaluable=~proteinuria | pl.col("nephritis"),
        )
        .with_columns(
            log_value=pl.when(proteinuria).then(pl.when(zero).then(smallest / 2).otherwise(value).log()),
            zero_replaced=zero,
        )
    )
