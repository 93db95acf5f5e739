"""The design matrix: treatment coding with the terms of R's ``y ~ covariates + arm * visit``, in R's order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._frame import label, levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from il2cyto.tl._mmrm._covariance import FloatArray
    from il2cyto.tl._mmrm._frame import Roles

# A column that the earlier ones explain up to this share of its length is aliased, as in R's lm.
ALIASED = 1e-7


@dataclass(frozen=True)
class Coding:
    """Names and columns of X. The first arm and the first visit are the reference.

    Parameters
    ----------
    arm, visit
        Names of the factors.
    arms, visits
        Their levels.
    covariates
        Names of the columns of Z, categorical covariates already coded.
    by_visit
        Which of them interact with the visit.
    """

    arm: str
    visit: str
    arms: tuple[Any, ...]
    visits: tuple[Any, ...]
    covariates: tuple[str, ...]
    by_visit: NDArray[np.bool_]

    @property
    def terms(self) -> list[str]:
        """Names of the columns of X, in R's notation and in the order of `matrix`."""
        arms = [self.arm + label(level) for level in self.arms[1:]]
        visits = [self.visit + label(level) for level in self.visits[1:]]
        slopes = [name for name, by in zip(self.covariates, self.by_visit, strict=True) if by]
        crossed = [f"{first}:{visit}" for factor in (arms, slopes) for visit in visits for first in factor]
        return ["(Intercept)", *self.covariates, *arms, *visits, *crossed]

    @property
    def interaction(self) -> NDArray[np.int64]:
        """Columns of arm × visit."""
        arms, visits = len(self.arms) - 1, len(self.visits) - 1
        return 1 + len(self.covariates) + arms + visits + np.arange(arms * visits)

    def matrix(self, arm: NDArray[np.int64], visit: NDArray[np.int64], Z: FloatArray) -> FloatArray:
        """X for codes of arm and visit (N) and covariates Z (N × k)."""
        A = (arm[:, None] == np.arange(1, len(self.arms))).astype(float)
        V = (visit[:, None] == np.arange(1, len(self.visits))).astype(float)
        crossed = [(V[:, :, None] * U[:, None, :]).reshape(len(V), -1) for U in (A, Z[:, self.by_visit])]
        return np.hstack([np.ones((len(A), 1)), Z, A, V, *crossed])


@dataclass(frozen=True)
class Trial:
    """The complete rows as codes and numbers; subjects, arms and visits count from 0."""

    coding: Coding
    subject: NDArray[np.int64]
    arm: NDArray[np.int64]
    visit: NDArray[np.int64]
    Z: FloatArray
    y: FloatArray

    @property
    def X(self) -> FloatArray:
        """N × p, first levels as the reference."""
        return self.coding.matrix(self.arm, self.visit, self.Z)

    @property
    def subject_covariates(self) -> FloatArray:
        """Z of each subject, subjects × k, averaged over visits where it changes."""
        total = np.zeros((self.subject.max() + 1, self.Z.shape[1]))
        np.add.at(total, self.subject, self.Z)
        return total / np.bincount(self.subject)[:, None]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Subjects × visits."""
        seen = np.zeros((self.subject.max() + 1, len(self.coding.visits)), bool)
        seen[self.subject, self.visit] = True
        return seen

    def at(self, visit: int) -> Trial:
        """Take the rows of one visit."""
        rows = self.visit == visit
        coding = replace(self.coding, visits=(self.coding.visits[visit],))
        subject = np.unique(self.subject[rows], return_inverse=True)[1]
        return Trial(coding, subject, self.arm[rows], np.zeros(rows.sum(), int), self.Z[rows], self.y[rows])


def make_trial(rows: pl.DataFrame, roles: Roles, *, by_visit: Sequence[str], control: object) -> Trial:
    """Code the complete rows.

    Raises
    ------
    ModelError
        `by_visit` is not among the covariates, or `control` not among the arms.
    """
    strangers = [name for name in by_visit if name not in roles.covariates]
    if strangers:
        msg = (
            f"mmrm: by_visit names {', '.join(strangers)}; the covariates are {', '.join(roles.covariates) or 'none'}."
        )
        raise ModelError(msg)
    arms = levels(rows[roles.arm])
    if control is not None and control not in arms:
        msg = f"mmrm: the control {control!r} is not an arm; the arms are {', '.join(map(repr, arms))}."
        raise ModelError(msg)
    arms.sort(key=lambda arm: arm != control)  # stable: the control first, or no change
    visits = levels(rows[roles.visit])
    blocks = [_covariate(rows[name]) for name in roles.covariates]
    names = [name for block, _ in blocks for name in block]
    crossed = [role in by_visit for role, (block, _) in zip(roles.covariates, blocks, strict=True) for _ in block]
    coding = Coding(roles.arm, roles.visit, tuple(arms), tuple(visits), tuple(names), np.array(crossed, bool))
    return Trial(
        coding,
        _codes(rows[roles.subject], levels(rows[roles.subject])),
        _codes(rows[roles.arm], arms),
        _codes(rows[roles.visit], visits),
        np.hstack([np.empty((rows.height, 0)), *(columns for _, columns in blocks)]),
        rows[roles.response].to_numpy().astype(float),
    )


def independent_columns(X: FloatArray) -> NDArray[np.bool_]:
    """Mark the columns that are no linear combination of earlier ones."""
    kept: list[FloatArray] = []
    mark = np.zeros(X.shape[1], bool)
    for j, column in enumerate(X.T):
        rest, length = column, np.linalg.norm(column)
        for _ in range(2):  # once more: rounding leaves a little of the others in the first remainder
            rest = rest - sum((q * (q @ rest) for q in kept), np.zeros_like(rest))
        mark[j] = np.linalg.norm(rest) > ALIASED * length
        if mark[j]:
            kept.append(rest / np.linalg.norm(rest))
    return mark


def _covariate(column: pl.Series) -> tuple[list[str], FloatArray]:
    if column.dtype.is_numeric():
        return [column.name], column.to_numpy().astype(float)[:, None]
    order = levels(column)
    codes = _codes(column, order)
    return [column.name + label(level) for level in order[1:]], (codes[:, None] == np.arange(1, len(order))).astype(
        float
    )


def _codes(column: pl.Series, order: Sequence[Any]) -> NDArray[np.int64]:
    position = {level: code for code, level in enumerate(order)}
    return np.array([position[value] for value in column.to_list()], dtype=np.int64)
