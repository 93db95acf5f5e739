"""Fit the structure that was asked for, or say why not and go on to a simpler one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._covariance import LINEAR
from il2cyto.tl._mmrm._fit import Fit, fit_model
from il2cyto.tl._mmrm._frame import label

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._covariance import Covariance, FloatArray
    from il2cyto.tl._mmrm._ddf import Ddf
    from il2cyto.tl._mmrm._design import Trial

#: What is tried after a structure that did not converge: simpler ones, and none that has to be asked for by name.
CHAIN: tuple[Covariance, ...] = ("ar1", "cs")
ANCOVA = "per-visit ANCOVA"
NO_KENWARD_ROGER = (
    "Kenward-Roger is not offered for {}: Ω is not linear in the correlation, and packages disagree on the correction"
)


class Failure(NamedTuple):
    """A structure that was tried in vain."""

    covariance: str
    reason: str


@dataclass(frozen=True)
class Models:
    """What was fitted: one model for all visits, or one for each where no structure of Ω converged.

    Parameters
    ----------
    trial
        All rows.
    fits
        The model of each visit; None where a visit alone could not be fitted.
    covariance, ddf
        What was used in the end.
    failures
        What was tried before.
    notes
        What else the reader of a table must know.
    """

    trial: Trial
    fits: tuple[Fit | None, ...]
    covariance: str
    ddf: str
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    @property
    def joint(self) -> Fit | None:
        """The one model of all visits, None for per-visit ANCOVA."""
        return None if self.covariance == ANCOVA else self.fits[0]

    def position(self, visit: int) -> int:
        """Where a visit stands among those of its own model."""
        return 0 if self.covariance == ANCOVA else visit

    def rows(self, arm: int, visit: int, Z: FloatArray) -> FloatArray:
        """Rows of the visit's X for one arm and the covariates Z."""
        fit = self.fits[visit]
        coding = self.trial.coding if fit is None else fit.trial.coding
        return coding.matrix(np.full(len(Z), arm), np.full(len(Z), self.position(visit)), Z)


def fit_with_fallback(trial: Trial, covariance: Covariance, ddf: Ddf, *, fallback: bool) -> Models:
    """Try the structures from `covariance` on, then each visit on its own.

    Raises
    ------
    ModelError
        Kenward-Roger is asked for with a structure that is not linear; the first structure does not converge and `fallback` is False.
    """
    if offered_ddf(covariance, ddf) != ddf:
        msg = f"mmrm: {NO_KENWARD_ROGER.format(covariance)}; use ddf='satterthwaite'."
        raise ModelError(msg)
    failures: list[Failure] = []
    for structure in _chain(covariance):
        method = offered_ddf(structure, ddf)
        fit = fit_model(trial, structure, method)
        if isinstance(fit, Fit):
            notes = (
                [f"degrees of freedom are Satterthwaite's: {NO_KENWARD_ROGER.format(structure)}"]
                if method != ddf
                else []
            )
            return Models(
                trial,
                (fit,) * len(trial.coding.visits),
                structure,
                method,
                tuple(failures),
                (*notes, *_aliased(fit)),
            )
        failures.append(Failure(structure, fit))
        if not fallback:
            msg = f"mmrm: {structure} did not converge ({fit}). Allow a fallback, or choose a simpler covariance."
            raise ModelError(msg)
    return _each_visit(trial, ddf, failures)


def offered_ddf(covariance: Covariance, ddf: Ddf) -> Ddf:
    """Give the method of the degrees of freedom that a structure has: Satterthwaite's where Ω is not linear."""
    return ddf if covariance in LINEAR else "satterthwaite"


def _chain(covariance: Covariance) -> tuple[Covariance, ...]:
    later = CHAIN[CHAIN.index(covariance) + 1 :] if covariance in CHAIN else CHAIN
    return covariance, *later


def _each_visit(trial: Trial, ddf: Ddf, failures: list[Failure]) -> Models:
    fits: list[Fit | None] = []
    notes: list[str] = []
    for j, visit in enumerate(trial.coding.visits):
        name = trial.coding.visit + label(visit)
        try:
            fit = fit_model(trial.at(j), "us", ddf)
        except ModelError as e:
            fit = str(e).removeprefix("mmrm: ")
        if isinstance(fit, Fit):
            notes += [f"{name}: {note}" for note in _aliased(fit)]
            fits.append(fit)
        else:
            notes.append(f"{name}: {fit}")
            fits.append(None)
    return Models(trial, tuple(fits), ANCOVA, "residual", tuple(failures), tuple(notes))


def _aliased(fit: Fit) -> list[str]:
    names = [term for term, kept in zip(fit.trial.coding.terms, fit.kept, strict=True) if not kept]
    return [f"not estimable, left out as combinations of other terms: {', '.join(names)}"] if names else []
