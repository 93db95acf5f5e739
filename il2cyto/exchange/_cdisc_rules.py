"""Rules that CP and ADCP are held against, each with an id, and the table of what breaks them.

They are those of the implementation guides that a table of results can break. Passing them makes an export CP-shaped and
rule-checked; it does not make it a submission.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.exchange._cdisc_cp import CARRIED, markers
from il2cyto.exchange._cdisc_terms import TERMS
from il2cyto.io._cdisc import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Tables = Mapping[str, pl.DataFrame]
    #: data set, variable, the rows that break the rule (None: the data set as a whole)
    Finding = tuple[str, str, pl.DataFrame | None, str]

VIOLATION_SCHEMA: Final = {
    **dict.fromkeys(("rule", "law", "dataset", "variable"), pl.String),
    "records": pl.Int64,
    "first": pl.String,
    "found": pl.String,
}

#: Order of markers in a string: CD45, lineage, sub-lineage, state, viability. A marker not listed may stand anywhere.
_RANKS: Final = {
    **dict.fromkeys(("CD45",), 0),
    **dict.fromkeys(("CD3", "CD14", "CD19", "CD20", "CD56", "SSC", "FSC"), 1),
    **dict.fromkeys(("CD4", "CD8", "CD16", "TCRgd", "IgD"), 2),
    **dict.fromkeys(("CD25", "CD27", "CD38", "CD45RA", "CD45RO", "CD69", "CD127", "CCR7", "FOXP3", "HLADR", "Ki67"), 3),
    **dict.fromkeys(("viability", "LIVEDEAD"), 4),
}
_MARKER: Final = re.compile(r"([A-Za-z0-9]+?)(\+|-|hi|lo|mid)")
_NAMES_MARKER: Final = r"(?i)\b(CD\d+|HLA-?DR|CCR\d+|FOXP3)\b|[+]"
_RULES: dict[str, tuple[str, Callable[[Tables], Iterator[Finding]]]] = {}


@dataclass(frozen=True)
class Rule:
    """A rule's id and law."""

    id: str
    law: str


def cdisc_rules() -> tuple[Rule, ...]:
    """List all rules."""
    return tuple(Rule(name, law) for name, (law, _) in _RULES.items())


def check_cdisc(tables: Tables) -> pl.DataFrame:
    """Hold data sets against the rules.

    Parameters
    ----------
    tables
        CP (its columns of :data:`il2cyto.exchange._cdisc_cp.CARRIED` behind it), SUPPCP and ADCP.

    Returns
    -------
    A row per broken rule and variable: rule, law, dataset, variable, how many records, the first of them, and what was found.
    """
    rows = []
    for name, (law, find) in _RULES.items():
        for dataset, variable, broken, found in find(tables):
            if broken is None or broken.height:
                first, number = ("", 0) if broken is None else (_record(broken), broken.height)
                rows.append((name, law, dataset, variable, number, first, found))
    return pl.DataFrame(rows, schema=VIOLATION_SCHEMA, orient="row")


def _record(broken: pl.DataFrame) -> str:
    row = broken.row(0, named=True)
    place = (row.get("CPSEQ"), row.get("SRCSEQ"), row.get("IDVARVAL"), row.get("PARAMCD"))
    return "/".join(
        f"{part:g}" if isinstance(part, float) else str(part) for part in (row["USUBJID"], *place) if part is not None
    )


def _rule(
    name: str, law: str
) -> Callable[[Callable[[Tables], Iterator[Finding]]], Callable[[Tables], Iterator[Finding]]]:
    def register(find: Callable[[Tables], Iterator[Finding]]) -> Callable[[Tables], Iterator[Finding]]:
        _RULES[name] = (law, find)
        return find

    return register


def _carried(dataset: str, frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if not (dataset == "CP" and name in CARRIED)]


@_rule("CP001", "Required variables have a value.")
def _required(tables: Tables) -> Iterator[Finding]:
    for dataset, frame in tables.items():
        for variable in DATASETS[dataset][1]:
            if variable.core == "Req" and variable.name in frame.columns:
                yield dataset, variable.name, frame.filter(pl.col(variable.name).is_null()), "no value"


@_rule("CP002", "The variables are those of the standard, in its order.")
def _order(tables: Tables) -> Iterator[Finding]:
    for dataset, frame in tables.items():
        wanted, found = [v.name for v in DATASETS[dataset][1]], _carried(dataset, frame)
        if found != wanted:
            first = next(
                (a for a, b in zip([*found, "nothing"], [*wanted, "nothing"], strict=False) if a != b), "nothing"
            )
            yield dataset, "", None, f"{len(found)} variables for {len(wanted)}, first out of place: {first}"


@_rule("CP003", "Names have at most 8 characters, labels at most 40.")
def _name_lengths(tables: Tables) -> Iterator[Finding]:
    for dataset, frame in tables.items():
        labels = {v.name: v.label for v in DATASETS[dataset][1]}
        for name in _carried(dataset, frame):
            if len(name) > 8 or len(labels.get(name, "")) > 40:
                yield dataset, name, None, f"a name of {len(name)}, a label of {len(labels.get(name, ''))} characters"


@_rule("CP004", "Text has at most 200 characters.")
def _value_lengths(tables: Tables) -> Iterator[Finding]:
    for dataset, frame in tables.items():
        for name in _carried(dataset, frame):
            if frame.schema[name] == pl.String:
                yield dataset, name, frame.filter(pl.col(name).str.len_chars() > 200), "longer text"


@_rule("CP005", "CPTESTCD has at most 8 capitals and digits, a letter first; CPTEST at most 40 characters.")
def _test_names(tables: Tables) -> Iterator[Finding]:
    cp = tables["CP"]
    yield "CP", "CPTESTCD", cp.filter(~pl.col("CPTESTCD").str.contains(r"^[A-Z][A-Z0-9_]{0,7}$")), "another form"
    yield "CP", "CPTEST", cp.filter(pl.col("CPTEST").str.len_chars() > 40), "a longer name"


@_rule("CP006", "CPTESTCD and CPTEST stand for each other, one to one.")
def _one_to_one(tables: Tables) -> Iterator[Finding]:
    yield from _pairs("CP", tables["CP"], "CPTESTCD", "CPTEST")


@_rule("CP007", "CPTESTCD is in the codelist (C181173) or a declared extension of it.")
def _declared(tables: Tables) -> Iterator[Finding]:
    cp, known = tables["CP"], [term.testcd for term in TERMS.values()]
    unknown = cp.filter(~pl.col("CPTESTCD").is_in(known), ~pl.col("declared").fill_null(value=False))
    codes = ", ".join(unknown["CPTESTCD"].unique().sort())
    yield "CP", "CPTESTCD", unknown, f"{codes}: name them in a table of terms (population, denominator, testcd, test)"


@_rule("CP008", "CPTEST names cells, not markers.")
def _cells(tables: Tables) -> Iterator[Finding]:
    yield "CP", "CPTEST", tables["CP"].filter(pl.col("CPTEST").str.contains(_NAMES_MARKER)), "a marker in the name"


@_rule("CP009", "CPCELSTA and CPCSMRKS have a value both or neither.")
def _cell_state(tables: Tables) -> Iterator[Finding]:
    cp = tables["CP"]
    yield "CP", "CPCELSTA", cp.filter(pl.col("CPCELSTA").is_null() != pl.col("CPCSMRKS").is_null()), "one of the two"


@_rule("CP010", "CPSBMRKS, CPCELSTA and CPCSMRKS stand only beside a test of a subset (Sub), which has one of them.")
def _subsets(tables: Tables) -> Iterator[Finding]:
    some = pl.any_horizontal(pl.col("CPSBMRKS", "CPCELSTA", "CPCSMRKS").is_not_null())
    subset = pl.col("CPTEST").str.contains(r"\bSub\b")
    yield "CP", "CPTEST", tables["CP"].filter(some & ~subset), "subset markers beside a test that is none of a subset"
    yield "CP", "CPSBMRKS", tables["CP"].filter(~some & subset), "a subset without markers"


@_rule("CP011", "One record for each subject, visit, test, sub-lineage and state.")
def _one_record(tables: Tables) -> Iterator[Finding]:
    keys = ["USUBJID", "VISITNUM", "CPTEST", "CPRESTYP", "CPSBMRKS", "CPCELSTA", "CPCSMRKS"]
    twice = tables["CP"].filter(pl.struct(keys).is_duplicated())
    yield "CP", "", twice, "several records; export one replicate, or give them time points"


@_rule("CP012", "CPSEQ is unique within a subject.")
def _sequence(tables: Tables) -> Iterator[Finding]:
    yield "CP", "CPSEQ", tables["CP"].filter(pl.struct("USUBJID", "CPSEQ").is_duplicated()), "a number twice"


@_rule(
    "CP013",
    "Marker strings: names without spaces, commas and hyphens, levels +, -, lo, mid, hi, one / before the denominator.",
)
def _marker_form(tables: Tables) -> Iterator[Finding]:
    cp = tables["CP"]
    side = r"([A-Za-z0-9]+?(\+|-|hi|lo|mid))+"
    for name in ("CPMRKSTR", "CPSBMRKS", "CPCSMRKS"):
        form = f"^{side}(/{side})?$" if name == "CPMRKSTR" else f"^{side}$"
        yield "CP", name, cp.filter(~pl.col(name).str.contains(form)), "another form"


@_rule("CP014", "Marker strings: CD45, lineage, sub-lineage, state and viability in this order.")
def _marker_order(tables: Tables) -> Iterator[Finding]:
    cp = tables["CP"]
    wrong = [text for text in cp["CPMRKSTR"].drop_nulls().unique() if not _in_order(text)]
    yield "CP", "CPMRKSTR", cp.filter(pl.col("CPMRKSTR").is_in(wrong)), "another order"


def _in_order(text: str) -> bool:
    for side in text.split("/"):
        names = [match[1] for token in markers(side) if (match := _MARKER.fullmatch(token))]
        ranks = [_RANKS[name] for name in names if name in _RANKS]
        if ranks != sorted(ranks):
            return False
    return True


@_rule("CP015", "CPDRVFL has no value: a pipeline's output is the laboratory's result; blood counts belong in LB.")
def _derived(tables: Tables) -> Iterator[Finding]:
    yield "CP", "CPDRVFL", tables["CP"].filter(pl.col("CPDRVFL").is_not_null()), "a value"


@_rule("CP016", "A record is done and has a result, or NOT DONE and has a reason and none.")
def _done(tables: Tables) -> Iterator[Finding]:
    results = pl.any_horizontal(pl.col("CPORRES", "CPSTRESC", "CPSTRESN").is_not_null())
    whole = pl.all_horizontal(pl.col("CPORRES", "CPSTRESC", "CPSTRESN").is_not_null())
    missing = (pl.col("CPSTAT") == "NOT DONE").fill_null(value=False)
    reason = pl.col("CPREASND").is_not_null()
    yield (
        "CP",
        "CPSTAT",
        tables["CP"].filter((missing & (results | ~reason)) | (~missing & (~whole | reason))),
        "half of it",
    )


@_rule("CP017", "The event counts behind each result stand in SUPPCP as EVTGT and EVPAR.")
def _counts(tables: Tables) -> Iterator[Finding]:
    supp = tables["SUPPCP"].with_columns(CPSEQ=pl.col("IDVARVAL").cast(pl.Float64, strict=False))
    done = tables["CP"].filter(pl.col("CPSTAT").is_null())
    for name in ("EVTGT", "EVPAR"):
        there = supp.filter(pl.col("QNAM") == name)
        yield "SUPPCP", "QNAM", done.join(there, on=["USUBJID", "CPSEQ"], how="anti"), f"no {name}"


@_rule("AD001", "PARAMCD has at most 8 capitals and digits, a letter first.")
def _param_names(tables: Tables) -> Iterator[Finding]:
    adcp = tables["ADCP"]
    yield "ADCP", "PARAMCD", adcp.filter(~pl.col("PARAMCD").str.contains(r"^[A-Z][A-Z0-9_]{0,7}$")), "another form"


@_rule("AD002", "PARAMCD and PARAM stand for each other, one to one.")
def _param_pairs(tables: Tables) -> Iterator[Finding]:
    yield from _pairs("ADCP", tables["ADCP"], "PARAMCD", "PARAM")


@_rule("AD003", "BASE is constant within subject and parameter.")
def _base(tables: Tables) -> Iterator[Finding]:
    different = pl.col("BASE").n_unique().over("USUBJID", "PARAMCD") > 1
    yield "ADCP", "BASE", tables["ADCP"].filter(different), "several values"


@_rule("AD004", "CHG is AVAL - BASE.")
def _change(tables: Tables) -> Iterator[Finding]:
    off = (pl.col("CHG") - (pl.col("AVAL") - pl.col("BASE"))).abs() > 1e-9
    yield "ADCP", "CHG", tables["ADCP"].filter(off), "another difference"


@_rule("AD005", "No change is given before the baseline.")
def _before(tables: Tables) -> Iterator[Finding]:
    first = pl.col("AVISITN").filter(pl.col("ABLFL") == "Y").min().over("USUBJID", "PARAMCD")
    yield "ADCP", "CHG", tables["ADCP"].filter(pl.col("CHG").is_not_null(), pl.col("AVISITN") < first), "a change"


@_rule("AD006", "In a study with a baseline visit each subject has one baseline record of each parameter.")
def _one_baseline(tables: Tables) -> Iterator[Finding]:
    if not (tables["CP"]["CPBLFL"] == "Y").any():
        return  # a batch without a schedule has no baseline to be missed
    adcp = tables["ADCP"]
    number = adcp.group_by("USUBJID", "PARAMCD", maintain_order=True).agg((pl.col("ABLFL") == "Y").sum().alias("n"))
    yield "ADCP", "ABLFL", number.filter(pl.col("n") == 0), "no baseline record"
    yield "ADCP", "ABLFL", number.filter(pl.col("n") > 1), "several baseline records"


def _pairs(dataset: str, frame: pl.DataFrame, code: str, name: str) -> Iterator[Finding]:
    for one, many in ((code, name), (name, code)):
        several = pl.col(many).n_unique().over(one) > 1
        yield dataset, one, frame.filter(several), f"several values of {many} beside one of {one}"
