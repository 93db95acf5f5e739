"""Is what is to be compared, arms or visits, also what was run together? Then a difference may be one between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Columns of the sample sheet that say how a tube was run, with the word for several.
RUN_COLUMNS: Final = {
    "batch": "batches",
    "cytometer": "cytometers",
    "site": "sites",
    "operator": "operators",
    "lot": "lots",
}
#: With a smaller share of the comparison of arms within batches the arms are compared between batches.
FEWEST_WITHIN: Final = 1 / 3


class Confounded(NamedTuple):
    """Arms that differ in how they were run.

    Attributes
    ----------
    column
        One of `RUN_COLUMNS`.
    within
        Share of the comparison of arms that lies within its values.
    one_armed, subjects
        Subjects that share its value with others of their own arm only, of how many that share it with anybody.
    bridged
        Whether one control material was run under every value that holds a single arm.
    """

    column: str
    within: float
    one_armed: int
    subjects: int
    bridged: bool

    def __str__(self) -> str:
        """The finding in words; which arm is where is not said, since whoever reads it may be blind to it."""
        several = RUN_COLUMNS[self.column]
        return (
            f"{self.one_armed} of {self.subjects} subjects share their {self.column} with their own arm only, and {self.within:.0%} of the "
            f"comparison of arms lies within {several}: a difference between arms cannot be told from one between {several}"
        )


def confounded_arms(specimens: pl.DataFrame, controls: pl.DataFrame) -> Iterator[Confounded]:
    """Find what the arms differ in beside the treatment.

    Parameters
    ----------
    specimens
        One row per tube: subject, arm, and such of `RUN_COLUMNS` as there are.
    controls
        The bridging controls: subject (the material), and the same columns.

    Notes
    -----
    The share within batches is the sum over batches of n (1 - sum p^2), with n subjects of which a share p is of each arm, over the
    same of all subjects: for two arms, the information on their difference that does not rest on a comparison of batches. A
    subject alone in its batch says nothing of either and is left out.
    """
    for column in (name for name in RUN_COLUMNS if name in specimens.columns):
        pairs = specimens.select("subject", "arm", column).drop_nulls().unique()
        counts = pairs.group_by(column, "arm").len().with_columns(n=pl.col("len").sum().over(column))
        counts = counts.filter(pl.col("n") > 1)
        total = _mixture(counts.group_by("arm").agg(pl.col("len").sum())["len"])
        if not total:
            continue
        within = sum(_mixture(rows["len"]) for _, rows in counts.group_by(column)) / total
        if within < FEWEST_WITHIN:
            alone = counts.filter(pl.col("len") == pl.col("n"))
            yield Confounded(
                column,
                within,
                int(alone["n"].sum()),
                int(counts["len"].sum()),
                bridged=set(alone[column]) <= bridged_values(controls, column),
            )


def bridged_values(controls: pl.DataFrame, column: str) -> set[str]:
    """Values of a column that a bridging control shares with another value."""
    if column not in controls.columns:
        return set()
    pairs = controls.select("subject", column).drop_nulls().unique()
    return set(pairs.filter(pl.col(column).n_unique().over("subject") > 1)[column])


def _mixture(counts: Iterable[int]) -> float:
    """Compute n (1 - sum p^2): 0 where all are of one kind."""
    counts = list(counts)
    n = sum(counts)
    return n - sum(count * count for count in counts) / n if n else 0.0
