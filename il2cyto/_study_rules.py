"""What the fields of a study file have to obey beyond their types: each rule finds the places that break it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from il2cyto._study_types import ScheduledVisit

#: Steps from a field to the entry within it.
Place: TypeAlias = tuple[str | int, ...]
Problem: TypeAlias = tuple[Place, str]


def raise_problems(problems: Iterator[Problem]) -> None:
    """Raise what pydantic collects with the faults of other fields."""
    # pydantic puts the field's own place before those given here.
    details = [
        InitErrorDetails(type=PydanticCustomError("study", "{text}", {"text": text}), loc=place, input=None)
        for place, text in problems
    ]
    if details:
        title = "Study"
        raise ValidationError.from_exception_data(title, details)


def arm_problems(arms: Sequence[str], *, has_subjects: bool = True) -> Iterator[Problem]:
    """Find arms that stand twice, and arms that no subject can be in."""
    for i, arm in enumerate(arms):
        if arm in arms[:i]:
            yield (i,), f"{arm!r} stands twice; keep one"
    if arms and not has_subjects:
        yield (), "no table says which subject is in which arm; name one as subjects: subjects.csv, or remove arms"


def schedule_problems(schedule: Sequence[ScheduledVisit]) -> Iterator[Problem]:
    """Find visits that stand twice or out of order, and a schedule without the one baseline."""
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


def period_problems(periods: Sequence[tuple[float, float]]) -> Iterator[Problem]:
    """Find treatment periods that end before they begin, or overlap."""
    end = float("-inf")
    for i, (start, stop) in enumerate(periods):
        if start >= stop:
            yield (i,), f"found {start:g} to {stop:g}; the first week must come before the last"
        if start < end:
            yield (i,), f"starts in week {start:g}, before the period above ends in week {end:g}; put them in order"
        end = max(end, stop)


def unscheduled_problems(named: Iterable[tuple[Place, str]], schedule: Sequence[ScheduledVisit]) -> Iterator[Problem]:
    """Find visits, named elsewhere in the file, that the schedule does not have."""
    visits = [planned.visit for planned in schedule]
    for place, visit in named:
        if visit not in visits:
            allowed = ", ".join(visits) or "none, as there is no schedule"
            yield place, f"{visit!r} is not in the schedule; allowed {allowed}"
