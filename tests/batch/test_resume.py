"""A run can be stopped at any moment; what was finished is not done again, and the results are those of one undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

import anndata
import pandas as pd
import pytest

from il2cyto import cohort, pipeline
from il2cyto.batch import _executor
from il2cyto.io import read_study, verify_run
from tests._runs import il2cyto, outputs, shards, write_sheet

OVERRIDE = """\
schema: il2cyto/gating-overrides/1
overrides:
- {sample: SIM-001_W6, population: CD25pos, cut: 0.62, who: a.meyer, why: PE drift, when: '2025-11-03T09:20:00Z'}
"""


def kill_when(moment, *words):
    """Run a command until `moment()` holds; False if it ended before."""
    process = subprocess.Popen(il2cyto(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not moment():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def drafts(folder):
    return [path for path in folder.rglob(".*.tmp-*") if path.is_file()]


def test_a_run_killed_while_proposing_applying_and_writing_ends_like_an_undisturbed_one(study, tmp_path):
    out, command = tmp_path / "out", ("gate", study, "--out", tmp_path / "out", "--workers", "2")
    assert kill_when(lambda: len(shards(out, "propose")) >= 2, *command)
    proposed = shards(out)
    assert kill_when(lambda: len(shards(out, "apply")) >= 2, *command)
    gated = shards(out)
    assert gated.items() >= proposed.items()
    assert kill_when(lambda: (out / "results.h5ad").is_file(), *command)
    assert verify_run(out).problems == ("run.jsonl: the last run did not end. Run the same command again.",)
    subprocess.run(il2cyto(*command), check=True, capture_output=True)
    assert shards(out).items() >= gated.items()
    pipeline.gate(study, tmp_path / "undisturbed")
    assert outputs(out) == outputs(tmp_path / "undisturbed")
    assert verify_run(out).problems == ()


@pytest.mark.slow
def test_a_run_killed_again_and_again_at_random_ends_like_an_undisturbed_one(study, tmp_path):
    out, chance = tmp_path / "out", random.Random(11)
    for _ in range(12):
        end = time.monotonic() + chance.uniform(1.0, 4.0)
        kill_when(lambda end=end: time.monotonic() > end, "run", study, "--out", out, "--events")
        assert verify_run(out).lines >= 1 if (out / "run.jsonl").is_file() else True
    subprocess.run(il2cyto("run", study, "--out", out, "--events"), check=True, capture_output=True)
    pipeline.run(study, tmp_path / "undisturbed", events=True)
    assert outputs(out) == outputs(tmp_path / "undisturbed")
    assert drafts(out) == []


def test_workers_and_the_order_of_the_sheet_change_no_byte(study, tmp_path):
    pipeline.gate(study, tmp_path / "one", workers=1)
    sheet = (study.parent / "samples.csv").read_text().splitlines()
    (study.parent / "samples.csv").write_text("\n".join([sheet[0], *sheet[:0:-1]]) + "\n")
    pipeline.gate(study, tmp_path / "two", workers=2)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two")


def test_a_second_run_opens_no_file_and_writes_the_same(study, tmp_path, monkeypatch):
    pipeline.gate(study, tmp_path / "out")
    first, kept = outputs(tmp_path / "out"), shards(tmp_path / "out")
    monkeypatch.setattr(_executor, "open_fcs", None)
    assert pipeline.gate(study, tmp_path / "out").failures == ()
    assert outputs(tmp_path / "out") == first
    assert shards(tmp_path / "out") == kept


def test_shards_give_what_gating_in_memory_gives(study, tmp_path):
    kept = pipeline.gate(study, tmp_path / "out").cohorts["tnk"]
    anew = cohort.gate_study(read_study(study)).adata
    pd.testing.assert_frame_equal(kept.to_df(), anew.to_df(), check_exact=True)
    for key in kept.obsm:
        pd.testing.assert_frame_equal(kept.obsm[key], anew.obsm[key], check_exact=True)


def test_an_override_gates_its_own_file_again_and_no_other(study, tmp_path):
    pipeline.gate(study, tmp_path / "out")
    before = shards(tmp_path / "out")
    (study.parent / "overrides.yaml").write_text(OVERRIDE)
    study.write_text(study.read_text() + "overrides: overrides.yaml\n")
    adata = pipeline.gate(study, tmp_path / "out").cohorts["tnk"]
    new = shards(tmp_path / "out").keys() - before.keys()
    assert len(new) == 1
    assert new < shards(tmp_path / "out", "apply").keys()
    assert adata.obsm["gate_cutpoints"].loc["SIM-001_W6", "CD25pos_CD25"] == 0.62


def test_a_changed_file_is_gated_again_and_a_touched_or_moved_one_is_not(study, tmp_path):
    pipeline.gate(study, tmp_path / "out")
    before = shards(tmp_path / "out")
    files = sorted(study.parent.glob("*.fcs"))
    os.utime(files[0])
    files[1].rename(tmp_path / "moved.fcs")
    shutil.copy(tmp_path / "moved.fcs", files[1])
    pipeline.gate(study, tmp_path / "out")
    assert shards(tmp_path / "out") == before
    shutil.copy(files[2], files[3])
    adata = pipeline.gate(study, tmp_path / "out").cohorts["tnk"]
    assert list(adata.obs["file_sha256"]).count(adata.obs["file_sha256"].iloc[2]) == 2
    pipeline.gate(study, tmp_path / "fresh")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "fresh")


def test_a_file_that_changed_behind_its_size_and_time_is_refused_once_and_read_the_next_time(study, tmp_path):
    pipeline.gate(study, tmp_path / "out")
    file = sorted(study.parent.glob("*.fcs"))[0]
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    content = bytearray(file.read_bytes())
    content[-200:-100] = content[-300:-200]
    file.write_bytes(content)
    os.utime(file, ns=times)
    shutil.rmtree(tmp_path / "out" / "shards" / "apply")  # so that its bytes are read
    (failure,) = pipeline.gate(study, tmp_path / "out").failures
    assert failure.message == (
        f"{file.name}: content: not what it was when its size and time were last looked at. Run again."
    )
    assert pipeline.gate(study, tmp_path / "out").failures == ()
    pipeline.gate(study, tmp_path / "fresh")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "fresh")


def test_a_damaged_shard_is_made_again(study, tmp_path):
    pipeline.gate(study, tmp_path / "out")
    first = outputs(tmp_path / "out")
    for path in (tmp_path / "out" / "shards").rglob("*.json"):
        path.write_bytes(path.read_bytes()[:-20])
    pipeline.gate(study, tmp_path / "out")
    assert outputs(tmp_path / "out") == first
    assert all(path.read_bytes().endswith(b"}") for path in (tmp_path / "out" / "shards").rglob("*.json"))


def test_a_sample_that_left_the_sheet_leaves_results_and_events(study, tmp_path):
    pipeline.run(study, tmp_path / "out", events=True)
    names = sorted(path.name for path in study.parent.glob("*.fcs"))
    write_sheet(study.parent, names[:-1])
    pipeline.gate(study, tmp_path / "out", events=True)
    pipeline.gate(study, tmp_path / "fresh", events=True)
    assert outputs(tmp_path / "out") == outputs(tmp_path / "fresh")
    assert not (tmp_path / "out" / "figures" / "dynamics.svg").exists()


def test_figures_of_the_same_results_stay_when_they_are_not_drawn_again(study, tmp_path):
    pipeline.run(study, tmp_path / "out")
    first = outputs(tmp_path / "out")
    pipeline.gate(study, tmp_path / "out")
    assert outputs(tmp_path / "out") == first
    assert verify_run(tmp_path / "out").outputs == len(first)


def test_events_are_written_again_only_where_they_are_missing_or_stale(study, tmp_path):
    out = tmp_path / "out"
    pipeline.gate(study, out)
    pipeline.gate(study, out, events=True)
    files = sorted((out / "events").glob("*.h5ad"))
    assert len(files) == 4
    times = {path.name: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    anndata.AnnData(shape=(1, 1)).write_h5ad(files[1])
    pipeline.gate(study, out, events=True)
    again = {path.name for path in files if path.stat().st_mtime_ns != times[path.name]}
    assert again == {files[0].name, files[1].name}
