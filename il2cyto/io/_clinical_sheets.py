"""The columns of the clinical tables with types, ranges and units, and the rules that rows have to keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from il2cyto._scores import BILAG_DOMAINS, BILAG_LETTERS, SLEDAI_TOP, SLEDAI_WEIGHTS
from il2cyto.io._sheet_cells import DATE, DATE_PROBLEM, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from il2cyto._clinical_settings import ClinicalSettings
    from il2cyto.io._sheets import Sheet

AE_GROUPS: Final = (
    *("infection", "urti", "herpes_zoster", "pneumonia", "injection_site", "fever", "flu_like", "npsle", "other"),
)
ADVERSE_EVENT_COLUMNS: Final = (
    Column("subject", required=True, accepted=("USUBJID",), fallback="SUBJID"),
    Column("ae_id"),
    Column("term", required=True, accepted=("AETERM",)),
    Column("soc", accepted=("AESOC", "AEBODSYS")),
    Column("pt", accepted=("AEDECOD",)),
    Column("start_day", "int", accepted=("ASTDY", "AESTDY")),
    Column("end_day", "int", accepted=("AENDY", "AEENDY")),
    Column("grade", "int", low=1, high=5),
    Column("serious", "bool"),
    Column("related", choices=("not", "possible", "probable", "definite")),
    Column("action", choices=("none", "reduced", "interrupted", "withdrawn")),
    Column("outcome", choices=("recovered", "recovering", "not_recovered", "fatal", "unknown")),
    Column("group"),
)


class Plausible(NamedTuple):
    """The values that a column's unit makes likely; others are asked about, never converted."""

    unit: str
    low: float
    high: float


PLAUSIBLE: Final = {
    "prednisone_mg": Plausible("mg/day", 0, 100),
    "albumin_g_l": Plausible("g/L", 10, 60),
    "upe_g_24h": Plausible("g/24 h", 0, 30),
    "upcr_g_g": Plausible("g/g", 0, 30),
    "creatinine_umol_l": Plausible("µmol/L", 20, 1500),
    "egfr": Plausible("mL/min/1.73 m²", 2, 200),
    "c3_g_l": Plausible("g/L", 0.05, 4),
    "c4_g_l": Plausible("g/L", 0.005, 1.5),
    "dsdna_iu_ml": Plausible("IU/mL", 0, 10_000),
    "wbc_1e9_l": Plausible("1e9/L", 0.2, 60),
    "platelets_1e9_l": Plausible("1e9/L", 1, 1500),
    "lymphocytes_1e9_l": Plausible("1e9/L", 0.02, 20),
}
# Keys may look like dates; they are checked otherwise.
_KEYS: Final = {"subject", "visit", "ae_id"}
# 20200131, as some systems write dates.
_COMPACT_DATE: Final = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_DAY_0: Final = "found 0; there is no day 0: the baseline visit is day 1, the day before it -1"


def visit_columns(settings: ClinicalSettings) -> tuple[Column, ...]:
    """Columns of the visit table; the scale of the PGA and the domains of the BILAG depend on the study."""
    return (
        Column("subject", required=True, accepted=("USUBJID",), fallback="SUBJID"),
        Column("visit", required=True, accepted=("AVISIT",)),
        Column("study_day", "int", accepted=("ADY",)),
        Column("sledai_total", "int", low=0, high=SLEDAI_TOP),
        *(Column(f"sledai_{item}", "bool") for item in SLEDAI_WEIGHTS),
        *(Column(f"bilag_{domain}", choices=BILAG_LETTERS) for domain in BILAG_DOMAINS[settings.bilag]),
        Column("pga", "float", low=0, high=settings.pga_scale),
        *(Column(name, "float", low=0) for name in PLAUSIBLE),
        *(Column(name, "bool") for name in ("sediment_active", "new_features", "haemolytic_anaemia", "gi_activity")),
        Column("standard_therapy", "bool"),
        Column("doses_since_prev", "int", low=0),
    )


def unknown_columns(sheet: Sheet, columns: tuple[Column, ...]) -> list[str]:
    """List the columns that il2cyto does not know; they are kept as text."""
    exact = {column.name for column in columns}
    stems = tuple(column.name[:-1] for column in columns if column.name.endswith("*"))
    return [
        name for name in sheet.frame.columns if name not in exact | {"line"} and not (stems and name.startswith(stems))
    ]


def date_problems(sheet: Sheet, columns: tuple[Column, ...]) -> Iterator[tuple[int, str]]:
    """Find dates in text cells; a message tells where, never which."""
    unknown = unknown_columns(sheet, columns)
    for name, dtype in sheet.frame.schema.items():
        if dtype != pl.String or name in _KEYS:
            continue
        for line, text in zip(sheet.frame["line"], sheet.frame[name], strict=True):
            if text and (DATE.search(text) or (name in unknown and _COMPACT_DATE.fullmatch(text))):
                yield line, f"{name}: {DATE_PROBLEM}"


def day_problems(row: Mapping[str, Any], *columns: str) -> Iterator[str]:
    """Refuse day 0."""
    yield from (f"{column}: {_DAY_0}" for column in columns if row.get(column) == 0)


def subject_problems(row: Mapping[str, Any]) -> Iterator[str]:
    """Check what one subject's columns say of one another."""
    yield from day_problems(row, "first_dose_day", "last_dose_day", "end_day", "failure_day")
    if row.get("failure_reason") and row.get("failure_day") is None:
        yield "failure_day: blank, but failure_reason is given; fill in the day of the failure"
    for column in ("first_dose_day", "last_dose_day"):
        if (row.get("doses_given") or 0) > 0 and column in row and row[column] is None:
            yield f"{column}: blank, but doses_given is above 0; fill it in"
    if row.get("doses_given") == 0 and row.get("first_dose_day") is not None:
        yield "first_dose_day: given, but doses_given is 0; blank means never dosed"
    yield from _order_problem(row, "first_dose_day", "last_dose_day")


def event_problems(row: Mapping[str, Any]) -> Iterator[str]:
    """Check one adverse event."""
    yield from day_problems(row, "start_day", "end_day")
    yield from _order_problem(row, "start_day", "end_day")
    for group in (row.get("group") or "").split(";"):
        if group and group.strip() not in AE_GROUPS:
            yield f"group: found {group.strip()!r}; allowed {', '.join(AE_GROUPS)}, several separated by ;"


def _order_problem(row: Mapping[str, Any], first: str, last: str) -> Iterator[str]:
    start, end = row.get(first), row.get(last)
    if start is not None and end is not None and end < start:
        yield f"{last}: found {end}, before {first} {start}; correct one of them"
