"""Study: who was measured when, in which batch, with which panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import polars as pl
from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from il2cyto._analysis_settings import AnalysisSettings as AnalysisSettings
from il2cyto._clinical_settings import (
    ClinicalSettings as ClinicalSettings,
    Limits as Limits,
    RenalRule as RenalRule,
    SriRule as SriRule,
)
from il2cyto._strict import Strict
from il2cyto._study_types import StudyPath, Text, no_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Sheet columns by which gating may form groups. Arm, visit, date, treatment and response are not among them.
GROUP_COLUMNS: Final = ("batch", "subject", "site", "cytometer")


Week = Annotated[float, Field(allow_inf_nan=False)]
PanelName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class ScheduledVisit(Strict):
    """A visit that the protocol plans, and the week for which it plans it."""

    visit: Text
    week: Week
    baseline: bool = False


def _named(template: object) -> object:
    """A draft leaves the template blank where none suits."""
    if template is None:
        msg = "blank; name a template (il2cyto templates list), or the path of one"
        raise ValueError(msg)
    return template


class StudyPanel(Strict):
    """A tube's panel: the template that gates it, by name or by path."""

    template: Annotated[Text, BeforeValidator(_named), BeforeValidator(no_url)]


class Primary(Strict):
    """Where the study's primary endpoint is read."""

    visit: Text


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
        _raise_problems(_arm_problems(arms))
        return arms

    @field_validator("schedule")
    @classmethod
    def _schedule_is_in_order(cls, schedule: tuple[ScheduledVisit, ...]) -> tuple[ScheduledVisit, ...]:
        _raise_problems(_schedule_problems(schedule))
        return schedule

    @field_validator("treatment_weeks")
    @classmethod
    def _periods_are_in_order(cls, periods: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        _raise_problems(_period_problems(periods))
        return periods

    @field_validator("primary")
    @classmethod
    def _primary_is_scheduled(cls, primary: Primary | None, info: ValidationInfo) -> Primary | None:
        if primary is not None and "schedule" in info.data:
            _raise_problems(_primary_problems(primary, info.data["schedule"]))
        return primary

    @field_validator("analysis")
    @classmethod
    def _on_drug_is_scheduled(cls, analysis: AnalysisSettings, info: ValidationInfo) -> AnalysisSettings:
        if "schedule" in info.data:
            _raise_problems(_on_drug_problems(analysis, info.data["schedule"]))
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
        _raise_problems(_arm_problems(arms, has_subjects=info.data.get("subjects", True) is not None))
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


_Problem = tuple[tuple[str | int, ...], str]


def _raise_problems(problems: Iterator[_Problem]) -> None:
    # pydantic puts the field's own place before those given here.
    details = [
        InitErrorDetails(type=PydanticCustomError("study", "{text}", {"text": text}), loc=place, input=None)
        for place, text in problems
    ]
    if details:
        title = "Study"
        raise ValidationError.from_exception_data(title, details)


def _arm_problems(arms: Sequence[str], *, has_subjects: bool = True) -> Iterator[_Problem]:
    for i, arm in enumerate(arms):
        if arm in arms[:i]:
            yield (i,), f"{arm!r} stands twice; keep one"
    if arms and not has_subjects:
        yield (), "no table says which subject is in which arm; name one as subjects: subjects.csv, or remove arms"


def _schedule_problems(schedule: Sequence[ScheduledVisit]) -> Iterator[_Problem]:
    visits = [planned.visit for planned in schedule]
    for i, planned in enumerate(schedule):
        if planned.visit in visits[:i]:
            yield (i, "visit"), f"{planned.visit!r} stands twice; rename or remove one"
        if i and planned.week <= schedule[i - 1].week:
            before = schedule[i - 1]
            text = f"found {planned.week:g} after {before.week:g} ({before.visit}); allowed are weeks that increase"
            yield (i, "week"), text
    baselines = [planned.visit for planned in schedule if planned.baseline]
    if schedule and len(baselines) != 1:
        found = ", ".join(baselines) or "none"
        yield (), f"found {len(baselines)} baseline visits ({found}); allowed is one: mark it baseline: true"


def _period_problems(periods: Sequence[tuple[float, float]]) -> Iterator[_Problem]:
    end = float("-inf")
    for i, (start, stop) in enumerate(periods):
        if start >= stop:
            yield (i,), f"found {start:g} to {stop:g}; the first week must come before the last"
        if start < end:
            yield (i,), f"starts in week {start:g}, before the period above ends in week {end:g}; put them in order"
        end = max(end, stop)


def _primary_problems(primary: Primary, schedule: Sequence[ScheduledVisit]) -> Iterator[_Problem]:
    visits = [planned.visit for planned in schedule]
    if primary.visit not in visits:
        allowed = ", ".join(visits) or "none, as there is no schedule"
        yield ("visit",), f"{primary.visit!r} is not in the schedule; allowed {allowed}"


def _on_drug_problems(analysis: AnalysisSettings, schedule: Sequence[ScheduledVisit]) -> Iterator[_Problem]:
    visits = [planned.visit for planned in schedule]
    for i, visit in enumerate(analysis.on_drug or ()):
        if visit not in visits:
            allowed = ", ".join(visits) or "none, as there is no schedule"
            yield ("on_drug", i), f"{visit!r} is not in the schedule; allowed {allowed}"
