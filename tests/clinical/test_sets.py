"""Analysis sets, exposure, adverse events and the CONSORT flow, by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from il2cyto import clinical, pl as pictures
from il2cyto.errors import StudyError

BASE: dict[str, Any] = {
    "arm": "IL-2",
    "enrolled": True,
    "randomised": True,
    "doses_planned": 21,
    "doses_given": 21,
    "dose_miu": 1.0,
    "first_dose_day": 1,
    "last_dose_day": 69,
    "end_day": 169,
    "end_reason": "completed",
    "itt": None,
    "mitt": None,
    "safety": None,
    "exclusion_reason": None,
    "not_enrolled_reason": None,
}
NOBODY = dict.fromkeys(BASE) | {"enrolled": False, "randomised": False}
NO_DOSE = {"doses_given": 0, "first_dose_day": None, "last_dose_day": None}


def subject_table(**rows: dict[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame([{"subject": name} | BASE | row for name, row in rows.items()], infer_schema_length=None)
    booleans = pl.col("itt", "mitt", "safety", "enrolled", "randomised").cast(pl.Boolean)
    texts = pl.col("exclusion_reason", "not_enrolled_reason", "end_reason").cast(pl.String)
    return frame.with_columns(booleans, texts, pl.col("arm").cast(pl.Enum(["placebo", "IL-2"])))


def seen(*subjects: str) -> pl.DataFrame:
    rows = [(s, visit, 1.0) for s in subjects for visit in ("W0", "W12")]
    return pl.DataFrame(rows, schema=["subject", "visit", "pga"], orient="row")


@pytest.mark.parametrize(
    ("row", "sets", "reason"),
    [
        ({}, (True, True, True), None),
        (NO_DOSE, (True, False, False), "no dose"),
        ({"doses_given": None}, (True, True, True), None),
        ({"doses_given": None, "first_dose_day": None}, (True, False, False), "no dose"),
        ({"randomised": None}, (True, True, True), None),
        ({"mitt": False, "exclusion_reason": "wrong diagnosis"}, (True, False, True), "wrong diagnosis"),
        ({"mitt": False}, (True, False, True), "not recorded"),
        ({"itt": False}, (False, False, True), "not recorded"),
        ({"safety": False}, (True, True, False), None),
        (NOBODY, (False, False, False), "not randomised"),
    ],
)
def test_sets_follow_from_randomisation_doses_and_visits_unless_overridden(
    row: dict[str, Any], sets: tuple[bool, bool, bool], reason: str | None
) -> None:
    found = clinical.analysis_sets(subject_table(S1=row), seen("S1"))

    assert found.select("itt", "mitt", "safety").row(0) == sets
    assert found["exclusion_reason"][0] == reason


def test_without_an_assessment_after_baseline_nobody_is_in_mitt() -> None:
    visits = pl.DataFrame(
        {
            "subject": ["S1", "S2", "S2", "S3", "S3"],
            "visit": ["W0", "W0", "W12", "W0", "W12"],
            "pga": [1, 1, 0, 1, None],
        }
    )

    sets = clinical.analysis_sets(subject_table(S1={}, S2={}, S3={}), visits)

    assert sets["mitt"].to_list() == [False, True, False]
    assert sets["exclusion_reason"].to_list() == ["no assessment after baseline", None, "no assessment after baseline"]
    # Without the table of visits it is not known.
    assert clinical.analysis_sets(subject_table(S1={}))["mitt"].to_list() == [None]


def test_safety_goes_by_the_arm_as_treated() -> None:
    subjects = subject_table(S1={}).with_columns(arm_actual=pl.lit("placebo").cast(pl.Enum(["placebo", "IL-2"])))
    events = pl.DataFrame({"subject": ["S1"], "start_day": [3]})

    sets = clinical.analysis_sets(subjects, seen("S1"))
    table = clinical.adverse_events(events, subjects).filter(row="any")

    assert sets.select("arm", "arm_actual").row(0) == ("IL-2", "placebo")
    assert table.select("arm", "subjects", "n").rows() == [("placebo", 1, 1), ("IL-2", 0, 0)]
    assert table["proportion"].to_list() == [1.0, None]


def test_exposure_counts_doses_days_and_cycles_of_dosed_subjects() -> None:
    rows: dict[str, dict[str, Any]] = {
        "S1": {},
        "S2": {"doses_given": 13, "last_dose_day": 37, "end_day": 57},
        "S3": NO_DOSE,
        "S4": NOBODY,
    }

    table = clinical.exposure(subject_table(**rows), cycles=3)

    assert table["subject"].to_list() == ["S1", "S2"]
    assert table["compliance"].to_list() == pytest.approx([1.0, 13 / 21])
    assert table.select("cumulative_miu", "cycles_completed", "days_on_drug", "days_on_study").rows() == [
        (21.0, 3, 69, 169),
        (13.0, 1, 37, 57),
    ]
    with pytest.raises(StudyError) as error:
        clinical.exposure(subject_table(S1={}), cycles=4)
    assert str(error.value) == (
        "exposure: cycles is 4; allowed is a number that divides doses_planned of every subject"
    )


@pytest.mark.parametrize(
    ("start", "end", "emergent"),
    [
        (-1, 5, False),
        (1, 1, True),
        (97, 99, True),
        (98, 99, False),
        (None, None, True),
        (None, 10, True),
        (None, -1, False),
    ],
)
def test_events_are_emergent_from_the_first_dose_to_28_days_after_the_last(
    start: int | None, end: int | None, emergent: object
) -> None:
    events = pl.DataFrame(
        {"subject": ["S1"], "start_day": [start], "end_day": [end]},
        schema_overrides={"start_day": pl.Int64, "end_day": pl.Int64},
    )

    marked = clinical.treatment_emergent(events, subject_table(S1={}))

    assert marked["treatment_emergent"].to_list() == [emergent]


def event_table(*rows: dict[str, Any]) -> pl.DataFrame:
    quiet = {"start_day": 5, "soc": "s", "pt": "p", "grade": 1, "serious": False, "related": "not", "action": "none"}
    return pl.DataFrame([quiet | {"group": "other"} | row for row in rows], infer_schema_length=None)


def test_a_subject_counts_once_in_a_row_and_each_event_counts() -> None:
    subjects = subject_table(P1={"arm": "placebo"}, P2={"arm": "placebo"}, T1={}, T2={}, T3=NO_DOSE)
    events = event_table(
        {"subject": "T1", "group": "infection; urti", "related": "possible"},
        {"subject": "T1", "group": "infection", "serious": True, "grade": 3},
        {"subject": "T2", "group": "fever", "action": "withdrawn"},
        {"subject": "T2", "group": "fever", "start_day": 300},
        {"subject": "T3", "group": "fever"},
        {"subject": "P1", "group": None, "serious": None},
    )

    table = clinical.adverse_events(events, subjects)

    counts = {row: (s, e) for row, s, e in table.filter(arm="IL-2").select("row", "subjects", "events").iter_rows()}
    assert counts == {
        "any": (2, 3),
        "related": (1, 1),
        "serious": (1, 1),
        "grade_3_or_more": (1, 1),
        "discontinuation": (1, 1),
        "infection": (1, 2),
        "serious_infection": (1, 1),
        "injection_site": (0, 0),
        "fever": (1, 1),
        "flu_like": (0, 0),
        "urti": (1, 1),
        "herpes_zoster": (0, 0),
        "pneumonia": (0, 0),
        "npsle": (0, 0),
    }
    placebo = table.filter(arm="placebo")
    assert placebo.filter(pl.col("events") > 0)["row"].to_list() == ["any"]
    assert table["n"].unique().to_list() == [2]
    # Days 1 to 97 of two subjects.
    assert table["patient_years"].unique().to_list() == pytest.approx([2 * 97 / 365.25])


def test_terms_stand_under_their_class_the_active_arms_commonest_first() -> None:
    subjects = subject_table(P1={"arm": "placebo"}, P2={"arm": "placebo"}, T1={}, T2={})
    events = event_table(
        {"subject": "P1", "soc": "Skin", "pt": "Rash"},
        {"subject": "P2", "soc": "Skin", "pt": "Rash"},
        {"subject": "T1", "soc": "Skin", "pt": "Itch"},
        {"subject": "T1", "soc": "General", "pt": "Fever"},
        {"subject": "T2", "soc": "General", "pt": None},
        {"subject": "T2", "soc": "General", "pt": None},
    )

    table = clinical.adverse_events_by_term(events, subjects)

    assert table.filter(arm="IL-2").select("soc", "pt", "subjects", "events").rows() == [
        ("General", None, 2, 3),
        ("General", "Fever", 1, 1),
        ("General", "not coded", 1, 2),
        ("Skin", None, 1, 1),
        ("Skin", "Itch", 1, 1),
        ("Skin", "Rash", 0, 0),
    ]
    assert clinical.adverse_events_by_term(events.clear(), subjects).height == 0


def test_the_flow_reconciles_from_contact_to_analysis() -> None:
    subjects = subject_table(
        S1={},
        S2={"arm": "placebo"},
        S3={"arm": "placebo", "end_reason": "lost"},
        S4=NO_DOSE | {"end_reason": None},
        S5=NOBODY | {"not_enrolled_reason": "declined"},
        S6=NOBODY,
        S7={"arm": None, "randomised": False, "end_reason": None, "first_dose_day": None, "doses_given": None},
    )

    flow = clinical.consort(subjects, clinical.analysis_sets(subjects, seen("S1", "S2", "S3", "S4")))

    assert flow.rows() == [
        ("contacted", None, None, 7),
        ("not_enrolled", None, "declined", 1),
        ("not_enrolled", None, "not randomised", 1),
        ("not_enrolled", None, "not recorded", 1),
        ("randomised", None, None, 4),
        ("allocated", "placebo", None, 2),
        ("allocated", "IL-2", None, 2),
        ("discontinued", "placebo", "lost", 1),
        ("discontinued", "IL-2", "not recorded", 1),
        ("completed", "placebo", None, 1),
        ("completed", "IL-2", None, 1),
        ("excluded", "placebo", None, 0),
        ("excluded", "IL-2", "no dose", 1),
        ("analysed", "placebo", None, 2),
        ("analysed", "IL-2", None, 1),
    ]
    assert "Excluded from analysis (n = 1)\n  no dose (1)" in [
        text.get_text() for text in pictures.consort(flow).axes[0].texts
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"enrolled": False}, "contacted 2 is not not_enrolled 1 + randomised 2: S2"),
        (NOBODY | {"end_reason": "lost"}, "randomised 1 is not discontinued 1 + completed 1: S2"),
        (NOBODY | {"mitt": True}, "randomised 1 is not excluded 0 + analysed 2: S2"),
        ({"arm": None}, "randomised without an arm: S2"),
    ],
)
def test_a_flow_that_does_not_reconcile_is_refused(row: dict[str, Any], problem: str) -> None:
    subjects = subject_table(S1={}, S2=row)

    with pytest.raises(StudyError) as error:
        clinical.consort(subjects, clinical.analysis_sets(subjects, seen("S1", "S2")))

    assert str(error.value) == f"consort: counts do not reconcile; correct these subjects: {problem}"


def test_a_flow_needs_to_know_who_is_analysed() -> None:
    subjects = subject_table(S1={})
    with pytest.raises(StudyError) as error:
        clinical.consort(subjects, clinical.analysis_sets(subjects))
    assert str(error.value) == (
        "consort: mITT is not known of 1 subjects; give analysis_sets all subjects and the table of visits"
    )


def test_a_subject_that_stands_twice_is_refused() -> None:
    subjects = subject_table(S1={})
    with pytest.raises(StudyError) as error:
        clinical.analysis_sets(pl.concat([subjects, subjects]), seen("S1"))
    assert str(error.value) == "subjects: S1 stand twice; keep one row each"
