"""A folder of files becomes the draft of a study: what is clear is filled in, what is not stays blank."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import polars as pl
import pytest

from il2cyto import datasets
from il2cyto.drafting import draft_study, explain, write_draft
from il2cyto.drafting._explain import suggest_pattern
from il2cyto.errors import StudyError
from il2cyto.inventory import take_inventory
from il2cyto.io import read_study

if TYPE_CHECKING:
    from pathlib import Path

    from tests.drafting.conftest import MakeFolder

TNK = ("CD3", "CD4", "CD8", "CD25", "CD127", "CD56", "CD16")
TBNK = ("CD45", "CD3", "CD4", "CD8", "CD19")


def rows(frame: pl.DataFrame, *columns: str) -> list[tuple]:
    return frame.select("file", *columns).rows()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["P01_V1.fcs", "P02_V2.fcs"], [("P01", "V1"), ("P02", "V2")]),
        (["SIM-001_W0.fcs", "SIM-002_W12.fcs"], [("SIM-001", "W0"), ("SIM-002", "W12")]),
        (["01-004-V1.fcs", "01-005-V2.fcs"], [("01-004", "V1"), ("01-005", "V2")]),
        (["Subject_01_Day_0.fcs", "Subject_02_Day_28.fcs"], [("Subject01", "Day0"), ("Subject02", "Day28")]),
        (["P01V1.fcs", "P02V2.fcs"], [("P01", "V1"), ("P02", "V2")]),
        (["P01/baseline/tube.fcs", "P02/W2/tube.fcs"], [("P01", "baseline"), ("P02", "W2")]),
        (["P01_D1.fcs", "P02_D8.fcs"], [("P01", "D1"), ("P02", "D8")]),
        (["Specimen_001_HC7_V1_003.fcs", "Specimen_001_HC9_V2_004.fcs"], [("HC7", "V1"), ("HC9", "V2")]),
        (["anna V1.fcs", "bert V1.fcs", "bert V2.fcs"], [("anna", "V1"), ("bert", "V1"), ("bert", "V2")]),
        # A stain is nobody's name, neither where others have their subject nor by itself.
        (
            ["Hs01C_0_11.fcs", "Hs02C_0_12.fcs", "Ki67ccr7_Hs03C_13.fcs", "Ki67ccr7_Hs04C_14.fcs"],
            [("Hs01C", None), ("Hs02C", None), ("Hs03C", None), ("Hs04C", None)],
        ),
        (["CD3.fcs", "CD19.fcs"], [(None, None), (None, None)]),
        (["PD1_V1.fcs", "PD2_V1.fcs"], [("PD1", "V1"), ("PD2", "V1")]),
        (["240301_P01_V1.fcs", "240302_P02_V1.fcs"], [("P01", "V1"), ("P02", "V1")]),
        # D1 is a day or a donor, 1_1 is anything, and a date is nobody's name: blank.
        (["D1.fcs", "D2.fcs"], [(None, None), (None, None)]),
        (["HD_A_1_1.fcs", "HD_C_3_2.fcs"], [(None, None), (None, None)]),
        (["2024-03-01.fcs", "2024-03-08.fcs"], [(None, None), (None, None)]),
        (["p1_V1.fcs", "P1_V2.fcs"], [(None, "V1"), (None, "V2")]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_subject_and_visit_come_from_names_where_only_one_reading_is_possible(
    make_folder: MakeFolder, files: list[str], expected: list[tuple]
) -> None:
    samples = draft_study(make_folder(files)).samples

    assert rows(samples, "subject", "visit") == [(f, *e) for f, e in sorted(zip(files, expected, strict=True))]


def test_a_pattern_says_what_comparing_names_cannot(make_folder: MakeFolder) -> None:
    folder = make_folder(["HD_A_1_1.fcs", "HD_A_1_2.fcs", "other.fcs"])

    samples = draft_study(folder, names="HD_{subject}_{visit}_{replicate}").samples

    assert rows(samples, "subject", "visit", "replicate") == [
        ("HD_A_1_1.fcs", "A", "1", "1"),
        ("HD_A_1_2.fcs", "A", "1", "2"),
        ("other.fcs", None, None, None),
    ]


def test_a_wrong_pattern_is_refused_with_what_is_allowed(make_folder: MakeFolder) -> None:
    with pytest.raises(StudyError) as caught:
        draft_study(make_folder(["a.fcs"]), names="{patient}_{visit}_{visit}")

    assert str(caught.value) == (
        "--names: found {patient}, {visit}; allowed are {subject}, {visit}, {panel}, {batch}, {replicate}, {tube}, each at most "
        "once, and {_} for what does not matter"
    )


def test_replicates_are_letters_that_tell_equal_tubes_apart_and_only_those(make_folder: MakeFolder) -> None:
    files = ["P01_V1_A.fcs", "P01_V1_B.fcs", "P02_V1_A.fcs", "P02_V1_B.fcs"]

    samples = draft_study(make_folder(files)).samples

    assert samples["replicate"].to_list() == ["A", "B", "A", "B"]


def test_files_that_nothing_tells_apart_are_named_and_get_a_column_to_fill(make_folder: MakeFolder) -> None:
    draft = draft_study(make_folder(["a/P01_V1.fcs", "b/P01_V1.fcs"]))

    assert draft.samples["replicate"].to_list() == [None, None]
    assert (
        "  samples.csv: 2 rows share subject, visit and panel with another: tell them apart in column replicate"
        in explain(draft)
    )


def test_batches_number_the_days_of_acquisition_and_no_date_is_written(make_folder: MakeFolder, tmp_path: Path) -> None:
    days = {"P01_V1.fcs": "09-MAR-2023", "P02_V1.fcs": "08-MAR-2023", "P03_V1.fcs": "09-MAR-2023"}
    folder = make_folder(list(days), days=days)

    draft = draft_study(folder)
    written = "".join(file.read_text() for file in write_draft(draft, folder))

    assert draft.samples["batch"].to_list() == ["B2", "B1", "B2"]
    assert "2023" not in written + "".join(explain(draft))
    assert "MAR" not in written


def test_a_word_of_the_name_beats_the_day_and_folders_serve_where_there_is_neither(make_folder: MakeFolder) -> None:
    plates = draft_study(make_folder(["plate1/P01_V1.fcs", "plate2/P02_V1.fcs"]))
    assert (plates.batch_source, plates.samples["batch"].to_list()) == ("names", ["plate1", "plate2"])


def test_folders_are_numbered_as_batches(make_folder: MakeFolder) -> None:
    draft = draft_study(make_folder(["2024-01-02/P01_V1.fcs", "2024-01-09/P02_V1.fcs"]))

    assert (draft.batch_source, draft.samples["batch"].to_list()) == ("folders", ["B1", "B2"])


def test_panels_are_sets_of_markers_named_by_the_word_that_goes_with_them(make_folder: MakeFolder) -> None:
    files = ["P01_V1_tcell.fcs", "P01_V1_basic.fcs", "P02_V1_tcell.fcs", "P02_V1_basic.fcs"]
    draft = draft_study(make_folder(files, labels={f: TBNK for f in files if "basic" in f}))

    chosen = {panel.name: panel.chosen.template for panel in draft.panels if panel.chosen}
    assert chosen == {"basic": "tbnk", "tcell": "tnk"}
    assert rows(draft.samples, "panel")[0] == ("P01_V1_basic.fcs", "basic")


def test_the_template_that_asks_for_most_is_chosen_and_the_others_are_told_what_they_lack(
    make_folder: MakeFolder,
) -> None:
    draft = draft_study(make_folder(["P01_V1.fcs"], labels={"P01_V1.fcs": TBNK}))

    (panel,) = draft.panels
    missing = {fit.template: fit.missing for fit in panel.fits}
    assert panel.chosen is not None
    assert panel.chosen.template == "tbnk"
    assert missing["tnk"] == ("CD25", "CD127", "CD56", "CD16")


def test_values_on_a_short_scale_without_a_matrix_are_not_given_to_a_template_that_would_transform_them(
    make_folder: MakeFolder,
) -> None:
    labels = {"P01_V1.fcs": (*TBNK, "CD56")}
    (short,) = draft_study(make_folder(["P01_V1.fcs"], labels=labels, range_=16384)).panels
    (long,) = draft_study(make_folder(["P01_V1.fcs"], labels=labels)).panels

    assert short.chosen is not None
    assert short.chosen.template == "euroflow-lst"
    assert long.chosen is not None
    assert long.chosen.template == "tbnk"


def test_labels_that_name_no_marker_are_written_with_the_nearest_one_and_never_shown(make_folder: MakeFolder) -> None:
    folder = make_folder(["P01_V1.fcs"], labels={"P01_V1.fcs": (*TNK[:-1], "CD 16", "Mrs Smith", "-")})

    draft = draft_study(folder)
    write_draft(draft, folder)

    assert draft.aliases.rows() == [("CD 16", None, "CD16"), ("Mrs Smith", None, None)]
    assert "Smith" not in "".join(explain(draft)) + (folder / "study.yaml").read_text()
    filled = (folder / "aliases.csv").read_text().replace("CD 16,,", "CD 16,CD16,")
    (folder / "aliases.csv").write_text(filled)
    assert read_study(folder).marker_aliases == {"CD 16": "CD16", "Mrs Smith": ""}


def test_controls_are_told_by_their_names_and_need_no_subject(make_folder: MakeFolder) -> None:
    files = ["b1/P01_V1.fcs", "b1/Unstained.fcs", "b2/Unstained.fcs", "b2/FMO_CD25.fcs", "b2/P02_V1.fcs"]
    folder = make_folder(files)

    draft = draft_study(folder)
    write_draft(draft, folder)

    sheet = read_study(folder).sheet
    assert sheet["role"].to_list() == ["sample", "unstained", "fmo:CD25", "sample", "unstained"]
    assert sheet["sample"].n_unique() == 5


def test_a_control_joins_the_panel_whose_channels_it_has(make_folder: MakeFolder) -> None:
    files = ["P01_V1.fcs", "P02_V1.fcs", "T_P01_V1.fcs", "Ctrl_Unstained.fcs"]
    labels = {"T_P01_V1.fcs": TBNK, "Ctrl_Unstained.fcs": [""] * len(TNK)}

    draft = draft_study(make_folder(files, labels=labels))

    assert [(panel.name, panel.n_files) for panel in draft.panels] == [("tnk", 2), ("tbnk", 1)]
    assert rows(draft.samples, "panel")[0] == ("Ctrl_Unstained.fcs", "tnk")


def test_a_suggested_pattern_leaves_dates_whole(make_folder: MakeFolder) -> None:
    draft = draft_study(make_folder(["A1x20090205_00_1.fcs", "B7y20090306_01_2.fcs"]))

    assert suggest_pattern(draft).count("{_}") == 1
    assert "2009" not in suggest_pattern(draft)


def test_a_panel_without_a_template_is_named_with_what_to_do(make_folder: MakeFolder) -> None:
    folder = make_folder(["P01_V1.fcs"], labels={"P01_V1.fcs": ("CD14",)})
    write_draft(draft_study(folder), folder)

    with pytest.raises(StudyError) as caught:
        read_study(folder)

    assert str(caught.value).endswith(
        "panels.panel1.template: blank; name a template (il2cyto templates list), or the path of one"
    )


def test_a_draft_without_blanks_loads_and_passes_the_check(make_folder: MakeFolder) -> None:
    folder = make_folder(["P01_V1.fcs", "P01_V2.fcs", "P02_V1.fcs", "P02_V2.fcs"])
    write_draft(draft_study(folder), folder)

    study = read_study(folder)

    assert study.sheet.select("sample", "subject", "visit", "panel").row(0) == ("P01_V1", "P01", "V1", "tnk")
    assert take_inventory(study).n_errors == 0


def test_the_simulated_trial_is_drafted_as_its_own_sheet_says(tmp_path: Path) -> None:
    source = datasets.sample_data_path()
    write_draft(draft_study(source / "fcs", out=tmp_path), tmp_path)

    drafted, own = read_study(tmp_path), read_study(source)

    assert drafted.simulated
    keys = ("sample", "subject", "visit", "panel")
    assert drafted.sheet.select(keys).sort("sample").equals(own.sheet.select(keys).sort("sample"))
    assert all(drafted.path(file).is_file() for file in drafted.sheet["file"])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "=1+1_V1.fcs",
            "-P01_V1.fcs",
            "P01,V1.fcs",
            'P"01"_V1.fcs',
            "Müller_V1.fcs",
            "CON_V1.fcs",
            "'; rm -rf ~_V1.fcs",
        ),
        *("{subject}_V1.fcs", "#_V1.FCS", "x" * 200 + "_V1.fcs", "x....fcs", "_.fcs", "😀_V1.fcs", "null_V1.fcs"),
    ],
)
def test_no_name_of_a_file_breaks_the_draft(make_folder: MakeFolder, name: str) -> None:
    folder = make_folder([name])
    draft = draft_study(folder)
    write_draft(draft, folder)

    if draft.samples.select("subject", "visit").null_count().sum_horizontal().item():
        with pytest.raises(StudyError, match="blank; fill it in"):
            read_study(folder)
    else:
        study = read_study(folder)
        assert study.path(study.sheet["file"][0]).is_file()


@pytest.mark.parametrize("name", ["P01\n_V1.fcs", "P01\\x_V1.fcs", "Mu\u0308ller_V1.fcs"])
def test_a_name_that_no_sheet_can_hold_is_left_out_and_said(make_folder: MakeFolder, name: str) -> None:
    draft = draft_study(make_folder([name, "P02_V1.fcs"]))

    assert draft.samples["file"].to_list() == ["P02_V1.fcs"]
    assert any(line.startswith("  left out, as no sheet can hold the name: ") for line in explain(draft))


def test_what_is_there_is_never_overwritten_unless_forced(make_folder: MakeFolder) -> None:
    folder = make_folder(["P01_V1.fcs"])
    (folder / "samples.csv").write_text("mine")
    draft = draft_study(folder)

    with pytest.raises(StudyError) as caught:
        write_draft(draft, folder)

    assert str(caught.value) == (
        "samples.csv: there already, and may hold somebody's work. Nothing was written: draft into another folder with --out, or "
        "replace what is there with --force."
    )
    assert (folder / "samples.csv").read_text() == "mine"
    assert not (folder / "study.yaml").exists()
    write_draft(draft, folder, force=True)
    assert read_study(folder).sheet.height == 1


def test_damaged_files_are_listed_and_a_folder_of_nothing_else_is_refused(make_folder: MakeFolder) -> None:
    folder = make_folder(["P01_V1.fcs"])
    (folder / "P02_V1.fcs").write_bytes(b"no FCS")
    draft = draft_study(folder)
    assert draft.unreadable == ("P02_V1.fcs",)
    assert draft.samples["panel"].to_list() == ["tnk", "tnk"]
    (folder / "P01_V1.fcs").unlink()

    with pytest.raises(StudyError) as caught:
        draft_study(folder)

    assert str(caught.value) == "trial: found 1 FCS files, none of which can be read. Copy or export them again."


def test_a_folder_without_fcs_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(StudyError) as caught:
        draft_study(tmp_path / "empty")

    assert str(caught.value) == ("empty: no FCS file in it or in its subfolders. Give the folder that holds them.")


def test_real_folders_get_the_template_made_for_them(shared: Path, tmp_path: Path) -> None:
    for folder, template in (("visits", "tbnk"), ("euroflow_lst", "euroflow-lst"), ("lyoplate_dc_nk", "hipc-nk")):
        (panel,) = draft_study(shared / "data" / folder, out=tmp_path).panels
        assert panel.chosen is not None
        assert panel.chosen.template == template


def test_the_visits_of_healthy_donors_are_read_by_pattern_and_checked(shared: Path, tmp_path: Path) -> None:
    for file in (shared / "data/visits").glob("*.fcs"):
        shutil.copy(file, tmp_path / file.name)
    draft = draft_study(tmp_path)
    assert draft.samples.select("subject", "visit").null_count().row(0) == (12, 12)

    write_draft(draft_study(tmp_path, names="HD_{subject}_{visit}_{replicate}"), tmp_path)

    study = read_study(tmp_path)
    phenotype = pl.read_csv(shared / "data/visits/phenotype.csv").rename({"": "name"})
    truth = phenotype.select(
        pl.format("HD_{}.fcs", "name"), *(pl.col(c).cast(str) for c in ("subject", "day", "replicate"))
    )
    assert sorted(study.sheet.select("file", "subject", "visit", "replicate").rows()) == sorted(truth.rows())
