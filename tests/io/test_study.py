from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from il2cyto.errors import StudyError
from il2cyto.io._study import read_study

if TYPE_CHECKING:
    from pathlib import Path

    from il2cyto.study import Study

TRIAL = """\
study: IL2-SLE-SIM
simulated: true
samples: samples.csv
subjects: subjects.csv
clinical: {visits: visits.csv}
arms: [placebo, IL-2]
schedule: [{visit: W0, week: 0, baseline: true}, {visit: W2, week: 2}, {visit: W12, week: 12}]
treatment_weeks: [[0, 2], [4, 6], [8, 10]]
panels: {tnk: {template: tnk}}
primary: {visit: W12}
aliases: aliases.csv
"""
GATING_ONLY = "study: x\nsamples: samples.csv\npanels: {tnk: {template: tnk}}\n"
TWO_PANELS = "study: x\nsamples: samples.csv\npanels: {tnk: {template: tnk}, b: {template: tbnk}}\n"
SAMPLES = """\
file,subject,visit,batch,control,study_day,operator
fcs/a.fcs,P01,W0,b1,,1,ann
fcs/b.fcs,P01,W2,b1,no,15,
/server/c.fcs,P02,W0,b2,,,bo
fcs\\bridge-b2.fcs,,,b2,yes,,
"""
SUBJECTS = "subject,arm,age,itt,med_hcq,note\nP01,placebo,33.5,yes,1,x\nP02,IL-2,,,0,\nP03,,41,no,,\n"
ALIASES = "label,marker\nIL2R PE,CD25\nspare,\n"


def lay_out(folder: Path, study: str, **sheets: str) -> Path:
    (folder / "study.yaml").write_text(study)
    for name, text in sheets.items():
        (folder / f"{name}.csv").write_text(text)
    return folder / "study.yaml"


def read(folder: Path, study: str, **sheets: str) -> Study:
    return read_study(lay_out(folder, study, **sheets))


def complaint(folder: Path, study: str, **sheets: str) -> list[str]:
    with pytest.raises(StudyError) as e:
        read_study(lay_out(folder, study, **sheets))
    return str(e.value).splitlines()


def sheet_of(text: str) -> str:
    """A sheet with the three required columns, from rows of three words each."""
    return "file,subject,visit\n" + "\n".join(text.split()) + "\n"


def test_a_trial_is_read_with_all_its_sheets(tmp_path: Path) -> None:
    study = read(tmp_path, TRIAL, samples=SAMPLES, subjects=SUBJECTS, visits="", aliases=ALIASES)

    assert study.sheet.rows(named=True)[0] == {
        "sample": "P01_W0",
        "file": "fcs/a.fcs",
        "subject": "P01",
        "visit": "W0",
        "panel": "tnk",
        "batch": "b1",
        "role": "sample",
        "control": False,
        "line": 2,
        "study_day": 1,
        "operator": "ann",
    }
    assert study.sheet["sample"].to_list() == ["P01_W0", "P01_W2", "P02_W0", "bridge-b2"]
    assert study.sheet["file"].to_list()[3] == "fcs/bridge-b2.fcs"
    assert study.sheet["control"].to_list() == [False, False, False, True]
    assert study.subject_sheet is not None
    assert study.subject_sheet.rows() == [
        ("P01", "placebo", True, 33.5, True, "x"),
        ("P02", "IL-2", None, None, False, None),
        ("P03", None, False, 41.0, None, None),
    ]
    assert study.marker_aliases == {"IL2R PE": "CD25", "spare": ""}
    assert (study.folder, study.aliases_used) == (tmp_path, {})


def test_a_folder_stands_for_the_study_file_in_it(tmp_path: Path) -> None:
    study = read(tmp_path, GATING_ONLY, samples=sheet_of("a.fcs,P1,W0"))

    assert read_study(tmp_path).sheet.equals(study.sheet)


def test_without_a_schedule_any_visit_is_allowed_and_without_batches_there_is_one(tmp_path: Path) -> None:
    study = read(tmp_path, GATING_ONLY, samples=sheet_of("a.fcs,P1,week-2 b.fcs,P1,screening"))

    assert study.visits == ("week-2", "screening")
    assert study.sheet["batch"].to_list() == ["1", "1"]
    assert study.subject_sheet is None


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffile,subject,visit,tube\r\na.fcs,P1,W0,1\r\n",
        "file;subject;visit;tube\na.fcs;P1;W0;1\n",
        "file\tsubject\tvisit\ttube\na.fcs\tP1\tW0\t1\n\n",
        'File , SUBJECT,"Visit",tube,,\n a.fcs,"P1",W0 ,1,,\n,,,,,\n',
    ],
    ids=["BOM and CRLF", "semicolons", "tabs", "spreadsheet leftovers"],
)
def test_the_dialect_of_a_sheet_changes_nothing(tmp_path: Path, text: str) -> None:
    study = read(tmp_path, GATING_ONLY, samples=text)

    wanted = study.sheet.select("sample", "file", "subject", "visit", "tube", "line")
    assert wanted.rows() == [("P1_W0_1", "a.fcs", "P1", "W0", "1", 2)]


def test_where_semicolons_separate_a_comma_is_a_decimal_point(tmp_path: Path) -> None:
    study = read(tmp_path, TRIAL.replace("visits.csv", "aliases.csv"), samples=sheet_of("a.fcs,P1,W0"),
                 subjects="subject;arm;age\nP1;IL-2;33,5\n", aliases=ALIASES)  # fmt: skip

    assert study.subject_sheet is not None
    assert study.subject_sheet["age"].to_list() == [33.5]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    text = 'file,subject,visit,note\n"a.fcs",P1,W0,"two\nlines"\n\nb.fcs,,W2,\n'

    assert complaint(tmp_path, GATING_ONLY, samples=text) == ["samples.csv:5: subject: blank; fill it in"]


def test_ids_come_from_the_row_so_that_a_later_file_renames_no_sample(tmp_path: Path) -> None:
    text = "file,subject,visit,panel,tube,replicate,sample\n" + "\n".join(
        ("a.fcs,P 1,W0,tnk,,,", "b.fcs,P 1,W0,b,,,", "c.fcs,P 1,W0,tnk,T2,r1,", "d.fcs,P 1,W2,tnk,,,own.id")
    )
    study = read(tmp_path, TWO_PANELS, samples=text)

    assert study.sheet["sample"].to_list() == ["P-1_W0_tnk", "P-1_W0_b", "P-1_W0_tnk_T2_r1", "own.id"]
    assert study.sheet["subject"].unique().to_list() == ["P 1"]


def test_cdisc_columns_are_understood_and_the_choice_is_recorded(tmp_path: Path) -> None:
    samples = (
        "file,USUBJID,SUBJID,AVISIT,AVISITN,ADY,SITEID\na.fcs,X-01,01,Week 2,2,15,S1\nb.fcs,X-01,01,Week 0,0,1,S1\n"
    )
    subjects = "usubjid,TRT01P,ACTARM\nX-01,IL-2,placebo\n"
    text = GATING_ONLY + "subjects: subjects.csv\narms: [placebo, IL-2]\n"
    study = read(tmp_path, text, samples=samples, subjects=subjects)

    assert study.sheet["subject"].to_list() == ["X-01", "X-01"]
    assert study.visits == ("Week 0", "Week 2")
    assert study.subject_sheet is not None
    assert study.subject_sheet.rows() == [("X-01", "IL-2", "placebo")]
    assert study.aliases_used == {
        "subject": "USUBJID",
        "arm": "TRT01P",
        "arm_actual": "ACTARM",
        "visit": "AVISIT",
        "site": "SITEID",
        "study_day": "ADY",
        "visit_number": "AVISITN",
    }


def test_two_columns_for_one_thing_may_not_disagree(tmp_path: Path) -> None:
    samples = "file,subject,AVISIT,VISIT\na.fcs,P1,W0,W0\nb.fcs,P1,W2,unscheduled\nc.fcs,P1,W4,\n"

    assert complaint(tmp_path, GATING_ONLY, samples=samples) == [
        "samples.csv:3: columns 'AVISIT' and 'VISIT' both stand for 'visit' and differ; remove one (also in line 4)"
    ]


def test_every_fault_of_every_file_stands_in_one_message(tmp_path: Path) -> None:
    study = TRIAL.replace("W2, week: 2}", "W2, week: 0}").replace("{template: tnk}", "{templat: tnk}")
    samples = """\
file,subject,visit,bacth,control,sample,role,study_day
a.fcs,P01,W3,b1,,,,
b.fcs,P01,W3,b1,no,,,0
a.fcs,P02,W0,b1,maybe,,,
sub/ctl.fcs,P9,W12,b1,,a/b,isotype,
x.fcs,P02,W0,b1
http://x/y.fcs,P03,W0,,,p01_w3,,1.5
,,,b,,,,
"""
    subjects = 'subject,arm,age,sex\nP01,Placebo,200,female\nP01,IL-2,3x,F\n,IL-2,,\nP02,"pla\ncebo",,\nP03,,,\n'
    aliases = "found,marker\nCD-25,CD25\ncd-25,CD127\n"

    assert complaint(tmp_path, study, samples=samples, subjects=subjects, aliases=aliases) == [
        "study.yaml:7: schedule[1].week: found 0 after 0 (W0); allowed are weeks that increase",
        "study.yaml:9: panels.tnk.template: required field is missing; add it",
        "study.yaml:9: panels.tnk.templat: unknown field; allowed template; did you mean 'template'?",
        "study.yaml:5: clinical.visits: no file 'visits.csv' there; paths are relative to study.yaml",
        "samples.csv:1: unknown column 'bacth'; did you mean 'batch'? Rename or remove it",
        "samples.csv:2: visit: 'W3' is not in the schedule; allowed W0, W2, W12; nearest W2 (also in line 3)",
        "samples.csv:3: study_day: found 0; there is no day 0: the baseline visit is day 1, the day before it -1",
        "samples.csv:3: subject 'P01', visit 'W3', panel 'tnk' stand in line 2 already; tell them apart by tube, "
        "replicate or control, or remove one",
        "samples.csv:4: control: found 'maybe'; allowed yes, no or blank",
        "samples.csv:4: file: 'a.fcs' stands in line 2 already; remove one",
        "samples.csv:5: role: found 'isotype'; allowed sample, unstained, single_stain, fmo:<marker> or blank",
        "samples.csv:5: sample: 'a/b' cannot name a file; allowed are up to 100 letters, digits and . _ -",
        "samples.csv:6: has 4 cells, the headings are 8; look for a missing or stray separator",
        "samples.csv:6: subject 'P02', visit 'W0', panel 'tnk' stand in line 4 already; tell them apart by tube, "
        "replicate or control, or remove one",
        "samples.csv:7: study_day: found '1.5'; allowed a whole number or blank",
        "samples.csv:7: file: a URL; allowed is a path, absolute or relative to the study file, or an object of s3://, gs://, "
        "abfs://",
        "samples.csv:7: sample: 'p01_w3' stands in line 2 already; give each file its own sample",
        "samples.csv:8: file: blank; fill it in",
        "samples.csv:8: subject: blank; fill it in",
        "samples.csv:8: visit: blank; fill it in",
        "subjects.csv:2: sex: found 'female'; allowed F, M",
        "subjects.csv:2: age: found 200; allowed 0 to 120",
        "subjects.csv:2: arm: 'Placebo' is not in arms of the study; allowed placebo, IL-2; nearest placebo",
        "subjects.csv:3: age: found '3x'; allowed a number or blank",
        "subjects.csv:3: subject: 'P01' stands in line 2 already; keep one row",
        "subjects.csv:4: subject: blank; fill it in",
        "subjects.csv:5: arm: found 'pla\\ncebo', with a control character or line break; retype it",
        "aliases.csv:3: label: 'cd-25' stands in line 2 already; keep one",
    ]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ("", "samples.csv: the sheet is empty; its first line names columns: file, subject, visit"),
        ("file,subject,visit\n", "samples.csv: no samples: there is nothing below the headings"),
        ("file,subjct,visit\na,b,c\n", "samples.csv:1: no column subject or USUBJID; found 'file', 'subjct', 'visit'; "
         "rename 'subjct' to 'subject'"),
        ("file,subject,visit,visit\na,b,c,d\n", "samples.csv:1: two columns are called 'visit'; rename or remove one"),
        ("file,subject,visit,\na,b,c,d\n", "samples.csv:1: column 4 has no name; name it or remove it"),
        ('file,subject,visit\n"a,b,c\n', "samples.csv: not a CSV table from line 2 on: unexpected end of data"),
        ("file,subject,visit,batch\na,p,v,1\nb,q,v,\n", "samples.csv:3: batch: blank; fill it in, or leave the whole "
         "column blank"),
        ("file,subject,visit,panel\na,p,v,tnq\n", "samples.csv:2: panel: 'tnq' is not in panels of the study; "
         "allowed tnk; nearest tnk"),
    ],
)  # fmt: skip
def test_a_sheet_that_cannot_be_used_says_why(tmp_path: Path, samples: str, expected: str) -> None:
    assert complaint(tmp_path, GATING_ONLY, samples=samples) == [expected]


def test_a_sheet_in_utf_16_says_so_with_and_without_its_mark(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-le"):
        (tmp_path / "samples.csv").write_bytes("file,subject,visit\na.fcs,P1,W0\n".encode(encoding))
        (message,) = complaint(tmp_path, GATING_ONLY)
        assert message.startswith("samples.csv: not UTF-8 text")
        assert message.endswith("save it as 'CSV UTF-8'")


def test_a_study_with_several_panels_must_say_which_panel_a_tube_is(tmp_path: Path) -> None:
    assert complaint(tmp_path, TWO_PANELS, samples=sheet_of("a,p,v")) == ["samples.csv:2: panel: blank; fill it in"]


def test_subjects_of_the_sheet_have_a_row_of_their_own_but_controls_need_none(tmp_path: Path) -> None:
    text = GATING_ONLY + "subjects: subjects.csv\n"
    samples = "file,subject,visit,control\na,P01,v,\nb,PO2,v,\nc,HD9,v,yes\n"

    assert complaint(tmp_path, text, samples=samples, subjects="subject\nP01\nP02\n") == [
        "samples.csv:3: subject: 'PO2' is not in the table of subjects; nearest P02"
    ]


def test_arms_of_the_table_and_of_the_study_belong_together(tmp_path: Path) -> None:
    text, samples = GATING_ONLY + "subjects: subjects.csv\n", sheet_of("a,P1,v")

    assert complaint(tmp_path, text, samples=samples, subjects="subject,arm\nP1,IL-2\n") == [
        "subjects.csv: arm: found 'IL-2', but the study lists no arms; add arms, control first"
    ]
    assert complaint(tmp_path, text + "arms: [a, b]\n", samples=samples, subjects="subject\nP1\n") == [
        "subjects.csv: no column arm, but the study has arms a, b; add it"
    ]


def test_what_is_wrong_in_many_lines_is_said_once(tmp_path: Path) -> None:
    rows = " ".join(f"{i}.fcs,P{i},W9" for i in range(300))
    text = GATING_ONLY + "schedule: [{visit: W0, week: 0, baseline: true}]\n"

    assert complaint(tmp_path, text, samples=sheet_of(rows)) == [
        "samples.csv:2: visit: 'W9' is not in the schedule; allowed W0; nearest W0 (also in lines 3, 4, 5 and 296 more)"
    ]


@pytest.mark.parametrize("name", ["con", "NUL.x", ".hidden", "a.", "a b", "../x", "-x", "x" * 101, "ä"])
def test_a_sample_id_is_a_file_name_on_any_system(tmp_path: Path, name: str) -> None:
    samples = f"file,subject,visit,sample\na,p,v,{name}\n"
    (text,) = complaint(tmp_path, GATING_ONLY, samples=samples)

    assert text.endswith("cannot name a file; allowed are up to 100 letters, digits and . _ -")


def test_no_message_shows_the_folder_of_the_study(tmp_path: Path) -> None:
    study = GATING_ONLY.replace("samples.csv", f"{tmp_path}/secret/none.csv")

    assert complaint(tmp_path, study) == [
        "study.yaml:2: samples: no file 'none.csv' there; paths are relative to study.yaml"
    ]


def test_an_excel_sheet_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "samples.xlsx").write_bytes(b"PK")

    assert complaint(tmp_path, GATING_ONLY.replace(".csv", ".xlsx")) == [
        "samples.xlsx: an Excel file needs the package fastexcel; install it (pip install fastexcel) or save the sheet "
        "as 'CSV UTF-8'"
    ]


def test_an_excel_sheet_is_read_like_a_csv_sheet(tmp_path: Path) -> None:
    pytest.importorskip("fastexcel", reason="fastexcel reads Excel files and is optional")
    xlsxwriter = pytest.importorskip("xlsxwriter", reason="xlsxwriter makes the file of this test")
    with xlsxwriter.Workbook(tmp_path / "samples.xlsx") as book:
        rows = [["file", "subject", "visit", "batch", "control"], ["a.fcs", 101, "W0", 1, False], [], ["b.fcs", 102, "W0", 1, True]]  # fmt: skip
        page = book.add_worksheet()
        for i, row in enumerate(rows):
            page.write_row(i, 0, row)
    study = read(tmp_path, GATING_ONLY.replace(".csv", ".xlsx"))

    wanted = study.sheet.select("sample", "subject", "batch", "control", "line")
    assert wanted.rows() == [("101_W0", "101", "1", False, 2), ("b", "102", "1", True, 4)]
