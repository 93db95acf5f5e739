"""The clinical tables: what is read, what is refused, what is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from il2cyto.errors import StudyError
from il2cyto.io import ClinicalData, read_clinical, read_study

if TYPE_CHECKING:
    from pathlib import Path

STUDY = """\
study: x
samples: samples.csv
subjects: subjects.csv
clinical: {{visits: visits.csv, adverse_events: adverse_events.csv{settings}}}
arms: [placebo, IL-2]
schedule: [{{visit: W0, week: 0, baseline: true}}, {{visit: W12, week: 12}}]
panels: {{tnk: {{template: tnk}}}}
"""
SUBJECTS = "subject,arm,site\nP01,placebo,A\nP02,IL-2,B\n"
VISITS = "subject,visit,study_day,pga,albumin_g_l\nP01,W0,1,2,40\n"
EVENTS = "subject,term,start_day,group\nP01,cough,5,infection;urti\n"


def read(
    folder: Path, *, subjects: str = SUBJECTS, visits: str = VISITS, events: str = EVENTS, settings: str = ""
) -> ClinicalData:
    files = {
        "study.yaml": STUDY.format(settings=settings),
        "samples.csv": "file,subject,visit\na.fcs,P01,W0\n",
        "subjects.csv": subjects,
        "visits.csv": visits,
        "adverse_events.csv": events,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return read_clinical(read_study(folder))


def complaint(folder: Path, **tables: str) -> list[str]:
    with pytest.raises(StudyError) as error:
        read(folder, **tables)
    return str(error.value).splitlines()


def test_blank_is_null_0_is_a_value_and_visits_know_their_week(tmp_path: Path) -> None:
    visits = "subject,visit,study_day,sledai_total,sledai_rash,bilag_renal,pga,prednisone_mg\nP01,W12,85,0,no,B,0,\nP01,W0,1,,,,,0\n"

    data = read(tmp_path, visits=visits)

    assert data.visits is not None
    assert data.visits.rows() == [
        ("P01", "W12", 12.0, False, 85, 0, False, "B", 0.0, None),
        ("P01", "W0", 0.0, True, 1, None, None, None, None, 0.0),
    ]
    assert data.visits.schema["visit"] == pl.Enum(["W0", "W12"])
    assert data.subjects is not None
    assert data.subjects.schema["arm"] == pl.Enum(["placebo", "IL-2"])
    assert data.adverse_events is not None
    assert data.adverse_events.row(0) == ("P01", "cough", 5, "infection;urti")
    assert data.notices == ()


def test_a_study_without_clinical_tables_has_none(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: x\nsamples: samples.csv\npanels: {tnk: {template: tnk}}\n")
    (tmp_path / "samples.csv").write_text("file,subject,visit\na.fcs,P01,W0\n")

    data = read_clinical(read_study(tmp_path))

    assert (data.subjects, data.visits, data.adverse_events, data.notices) == (None, None, None, ())


def test_every_problem_of_all_tables_is_reported_at_once(tmp_path: Path) -> None:
    visits = """\
subject,visit,study_day,sledai_total,sledai_rash,bilag_renal,pga,albumin_g_l
P01,W0,0,106,maybe,F,3.1,-1
P01,W0,1,4,yes,A,1,x
P3,W1,3,4,,,,
,,,,,,,
P02,W12,85,2.5,,,,
"""
    events = """\
subject,ae_id,term,start_day,end_day,grade,related,group
P01,1,,5,4,6,maybe,cold
P9,1,cough,0,,,,
"""

    assert complaint(tmp_path, visits=visits, events=events) == [
        "visits.csv:2: sledai_total: found 106; allowed 0 to 105",
        "visits.csv:2: sledai_rash: found 'maybe'; allowed yes, no or blank",
        "visits.csv:2: bilag_renal: found 'F'; allowed A, B, C, D, E",
        "visits.csv:2: pga: found 3.1; allowed 0 to 3",
        "visits.csv:2: albumin_g_l: found -1; allowed 0 or more",
        "visits.csv:2: study_day: found 0; there is no day 0: the baseline visit is day 1, the day before it -1",
        "visits.csv:3: albumin_g_l: found 'x'; allowed a number or blank",
        "visits.csv:3: subject 'P01', visit 'W0' stand in line 2 already; keep one row",
        "visits.csv:4: subject: 'P3' is not in the table of subjects",
        "visits.csv:4: visit: 'W1' is not in the schedule; allowed W0, W12; nearest W12",
        "visits.csv:6: sledai_total: found '2.5'; allowed a whole number or blank",
        "adverse_events.csv:2: grade: found 6; allowed 1 to 5",
        "adverse_events.csv:2: related: found 'maybe'; allowed not, possible, probable, definite",
        "adverse_events.csv:2: term: blank; fill it in",
        "adverse_events.csv:2: end_day: found 4, before start_day 5; correct one of them",
        "adverse_events.csv:2: group: found 'cold'; allowed infection, urti, herpes_zoster, pneumonia, injection_site, fever, "
        "flu_like, npsle, other, several separated by ;",
        "adverse_events.csv:3: subject: 'P9' is not in the table of subjects",
        "adverse_events.csv:3: start_day: found 0; there is no day 0: the baseline visit is day 1, the day before it -1",
        "adverse_events.csv:3: ae_id: '1' stands in line 2 already; keep one row",
    ]


DATE = "a date, which may identify a person; give the study day (the baseline visit is day 1) or remove the column"


@pytest.mark.parametrize(
    "date", ["2024-03-01", "01.03.2024", "3/1/2024", "1 March 2024", "01MAR2024", "2024-03-01T08:30", "2024/3/1"]
)
def test_dates_are_refused_wherever_they_stand_and_never_quoted(tmp_path: Path, date: str) -> None:
    problems = complaint(
        tmp_path,
        visits=f"subject,visit,study_day,seen_on,pga\nP01,W0,{date},{date},{date}\nP01,W12,85,{date},1\n",
        events=f"subject,term,start_day\nP01,cough since {date},{date}\n",
    )

    assert problems == [
        f"visits.csv:2: study_day: {DATE}",
        f"visits.csv:2: pga: {DATE}",
        f"visits.csv:2: seen_on: {DATE} (also in line 3)",
        f"adverse_events.csv:2: start_day: {DATE}",
        f"adverse_events.csv:2: term: {DATE}",
    ]


def test_dates_in_the_table_of_subjects_are_refused_with_the_study(tmp_path: Path) -> None:
    subjects = "subject,arm,birth,first_dose_day\nP01,placebo,19800229,1\nP02,IL-2,1.2.80,2024-01-01\n"

    assert complaint(tmp_path, subjects=subjects) == [
        f"subjects.csv:2: birth: {DATE} (also in line 3)",
        f"subjects.csv:3: first_dose_day: {DATE}",
    ]


def test_numbers_and_words_that_resemble_dates_are_not(tmp_path: Path) -> None:
    visits = "subject,visit,pga,comment,version\nP01,W0,1,grade 2-3 of 5; 12/24,1.2\n"
    events = "subject,term,start_day\nP01,may have had 2 colds,5\n"

    data = read(tmp_path, visits=visits, events=events)

    assert data.notices == ("visits.csv: il2cyto does not know these columns and keeps them as text: comment, version",)


def test_days_of_subjects_have_to_agree(tmp_path: Path) -> None:
    subjects = """\
subject,arm,doses_given,first_dose_day,last_dose_day,failure_day,failure_reason
P01,placebo,3,,9,,death
P02,IL-2,0,1,,0,
P03,IL-2,3,9,1,,
"""

    assert complaint(tmp_path, subjects=subjects) == [
        "subjects.csv:2: failure_day: blank, but failure_reason is given; fill in the day of the failure",
        "subjects.csv:2: first_dose_day: blank, but doses_given is above 0; fill it in",
        "subjects.csv:3: failure_day: found 0; there is no day 0: the baseline visit is day 1, the day before it -1",
        "subjects.csv:3: first_dose_day: given, but doses_given is 0; blank means never dosed",
        "subjects.csv:4: last_dose_day: found 1, before first_dose_day 9; correct one of them",
    ]


def test_values_that_fit_another_unit_are_asked_about_and_kept(tmp_path: Path) -> None:
    visits = "subject,visit,albumin_g_l,c3_g_l,site_note\nP01,W0,3.8,90,x\nP01,W12,38,0.9,\n"

    data = read(tmp_path, visits=visits)

    assert data.visits is not None
    assert data.visits["albumin_g_l"].to_list() == [3.8, 38.0]
    assert data.queries.select("line", "subject", "visit", "column", "found", "unit").rows() == [
        (2, "P01", "W0", "albumin_g_l", 3.8, "g/L"),
        (2, "P01", "W0", "c3_g_l", 90.0, "g/L"),
    ]
    assert data.notices == (
        "visits.csv: il2cyto does not know these columns and keeps them as text: site_note",
        "visits.csv: albumin_g_l: implausible in g/L (usually 10 to 60) in line 2; check the unit; nothing was converted",
        "visits.csv: c3_g_l: implausible in g/L (usually 0.05 to 4) in line 2; check the unit; nothing was converted",
    )


def test_a_column_with_decimal_commas_is_one_problem_with_its_remedy(tmp_path: Path) -> None:
    visits = 'subject,visit,albumin_g_l\nP01,W0,"38,1"\nP01,W12,"37,5"\nP02,W0,"40,25"\n'

    assert complaint(tmp_path, visits=visits) == [
        "visits.csv:2: albumin_g_l: found a number with a decimal comma; allowed is a point, 0.5 for 0,5, or semicolons between "
        "the cells of the sheet (also in lines 3, 4)"
    ]


def test_many_implausible_values_of_a_column_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    rows = [f"P0{1 + i // 2},{('W0', 'W12')[i % 2]},3.8" for i in range(4)]

    data = read(tmp_path, visits="\n".join(["subject,visit,albumin_g_l", *rows]))

    assert data.notices == (
        "visits.csv: albumin_g_l: implausible in g/L (usually 10 to 60) in lines 2, 3, 4 and 1 more; check the unit; nothing was "
        "converted",
    )


def test_events_that_lack_what_is_counted_are_announced(tmp_path: Path) -> None:
    data = read(tmp_path, events="subject,term,serious,grade\nP01,cough,,2\nP02,fever,no,\nP02,rash,,1\n")

    assert data.notices == (
        "adverse_events.csv: grade: 1 blank; such events count in no row of a table that asks for it",
        "adverse_events.csv: serious: 2 blank; such events count in no row of a table that asks for it",
    )


def test_scale_and_version_of_scores_are_the_studys(tmp_path: Path) -> None:
    settings = ", pga_scale: 100, bilag: classic"
    header = "subject,visit,pga,bilag_general,bilag_renal\n"

    data = read(tmp_path, visits=header + "P01,W0,87,C,D\n", settings=settings)

    assert data.notices == ()
    assert complaint(tmp_path, visits=header + "P01,W0,101,Z,D\n", settings=settings) == [
        "visits.csv:2: bilag_general: found 'Z'; allowed A, B, C, D, E",
        "visits.csv:2: pga: found 101; allowed 0 to 100",
    ]


def test_a_table_of_visits_needs_a_schedule(tmp_path: Path) -> None:
    read(tmp_path)
    text = STUDY.format(settings="").replace(
        "schedule: [{visit: W0, week: 0, baseline: true}, {visit: W12, week: 12}]\n", ""
    )
    (tmp_path / "study.yaml").write_text(text)

    with pytest.raises(StudyError) as error:
        read_clinical(read_study(tmp_path))

    assert str(error.value) == (
        "study.yaml: schedule: missing, but there is a table of visits; list the planned visits"
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (", sledai_version: 2K", "clinical.sledai_version: found '2K'; allowed 'selena' or '2k'; did you mean '2k'?"),
        (", sri: {k: 9}", "clinical.sri.k: found 9; allowed a number <= 8"),
        (", pga_scale: 5", "clinical.pga_scale: found 5; allowed 3, 10 or 100"),
        (", limits: {c3_g_l: {lln: 2, uln: 1}}", "clinical.limits.c3_g_l.uln: found 1 with lln 2; the upper limit must be above the lower"),
        (", limits: {c5_g_l: {lln: 2}}", "clinical.limits.c5_g_l: unknown field; allowed c3_g_l, c4_g_l, dsdna_iu_ml, creatinine_umol_l, egfr; did you mean 'c4_g_l'?"),
    ],
)  # fmt: skip
def test_settings_are_strict(tmp_path: Path, settings: str, problem: str) -> None:
    assert complaint(tmp_path, settings=settings) == [f"study.yaml:4: {problem}"]
