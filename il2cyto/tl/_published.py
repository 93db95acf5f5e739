"""Which method gives the numbers that the published trial prints? Every method is listed, also where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import polars as pl
from scipy import stats

from il2cyto.tl import _published_facts as facts
from il2cyto.tl._two_by_two import TestName, proportions_p

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = {
    "id": pl.String, "source": pl.String, "counts": pl.String, "printed": pl.String, "method": pl.String,
    "computed": pl.Float64, "match": pl.Boolean, "note": pl.String,
}  # fmt: skip
_Row = tuple[str, str, str, str, str, float | None, bool | None, str]
_RAW = "needs the subjects' own data, which are not published"
_PAIRED = "the same subjects twice, tested as if they were two groups; their pairs are not published"
_NONE = "no two-sided method of this list gives the printed value"


def published() -> pl.DataFrame:
    """Recompute what He et al. (Ann Rheum Dis 2020;79:141-149) print, from the counts they print, by every method.

    The statistics paragraph of the article is not accessible, so nobody knows which method stands behind a p value. This table
    looks for none: methods, denominators and rounding are those of the definitions, and no default of any analysis is
    taken from it. Note that the primary endpoint, SRI-4 at week 12, was not met (p = 0.052).

    Returns
    -------
    One row per statement and method: `id source counts printed method computed match note`. `computed` is a p value or, for the
    method ``percent``, a percentage; null where the printed counts do not suffice. `match`: equal after rounding to the printed
    decimals; null where nothing could be computed. `note` says where no two-sided method matches, where a test is one-sided,
    and where paired data were tested as unpaired.

    Examples
    --------
    >>> table = published()
    >>> table.filter(id="SRI-4, week 12", match=True)["method"].to_list()
    ['n_minus_1', 't_pooled', 't_welch']
    """
    rows: list[_Row] = [row for percent in facts.PERCENTS for row in _percent(percent)]
    rows += [row for counts in (*facts.HEADLINES, *facts.BASELINE_COUNTS) for row in _counts(counts, "")]
    rows += [row for means in facts.BASELINE_MEANS for row in _means(means)]
    rows += [row for counts in facts.WITHIN_COUNTS for row in _counts(counts, _PAIRED)]
    rows += [(raw.id, raw.source, "", raw.p, "none", None, None, _RAW) for raw in facts.RAW]
    return pl.DataFrame(rows, schema=_TABLE, orient="row")


def rounds_to(computed: float, printed: str) -> bool:
    """Say whether a number, rounded to the decimals that are printed, is what is printed; ``<.001`` is below .001.

    Examples
    --------
    >>> rounds_to(0.05243, ".052"), rounds_to(0.0004, "<.001"), rounds_to(6.896, "6.90")
    (True, True, True)
    """
    if printed.startswith("<"):
        return computed < float(printed[1:])
    decimals = len(printed.partition(".")[2])
    return f"{computed:.{decimals}f}".removeprefix("0") == printed.removeprefix("0")


def _percent(fact: facts.Percent) -> Iterator[_Row]:
    value = 100 * fact.x / fact.n
    yield (
        fact.id,
        fact.source,
        f"{fact.x}/{fact.n}",
        fact.percent,
        "percent",
        value,
        *_verdict(value, fact.percent, ""),
    )


def _counts(fact: facts.Counts, note: str) -> Iterator[_Row]:
    counts = f"{fact.x1}/{fact.n1} v {fact.x2}/{fact.n2}"
    p = {test: proportions_p(fact.x1, fact.n1, fact.x2, fact.n2, test=test) for test in get_args(TestName)}
    found = any(rounds_to(value, fact.p) for test, value in p.items() if not test.endswith("one_sided"))
    for test, value in p.items():
        notes = [note, "one-sided" if test.endswith("one_sided") else "", "" if found else _NONE]
        text = "; ".join(filter(None, notes))
        yield (fact.id, fact.source, counts, fact.p, test, *_value(value), *_verdict(value, fact.p, text))


def _means(fact: facts.Means) -> Iterator[_Row]:
    counts = f"{fact.mean1}±{fact.sd1} (n {fact.n1}) v {fact.mean2}±{fact.sd2} (n {fact.n2})"
    summary = (fact.mean1, fact.sd1, fact.n1, fact.mean2, fact.sd2, fact.n2)
    p = {
        method: float(stats.ttest_ind_from_stats(*summary, equal_var=equal).pvalue)
        for method, equal in (("t_pooled", True), ("t_welch", False))
    }
    found = any(rounds_to(value, fact.p) for value in p.values())
    for method, value in p.items():
        yield (fact.id, fact.source, counts, fact.p, method, value, *_verdict(value, fact.p, "" if found else _NONE))


def _value(value: float) -> tuple[float | None]:
    return (None if value != value else value,)


def _verdict(value: float, printed: str, note: str) -> tuple[bool | None, str]:
    if value != value:
        return None, "; ".join(filter(None, [note, "not estimable from these counts"]))
    return rounds_to(value, printed), note
