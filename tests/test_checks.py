"""What the headers of a batch tell when they are held against one another, what a look at its events adds, and the files of a check."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto import checks, datasets
from il2cyto._confounding import confounded_arms
from il2cyto.inventory import CODES, explain, take_inventory
from il2cyto.io import Spillover, open_fcs, read_study, write_fcs
from tests._runs import run
from tests.test_inventory import LABELS, NAMES, STUDY, TEMPLATE, inventory, tube, worse_than_info

if TYPE_CHECKING:
    from pathlib import Path


def found(taken, *codes):
    """Code, file and message of the findings with these codes."""
    return [row[:3] for row in worse_than_info(taken) if row[0] in codes]


def test_what_is_wrong_with_clinical_tables_is_found_before_anything_is_gated(tmp_path: Path) -> None:
    shutil.copytree(datasets.sample_data_path(), tmp_path, dirs_exist_ok=True)
    sheet = tmp_path / "visits.csv"
    visits = pl.read_csv(sheet, infer_schema_length=0)

    def findings(**columns: pl.Expr) -> list[tuple[str, str]]:
        visits.with_columns(**columns).write_csv(sheet)
        problems = checks.check_study(read_study(tmp_path), hashes=False).problems
        return [row for row in problems.select("code", "message").rows() if row[0][1:] == "121"]

    assert findings() == []
    (notice,) = findings(albumin_g_l=pl.lit("3.9"), note=pl.lit("x"))[:1]
    assert notice == (
        "W121",
        "visits.csv: albumin_g_l: implausible in g/L (usually 10 to 60) in lines 2, 3, 4 and 20 more; check the unit; nothing was "
        "converted",
    )
    assert findings(pga=pl.lit("29")) == [
        ("E121", "visits.csv:2: pga: found 29; allowed 0 to 3 (also in lines 3, 4, 5 and 19 more)")
    ]
    assert findings(remark=pl.lit("x")) == [
        ("I121", "visits.csv: il2cyto does not know these columns and keeps them as text: remark")
    ]


def test_overrides_that_a_run_would_refuse_are_found(tmp_path: Path) -> None:
    shutil.copytree(datasets.sample_data_path(), tmp_path, dirs_exist_ok=True)
    with (tmp_path / "study.yaml").open("a") as file:
        file.write("overrides: overrides.yaml\n")
    entry = {
        "sample": "SIM-001_W66",
        "population": "T",
        "cut": 0.5,
        "who": "me",
        "why": "x",
        "when": "2026-01-01T10:00:00Z",
    }
    (tmp_path / "overrides.yaml").write_text(f"schema: il2cyto/gating-overrides/1\noverrides:\n- {json.dumps(entry)}\n")

    for events in (False, True):
        problems = checks.check_study(tmp_path, hashes=False, events=events).problems.filter(code="E104")
        (message,) = problems["message"]
        assert message.startswith("overrides.yaml:3: ")
        assert "SIM-001_W66" in message


def test_visits_acquired_in_another_order_are_found_and_no_date_is_told(tmp_path: Path) -> None:
    days = {"a": "03-JAN-2020", "b": "05-MAR-2020", "c": "07-FEB-2020", "d": "05-MAR-2020", "e": "nonsense", "f": None}
    for name, day in days.items():
        tube(tmp_path / f"{name}.fcs", keywords={"$DATE": day} if day else None)

    taken = inventory(tmp_path, "a.fcs,P1,W0 b.fcs,P1,W2 c.fcs,P1,W4 d.fcs,P2,W0 e.fcs,P2,W2 f.fcs,P2,W4")

    assert found(taken, "W205") == [
        ("W205", "c.fcs", "subject P1: visit W4 was acquired before visit W2 (b.fcs)"),
    ]
    assert not re.search(r"20\s?20|JAN|FEB|MAR|nonsense", str(taken.problems.to_dicts()) + str(taken.files.to_dicts()))


def test_a_detector_set_otherwise_than_in_its_batch_is_found_on_the_same_cytometer_only(tmp_path: Path) -> None:
    for name, volts, gain in (("a", 450, 1), ("b", 450, 1), ("c", 450, 2), ("d", 520, 1), ("e", 300, 1), ("f", 300, 1)):
        tube(tmp_path / f"{name}.fcs", keywords={"$P3V": str(volts), "$P3G": str(gain), "$P6G": "0.01"})
    (tmp_path / "small.yaml").write_text(TEMPLATE)
    (tmp_path / "study.yaml").write_text(STUDY)
    rows = [f"{name}.fcs,P{i},W0,b1,{'two' if name in 'ef' else 'one'}" for i, name in enumerate("abcdef")]
    (tmp_path / "samples.csv").write_text("\n".join(["file,subject,visit,batch,cytometer", *rows]))

    taken = take_inventory(read_study(tmp_path))

    otherwise = "detectors are set otherwise than in most files of batch b1, panel t"
    assert found(taken, "W132") == [
        ("W132", "c.fcs", f"{otherwise}: gain of V1-A is 2, not 1"),
        ("W132", "d.fcs", f"{otherwise}: voltage of V1-A is 520, not 450"),
    ]


ARMS = "subject,arm\nP1,IL-2\nP2,IL-2\nP3,placebo\nP4,placebo\nP5,placebo\n"
APART = "a.fcs,P1,W0,b1 b.fcs,P2,W0,b1 c.fcs,P3,W0,b2 d.fcs,P4,W0,b2 e.fcs,P5,W0,b3"


def of_arms(folder: Path, rows: str) -> list[tuple[str, str]]:
    """What is said of confounding in a study of two arms, as code and message."""
    for row in rows.split():
        tube(folder / row.split(",")[0])
    (folder / "subjects.csv").write_text(ARMS)
    taken = inventory(folder, rows, STUDY + "subjects: subjects.csv\narms: [placebo, IL-2]\n")
    return taken.problems.filter(pl.col("code").is_in(["W206", "I201"])).select("code", "message").rows()


def test_arms_that_were_run_in_different_batches_are_confounded_and_which_is_where_is_not_said(tmp_path: Path) -> None:
    assert of_arms(tmp_path, APART) == [
        ("W206", "CONFOUNDED_BATCH: 4 of 4 subjects share their batch with their own arm only, and 0% of the comparison of arms "
         "lies within batches: a difference between arms cannot be told from one between batches")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        "a.fcs,P1,W0,b1 b.fcs,P2,W0,b2 c.fcs,P3,W0,b3 d.fcs,P4,W0,b4 e.fcs,P5,W0,b5",  # each subject alone
        "a.fcs,P1,W0,b1 b.fcs,P3,W0,b1 c.fcs,P2,W0,b2 d.fcs,P4,W0,b2 e.fcs,P5,W0,b2",  # mixed
        "a.fcs,P1,W0,b1 b.fcs,P3,W0,b1 c.fcs,P2,W0,b1 d.fcs,P4,W0,b2 e.fcs,P5,W0,b2",  # one batch of one arm by chance
    ],
)
def test_arms_that_are_compared_within_batches_are_not_confounded(tmp_path: Path, rows: str) -> None:
    assert of_arms(tmp_path, rows) == []


def test_a_control_that_was_run_in_both_batches_leaves_their_confounding_a_notice(tmp_path: Path) -> None:
    header, of_control = "file,subject,visit,batch,control", "x.fcs,HD,,b1,yes y.fcs,HD,,b2,yes"
    for row in f"{APART} {of_control}".split():
        tube(tmp_path / row.split(",")[0])
    (tmp_path / "subjects.csv").write_text(ARMS)
    (tmp_path / "small.yaml").write_text(TEMPLATE)
    (tmp_path / "study.yaml").write_text(STUDY + "subjects: subjects.csv\narms: [placebo, IL-2]\n")

    def codes(*rows: str) -> list[str]:
        (tmp_path / "samples.csv").write_text("\n".join([header, *rows]) + "\n")
        taken = take_inventory(read_study(tmp_path))
        return [code for code in taken.problems["code"] if code in {"W201", "W206", "I201"}]

    apart = [f"{row}," for row in APART.split()]
    assert codes(*apart) == ["W206"]
    assert codes(*apart, of_control.split()[0]) == ["W206"]  # run once it bridges nothing
    assert codes(*apart, *of_control.split()) == ["I201"]
    by_visit = ["a.fcs,P1,W0,b1,", "b.fcs,P1,W2,b2,", "c.fcs,P3,W0,b1,", "d.fcs,P3,W2,b2,"]
    assert codes(*by_visit) == ["W201", "W201"]
    assert codes(*by_visit, *of_control.split()) == ["I201", "I201"]


@pytest.mark.parametrize("column", ["cytometer", "site", "operator", "lot"])
def test_arms_that_differ_in_how_they_were_run_are_confounded_in_any_column_that_says_so(column: str) -> None:
    subjects = [f"P{i}" for i in range(8)]
    arms, values = ["IL-2", "placebo"] * 4, ["x", "y"] * 4
    mixed = pl.DataFrame({"subject": subjects, "arm": arms, "batch": ["b"] * 8, column: values})
    (found,) = confounded_arms(mixed, mixed.clear())
    assert (found.column, found.within, found.one_armed, found.subjects, found.bridged) == (column, 0, 8, 8, False)


def test_the_share_within_batches_is_that_of_the_information_on_the_difference_of_two_arms() -> None:
    counts = [(5, 1), (0, 9), (0, 4)]
    rows = [(f"{b}{arm}{i}", arm, str(b)) for b, n in enumerate(counts) for arm in (0, 1) for i in range(n[arm])]
    table = pl.DataFrame(rows, schema=["subject", "arm", "batch"], orient="row")
    information = [a * b / (a + b) for a, b in counts]  # 1 / variance of a difference of means of a and b subjects
    (found,) = confounded_arms(table, table.clear())
    assert found.within == pytest.approx(sum(information) / (5 * 14 / 19))


def test_a_file_of_another_panel_is_one_finding_not_one_for_each_marker(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs")
    tube(tmp_path / "b.fcs", labels=("", "", "CD19", "CD20", "CD38", ""))
    (tmp_path / "b.yaml").write_text(
        "schema: il2cyto/gating-template/1\nname: b\nversion: '1.0'\nrequires: [CD19, CD20]\n"
        "populations:\n- {name: B, parent: root, gate: {method: interval, channel: CD19, min: 0.5}}\n"
    )
    (tmp_path / "small.yaml").write_text(TEMPLATE)
    (tmp_path / "study.yaml").write_text(
        "study: x\nsamples: samples.csv\npanels: {t: {template: small.yaml}, b: {template: b.yaml}}\n"
    )
    (tmp_path / "samples.csv").write_text("file,subject,visit,panel\na.fcs,P1,W0,t\nb.fcs,P2,W0,t\n")

    assert found(take_inventory(read_study(tmp_path)), "E111", "E112") == [
        ("E111", "b.fcs", "has the markers of panel b, not those of its own, t")
    ]


def acquired(path: Path, seed: int, *, n: int = 20_000, fault: str = "") -> None:
    """A tube in which a third of the events is bright in each marker, with one fault."""
    rng = np.random.default_rng(seed)
    events = np.where(rng.random((n, 6)) < 0.3, rng.normal(20_000, 2000, (n, 6)), rng.normal(0, 200, (n, 6)))
    waits = rng.exponential(0.01, n)
    if fault == "drift":
        events[3 * n // 4 :, 3] += 4000
    if fault == "two parts":
        events[n // 2 :, 3] += 4000
    if fault == "pause":
        waits[n // 2] = 60
    if fault == "clog":
        waits[4000:6000] *= 3
    if fault == "unstained":
        events[:, 4] = rng.normal(0, 200, n)
    if fault == "saturated":
        events[rng.random(n) < 0.1, 2] = 262_143
    events[:, 5] = np.cumsum(waits)
    spillover = Spillover(("V1-A", "V2-A", "V3-A"), np.eye(3) + 0.01 * np.eye(3, k=1), "$SPILLOVER")
    write_fcs(path, events.astype(np.float32), names=NAMES, labels=LABELS, spillover=spillover, timestep=1)


def test_a_look_at_the_events_finds_what_headers_cannot_show_and_nothing_in_sound_files(tmp_path: Path) -> None:
    faults = ["", "", "", "drift", "pause", "clog", "unstained", "saturated", "two parts"]
    for i, fault in enumerate(faults):
        acquired(tmp_path / f"{i}.fcs", i, fault=fault)
    rows = " ".join(f"{i}.fcs,P{i // 2},W{i % 2}" for i in range(len(faults)))

    assert worse_than_info(inventory(tmp_path, rows)) == []
    taken = inventory(tmp_path, rows, events=True)

    assert found(taken, *CODES) == [
        ("W162", "6.fcs", "CD25 has 2% of its brightness in the other files of batch 1, panel t"),
        ("W163", "7.fcs", "at the top of the detector's range: 10% of the events on V1-A"),
        ("W164", "3.fcs", "25% of the events stand where the signal of V2-A changed"),
        ("W164", "5.fcs", "10% of the events stand where the flow rate changed"),
        (
            "W166",
            "8.fcs",
            "from event 10,001 of 20,000 on the signal of V2-A is another: "
            "an event after that exceeds one before with a probability of up to 0.79",
        ),
        ("W165", "4.fcs", "no events for an unlikely time, 1 time"),
    ]


def test_exchanged_labels_are_found_in_the_events_until_a_person_vouches_for_the_file(tmp_path: Path) -> None:
    files = sorted((datasets.sample_data_path() / "fcs").glob("*.fcs"))[:2]
    for path, exchanged in zip(
        files, ({}, {"CD4": "CD8", "CD8": "CD4", "CD25": "CD127", "CD127": "CD25"}), strict=True
    ):
        file = open_fcs(path)
        panel = file.panel().channels
        labels = [exchanged.get(channel.marker, channel.label) for channel in panel]
        names, ranges = [channel.name for channel in panel], [channel.range for channel in panel]
        write_fcs(
            tmp_path / path.name, file.events(), names=names, labels=labels, ranges=ranges, spillover=file.spillover()
        )
    rows = "".join(f"{path.name},P{i},W0\n" for i, path in enumerate(files))
    (tmp_path / "samples.csv").write_text("file,subject,visit\n" + rows)
    (tmp_path / "study.yaml").write_text(
        "study: x\nsimulated: true\nsamples: samples.csv\npanels: {t: {template: tnk}}\n"
    )

    taken = checks.check_study(read_study(tmp_path), events=True)

    assert taken.problems["code"][0] == "E161"
    assert taken.problems.filter(code="E161")["file"].to_list() == [files[1].name]
    assert "CD127 is labelled CD25, CD25 is labelled CD127" in taken.problems["message"][0]

    (tmp_path / "overrides.yaml").write_text(
        "schema: il2cyto/gating-overrides/1\noverrides:\n"
        "- {sample: P1_W0, accept_panel: true, who: A. B., why: stained so, when: '2025-11-03'}\n"
    )
    with (tmp_path / "study.yaml").open("a") as study:
        study.write("overrides: overrides.yaml\n")
    vouched = checks.check_study(read_study(tmp_path), events=True)
    assert vouched.n_errors == 0


def test_a_marker_that_is_dim_in_all_tubes_of_a_subject_is_told_once_as_a_matter_of_the_subject(tmp_path: Path) -> None:
    for i in range(6):
        acquired(tmp_path / f"{i}.fcs", i, fault="unstained" if i > 3 else "")

    taken = inventory(tmp_path, " ".join(f"{i}.fcs,P{i // 2},W{i % 2}" for i in range(6)), events=True)

    assert found(taken, "W162") == []
    assert taken.problems.filter(code="I162")["message"].to_list() == [
        "CD25 has at most 2% of its brightness in the other files of batch 1, panel t in all 2 files of subject P2: "
        "the subject has hardly any such cells, or none of these tubes was stained"
    ]


def test_no_published_batch_is_called_implausible_unstained_or_unsteady(shared: Path, tmp_path: Path) -> None:
    """E161, W162, W164, W165 and W166: of 18 files none, and one subject without B cells is told as such."""
    folder = shared / "data" / "visits"
    sheet = pl.read_csv(folder / "phenotype.csv").select("", "subject", "day", "replicate").rows()
    rows = [f"{folder}/HD_{name}.fcs,{subject},day {day},{replicate},tbnk" for name, subject, day, replicate in sheet]
    rows += [f"{path},{path.stem},day 1,1,lst" for path in sorted((shared / "data" / "euroflow_lst").glob("*.fcs"))]
    (tmp_path / "samples.csv").write_text("\n".join(["file,subject,visit,replicate,panel", *rows]) + "\n")
    panels = "{tbnk: {template: tbnk}, lst: {template: euroflow-lst}}"
    (tmp_path / "study.yaml").write_text(f"study: real files\nsamples: samples.csv\npanels: {panels}\n")

    taken = checks.check_study(read_study(tmp_path), events=True, hashes=False)

    assert taken.files.height == 18
    assert found(taken, "E161", "W162", "W164", "W165", "W166") == []
    (told,) = taken.problems.filter(code="I162")["message"].to_list()
    assert told.startswith("CD19 has at most ")
    assert "in all 4 files of subject C" in told


def test_fewer_than_four_files_are_no_measure_of_brightness(tmp_path: Path) -> None:
    for i in range(3):
        acquired(tmp_path / f"{i}.fcs", i, fault="unstained" if i == 2 else "")
    assert worse_than_info(inventory(tmp_path, "0.fcs,P1,W0 1.fcs,P1,W1 2.fcs,P2,W0", events=True)) == []


def test_what_must_be_seen_first_stands_first(tmp_path: Path) -> None:
    tube(tmp_path / "a.fcs", n=5)
    (tmp_path / "b.fcs").write_bytes((tmp_path / "a.fcs").read_bytes())
    tube(tmp_path / "c.fcs", labels=("", "", "CD3", "", "CD25", ""), n=5)

    taken = inventory(tmp_path, "a.fcs,P1,W0 b.fcs,P1,W2 c.fcs,P1,W4 gone.fcs,P2,W0", hashes=True)

    codes = taken.problems["code"].unique(maintain_order=True).to_list()
    assert codes == ["E101", "E112", "W203", "W131", "W151", "I114"]
    assert codes == sorted(codes, key=list(CODES).index)


def test_every_code_has_a_meaning_and_a_remedy() -> None:
    table = explain()
    assert table["code"].is_unique().all()
    assert table.filter((pl.col("meaning") == "") | ~pl.col("remedy").str.ends_with(".")).rows() == []


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    tube(tmp_path / "a.fcs")
    (tmp_path / "b.fcs").write_bytes((tmp_path / "a.fcs").read_bytes())
    (tmp_path / "small.yaml").write_text(TEMPLATE)
    (tmp_path / "study.yaml").write_text(STUDY.replace("study: x", "study: <b>x</b>"))
    (tmp_path / "samples.csv").write_text("file,subject,visit\na.fcs,P1,W0\nb.fcs,P1,W2\ngone.fcs,P2,W0\n")
    return tmp_path


def test_the_three_files_of_a_check_hold_what_was_found(faulty: Path) -> None:
    study = read_study(faulty)
    taken = checks.check_study(study)

    written = checks.write_check(taken, study, faulty / "out")
    page = (faulty / "out" / "check.html").read_text("utf-8")

    assert [path.name for path in written] == ["check.csv", "check_files.csv", "check.html"]
    assert pl.read_csv(faulty / "out" / "check.csv")["code"].to_list() == taken.problems["code"].to_list()
    assert pl.read_csv(faulty / "out" / "check_files.csv")["file"].to_list() == ["a.fcs", "b.fcs", "gone.fcs"]
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page
    assert page.index("E101") < page.index("W203") < page.index("I114")
    # Nothing is loaded from anywhere.
    assert re.findall(r"(?:src|href)=\"(?!#|data:)[^\"]*", page) == []
    assert "SIMULATED" not in page


def test_the_command_gives_json_on_stdout_and_exit_codes(faulty: Path) -> None:
    done = run("check", faulty / "study.yaml", "--json", "--out", faulty / "out")
    answer = json.loads(done.stdout)
    without = run("check", faulty / "study.yaml", "--json", "--no-hash")
    (faulty / "samples.csv").write_text("file,subject,visit\na.fcs,P1,W0\n")
    sound = run("check", faulty / "study.yaml")
    (faulty / "study.yaml").write_text("study: x\n")
    broken = run("check", faulty / "study.yaml")

    assert (done.returncode, answer["errors"], answer["files"]) == (1, 1, 3)
    assert [p["code"] for p in answer["problems"]] == ["E101", "W203", "I114"]
    assert (faulty / "out" / "check.html").is_file()
    assert "W203" not in without.stdout
    assert sound.returncode == 0
    assert broken.returncode == 2
