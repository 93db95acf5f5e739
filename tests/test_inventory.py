from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto.inventory import CODES, Inventory, take_inventory
from il2cyto.io import Spillover, read_study, write_fcs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = ("FSC-A", "SSC-A", "V1-A", "V2-A", "V3-A", "Time")
LABELS = ("", "", "CD3", "CD4 PE", "CD25", "")
TEMPLATE = """\
schema: il2cyto/gating-template/1
name: small
version: "1.0"
requires: [CD3, CD4, CD25]
optional: [CD8]
populations:
- {name: low, parent: root, gate: {method: interval, channel: SSC-A, max: 0.5}}
- {name: T, parent: low, gate: {method: interval, channel: CD3, min: 0.5}}
- {name: CD4, parent: T, gate: {method: interval, channel: CD4, min: 0.5}}
- {name: CD25, parent: CD4, gate: {method: interval, channel: CD25, min: 0.5}}
- {name: CD8, parent: T, if_missing: skip, gate: {method: interval, channel: CD8, min: 0.5}}
"""
STUDY = "study: x\nsamples: samples.csv\npanels: {t: {template: small.yaml}}\n"
OPTIONAL = ("info", "I114", "", "", "Nothing to do if the panel has none of them.")


def tube(
    path: Path,
    *,
    names: Sequence[str] = NAMES,
    labels: Sequence[str] = LABELS,
    n: int = 10_000,
    matrix: str = "acquired",
    keywords: Mapping[str, str] | None = None,
) -> None:
    """Write a file whose content depends on its name; `matrix` is acquired, identity or none."""
    detectors = [name for name in names if name not in {"FSC-A", "SSC-A", "Time"}]
    spill = np.eye(len(detectors))
    spill[0, 1] = 0.1 if matrix == "acquired" else 0.0
    rng = np.random.default_rng(int.from_bytes(path.name.encode()[:4]))
    write_fcs(
        path,
        rng.uniform(0, 1000, (n, len(names))).astype(np.float32),
        names=names,
        labels=labels,
        spillover=None if matrix == "none" else Spillover(tuple(detectors), spill, "$SPILLOVER"),
        keywords=keywords,
    )


def inventory(folder: Path, rows: str, study: str = STUDY, **options: bool) -> Inventory:
    """Take the inventory of a sheet given as rows of file, subject, visit, batch, role."""
    (folder / "small.yaml").write_text(TEMPLATE)
    (folder / "study.yaml").write_text(study)
    lines = [f"{row}{',' * (4 - row.count(','))}" for row in rows.split()]
    (folder / "samples.csv").write_text("\n".join(["file,subject,visit,batch,role", *lines]))
    return take_inventory(read_study(folder), **options)


def worse_than_info(taken: Inventory) -> list[tuple[str, str, str, str]]:
    wanted = taken.problems.filter(pl.col("severity") != "info")
    rows: list[tuple[str, str, str, str]] = wanted.select("code", "file", "message", "remedy").rows()
    return rows


def test_a_sound_batch_has_no_problem_and_a_row_per_file(tmp_path: Path) -> None:
    for name in ("a.fcs", "b.fcs"):
        tube(tmp_path / name)

    taken = inventory(tmp_path, "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1")

    text = "panel t: 2 files without what is optional in the template: CD8 (CD8 cannot be evaluated)"
    assert taken.problems.rows() == [(*OPTIONAL[:4], text, OPTIONAL[4])]
    assert taken.n_errors == 0
    assert taken.files.rows(named=True)[1] == {
        "sample": "P1_W2",
        "file": "b.fcs",
        "batch": "b1",
        "panel": "t",
        "readable": True,
        "version": "FCS3.1",
        "n_events": 10_000,
        "n_channels": 6,
        "compensation": "$SPILLOVER",
        "markers_found": "CD3;CD4;CD25;SSC-A",
        "markers_missing": "",
        "simulated": False,
        "sha256": None,
    }


def test_a_file_that_is_absent_or_damaged_is_a_row_and_the_others_are_still_read(tmp_path: Path) -> None:
    (tmp_path / "fcs").mkdir()
    tube(tmp_path / "fcs" / "P07_V3_T1.FCS")
    tube(tmp_path / "fcs" / "ok.fcs")
    (tmp_path / "fcs" / "web.fcs").write_bytes(b"<html>" + b" " * 200)
    (tmp_path / "fcs" / "folder.fcs").mkdir()

    rows = "fcs/P07_V3_T1.fcs,P1,W0 fcs/web.fcs,P1,W2 fcs/folder.fcs,P1,W4 fcs/ok.fcs,P2,W0 ../none/n.fcs,P2,W2"
    taken = inventory(tmp_path, rows)

    not_listed = "Add it to samples.csv, or move it out of the folder."
    assert [problem for problem in worse_than_info(taken) if problem[0] != "E102"] == [
        ("E101", "fcs/P07_V3_T1.fcs", "no such file; nearest P07_V3_T1.FCS", "Copy it there, or correct line 2 of samples.csv."),
        ("E101", "n.fcs", "no such file", "Copy it there, or correct line 6 of samples.csv."),
        ("W202", "fcs/P07_V3_T1.FCS", "not in the sample sheet", not_listed),
    ]  # fmt: skip
    unreadable = [(file, text) for code, file, text, _ in worse_than_info(taken) if code == "E102"]
    assert unreadable[0] == ("fcs/folder.fcs", "file: not a regular file")
    assert unreadable[1][0] == "fcs/web.fcs"
    assert taken.files["readable"].to_list() == [False, False, False, True, False]
    assert taken.files["n_events"].to_list() == [None, None, None, 10_000, None]


def test_a_missing_marker_is_named_with_the_nearest_the_channels_left_over_and_the_files_concerned(
    tmp_path: Path,
) -> None:
    for name in ("a.fcs", "b.fcs"):
        tube(tmp_path / name, labels=("", "", "CD3", "CD4", "Smith, J.", ""))
    tube(tmp_path / "c.fcs", labels=("", "", "CD3", "CD4", "CD127", ""))
    rows = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1 c.fcs,P2,W0,b2 "

    taken = inventory(tmp_path, rows)
    quoting = inventory(tmp_path, rows, labels=True)

    none_on = "marker 'CD25' not found; nearest: CD4 on V2-A, CD3 on V1-A; no known marker on V3-A"
    remedy = "Add the file's label to the aliases table."
    assert [problem for problem in worse_than_info(taken) if problem[0] == "E112"] == [
        ("E112", "a.fcs", f"{none_on} (batch b1, 2 files)", remedy),
        ("E112", "b.fcs", f"{none_on} (batch b1, 2 files)", remedy),
        ("E112", "c.fcs", "marker 'CD25' not found; nearest: CD127 on V3-A, CD4 on V2-A", remedy),
    ]
    assert quoting.problems["message"][0] == f"{none_on} ('Smith, J.') (batch b1, 2 files)"
    assert taken.files["markers_missing"].to_list() == ["CD25"] * 3


def test_an_alias_of_the_lab_finds_the_marker(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", labels=("", "", "CD3", "CD4", "our receptor", ""))
    (tmp_path / "aliases.csv").write_text("label,marker\nOur Receptor,CD25\n")

    taken = inventory(tmp_path, "a.fcs,P1,W0", STUDY + "aliases: aliases.csv\n")

    assert worse_than_info(taken) == []


def test_a_scatter_channel_that_a_gate_needs_is_missed_too(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", names=("FSC-A", *NAMES[2:]), labels=("", *LABELS[2:]))

    assert worse_than_info(inventory(tmp_path, "a.fcs,P1,W0")) == [
        ("E112", "a.fcs", "channel 'SSC-A' not found; the file has FSC-A, V1-A, V2-A, V3-A, Time",
         "Export the file with this channel, or use a template without it.")
    ]  # fmt: skip


def test_a_marker_on_two_channels_is_no_marker(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", names=(*NAMES, "V4-A"), labels=(*LABELS, "CD25 APC"))

    taken = inventory(tmp_path, "a.fcs,P1,W0")

    assert worse_than_info(taken) == [
        ("E113", "a.fcs", "marker 'CD25' is on 2 channels (V3-A, V4-A); one is allowed",
         "Give all but one of them another marker in the aliases table.")
    ]  # fmt: skip
    assert taken.files["markers_missing"].to_list() == ["CD25"]


def test_an_fmo_control_may_lack_its_own_marker_and_an_unstained_tube_all(tmp_path: Path) -> None:
    for name in ("a.fcs", "b.fcs"):
        tube(tmp_path / name, labels=("", "", "CD3", "CD4", "", ""))
    tube(tmp_path / "u.fcs", labels=("",) * 6)

    taken = inventory(tmp_path, "a.fcs,P1,W0,b1,fmo:CD25 b.fcs,P1,W0,b1,fmo:CD3 u.fcs,,,b1,unstained")

    assert [(code, file) for code, file, *_ in worse_than_info(taken)] == [("E112", "b.fcs")]


def test_files_are_held_against_the_usual_channels_of_their_batch_and_panel(tmp_path: Path) -> None:
    for name in ("a.fcs", "b.fcs", "c.fcs"):
        tube(tmp_path / name)
    tube(tmp_path / "d.fcs", names=(*NAMES[:4], "W3-A", "Time"), labels=("", "", "CD4", "CD3", "CD25", ""))
    tube(tmp_path / "e.fcs", names=NAMES[::-1], labels=LABELS[::-1])

    rows = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1 c.fcs,P2,W0,b1 d.fcs,P2,W2,b1 e.fcs,P3,W0,b1"
    assert worse_than_info(inventory(tmp_path, rows)) == [
        ("W131", "d.fcs", "channels differ from 4 other files of batch b1, panel t: lacks V3-A; has W3-A besides; "
         "V1-A is CD4, not CD3, V2-A is CD3, not CD4", "Check that the file belongs to this batch and panel."),
        ("W144", "d.fcs", "the spillover matrix differs from 4 other files of batch b1, panel t: lacks V3-A; has W3-A "
         "besides", "Check the compensation of this file."),
    ]  # fmt: skip


def test_a_matrix_that_is_absent_or_does_nothing_is_told_from_one_that_would_act_twice(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", matrix="none")
    tube(tmp_path / "b.fcs", matrix="identity")
    exported = [name if name in {"FSC-A", "SSC-A", "Time"} else f"Comp-{name}" for name in NAMES]
    tube(tmp_path / "c.fcs", names=exported)
    tube(tmp_path / "d.fcs", names=exported, matrix="none")
    tube(tmp_path / "e.fcs", keywords={"SPILL": "1,V1-A,2"}, matrix="none")

    rows = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b2 c.fcs,P1,W4,b3 d.fcs,P1,W6,b4 e.fcs,P1,W8,b5"
    taken = inventory(tmp_path, rows)

    assert [problem[:3] for problem in worse_than_info(taken) if problem[0] != "W201"] == [
        ("E141", "e.fcs", "SPILL: the diagonal is not 1 (percent, or not a spillover matrix)"),
        ("W142", "a.fcs", "no spillover matrix: the events stay uncompensated"),
        ("W143", "b.fcs", "the spillover matrix is the identity: the events stay uncompensated"),
        ("W145", "c.fcs", "channel names say that the events are compensated, but the file holds a matrix: "
         "it would be applied again"),
    ]  # fmt: skip
    assert taken.files["compensation"].to_list() == ["none", "identity", "$SPILLOVER", "none", "unusable"]


def test_few_events_and_simulated_events_in_a_real_study_are_pointed_out(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", n=9_999)
    tube(tmp_path / "b.fcs", keywords={"IL2CYTO_SIMULATED": "1"})
    rows = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1"

    assert worse_than_info(inventory(tmp_path, rows)) == [
        ("W151", "a.fcs", "9,999 events; at least 10,000 are wanted to count rare populations",
         "Check that the file is complete; its rare populations will be flagged."),
        ("W204", "b.fcs", "holds simulated events, but the study is not marked so", "Set simulated: true in the study."),
    ]  # fmt: skip
    assert [p[0] for p in worse_than_info(inventory(tmp_path, rows, STUDY + "simulated: true\n"))] == ["W151"]


def test_a_batch_that_holds_one_visit_only_is_confounded(tmp_path: Path) -> None:
    for name in "abcdef":
        tube(tmp_path / f"{name}.fcs")
    balanced = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1 c.fcs,P2,W0,b2 d.fcs,P2,W2,b2"
    split = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b2 c.fcs,P2,W0,b1 d.fcs,P2,W2,b2 e.fcs,P3,W0,b3 f.fcs,P3,W2,b3"

    remedy = "Run all visits of a subject in one batch, or add bridging controls (control: yes)."
    why = "a change between visits cannot be told from one between batches"
    assert [problem for problem in worse_than_info(inventory(tmp_path, balanced)) if problem[0] == "W201"] == []
    assert worse_than_info(inventory(tmp_path, split)) == [
        ("W201", "", f"CONFOUNDED_BATCH: batch b1 holds visit W0 only (2 files): {why}", remedy),
        ("W201", "", f"CONFOUNDED_BATCH: batch b2 holds visit W2 only (2 files): {why}", remedy),
    ]


def test_the_same_bytes_under_two_names_are_found_when_hashes_are_asked_for(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs")
    (tmp_path / "b.fcs").write_bytes((tmp_path / "a.fcs").read_bytes())
    rows = "a.fcs,P1,W0,b1 b.fcs,P1,W2,b1"

    taken = inventory(tmp_path, rows, hashes=True)

    assert worse_than_info(taken) == [
        ("W203", "b.fcs", "the same bytes as a.fcs (sample P1_W0)",
         "One of the two was copied or named wrongly: find the right file.")
    ]  # fmt: skip
    assert taken.files["sha256"][0] == hashlib.sha256((tmp_path / "a.fcs").read_bytes()).hexdigest()
    assert worse_than_info(inventory(tmp_path, rows)) == []


def test_flags_of_the_reader_become_problems_under_their_own_code(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", labels=("", "", "CD3", "CD4", "CD25", "CD25"))

    (problem,) = worse_than_info(inventory(tmp_path, "a.fcs,P1,W0"))

    assert problem[0] == "labels_repeated"
    assert problem[2].startswith("several channels have the same $PnS")


def test_a_template_that_cannot_be_read_is_one_problem_and_the_files_are_still_looked_at(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", n=5)
    (tmp_path / "bad.yaml").write_text("name: [x\n")

    taken = inventory(tmp_path, "a.fcs,P1,W0", STUDY.replace("small", "bad"))

    assert worse_than_info(taken) == [
        ("E110", "", "panel t: bad.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'; close the bracket",
         "Correct it, or panels.t.template of the study."),
        ("W151", "a.fcs", "5 events; at least 10,000 are wanted to count rare populations",
         "Check that the file is complete; its rare populations will be flagged."),
    ]  # fmt: skip


def test_the_order_of_the_sheet_changes_neither_problems_nor_rows(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", n=3, labels=("", "", "CD3", "", "CD25", ""))
    tube(tmp_path / "b.fcs", matrix="none")
    tube(tmp_path / "c.fcs")
    rows = ["a.fcs,P1,W0,b1", "b.fcs,P1,W2,b1", "c.fcs,P2,W2,b2"]

    forward = inventory(tmp_path, " ".join(rows))
    backward = inventory(tmp_path, " ".join(rows[::-1]))

    assert forward.problems.equals(backward.problems)
    assert forward.files.sort("sample").equals(backward.files.sort("sample"))


def test_every_code_tells_its_severity_and_progress_counts_to_the_end(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs")
    inventory(tmp_path, "a.fcs,P1,W0 b.fcs,P1,W2")
    seen: list[tuple[str, int, int]] = []

    taken = take_inventory(read_study(tmp_path), hashes=True, progress=lambda *step: seen.append(step))

    assert seen == [(stage, i, 2) for stage in ("read headers", "hash files") for i in (1, 2)]
    assert {code[0] for code in CODES} == {"E", "W", "I"}
    letters = {"error": "E", "warning": "W", "info": "I"}
    assert all(letters[row["severity"]] == row["code"][0] for row in taken.problems.iter_rows(named=True))


@pytest.mark.slow
def test_twelve_hundred_headers_take_less_than_five_seconds(tmp_path: Path) -> None:
    tube(tmp_path / "0.fcs", n=1000)
    content = (tmp_path / "0.fcs").read_bytes()
    for i in range(1, 1200):
        (tmp_path / f"{i}.fcs").write_bytes(content)
    rows = " ".join(f"{i}.fcs,P{i // 8},W{i % 8},b{i // 96}" for i in range(1200))

    start = time.perf_counter()
    taken = inventory(tmp_path, rows)

    assert time.perf_counter() - start < 5
    assert taken.files["readable"].sum() == 1200
