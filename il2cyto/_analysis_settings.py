"""The `analysis` part of a study file: which models, populations and methods, fixed before the data are seen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from il2cyto._strict import Strict
from il2cyto._study_types import Text

Names = tuple[Text, ...]


class AnalysisSettings(Strict):
    """The `analysis` part of a study file. The defaults are the analysis that docs/analysis.md describes.

    Attributes
    ----------
    populations
        Which populations; the endpoints of the template if empty.
    denominators
        Further denominators, the same for all populations (those that lie above them); the template's if None. The parent
        always comes first, and the primary analysis is of it.
    covariance, ddf
        Of the mixed model, see :func:`il2cyto.tl.mmrm`. A structure that does not converge is replaced, and the tables say so.
    covariates
        Columns of the table of subjects that the mixed model adjusts for, beside the baseline.
    baseline_by_visit
        Whether the effect of the baseline may differ between visits.
    on_drug
        Visits whose contrasts are averaged; those on the last day of a period of treatment if None.
    gate_on_omnibus
        Whether a population's contrast can be significant only where its arm × visit test is.
    deltas
        What is added, in log odds, to imputed values of treated subjects who have none at the primary visit, see
        :func:`il2cyto.tl.delta_adjusted`; 0 is missing at random. None are tried if empty.
    alpha
        Two-sided level; intervals cover 1 - alpha.
    interval, test
        Of binary endpoints, see :func:`il2cyto.tl.compare_proportions`.
    response
        The binary endpoint that frequencies are related to.
    """

    populations: Names = ()
    denominators: Names | None = None
    covariance: Literal["us", "toeph", "toep", "adh", "ad", "ar1", "cs"] = "us"
    ddf: Literal["kenward-roger", "satterthwaite"] = "kenward-roger"
    covariates: Names = ()
    baseline_by_visit: bool = False
    on_drug: Names | None = None
    gate_on_omnibus: bool = False
    deltas: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    alpha: Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)] = 0.05
    interval: Literal["miettinen_nurminen", "newcombe"] = "miettinen_nurminen"
    test: Literal["fisher", "boschloo", "barnard", "pearson"] = "fisher"
    response: Text = "sri4"

    @property
    def level(self) -> float:
        """Coverage of the intervals, 0-1."""
        return 1 - self.alpha
