"""CONSORT flow: how many were contacted, randomised, followed and analysed, and why the others were not."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.clinical._course import is_randomised, levels
from il2cyto.clinical._sets import NOT_RECORDED
from il2cyto.errors import StudyError

#: Arrows of the flow: what a stage divides into.
_ARROWS: Final = (
    ("contacted", ("not_enrolled", "randomised")),
    ("randomised", ("discontinued", "completed")),
    ("randomised", ("excluded", "analysed")),
)
#: Stages in order -> are they counted by arm?
_BY_ARM: Final = {
    "contacted": False,
    "not_enrolled": False,
    "randomised": False,
    "allocated": True,
    "discontinued": True,
    "completed": True,
    "excluded": True,
    "analysed": True,
}
_REASONS: Final = ("not_enrolled", "discontinued", "excluded")


def consort(subjects: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Count the flow of subjects through the trial.

    Parameters
    ----------
    subjects
        One row per subject that was contacted: `arm`, `enrolled`, `randomised`, `not_enrolled_reason`, `end_reason`.
        Without a column `enrolled` whoever was randomised was enrolled, and nobody else was contacted.
    sets
        From :func:`analysis_sets`; analysed is the mITT set.

    Returns
    -------
    stage, arm, reason, n. Stages in order: contacted; not_enrolled, that is not randomised, by reason; randomised;
    allocated, by arm, as all that follow; discontinued, by reason; completed; excluded from analysis, by reason;
    analysed. `arm` is null before allocation; `reason` is null where there is none to give, ``not recorded`` where it
    is blank, and ``not randomised`` for who was enrolled all the same.

    Raises
    ------
    StudyError
        The numbers of an arrow do not add up, as the columns of some subjects contradict one another; or it is not
        known who is in the mITT set.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> subjects = pl.DataFrame(
    ...     {
    ...         "subject": ["S1", "S2"],
    ...         "arm": ["IL-2", None],
    ...         "enrolled": [True, False],
    ...         "doses_given": [21, None],
    ...         "end_reason": ["completed", None],
    ...     }
    ... )
    >>> sets = clinical.analysis_sets(
    ...     subjects, pl.DataFrame({"subject": "S1", "visit": ["W0", "W12"], "pga": [2.0, 1.0]})
    ... )
    >>> clinical.consort(subjects, sets).filter(stage="analysed").row(0)
    ('analysed', 'IL-2', None, 1)
    """
    require_frame(subjects, caller="consort")
    unknown = subjects.join(sets.drop_nulls("mitt"), "subject", "anti").height
    if unknown:
        msg = (
            f"consort: mITT is not known of {unknown} subjects; give analysis_sets all subjects and the table of visits"
        )
        raise StudyError(msg)
    frame = _flow(subjects, sets)
    _reconcile(frame)
    rows: list[tuple[str, str | None, str | None, int]] = []
    for stage, by_arm in _BY_ARM.items():
        inside = frame.filter(stage)
        if not by_arm:
            rows += _by_reason(inside, stage, None)
        for arm in levels(frame["arm"]) if by_arm else ():
            rows += _by_reason(inside.filter(pl.col("arm").cast(pl.String) == arm), stage, arm)
    schema: dict[str, Any] = {"stage": pl.String, "arm": frame["arm"].dtype, "reason": pl.String, "n": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _by_reason(inside: pl.DataFrame, stage: str, arm: str | None) -> list[tuple[str, str | None, str | None, int]]:
    """Rows of a stage: one for each reason that occurs, the commonest first, or one in all."""
    if stage not in _REASONS or inside.is_empty():
        return [(stage, arm, None, inside.height)]
    reason = pl.col(f"why_{stage}").fill_null(NOT_RECORDED).alias("reason")
    counts = inside.group_by(reason).agg(n=pl.len()).sort("n", "reason", descending=[True, False])
    return [(stage, arm, why, n) for why, n in counts.iter_rows()]


def _flow(subjects: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Put every subject into the stages that its own columns name, whether or not they agree."""
    texts = ("not_enrolled_reason", "end_reason")
    blank = {name: pl.lit(None, pl.String) for name in texts if name not in subjects.columns}
    frame = subjects.drop("mitt", "itt", "safety", "exclusion_reason", strict=False).with_columns(**blank)
    frame = frame.join(sets.select("subject", "mitt", "exclusion_reason"), "subject", "left", maintain_order="left")
    randomised = is_randomised(subjects)
    enrolled = pl.coalesce("enrolled", randomised) if "enrolled" in subjects.columns else randomised
    ended, completed = pl.col("end_reason"), (pl.col("end_reason") == "completed").fill_null(value=False)
    mitt = pl.col("mitt")
    return frame.select(
        "subject",
        "arm",
        contacted=pl.lit(value=True),
        not_enrolled=~enrolled | ~randomised,
        randomised=randomised,
        allocated=randomised,
        discontinued=~completed & (randomised | ended.is_not_null()),
        completed=completed,
        excluded=randomised & ~mitt,
        analysed=mitt,
        why_not_enrolled=pl.coalesce("not_enrolled_reason", pl.when(enrolled).then(pl.lit("not randomised"))),
        why_discontinued="end_reason",
        why_excluded="exclusion_reason",
    )


def _reconcile(frame: pl.DataFrame) -> None:
    problems = []
    for stage, parts in _ARROWS:
        odd = frame.filter(pl.sum_horizontal(pl.col(parts).cast(pl.Int8)) != pl.col(stage).cast(pl.Int8))
        if odd.height:
            sizes = " + ".join(f"{part} {frame[part].sum()}" for part in parts)
            problems.append(f"{stage} {frame[stage].sum()} is not {sizes}: {_names(odd)}")
    without = frame.filter("randomised", pl.col("arm").is_null())
    if without.height:
        problems.append(f"randomised without an arm: {_names(without)}")
    if problems:
        msg = "consort: counts do not reconcile; correct these subjects: " + "; ".join(problems)
        raise StudyError(msg)


def _names(frame: pl.DataFrame) -> str:
    more = f" and {frame.height - 3} more" if frame.height > 3 else ""
    return ", ".join(frame["subject"].head(3)) + more
