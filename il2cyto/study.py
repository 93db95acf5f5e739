"""Study: who was measured when, in which batch, with which panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import polars as pl
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from il2cyto._analysis_settings import AnalysisSettings as AnalysisSettings
from il2cyto._clinical_settings import (
    ClinicalSettings as ClinicalSettings,
    Limits as Limits,
    RenalRule as RenalRule,
    SriRule as SriRule,
)
from il2cyto._strict import Strict
from il2cyto._study_rules import (
    arm_problems,
    period_problems,
    raise_problems,
    schedule_problems,
    unscheduled_problems,
)
from il2cyto._study_types import (
    PanelName,
    Primary as Primary,
    ScheduledVisit as ScheduledVisit,
    StudyPanel as StudyPanel,
    StudyPath,
    Text,
    Week,
)

#: Sheet columns by which gating may form groups. Arm, visit, date, treatment and response are not among them.
GROUP_COLUMNS: Final = ("batch", "subject", "site", "cytometer")


class TrialFile(Strict):
    """What a study file says of the trial: all but the files that are to be gated.

    Attributes
    ----------
    study
        The study's name.
    simulated
        True for data that no patient gave; shown wherever results are shown.
    subjects
        One row per subject: subject, arm, analysis sets.
    clinical
        Tables of visits and adverse events, and the settings of the endpoints.
    arms
        Treatment arms, control first.
    schedule
        Planned visits in order; exactly one of them is the baseline.
    treatment_weeks
        Periods on treatment, each a first and last week.
    primary
        The visit of the primary endpoint.
    analysis
        Models, populations and methods.
    """

    study: Text
    simulated: bool = False
    subjects: StudyPath | None = None
    clinical: ClinicalSettings | None = None
    arms: tuple[Text, ...] = ()
    schedule: tuple[ScheduledVisit, ...] = ()
    treatment_weeks: tuple[tuple[Week, Week], ...] = ()
    primary: Primary | None = None
    analysis: AnalysisSettings = AnalysisSettings()

    # Each field is checked by itself, so that a fault in one hides none in another.

    @field_validator("arms")
    @classmethod
    def _arms_differ(cls, arms: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        del info
        raise_problems(arm_problems(arms))
        return arms

    @field_validator("schedule")
    @classmethod
    def _schedule_is_in_order(cls, schedule: tuple[ScheduledVisit, ...]) -> tuple[ScheduledVisit, ...]:
        raise_problems(schedule_problems(schedule))
        return schedule

    @field_validator("treatment_weeks")
    @classmethod
    def _periods_are_in_order(cls, periods: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        raise_problems(period_problems(periods))
        return periods

    @field_validator("primary")
    @classmethod
    def _primary_is_scheduled(cls, primary: Primary | None, info: ValidationInfo) -> Primary | None:
        if primary is not None and "schedule" in info.data:
            raise_problems(unscheduled_problems([(("visit",), primary.visit)], info.data["schedule"]))
        return primary

    @field_validator("analysis")
    @classmethod
    def _on_drug_is_scheduled(cls, analysis: AnalysisSettings, info: ValidationInfo) -> AnalysisSettings:
        if "schedule" in info.data:
            on_drug = ((("on_drug", i), visit) for i, visit in enumerate(analysis.on_drug or ()))
            raise_problems(unscheduled_problems(on_drug, info.data["schedule"]))
        return analysis


class StudyFile(TrialFile):
    """What ``study.yaml`` says, with its paths as written: the trial, and the files to gate.

    Attributes
    ----------
    samples
        The sample sheet: file, subject, visit, panel [, sample, batch, site, cytometer, tube, replicate, control, role,
        beads_per_ul, dilution, lymphocytes_1e9_l].
    panels
        Panel name, as in the sheet -> template.
    aliases
        Table of the lab's own labels: label, marker.
    overrides
        Gates that somebody moved by hand.

    Notes
    -----
    Only `study`, `samples` and `panels` are required: a batch that is only to be gated has neither arms nor schedule.
    """

    samples: StudyPath
    panels: Annotated[dict[PanelName, StudyPanel], Field(min_length=1)]
    aliases: StudyPath | None = None
    overrides: StudyPath | None = None

    @field_validator("arms")
    @classmethod
    def _arms_differ(cls, arms: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        raise_problems(arm_problems(arms, has_subjects=info.data.get("subjects", True) is not None))
        return arms


class Trial(TrialFile):
    """A trial with its table of subjects, as :func:`il2cyto.io.read_trial` gives it.

    Attributes
    ----------
    folder
        The folder of the study file; its relative paths start here.
    subject_sheet
        One row per subject, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    folder: Path
    subject_sheet: pl.DataFrame | None = Field(default=None, repr=False)

    @property
    def visits(self) -> tuple[str, ...]:
        """Visits in the order of the schedule; none without a schedule."""
        return tuple(planned.visit for planned in self.schedule)

    @property
    def weeks(self) -> dict[str, float]:
        """Visit -> planned week; empty without a schedule."""
        return {planned.visit: planned.week for planned in self.schedule}

    @property
    def baseline_visit(self) -> str | None:
        """The visit that change is measured from; None without a schedule."""
        return next((planned.visit for planned in self.schedule if planned.baseline), None)

    def path(self, file: str | Path) -> Path:
        """Locate a file that is named in the study file or the sheet."""
        return self.folder / file


class Study(StudyFile, Trial):
    """A study with its sheets, as :func:`il2cyto.io.read_study` gives it.

    Attributes
    ----------
    sheet
        One row per file, in the order of the sample sheet. Text columns sample (unique, safe as a file name), file, subject, visit,
        panel, batch, role; Boolean control; line of the sheet; then site, cytometer, tube, replicate, study_day and any
        others that the sheet has. `subject` and `visit` are null only where `control` is true or `role` is not ``sample``.
    marker_aliases
        The lab's label -> marker.
    aliases_used
        Column as il2cyto names it -> column as a sheet named it (``subject`` -> ``USUBJID``).
    """

    sheet: pl.DataFrame = Field(repr=False)
    marker_aliases: dict[str, str] = Field(default_factory=dict)
    aliases_used: dict[str, str] = Field(default_factory=dict)

    @property
    def visits(self) -> tuple[str, ...]:
        """Visits in order: of the schedule, else of a visit number in the sheet, else of first appearance."""
        if self.schedule:
            return tuple(planned.visit for planned in self.schedule)
        seen = self.sheet.filter(pl.col("visit").is_not_null())
        if "visit_number" in seen.columns:
            seen = seen.sort("visit_number", maintain_order=True, nulls_last=True)
        return tuple(seen["visit"].unique(maintain_order=True))

    @property
    def group_columns(self) -> tuple[str, ...]:
        """The columns of the sheet by which gating may group: of batch, subject, site and cytometer, those it has."""
        return tuple(column for column in GROUP_COLUMNS if column in self.sheet.columns)

    def groups(self) -> pl.DataFrame:
        """Give the one table of the study that gating receives: sample and group columns, no visit, arm or response."""
        return self.sheet.select("sample", *self.group_columns)

    def source(self, file: str) -> Path | str:
        """Locate a file of the sheet, which may also be a URL."""
        return file if "://" in file else self.path(file)
