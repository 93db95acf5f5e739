"""Small clinical tables, written by hand: one subject, two visits, everything quiet unless a test says otherwise."""

from __future__ import annotations

from typing import Any

import polars as pl

DOMAINS = (
    *("constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory"),
    *("gastrointestinal", "ophthalmic", "renal", "haematological"),
)
# Written out once more, from the definition of the SLEDAI.
WEIGHTS = {
    "seizure": 8,
    "psychosis": 8,
    "organic_brain_syndrome": 8,
    "visual": 8,
    "cranial_nerve": 8,
    "lupus_headache": 8,
    "cva": 8,
    "vasculitis": 8,
    "arthritis": 4,
    "myositis": 4,
    "casts": 4,
    "haematuria": 4,
    "proteinuria": 4,
    "pyuria": 4,
    "rash": 2,
    "alopecia": 2,
    "mucosal_ulcers": 2,
    "pleurisy": 2,
    "pericarditis": 2,
    "low_complement": 2,
    "dna_binding": 2,
    "fever": 1,
    "thrombocytopenia": 1,
    "leukopenia": 1,
}
QUIET: dict[str, Any] = {
    "subject": "S1",
    "study_day": 1,
    "sledai_total": 0,
    **{f"sledai_{item}": False for item in WEIGHTS},
    **{f"bilag_{domain}": "D" for domain in DOMAINS},
    "pga": 0.0,
    "prednisone_mg": 5.0,
    "new_features": False,
    "haemolytic_anaemia": False,
    "gi_activity": False,
    "standard_therapy": True,
    "upe_g_24h": 0.2,
    "creatinine_umol_l": 60.0,
    "egfr": 100.0,
    "c3_g_l": 1.0,
    "c4_g_l": 0.2,
}
WEEKS = {"W0": 0.0, "W12": 12.0, "W24": 24.0}


def visit_table(*rows: dict[str, Any]) -> pl.DataFrame:
    """Visits with the planned order, quiet but for what each row says."""
    full = [QUIET | {"study_day": 1 + int(7 * WEEKS[row["visit"]]), "week": WEEKS[row["visit"]]} | row for row in rows]
    frame = pl.DataFrame(full, infer_schema_length=None)
    return frame.with_columns(pl.col("visit").cast(pl.Enum(list(WEEKS))), baseline=pl.col("visit") == "W0")


def pair(before: dict[str, Any], after: dict[str, Any]) -> pl.DataFrame:
    """Baseline and week 12 of one subject."""
    return visit_table({"visit": "W0"} | before, {"visit": "W12"} | after)


def at(frame: pl.DataFrame, visit: str = "W12") -> dict[str, Any]:
    """The one row of a visit."""
    found = frame.filter(pl.col("visit").cast(pl.String) == visit)
    assert found.height == 1
    return found.row(0, named=True)
