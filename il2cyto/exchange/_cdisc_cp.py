"""SDTM CP and its supplemental qualifiers: a record for each subject, visit, population and denominator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from il2cyto import __version__, get
from il2cyto._keys import ROOT, Layers, Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto._tidy import flag_legend, plain
from il2cyto.exchange._cdisc_terms import COUNT, term_of
from il2cyto.io._cdisc import CP, SUPPCP, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anndata import AnnData

    from il2cyto.exchange._cdisc_terms import Term

#: Columns that CP has no variable for and the analysis data set needs; they are not written.
CARRIED = {
    "arm": pl.String,
    "sample": pl.String,
    "subject": pl.String,
    "count": pl.Float64,
    "parent_count": pl.Float64,
    "warned": pl.Boolean,
    "param": pl.String,
    "order": pl.Int64,
    "declared": pl.Boolean,
}


@dataclass(frozen=True)
class _Test:
    """What is measured: a population as a fraction of another, as a ratio to it, or counted."""

    population: str
    denominator: str
    kind: str  # NUMBER FRACTION, RATIO, NUMBER CONCENTRATION
    unit: str
    term: Term


def cp_records(
    cohorts: Mapping[str, AnnData], terms: Mapping[tuple[str, str], Term], days: Mapping[tuple[str, str], int]
) -> pl.DataFrame:
    """Make the records of CP, with the columns of :data:`CARRIED` behind them.

    Control samples, which belong to no subject, are left out. `days` gives the study day of (subject, visit).
    """
    rows = [row for panel, adata in cohorts.items() for row in _panel_rows(adata, panel, terms, days)]
    rows.sort(key=lambda row: (row["USUBJID"], row["VISITNUM"], row["order"], row["sample"]))
    number: dict[str, int] = {}
    for row in rows:
        number[row["USUBJID"]] = row["CPSEQ"] = number.get(row["USUBJID"], 0) + 1
    return pl.DataFrame(rows, schema={**schema(CP), **CARRIED})


def suppcp_records(cp: pl.DataFrame) -> pl.DataFrame:
    """Event counts behind each record: EVTGT in the population, EVPAR in its denominator."""
    labels = {"EVTGT": ("count", "Events in the Population"), "EVPAR": ("parent_count", "Events in the Denominator")}
    rows = [
        {
            "STUDYID": row["STUDYID"],
            "RDOMAIN": "CP",
            "USUBJID": row["USUBJID"],
            "IDVAR": "CPSEQ",
            "IDVARVAL": f"{row['CPSEQ']:.0f}",
            "QNAM": name,
            "QLABEL": label,
            "QVAL": f"{row[column]:.0f}",
            "QORIG": "Assigned",
        }
        for row in cp.iter_rows(named=True)
        for name, (column, label) in labels.items()
        if row[column] is not None
    ]
    return pl.DataFrame(rows, schema=schema(SUPPCP))


def schema(variables: Sequence[Variable]) -> dict[str, Any]:
    """Give the polars types of a data set's variables."""
    return {v.name: pl.Float64 if v.kind == "num" else pl.String for v in variables}


def study_id(adata: AnnData) -> str:
    """Give the study's name; one that was simulated says so."""
    facts = adata.uns[Uns.IL2CYTO]
    name = str(facts.get(Uns.STUDY, "")) or "UNNAMED"
    return f"SIMULATED {name}" if facts[Uns.SIMULATED] and "simulated" not in name.lower() else name


def _tests(adata: AnnData, terms: Mapping[tuple[str, str], Term]) -> Iterator[_Test]:
    def test(population: str, denominator: str, kind: str, unit: str) -> _Test:
        return _Test(population, denominator, kind, unit, term_of(population, denominator, terms))

    names = endpoint_populations(adata)
    for name in names:
        parent = str(adata.var.at[name, Var.PARENT])
        listed = str(adata.var.at[name, Var.DENOMINATORS]).split(";") if Var.DENOMINATORS in adata.var else [parent]
        for denominator in listed:
            if denominator == parent or denominator in adata.var_names:
                yield test(name, denominator, "NUMBER FRACTION", "%")
    if Layers.CELLS_PER_UL in adata.layers:
        for name in names:
            yield test(name, COUNT, "NUMBER CONCENTRATION", "10^6/L")
    if {"CD4", "CD8"} <= set(names):
        yield test("CD4", "CD8", "RATIO", "RATIO")


def _panel_rows(
    adata: AnnData, panel: str, terms: Mapping[tuple[str, str], Term], days: Mapping[tuple[str, str], int]
) -> Iterator[dict[str, Any]]:
    adata = adata[adata.obs[Obs.SUBJECT].notna().to_numpy()]
    samples = _sample_facts(adata, panel, days)
    failing = {row.flag for row in flag_legend(adata).values() if row.severity == "fail"}
    warning = {row.flag for row in flag_legend(adata).values() if row.severity == "warn"}
    for order, test in enumerate(_tests(adata, terms)):
        about = _test_facts(adata, test, order)
        for sample, value, count, parent, flags in _values(adata, test):
            names = set(flags.split(";"))
            reason = ";".join(sorted(names & failing)) or "EMPTY DENOMINATOR"
            yield {**samples[sample], **about, **_result(value, count, parent, reason), "warned": bool(names & warning)}


def _values(adata: AnnData, test: _Test) -> Iterator[tuple[str, float, float, float, str]]:
    """Give each sample's value in the test's unit, its two counts and flags; NaN where it is not evaluable."""
    parent = str(adata.var.at[test.population, Var.PARENT])
    beside = None if test.kind != "NUMBER FRACTION" or test.denominator == parent else test.denominator
    table = get.frequencies(adata, populations=[test.population], denominator=beside)
    rows = table.select("sample", "frequency", "count", "parent_count", "flags").rows()
    if test.kind == "NUMBER FRACTION":
        yield from ((sample, 100 * f, count, total, flags) for sample, f, count, total, flags in rows)
    elif test.kind == "NUMBER CONCENTRATION":
        cells = adata[:, test.population].layers[Layers.CELLS_PER_UL].ravel()  # 1 cell/µL is 10^6/L
        yield from ((row[0], float(value), row[2], row[3], row[4]) for row, value in zip(rows, cells, strict=True))
    else:
        other = get.frequencies(adata, populations=[test.denominator]).select("count", "flags").rows()
        for (sample, _, count, _, flags), (below, more) in zip(rows, other, strict=True):
            yield sample, count / below if below > 0 else float("nan"), count, below, f"{flags};{more}"


def _sample_facts(adata: AnnData, panel: str, days: Mapping[tuple[str, str], int]) -> dict[str, dict[str, Any]]:
    facts = adata.uns[Uns.IL2CYTO]
    study, template = study_id(adata), facts.get(Uns.TEMPLATE, {})
    canonical = dict(facts.get(Uns.ALIASES, {})).get(Obs.SUBJECT) == "USUBJID"
    visits = list(adata.obs[Obs.VISIT].cat.categories)
    method = f"il2cyto {__version__}, template {template.get('name', '')} {template.get('version', '')}"
    found = {}
    for row in plain(adata.obs, index="sample").iter_rows(named=True):
        subject, visit, week = row["subject"], row["visit"], row.get("week")
        found[row["sample"]] = {
            "STUDYID": study,
            "DOMAIN": "CP",
            "USUBJID": subject if canonical else f"{study}-{subject}",
            "CPREFID": row["sample"],
            "CPTSTPNL": panel if row["panel"] is None else row["panel"],
            "CPCAT": "IMMUNOPHENOTYPING",
            "CPSPEC": "BLOOD",
            "CPMETHOD": "FLOW CYTOMETRY",
            "CPANMETH": method,
            "CPNAM": "SIMULATED" if facts[Uns.SIMULATED] else None,
            "CPBLFL": "Y" if row.get("baseline") else None,
            "VISITNUM": visits.index(visit) + 1,
            "VISIT": visit,
            "VISITDY": None if week is None or week != week else planned_day(week),
            "CPDY": row.get("study_day", days.get((subject, visit))),
            "arm": row.get("arm"),
            "subject": subject,
            "sample": row["sample"],
        }
    return found


def planned_day(week: float) -> int:
    """Give the planned study day of a week: week 0 is day 1, and there is no day 0.

    Examples
    --------
    >>> planned_day(0), planned_day(12), planned_day(-1)
    (1, 85, -7)
    """
    day = round(7 * week)
    return day + 1 if day >= 0 else day


def _test_facts(adata: AnnData, test: _Test, order: int) -> dict[str, Any]:
    phenotypes = adata.var[Var.PHENOTYPE].astype(str) if Var.PHENOTYPE in adata.var else {}
    own, below = (phenotypes.get(name, "") for name in (test.population, test.denominator))
    parent = str(adata.var.at[test.population, Var.PARENT])
    path = [step for step in str(adata.var.at[test.population, Var.PATH]).split("/") if step not in ("", ROOT)]
    marked = f"{own}/{below}" if own and below else own
    return {
        "CPTESTCD": test.term.testcd,
        "CPTEST": test.term.test,
        "CPMRKSTR": marked or None,
        "CPSBMRKS": _sublineage(own, phenotypes.get(parent, "")) if " Sub" in test.term.test else None,
        "CPGATE": test.population,
        "CPGATDEF": "|".join(path),
        "CPRESSCL": "QUANTITATIVE",
        "CPRESTYP": test.kind,
        "CPORRESU": test.unit,
        "CPSTRESU": test.unit,
        "param": f"{test.term.test} ({test.unit})",
        "order": order,
        "declared": test.term.declared,
    }


def _sublineage(own: str, parent: str) -> str | None:
    """Give the markers by which a subset differs from its parent."""
    lineage = markers(parent)
    return "".join(token for token in markers(own) if token not in lineage) or None


def markers(text: str) -> list[str]:
    """Split a phenotype into markers with their levels; what is no marker with a level comes back as it stands.

    Examples
    --------
    >>> markers("CD3-CD56hiCD16lo"), markers("HLADR+ CD38mid")
    (['CD3-', 'CD56hi', 'CD16lo'], ['HLADR+', ' ', 'CD38mid'])
    """
    return [part for part in re.split(r"([A-Za-z0-9]+?(?:[+-]|hi|lo|mid)(?=[A-Z/\s]|$))", text) if part]


def _result(value: float, count: float, parent: float, reason: str) -> dict[str, Any]:
    done = value == value
    text = f"{value:.6g}" if done else None
    return {
        "CPORRES": text,
        "CPSTRESC": text,
        "CPSTRESN": float(text) if text else None,
        "CPSTAT": None if done else "NOT DONE",
        "CPREASND": None if done else reason,
        "count": count if done else None,
        "parent_count": parent if done else None,
    }
