"""SRI: the SLE responder index, its components, and what a missing visit may have hidden."""

from __future__ import annotations

import polars as pl

from il2cyto._scores import BILAG_DOMAINS as BILAG_DOMAINS
from il2cyto.clinical._course import DIGITS, course, judge, levels, need
from il2cyto.clinical._sledai import sledai
from il2cyto.errors import StudyError

_PGA_TOP = 3


def sri4(
    visits: pl.DataFrame,
    subjects: pl.DataFrame | None = None,
    *,
    k: int = 4,
    pga_scale: float = _PGA_TOP,
    pga_worsening: float = 0.3,
    bilag: str = "2004",
) -> pl.DataFrame:
    """Tell who is a responder by the SLE responder index at every visit after baseline.

    A responder has, against baseline, (1) a SLEDAI lower by at least `k`; (2) no new BILAG A and at most one new B,
    where a new A is one that was none at baseline, and a new B was C, D or E (from A to B is better); (3) a PGA that
    rose by less than `pga_worsening` on the scale 0 to 3; (4) no failure event on or before the visit.

    Parameters
    ----------
    visits
        One row per subject and visit: `sledai_total` or all 24 items, ``bilag_<domain>``, `pga`, `study_day`, `week`.
    subjects
        `failure_day` where there are failures; subjects without any row in `visits` are non-responders too.
    k
        Points of improvement, 4 to 8.
    pga_scale
        Upper end of the PGA as recorded; it is brought to 0 to 3.
    pga_worsening
        Limit of the PGA component; a rise of exactly this is worse.
    bilag
        ``2004`` or ``classic``: the domains that have to be there.

    Returns
    -------
    subject, visit, week
        The visit.
    sri4
        Status by non-responder imputation: a component that is missing makes a non-responder. Null where not
        attainable.
    sri4_obs
        Observed case: False if any observed component fails, null if one is missing otherwise.
    evaluable, attainable
        Attainable: SLEDAI at baseline is at least `k`; null where it is not known. Who cannot attain the index is not
        evaluable.
    reason
        ``responder``; ``sledai``, ``bilag``, ``pga``, ``failure``: the first that fails; ``missing:<component>``,
        ``missing:visit``; ``not_attainable``.
    sledai_met, bilag_met, pga_met, failure_met
        The components; the last is True where no failure came before. A blank domain, PGA or total, at baseline or at
        the visit, makes its component null.

    Raises
    ------
    StudyError
        Columns are missing, or `k` is not 4 to 8.

    Notes
    -----
    A calculator: letters come from trained raters. Differences are rounded to six digits first, as 1.0 - 0.7 is more
    than 0.3 in floating point and 1.2 - 0.9 is less. A failure counts up to the day of the visit; where the visit did
    not take place, up to its planned day. Source: Luijten et al. 2012 (PubMed 21958603); Furie et al. 2009;
    ard.bmj.com/highwire/markup/196753.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> letters = {f"bilag_{domain}": ["B", "C"] for domain in clinical.BILAG_DOMAINS["2004"]}
    >>> visits = pl.DataFrame(
    ...     {"subject": "S1", "visit": ["W0", "W12"], "sledai_total": [10, 6], "pga": [1.5, 1.8], **letters}
    ... )
    >>> clinical.sri4(visits).select("sri4", "sledai_met", "pga_met", "reason").row(0)
    (False, True, False, 'pga')
    """
    if k not in range(4, 9):
        msg = f"sri4: k is {k}; allowed is 4 to 8"
        raise StudyError(msg)
    if bilag not in BILAG_DOMAINS:
        msg = f"sri4: bilag is {bilag!r}; allowed are {', '.join(BILAG_DOMAINS)}"
        raise StudyError(msg)
    letters = [f"bilag_{domain}" for domain in BILAG_DOMAINS[bilag]]
    need(visits, ("pga", *letters), table="visits", purpose="the SRI")
    scores = sledai(visits)
    frame = course(visits.with_columns(_sledai=scores["sledai"]), subjects)
    drop = pl.col("_sledai_0") - pl.col("_sledai")
    components = {
        "sledai": drop >= k,
        "bilag": _no_new_letter(letters),
        "pga": (rescaled_pga(pga_scale) - rescaled_pga(pga_scale, "pga_0")).round(DIGITS) < pga_worsening,
        "failure": ~failed(frame),
    }
    attainable = pl.col("_sledai_0") >= k
    outside = pl.when(~attainable).then(pl.lit("not_attainable"))
    frame = frame.with_columns(attainable=attainable)
    return judge(frame, "sri4", components, outside=outside, success="responder", keep=["attainable"])


def sri4_components(status: pl.DataFrame, subjects: pl.DataFrame) -> pl.DataFrame:
    """Count who meets each component of the SRI, by visit and arm.

    Parameters
    ----------
    status
        From :func:`sri4`.
    subjects
        subject, arm. Only these are counted: give the analysis set.

    Returns
    -------
    visit, week, arm; component: ``sledai``, ``bilag``, ``pga``, ``failure`` (none before), ``sri4`` (all of them); x:
    who meets it, by non-responder imputation; n: the evaluable.

    Examples
    --------
    >>> from il2cyto import clinical, datasets, io
    >>> data = io.read_clinical(io.read_study(datasets.sample_data_path()))
    >>> sets = clinical.analysis_sets(data.subjects, data.visits).filter("mitt")
    >>> table = clinical.sri4_components(clinical.sri4(data.visits, data.subjects), sets)
    >>> table.filter(component="sri4", visit="W12").select("arm", "x", "n").rows()
    [('placebo', 1, 4), ('IL-2', 2, 4)]
    """
    need(subjects, ("subject", "arm"), table="subjects", purpose="components of the SRI")
    met = {"sledai_met": "sledai", "bilag_met": "bilag", "pga_met": "pga", "failure_met": "failure", "sri4": "sri4"}
    counted = status.filter("evaluable").join(subjects.select("subject", "arm"), "subject")
    long = counted.rename(met).unpivot(
        list(met.values()), index=["visit", "week", "arm"], variable_name="component", value_name="met"
    )
    order = {"visit": levels(status["visit"]), "arm": levels(subjects["arm"]), "component": list(met.values())}
    sorted_by = [pl.col(name).cast(pl.Enum(values)) for name, values in order.items()]
    keys = ("visit", "week", "arm", "component")
    return long.with_columns(sorted_by).group_by(keys).agg(x=pl.col("met").sum(), n=pl.len()).sort(*order)


def rescaled_pga(scale: float, column: str = "pga") -> pl.Expr:
    """Bring the PGA to the scale 0 to 3."""
    return (pl.col(column) * (_PGA_TOP / scale)).round(DIGITS)


def _no_new_letter(letters: list[str]) -> pl.Expr:
    """No new A and at most one new B; null where any letter is missing."""
    new_a = [(pl.col(letter) == "A") & (pl.col(f"{letter}_0") != "A") for letter in letters]
    new_b = [(pl.col(letter) == "B") & ~pl.col(f"{letter}_0").is_in(["A", "B"]) for letter in letters]
    known = pl.all_horizontal(pl.col(name).is_not_null() for letter in letters for name in (letter, f"{letter}_0"))
    passes = ~pl.any_horizontal(new_a) & (pl.sum_horizontal(new_b) <= 1)
    return pl.when(known).then(passes)


def failed(frame: pl.DataFrame) -> pl.Expr:
    """A failure event fell on or before the visit; where the visit did not take place its planned day counts."""
    if "failure_day" not in frame.columns:
        return pl.lit(value=False)
    planned = 7 * pl.col("week") + 1
    day = pl.coalesce("study_day", planned) if "study_day" in frame.columns else planned
    return pl.when(pl.col("failure_day").is_null()).then(pl.lit(value=False)).otherwise(pl.col("failure_day") <= day)
