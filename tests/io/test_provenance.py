from __future__ import annotations

import json
import shutil

import pytest

from il2cyto import pipeline
from il2cyto.errors import RunError
from il2cyto.io import open_run_record, verify_run
from tests._runs import make_trial

CHANGED = "does not follow from line {}; a line before it was changed, added or removed."


@pytest.fixture
def record(tmp_path):
    """A record of four lines."""
    with open_run_record(tmp_path) as record:
        for kind in ("start", "inputs", "failures", "end"):
            record.add(kind, {"n": len(kind)})
    return tmp_path / "run.jsonl"


def lines(record):
    return record.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda x: [x[0], x[1].replace('"n":6', '"n":7'), *x[2:]], f"run.jsonl:3: {CHANGED.format(2)}"),
        (lambda x: [x[0], x[2], x[3]], f"run.jsonl:2: {CHANGED.format(1)}"),
        (lambda x: x[1:], f"run.jsonl:1: {CHANGED.format(0)}"),
        (lambda x: [x[0], "{}\n", *x[1:]], "run.jsonl:2: not a line of a run record; the file was changed."),
    ],
    ids=["changed", "removed", "beheaded", "inserted"],
)
def test_a_changed_removed_or_inserted_line_is_found(record, change, found):
    assert verify_run(record.parent).problems == ()
    record.write_text("".join(change(lines(record))))
    assert found in verify_run(record.parent).problems


def test_lines_cut_off_at_the_end_show_in_the_head(record):
    before = verify_run(record.parent)
    with open_run_record(record.parent) as run:
        run.add("start", {})
        run.add("end", {})
    after = verify_run(record.parent)
    assert (after.lines, after.problems) == (6, ())
    assert after.head != before.head
    record.write_text("".join(lines(record)[:4]))
    assert verify_run(record.parent).head == before.head


def test_half_a_line_is_kept_and_closed_by_the_next_run(record):
    whole = record.read_bytes()
    record.write_bytes(whole + b'{"line":5,"prev')
    assert verify_run(record.parent).problems == (
        "run.jsonl:5: not a line of a run record; the file was changed.",
        "run.jsonl: the last line is not whole; a run was cut off. Run the same command again.",
    )
    with open_run_record(record.parent) as run:
        run.add("start", {})
        run.add("end", {})
    assert verify_run(record.parent).problems == ()
    assert record.read_bytes().startswith(whole)
    assert json.loads(lines(record)[5])["kind"] == "interrupted"


def test_what_did_not_change_is_not_noted_again(tmp_path):
    for n in (1, 1, 2):
        with open_run_record(tmp_path) as record:
            record.note("inputs", {"n": n, "pair": (1, 2)})
    assert [json.loads(line)["content"]["n"] for line in lines(tmp_path / "run.jsonl")] == [1, 2]


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with open_run_record(tmp_path / "out"), pytest.raises(RunError) as error, open_run_record(tmp_path / "out"):
        pass
    assert str(error.value) == (
        "out: another run is writing to this folder; wait until it has ended, or choose another folder"
    )


def test_a_folder_without_record_is_an_error(tmp_path):
    with pytest.raises(RunError) as error:
        verify_run(tmp_path)
    assert str(error.value) == (
        f"{tmp_path.name}: no run.jsonl; give a folder that `il2cyto gate` or `il2cyto run` has written"
    )


def test_a_run_is_on_record_with_inputs_overrides_failures_and_outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("IL2CYTO_USER", "operator 3")
    study, out = make_trial(tmp_path / "trial", 3), tmp_path / "out"
    override = {
        "sample": "SIM-001_W0",
        "population": "T",
        "cut": 0.5,
        "who": "am",
        "why": "drift",
        "when": "2025-11-03",
    }
    (study.parent / "o.yaml").write_text(
        json.dumps({"schema": "il2cyto/gating-overrides/1", "overrides": [override]}, indent=1)
    )
    study.write_text(study.read_text() + "overrides: o.yaml\n")
    bad = study.parent / "SIM-001_W6.fcs"
    bad.write_bytes(bad.read_bytes()[:3000])
    pipeline.gate(study, out)
    entries = {entry["kind"]: entry["content"] for entry in map(json.loads, lines(out / "run.jsonl"))}
    assert entries["start"] == {
        "command": "gate",
        "settings": {"events": False, "densities": True},
        "user": "operator 3",
    }
    assert entries["software"].keys() == {"python", "il2cyto", "numpy", "numba", "scipy", "anndata", "polars"}
    assert entries["study"]["files"].keys() == {"study.yaml", "samples.csv", "o.yaml"}
    assert entries["overrides"] == {"overrides": [override]}
    assert entries["inputs"]["SIM-001_W6"] == {"file": "SIM-001_W6.fcs", "sha256": None}
    assert len(entries["inputs"]["SIM-001_W0"]["sha256"]) == 64
    (failure,) = entries["failures"]["failures"]
    assert (failure["sample"], failure["error"]) == ("SIM-001_W6", "FcsError")
    assert entries["outputs"].keys() == {
        "densities.npz", "results.h5ad", "tables/cut_drift.csv", "tables/cuts.csv", "tables/failures.csv", "tables/frequencies.csv"
    }  # fmt: skip
    assert entries["end"] == {"failed": 1}
    assert str(tmp_path) not in (out / "run.jsonl").read_text()


def test_a_result_that_was_changed_or_removed_is_found(tmp_path):
    out = tmp_path / "out"
    pipeline.gate(make_trial(tmp_path / "trial", 2), out)
    shutil.copy(out / "tables" / "cuts.csv", out / "tables" / "frequencies.csv")
    (out / "results.h5ad").unlink()
    assert verify_run(out).problems == (
        "results.h5ad: absent, but it was written by the last run.",
        "tables/frequencies.csv: not as the last run wrote it.",
    )
