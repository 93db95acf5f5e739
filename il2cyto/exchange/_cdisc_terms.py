"""CDISC's names for the trial's populations (terminology of 2026-03-27), and the sponsor's own for others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In place of a denominator: an absolute count.
COUNT: Final = ""


@dataclass(frozen=True)
class Term:
    """A test's short and long name.

    Attributes
    ----------
    code
        NCI code of the controlled term; empty for one of the sponsor's own.
    declared
        Whether somebody said that this is the name; a name made of the population's is not declared.
    """

    testcd: str
    test: str
    code: str = ""
    declared: bool = True


#: (population, denominator) -> term. Those without a code extend the codelist.
TERMS: Final[dict[tuple[str, str], Term]] = {
    ("CD4", "lymphocytes"): Term("TLHLY", "TLym Help/Lym", "C191261"),
    ("CD4", "T"): Term("TLYHTLY", "TLym Help/TLym", "C181303"),
    ("CD8", "lymphocytes"): Term("TLCLY", "TLym Cytx/Lym", "C191245"),
    ("CD8", "T"): Term("TLYCTLY", "TLym Cytx/TLym", "C181304"),
    ("Treg", "CD4"): Term("TLHRTLH", "TLym Help Reg/TLym Help", "C198250"),
    ("Treg", "lymphocytes"): Term("TLYHRLY", "TLym Help Reg/Lym", "C189396"),
    ("Treg", "T"): Term("TLYHRTLY", "TLym Help Reg/TLym"),
    ("NK", "lymphocytes"): Term("NKLY", "NK Cells/Lym", "C181258"),
    ("NK", "leukocytes"): Term("NKLE", "NK Cells/Leuk"),
    ("CD56bright", "NK"): Term("NKSNK", "NK Cells Sub/NK Cells", "C181259"),
    ("CD56bright", "lymphocytes"): Term("NKSLY", "NK Cells Sub/Lym"),
    ("CD4", COUNT): Term("TLYH", "TLym Help", "C181302"),
    ("CD8", COUNT): Term("TLC", "TLym Cytx", "C181186"),
    ("Treg", COUNT): Term("TLYHR", "TLym Help Reg", "C184428"),
    ("NK", COUNT): Term("NKCE", "Natural Killer Cells", "C98762"),
    ("CD56bright", COUNT): Term("NKS", "NK Cells Sub", "C181260"),
    ("CD4", "CD8"): Term("TLYHTLYC", "TLym Help/TLym Cytx", "C181305"),
}


def term_of(population: str, denominator: str, terms: Mapping[tuple[str, str], Term]) -> Term:
    """Find the term, or make one of the names, which the rules then report as not declared."""
    known = terms.get((population, denominator))
    if known is not None:
        return known
    short = [re.sub(r"[^A-Z0-9]", "", name.upper()) for name in (population, denominator)]
    name = f"{population}/{denominator}" if denominator else population
    return Term("".join(part[:4] for part in short), name[:40], declared=False)


def read_terms(path: str | Path) -> dict[tuple[str, str], Term]:
    """Read names for more populations, or others for these, from a CSV: population, denominator, testcd, test [, code].

    Raises
    ------
    StudyError
        A column is missing.
    """
    path = Path(path)
    table = pl.read_csv(path, infer_schema=False).fill_null("")
    missing = [name for name in ("population", "denominator", "testcd", "test") if name not in table.columns]
    if missing:
        msg = f"{path.name}: no column {', '.join(missing)}; needed are population, denominator, testcd, test; code may follow"
        raise StudyError(msg)
    return {
        (row["population"], row["denominator"]): Term(row["testcd"], row["test"], row.get("code", ""))
        for row in table.iter_rows(named=True)
    }
