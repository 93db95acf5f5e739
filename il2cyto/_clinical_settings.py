"""What a study says of its clinical data: tables, versions of scores, limits of normal, rules of endpoints."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from il2cyto._strict import Strict
from il2cyto._study_types import StudyPath, Text

BinaryEndpoint = Literal[
    "sri4",
    "nephritis_remission",
    "steroid_reduction",
    "c3_normal",
    "c4_normal",
    "c3_normalised",
    "c4_normalised",
    "lldas",
    "doris",
]
BINARY_ENDPOINTS: Final[tuple[BinaryEndpoint, ...]] = get_args(BinaryEndpoint)

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(gt=0, le=1)]


def _whole_as_text(value: object) -> object:
    # YAML reads 2004 as a number.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class NormalRange(Strict):
    """Limits of normal of one laboratory, in the unit of the column.

    Attributes
    ----------
    lln, uln
        Lower and upper limit of normal; a value equal to a limit is normal. None: not stated.
    """

    lln: _Positive | None = None
    uln: _Positive | None = None

    @field_validator("uln")
    @classmethod
    def _lies_above(cls, uln: float | None, info: ValidationInfo) -> float | None:
        lln = info.data.get("lln")
        if uln is not None and lln is not None and uln <= lln:
            msg = f"found {uln:g} with lln {lln:g}; the upper limit must be above the lower"
            raise ValueError(msg)
        return uln


class SiteRange(NormalRange):
    """Limits of normal of one analyte, with other ones for single sites.

    Attributes
    ----------
    sites
        Site, as in the table of subjects -> its limits. A site that is not listed has the common ones.
    """

    sites: dict[Text, NormalRange] = Field(default_factory=dict)


class Limits(Strict):
    """Limits of normal by analyte. An endpoint whose limit is not stated is not evaluable: limits are never guessed.

    Attributes
    ----------
    c3_g_l, c4_g_l
        Complement; the endpoints use the lower limit.
    dsdna_iu_ml
        Anti-dsDNA; queries use the upper limit.
    creatinine_umol_l, egfr
        Renal function that is normal by itself: creatinine up to its upper, eGFR from its lower limit.
    """

    c3_g_l: SiteRange | None = None
    c4_g_l: SiteRange | None = None
    dsdna_iu_ml: SiteRange | None = None
    creatinine_umol_l: SiteRange | None = None
    egfr: SiteRange | None = None


class SriRule(Strict):
    """The SRI: improvement of `k` SLEDAI points, and PGA worse by less than `pga_worsening` on the scale 0 to 3."""

    k: Annotated[int, Field(ge=4, le=8)] = 4
    pga_worsening: _Positive = 0.3


class RenalRule(Strict):
    """Remission of nephritis. The published trial does not tell its rule: all thresholds are assumptions to be stated.

    Attributes
    ----------
    upe_g_24h, upcr_g_g
        Complete remission needs proteinuria below this; the ratio counts where the 24 h value is blank.
    function_change
        Creatinine may have risen, or eGFR fallen, by this share of baseline, unless it is normal.
    inactive_sediment
        Complete remission also needs an inactive sediment.
    albumin_g_l
        Complete remission also needs albumin of at least this; None: it does not.
    partial_reduction, partial_upe_g_24h
        Partial remission: proteinuria down by this share of baseline, and below this value.
    """

    upe_g_24h: _Positive = 0.5
    upcr_g_g: _Positive = 0.5
    function_change: _Share = 0.15
    inactive_sediment: bool = False
    albumin_g_l: _Positive | None = None
    partial_reduction: _Share = 0.5
    partial_upe_g_24h: _Positive = 3.5


class ClinicalSettings(Strict):
    """The `clinical` part of a study file: tables, and the settings of the endpoints.

    Attributes
    ----------
    visits, adverse_events
        Tables, as paths.
    sledai_version
        ``selena`` or ``2k``. They score persisting features differently and are never converted; LLDAS needs ``2k``.
    pga_scale
        The upper end of the physician's global assessment as recorded.
    bilag
        ``2004`` (nine domains) or ``classic`` (eight).
    limits
        Limits of normal.
    sri, renal
        Rules of these endpoints.
    steroid_reduction
        The share of the baseline dose that has to be gone.
    teae_days
        Adverse events count until so many days after the last dose.
    endpoints
        The binary endpoints to evaluate; all by default.
    """

    visits: StudyPath | None = None
    adverse_events: StudyPath | None = None
    sledai_version: Literal["selena", "2k"] | None = None
    pga_scale: Literal[3, 10, 100] = 3
    bilag: Annotated[Literal["2004", "classic"], BeforeValidator(_whole_as_text)] = "2004"
    limits: Limits = Limits()
    sri: SriRule = SriRule()
    renal: RenalRule = RenalRule()
    steroid_reduction: _Share = 0.5
    teae_days: Annotated[int, Field(ge=0)] = 28
    endpoints: tuple[BinaryEndpoint, ...] = BINARY_ENDPOINTS
