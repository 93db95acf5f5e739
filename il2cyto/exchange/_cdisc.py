"""CDISC: SDTM CP with SUPPCP, and ADCP, as CSV, parquet and SAS transport files, with what their rules say of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from il2cyto import __version__
from il2cyto.exchange._cdisc_adcp import adcp_records
from il2cyto.exchange._cdisc_cp import cp_records, suppcp_records
from il2cyto.exchange._cdisc_rules import cdisc_rules, check_cdisc
from il2cyto.exchange._cdisc_terms import TERMS, read_terms
from il2cyto.io import read_clinical, write_csv, write_parquet
from il2cyto.io._atomic import replacing
from il2cyto.io._cdisc import CT_VERSION, DATASETS
from il2cyto.io._xpt import write_xpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from il2cyto.study import Study

_CODELISTS = {"C181173": "Cell Phenotyping Test Code", "C181174": "Cell Phenotyping Test Name"}


def cdisc_tables(
    cohorts: Mapping[str, AnnData], *, study: Study | None = None, terms: str | Path | None = None
) -> dict[str, pl.DataFrame]:
    """Make CP, SUPPCP and ADCP of cohort objects.

    Parameters
    ----------
    cohorts
        Panel -> cohort object.
    study
        Gives study days, analysis sets and actual arms; without it they are null.
    terms
        CSV with names for more populations: population, denominator, testcd, test, code.

    Returns
    -------
    Data set -> table; CP has some columns more, which :func:`export_cdisc` does not write.

    Examples
    --------
    >>> from il2cyto import datasets, exchange
    >>> tables = exchange.cdisc_tables({"tnk": datasets.toy_trial(subjects=2)})
    >>> exchange.check_cdisc(tables).height
    0
    """
    days, sets, actual = _clinical_facts(study)
    named = {**TERMS, **(read_terms(terms) if terms else {})}
    cp = cp_records(cohorts, named, days)
    return {"CP": cp, "SUPPCP": suppcp_records(cp), "ADCP": adcp_records(cp, sets, actual)}


def export_cdisc(
    cohorts: Mapping[str, AnnData], out: Path, *, study: Study | None = None, terms: str | Path | None = None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write the data sets, ``define.json`` and ``violations.csv``; give the files and a notice for each broken rule."""
    tables = cdisc_tables(cohorts, study=study, terms=terms)
    broken = check_cdisc(tables)
    files: list[Path] = []
    for name, (label, variables) in DATASETS.items():
        frame = tables[name].select(variable.name for variable in variables)
        labels = {variable.name: variable.label for variable in variables}
        stem = out / name.lower()
        files += [write_csv(frame, stem.with_suffix(".csv")), write_parquet(frame, stem.with_suffix(".parquet"))]
        files.append(write_xpt(frame, stem.with_suffix(".xpt"), name=name, label=label, labels=labels))
    with replacing(out / "define.json") as draft:
        draft.write_text(json.dumps(_define(tables), indent=1) + "\n", encoding="utf-8")
    files += [out / "define.json", write_csv(broken, out / "violations.csv")]
    notices = [f"{row['rule']} {row['law']} {row['dataset']} {row['variable']}: {row['records']} records, {row['found']}"
               for row in broken.iter_rows(named=True)]  # fmt: skip
    return tuple(files), tuple(notices)


def _clinical_facts(study: Study | None) -> tuple[dict[tuple[str, str], int], pl.DataFrame, dict[str, str]]:
    """Give study days by subject and visit, analysis sets, and arms as treated, as far as the study has them."""
    if study is None or study.clinical is None:
        return {}, pl.DataFrame(), {}
    from il2cyto.clinical import analysis_sets

    data = read_clinical(study)
    days = {}
    if data.visits is not None and "study_day" in data.visits.columns:
        known = data.visits.select("subject", "visit", "study_day").cast({"subject": pl.String, "visit": pl.String})
        days = {(subject, visit): day for subject, visit, day in known.drop_nulls().iter_rows()}
    if data.subjects is None:
        return days, pl.DataFrame(), {}
    sets = analysis_sets(data.subjects, data.visits).with_columns(pl.col("subject").cast(pl.String))
    treated = sets.filter(pl.col("safety")).select("subject", pl.col("arm_actual").cast(pl.String))
    return days, sets, dict(treated.drop_nulls().iter_rows())


def _define(tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Describe the data sets as a Define-XML does: variable, label, type, length, codelist, origin."""
    terms = tables["CP"].select("CPTESTCD", "CPTEST").unique(maintain_order=True).rows()
    codes = {term.testcd: term.code for term in TERMS.values()}
    return {
        "about": "CP-shaped, rule-checked; not a submission",
        "il2cyto": __version__,
        "standard": "SDTMIG 3.4",
        "terminology": CT_VERSION,
        "datasets": [
            {"name": name, "label": label, "records": tables[name].height, "variables": [
                {"name": v.name, "label": v.label, "type": "text" if v.kind == "char" else "float", "core": v.core or None,
                 "length": _length(tables[name][v.name]), "codelist": v.codelist or None, "origin": _origin(tables[name][v.name])}
                for v in variables]}
            for name, (label, variables) in DATASETS.items()
        ],
        "codelists": [{"code": code, "name": name} for code, name in _CODELISTS.items()],
        "terms": [{"CPTESTCD": code, "CPTEST": test, "code": codes.get(code) or None,
                   "extension": not codes.get(code)} for code, test in terms],
        "rules": [{"id": rule.id, "law": rule.law} for rule in cdisc_rules()],
    }  # fmt: skip


def _length(column: pl.Series) -> int:
    longest = column.str.len_chars().max() if column.dtype == pl.String else 8
    return int(longest) if isinstance(longest, int) else 1


def _origin(column: pl.Series) -> str:
    return "Not Available" if column.null_count() == column.len() else "Assigned"
