"""Other rules for missing statuses: sensitivity analyses of a binary endpoint."""

from __future__ import annotations

from typing import Final, Literal, get_args

import polars as pl

from il2cyto.clinical._course import levels, need
from il2cyto.errors import StudyError

MissingRule = Literal["nri", "observed", "locf", "best", "worst"]
_RULES: Final = get_args(MissingRule)
_KEY: Final = ("subject", "endpoint")


def impute(
    binary: pl.DataFrame, subjects: pl.DataFrame, *, rule: MissingRule, control: str | None = None
) -> pl.DataFrame:
    """Replace the value of binary endpoints by that of another rule for missing statuses.

    Parameters
    ----------
    binary
        As :attr:`Endpoints.binary`, visits in order: subject, visit, endpoint, observed, evaluable.
    subjects
        subject, arm.
    rule
        ``nri``: missing is a non-responder. ``observed``: missing stays null. ``locf``: the subject's last observed
        status, and a non-responder before there is one. ``best``: missing is a responder in every arm but control,
        and none in control; ``worst``: the other way round.
    control
        The control arm; the first of the column's categories if None, or, where it is text, of its rows.

    Returns
    -------
    `binary` with `value` replaced; null where not evaluable, whatever the rule. A status that is known although
    something is missing (a failure event, a component that fails) is observed, and stays.

    Raises
    ------
    StudyError
        Columns are missing, the rule is none of those above, or `control` is no arm.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> binary = pl.DataFrame(
    ...     {
    ...         "subject": "S1",
    ...         "visit": ["W6", "W12"],
    ...         "endpoint": "sri4",
    ...         "observed": [True, None],
    ...         "evaluable": True,
    ...     }
    ... )
    >>> subjects = pl.DataFrame({"subject": ["S1"], "arm": ["placebo"]})
    >>> {rule: clinical.impute(binary, subjects, rule=rule)["value"][1] for rule in ("nri", "locf", "observed")}
    {'nri': False, 'locf': True, 'observed': None}
    """
    if rule not in _RULES:
        msg = f"impute: rule is {rule!r}; allowed are {', '.join(_RULES)}"
        raise StudyError(msg)
    need(binary, (*_KEY, "visit", "observed", "evaluable"), table="endpoints", purpose="imputation")
    need(subjects, ("subject", "arm"), table="subjects", purpose="imputation")
    reference = next(iter(_arms(subjects, control, "impute")), None)
    in_control = pl.col("subject").replace_strict(
        subjects["subject"], subjects["arm"].cast(pl.String) == reference, default=None, return_dtype=pl.Boolean
    )
    observed = pl.col("observed")
    filled = {
        "nri": observed.fill_null(value=False),
        "observed": observed,
        "locf": observed.forward_fill().over(_KEY).fill_null(value=False),
        "best": observed.fill_null(~in_control),
        "worst": observed.fill_null(in_control),
    }
    return binary.with_columns(value=pl.when("evaluable").then(filled[rule]))


def tipping_point(
    binary: pl.DataFrame, subjects: pl.DataFrame, *, endpoint: str, visit: str, control: str | None = None
) -> pl.DataFrame:
    """List all counts that an endpoint could have had at a visit, had the missing subjects been seen.

    Parameters
    ----------
    binary
        As :attr:`Endpoints.binary`.
    subjects
        subject, arm; two arms. Only these subjects are counted: give the analysis set.
    endpoint, visit
        Which rows of `binary`; it has one for each subject.
    control
        As in :func:`impute`.

    Returns
    -------
    responders_treatment, responders_control: assumed among the missing of each arm, every number from none to all;
    x_treatment, n_treatment, x_control, n_control: the counts that follow. The first row is non-responder imputation. The
    tipping point is where a test of the counts changes side, see :func:`il2cyto.tl.tipping_contrasts`.

    Raises
    ------
    StudyError
        Columns are missing, there are not two arms, or a subject has two statuses.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> binary = pl.DataFrame(
    ...     {
    ...         "subject": ["S1", "S2"],
    ...         "visit": "W12",
    ...         "endpoint": "sri4",
    ...         "observed": [False, None],
    ...         "evaluable": True,
    ...     }
    ... )
    >>> subjects = pl.DataFrame({"subject": ["S1", "S2"], "arm": ["placebo", "IL-2"]})
    >>> clinical.tipping_point(binary, subjects, endpoint="sri4", visit="W12")["x_treatment"].to_list()
    [0, 1]
    """
    need(binary, (*_KEY, "visit", "observed", "evaluable"), table="endpoints", purpose="a tipping point")
    need(subjects, ("subject", "arm"), table="subjects", purpose="a tipping point")
    order = _arms(subjects, control, "tipping_point")
    if len(order) > 2:  # a trial of three arms, of which these subjects are two
        order = [arm for arm in order if (subjects["arm"].cast(pl.String) == arm).any()]
    if len(order) != 2:
        msg = f"tipping_point: found the arms {', '.join(order)}; allowed are two, control first"
        raise StudyError(msg)
    at = binary.filter(pl.col("visit").cast(pl.String) == visit, pl.col("endpoint") == endpoint, "evaluable")
    at = at.drop("arm", strict=False).join(subjects.select("subject", "arm"), "subject")
    twice = at.filter(at["subject"].is_duplicated())["subject"].unique(maintain_order=True)
    if len(twice):
        msg = f"tipping_point: {len(twice)} subjects have several statuses at {visit}, first {twice[0]}; keep one row each"
        raise StudyError(msg)
    parts = []
    for name, arm in zip(("control", "treatment"), order, strict=True):
        observed = at.filter(pl.col("arm").cast(pl.String) == arm)["observed"]
        assumed = pl.int_range(observed.null_count() + 1, eager=True)
        seen, n = int(observed.sum()), len(observed)
        parts.append(
            pl.DataFrame({f"responders_{name}": assumed, f"x_{name}": seen + assumed, f"n_{name}": [n] * len(assumed)})
        )
    of_control, of_treatment = parts
    columns = [f"{kind}_{name}" for name in ("treatment", "control") for kind in ("x", "n")]
    return of_treatment.join(of_control, how="cross").select("responders_treatment", "responders_control", *columns)


def _arms(subjects: pl.DataFrame, control: str | None, caller: str) -> list[str]:
    """Arms of the trial, control first, whether or not somebody is in them."""
    order = levels(subjects["arm"])
    if control is not None and control not in order:
        msg = f"{caller}: no control arm {control!r}; arms are {', '.join(order) or 'none'}"
        raise StudyError(msg)
    return order if control is None else sorted(order, key=lambda arm: arm != control)
