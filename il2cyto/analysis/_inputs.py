"""What an analysis starts from, whether it came from gated files or from a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto._analysis_settings import AnalysisSettings
    from il2cyto.study import TrialFile

#: The one group of a study without arms.
ALL: Final = "all"
#: Flags of a frequency that rests on few events.
LOW_COUNTS: Final = ("LOW_PARENT", "DETECTABLE", "BELOW_DETECTION")


@dataclass(frozen=True)
class Inputs:
    """Frequencies and the facts of the trial that they are of.

    Attributes
    ----------
    frequencies
        One row per sample, population and denominator, as :func:`il2cyto.get.frequencies` gives them, with `batch`, `control` and
        `cells_per_ul`. `parent` is the denominator. `arm` is an Enum, control first; ``all`` in a study without arms.
    parents
        Population -> the denominator of the primary analysis.
    arms
        Arms that occur, control first; empty without arms.
    control
        The control arm; None where there is no arm, or nobody said which one it is.
    visits
        Visit -> planned week, in order.
    templates
        What the populations were gated by, in words.
    counted
        Whether every frequency has its counts.
    notices
        What a reader has to know.
    count_method
        How the cells per µL were counted; None where there are none.
    """

    trial: TrialFile
    frequencies: pl.DataFrame
    parents: Mapping[str, str]
    arms: tuple[str, ...]
    control: str | None
    visits: Mapping[str, float | None]
    templates: tuple[str, ...]
    counted: bool
    notices: tuple[str, ...]
    count_method: str | None = None

    @property
    def settings(self) -> AnalysisSettings:
        """The trial's settings of the analysis."""
        return self.trial.analysis

    @property
    def baseline(self) -> str | None:
        """The baseline visit, if the schedule has one and somebody was measured then."""
        name = next((planned.visit for planned in self.trial.schedule if planned.baseline), None)
        return name if name in self.visits else None

    @property
    def primary(self) -> str | None:
        """The visit of the primary analysis, if somebody was measured then."""
        return self.trial.primary.visit if self.trial.primary and self.trial.primary.visit in self.visits else None

    @property
    def after(self) -> tuple[str, ...]:
        """Visits after baseline, in order."""
        order = list(self.visits)
        return tuple(order[order.index(self.baseline) + 1 :]) if self.baseline else ()

    @property
    def on_drug(self) -> tuple[str, ...]:
        """Visits whose contrasts are averaged: as set, else those on the last day of a period of treatment."""
        ends = {end for _, end in self.trial.treatment_weeks}
        chosen = self.settings.on_drug
        last_days = tuple(visit for visit in self.after if self.visits[visit] in ends)
        return last_days if chosen is None else tuple(visit for visit in chosen if visit in self.after)

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Names of the comparisons with control."""
        return tuple(f"{arm} - {self.control}" for arm in self.arms if arm != self.control) if self.control else ()

    @property
    def of_parent(self) -> pl.DataFrame:
        """The rows with each population's primary denominator."""
        primary = pl.col("population").replace_strict(dict(self.parents), return_dtype=pl.String)
        return self.frequencies.filter(pl.col("parent") == primary)
