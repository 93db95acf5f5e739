from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from il2cyto.study import Study, StudyFile

SCHEDULE = [{"visit": "W0", "week": 0, "baseline": True}, {"visit": "W2", "week": 2}, {"visit": "W12", "week": 12}]
MINIMAL: dict[str, Any] = {"study": "x", "samples": "samples.csv", "panels": {"tnk": {"template": "tnk"}}}


def faults(**fields: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as e:
        StudyFile.model_validate(MINIMAL | fields)
    return [(error["loc"], error["msg"]) for error in e.value.errors()]


def study(sheet: pl.DataFrame, **fields: Any) -> Study:
    return Study.model_validate(MINIMAL | fields | {"folder": Path("trial"), "sheet": sheet})


@pytest.fixture
def sheet() -> pl.DataFrame:
    rows = [("s1", "W12", "b1"), ("s2", "W0", "b1"), ("s3", None, "b2"), ("s4", "W2", "b2")]
    frame = pl.DataFrame(rows, schema=["sample", "visit", "batch"], orient="row")
    return frame.with_columns(subject=pl.lit("p1"), arm=pl.lit("IL-2"), operator=pl.lit("a"))


def test_a_batch_that_is_only_gated_needs_a_name_a_sheet_and_a_panel() -> None:
    file = StudyFile.model_validate(MINIMAL)

    assert (file.arms, file.schedule, file.treatment_weeks, file.primary, file.simulated) == ((), (), (), None, False)


def test_gating_receives_group_columns_only(sheet: pl.DataFrame) -> None:
    groups = study(sheet).groups()

    assert groups.columns == ["sample", "batch", "subject"]


def test_visits_follow_the_schedule_else_the_visit_number_else_the_sheet(sheet: pl.DataFrame) -> None:
    numbered = sheet.with_columns(visit_number=pl.Series([12.0, 0.0, None, 2.0]))

    assert study(sheet, schedule=SCHEDULE).visits == ("W0", "W2", "W12")
    assert study(numbered).visits == ("W0", "W2", "W12")
    assert study(sheet).visits == ("W12", "W0", "W2")


def test_the_schedule_gives_weeks_and_the_baseline(sheet: pl.DataFrame) -> None:
    scheduled = study(sheet, schedule=SCHEDULE)

    assert scheduled.weeks == {"W0": 0.0, "W2": 2.0, "W12": 12.0}
    assert scheduled.baseline_visit == "W0"
    assert (study(sheet).weeks, study(sheet).baseline_visit) == ({}, None)


def test_files_lie_where_the_study_file_says(sheet: pl.DataFrame) -> None:
    assert study(sheet).path("fcs/a.fcs") == Path("trial/fcs/a.fcs")
    assert study(sheet).path("/server/a.fcs") == Path("/server/a.fcs")


def test_a_schedule_out_of_order_is_refused_with_every_fault_at_its_place() -> None:
    schedule = [{"visit": "W2", "week": 2}, {"visit": "W0", "week": 0}, {"visit": "W2", "week": 0}]

    assert faults(schedule=schedule) == [
        (("schedule", 1, "week"), "found 0 after 2 (W2); allowed are weeks that increase"),
        (("schedule", 2, "visit"), "'W2' stands twice; rename or remove one"),
        (("schedule", 2, "week"), "found 0 after 0 (W0); allowed are weeks that increase"),
        (("schedule",), "found 0 baseline visits (none); allowed is one: mark it baseline: true"),
    ]


def test_a_second_baseline_is_refused() -> None:
    schedule = [SCHEDULE[0], SCHEDULE[1] | {"baseline": True}]

    assert faults(schedule=schedule) == [
        (("schedule",), "found 2 baseline visits (W0, W2); allowed is one: mark it baseline: true")
    ]


def test_treatment_periods_are_ordered_and_apart() -> None:
    assert faults(treatment_weeks=[[0, 2], [1, 4], [9, 8]]) == [
        (("treatment_weeks", 1), "starts in week 1, before the period above ends in week 2; put them in order"),
        (("treatment_weeks", 2), "found 9 to 8; the first week must come before the last"),
    ]


def test_the_primary_visit_is_one_of_the_schedule() -> None:
    assert faults(primary={"visit": "W3"}, schedule=SCHEDULE) == [
        (("primary", "visit"), "'W3' is not in the schedule; allowed W0, W2, W12")
    ]
    assert faults(primary={"visit": "W3"}) == [
        (("primary", "visit"), "'W3' is not in the schedule; allowed none, as there is no schedule")
    ]


def test_arms_differ_and_a_table_says_who_is_in_which() -> None:
    assert faults(arms=["placebo", "IL-2", "placebo"]) == [
        (("arms", 2), "'placebo' stands twice; keep one"),
        (("arms",), "no table says which subject is in which arm; name one as subjects: subjects.csv, or remove arms"),
    ]


def test_a_fault_in_one_field_hides_none_in_another() -> None:
    fields = {"schedule": SCHEDULE[1:], "arms": ["a", "a"], "subjects": "s.csv", "treatment_weeks": [[2, 1]]}

    assert [loc for loc, _ in faults(**fields)] == [("arms", 1), ("schedule",), ("treatment_weeks", 0)]


@pytest.mark.parametrize("field", ["samples", "subjects", "aliases", "overrides"])
def test_a_path_is_never_a_url(field: str) -> None:
    message = "Value error, a URL; allowed is a path, absolute or relative to the study file"

    assert faults(**{field: "https://example.org/x.csv"}) == [((field,), message)]
