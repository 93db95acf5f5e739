"""What `tl.mmrm` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm import _backtransform, _tables
from il2cyto.tl._mmrm._diagnostics import diagnose
from il2cyto.tl._mmrm._frame import label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.tl._mmrm._diagnostics import Diagnostics
    from il2cyto.tl._mmrm._fallback import Models
    from il2cyto.tl._mmrm._fit import Fit


@dataclass(frozen=True)
class MMRMResult:
    """A mixed model for repeated measures, see :func:`il2cyto.tl.mmrm`.

    Parameters
    ----------
    coefficients
        `term estimate se df p`, treatment coding. NaN for a term that is a combination of others.
    contrasts
        `visit contrast estimate se df p ci_low ci_high`: each arm minus the control. NaN where it is not estimable.
    means
        `arm visit n estimate se df p ci_low ci_high`: marginal means at the mean covariates of the subjects; `n` subjects
        seen.
    omnibus
        `f ndf ddf p` of arm × visit, one row; null where there is no such test.
    covariance
        `visit` and one column per visit: Ω.
    loglik
        Restricted log-likelihood, without the ln|X'X| term (as lme4 and nlme); NaN for per-visit ANCOVA.
    diagnostics
        How the model was fitted.
    level
        Coverage of the intervals.
    """

    coefficients: pl.DataFrame = field(repr=False)
    contrasts: pl.DataFrame = field(repr=False)
    means: pl.DataFrame = field(repr=False)
    omnibus: pl.DataFrame
    covariance: pl.DataFrame = field(repr=False)
    loglik: float
    diagnostics: Diagnostics
    level: float
    _models: Models = field(repr=False)

    def linear(self, weights: Mapping[str, float]) -> pl.DataFrame:
        """Estimate a linear combination of the coefficients.

        Parameters
        ----------
        weights
            Term -> weight, such as ``{"arm1": 1, "arm1:week12": 1}``.

        Returns
        -------
        One row, `estimate se df p ci_low ci_high`; NaN where the combination is not estimable.

        Raises
        ------
        ModelError
            An unknown term; each visit has its own model.
        """
        fit = self._joint("linear")
        terms = fit.trial.coding.terms
        unknown = [term for term in weights if term not in terms]
        if unknown:
            msg = f"linear: no term {', '.join(map(repr, unknown))}; the model has {', '.join(terms)}."
            raise ModelError(msg)
        c = np.array([weights.get(term, 0.0) for term in terms])
        return _tables.estimates([{}], [fit.estimate(c, level=self.level)], pl.Schema())

    def arm_difference(self, visits: Sequence[Any], *, weights: Sequence[float] | None = None) -> pl.DataFrame:
        """Average the contrasts of several visits, such as those on drug.

        Parameters
        ----------
        visits
            Levels of the visit.
        weights
            One per visit; the same for all if None. They are divided by their sum.

        Returns
        -------
        One row per active arm: `contrast estimate se df p ci_low ci_high`.

        Raises
        ------
        ModelError
            An unknown visit, weights that do not fit, or each visit has its own model.
        """
        fit = self._joint("arm_difference")
        positions = [self._visit(visit) for visit in visits]
        w = np.ones(len(positions)) if weights is None else np.asarray(weights, float)
        if w.shape != (len(positions),) or not len(w) or w.sum() == 0:
            msg = f"arm_difference: {len(positions)} visits need as many weights with a sum other than 0."
            raise ModelError(msg)
        arms = range(1, len(self._models.trial.coding.arms))
        keys = [{"contrast": _tables.arm_contrast(self._models, arm)} for arm in arms]
        rows = [w / w.sum() @ [_tables.difference(self._models, arm, j) for j in positions] for arm in arms]
        values = [fit.estimate(row, level=self.level) for row in rows]
        return _tables.estimates(keys, values, pl.Schema({"contrast": pl.String()}))

    def change_from_baseline(self, baseline: str) -> pl.DataFrame:
        """Subtract the subjects' mean baseline from the marginal means; the baseline counts as known.

        Parameters
        ----------
        baseline
            The numeric covariate that holds the response at baseline.

        Returns
        -------
        As `means`; `p` tests that there is no change.

        Raises
        ------
        ModelError
            `baseline` is not a numeric covariate of the model.
        """
        trial = self._models.trial
        if baseline not in trial.coding.covariates:
            known = ", ".join(trial.coding.covariates) or "none"
            msg = f"change_from_baseline: {baseline!r} is not a numeric covariate; the model has {known}."
            raise ModelError(msg)
        mean = float(trial.subject_covariates[:, trial.coding.covariates.index(baseline)].mean())
        return _tables.means(self._models, self.means.schema, level=self.level, offset=mean)

    def odds_ratios(self) -> pl.DataFrame:
        """Back-transform the contrasts of a logit: `visit contrast odds_ratio or_low or_high p`."""
        return self.contrasts.select(
            "visit",
            "contrast",
            odds_ratio=pl.col("estimate").exp(),
            or_low=pl.col("ci_low").exp(),
            or_high=pl.col("ci_high").exp(),
            p="p",
        )

    def medians(self) -> pl.DataFrame:
        """Back-transform the means of a logit into adjusted median fractions: `arm visit n median ci_low ci_high`, 0-1.

        The inverse logit of a mean logit is a median, not a mean, of the fractions.
        """

        def expit(name: str) -> pl.Expr:
            return 1 / (1 + (-pl.col(name)).exp())

        return self.means.select(
            "arm", "visit", "n", median=expit("estimate"), ci_low=expit("ci_low"), ci_high=expit("ci_high")
        )

    def mean_fractions(self, *, seed: int = 0, draws: int = 2000) -> _backtransform.MeanFractions:
        """Back-transform a logit into adjusted mean fractions and their differences, by g-computation.

        The mean is taken over the covariates of all subjects, as if each had been in each arm, and over the residual
        N(0, Ω_jj), by Gauss-Hermite quadrature. Intervals are percentiles of a parametric bootstrap of the estimates: β from
        N(β̂, Φ_A), Ω_jj from a log-normal with the standard error that the likelihood gives it.

        Parameters
        ----------
        seed
            The same seed gives the same intervals, whatever else was drawn before.
        draws
            Size of the bootstrap.

        Returns
        -------
        `means` (`arm visit n mean ci_low ci_high`) and `differences` (`visit contrast difference ci_low ci_high`), 0-1; NaN
        where the model has no estimate.
        """
        return _backtransform.mean_fractions(self._models, self.means.schema, seed=seed, draws=draws, level=self.level)

    def _visit(self, visit: Any) -> int:
        visits = self._models.trial.coding.visits
        if visit not in visits:
            msg = f"no visit {visit!r} in the model; it has {', '.join(map(label, visits))}."
            raise ModelError(msg)
        return visits.index(visit)

    def _joint(self, what: str) -> Fit:
        if self._models.joint is None:
            msg = (
                f"{what}: each visit has its own model (per-visit ANCOVA), which says nothing of how estimates at two visits "
                "vary together; choose a covariance that converges."
            )
            raise ModelError(msg)
        return self._models.joint


def make_result(
    models: Models, schema: pl.Schema, dropped: pl.DataFrame, *, requested: str, level: float
) -> MMRMResult:
    """Tabulate what was fitted; `schema` gives the types of `arm` and `visit`."""
    return MMRMResult(
        coefficients=_tables.coefficients(models, level=level),
        contrasts=_tables.contrasts(models, schema["visit"], level=level),
        means=_tables.means(models, schema, level=level),
        omnibus=_tables.omnibus(models),
        covariance=_tables.covariance(models),
        loglik=float("nan") if models.joint is None else models.joint.loglik,
        diagnostics=diagnose(models, dropped, requested=requested),
        level=level,
        _models=models,
    )
