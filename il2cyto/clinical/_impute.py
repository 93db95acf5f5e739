"""Other rules for missing statuses: sensitivity analyses of a binary endpoint."""

from __future__ import annotations

from typing import Final, Literal, get_args

import polars as pl

from il2cyto.clinical._course import levels, need
from il2cyto.errors import StudyError

MissingRule = Literal["nri", "observed", "locf", "best", "worst"]
_RULES: Final = get_args(MissingRule)
_KEY: Final = ("subject", "endpoint")


def impute(binary: pl.DataFrame, subjects: pl.DataFrame, *, rule: MissingRule) -> pl.DataFrame:
    """Replace the value of binary endpoints by that of another rule for missing statuses.

    Parameters
    ----------
    binary
        As :attr:`Endpoints.binary`, visits in order: subject, visit, endpoint, observed, evaluable.
    subjects
        subject, arm; the first arm is control.
    rule
        ``nri``: missing is a non-responder. ``observed``: missing stays null. ``locf``: the subject's last observed
        status, and a non-responder before there is one. ``best``: missing is a responder in every arm but control,
        and none in control; ``worst``: the other way round.

    Returns
    -------
    `binary` with `value` replaced; null where not evaluable, whatever the rule. A status that is known although
    something is missing (a failure event, a component that fails) is observed, and stays.

    Raises
    ------
    StudyError
        Columns are missing, or the rule is none of those above.

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
    order = levels(subjects["arm"])
    control = pl.col("subject").replace_strict(
        subjects["subject"], subjects["arm"].cast(pl.String) == order[0], default=None, return_dtype=pl.Boolean
    )
    observed = pl.col("observed")
    filled = {
        "nri": observed.fill_null(value=False),
        "observed": observed,
        "locf": observed.forward_fill().over(_KEY).fill_null(value=False),
        "best": observed.fill_null(~control),
        "worst": observed.fill_null(control),
    }
    return binary.with_columns(value=pl.when("evaluable").then(filled[rule]))


def tipping_point(binary: pl.DataFrame, subjects: pl.DataFrame, *, endpoint: str, visit: str) -> pl.DataFrame:
    """List all counts that an endpoint could have had at a visit, had the missing subjects been seen.

    Parameters
    ----------
    binary
        As :attr:`Endpoints.binary`.
    subjects
        subject, arm; two arms, control first. Only these subjects are counted: give the analysis set.
    endpoint, visit
        Which rows of `binary`.

    Returns
    -------
    responders_treatment, responders_control: assumed among the missing of each arm, every number from none to all;
    x_treatment, n_treatment, x_control, n_control: the counts that follow. The tipping point is where a test of them
    changes side.

    Raises
    ------
    StudyError
        Columns are missing, or there are not two arms.

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
    order = levels(subjects["arm"])
    if len(order) != 2:
        msg = f"tipping_point: found the arms {', '.join(order)}; allowed are two, control first"
        raise StudyError(msg)
    at = binary.filter(pl.col("visit").cast(pl.String) == visit, pl.col("endpoint") == endpoint, "evaluable")
    at = at.drop("arm", strict=False).join(subjects.select("subject", "arm"), "subject")
    parts = []
    for name, arm in zip(("control", "treatment"), order, strict=True):
        observed = at.filter(pl.col("arm").cast(pl.String) == arm)["observed"]
        assumed = pl.int_range(observed.null_count() + 1, eager=True)
        seen, n = int(observed.sum()), len(observed)
        parts.append(
            pl.DataFrame({f"responders_{name}": assumed, f"x_{name}": seen + assumed, f"n_{name}": [n] * len(assumed)})
        )
    control, treatment = parts
    columns = [f"{kind}_{name}" for name in ("treatment", "control") for kind in ("x", "n")]
    return treatment.join(control, how="cross").select("responders_treatment", "responders_control", *columns)
