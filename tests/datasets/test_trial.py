"""simulate_trial: files that others read, bytes that do not depend on the machine, truth that stays hidden."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import flowio
import numpy as np
import polars as pl
import pytest
from scipy.special import logit

from il2cyto.datasets import _panel as panel, sample_data_path, simulate_trial
from il2cyto.datasets._frequencies import EFFECTS
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_same_seed_gives_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"subjects": 6, "visits": (0, 6, 12), "events": 800}
    one, four, other = (tmp_path / name for name in ("one", "four", "other"))
    simulate_trial(one, workers=1, **settings)
    simulate_trial(four, workers=4, **settings)
    simulate_trial(other, seed=1, **settings)
    assert digests(one) == digests(four)
    same = [name for name, digest in digests(other).items() if digests(one).get(name) == digest]
    assert same == ["study.yaml"]


def test_files_are_complete_and_read_by_flowio(trial: Path) -> None:
    sheet = pl.read_csv(trial / "samples.csv")
    assert sheet.columns == ["file", "subject", "visit", "panel", "sample", "batch"]
    assert sorted(sheet["file"]) == sorted(f"fcs/{file.name}" for file in (trial / "fcs").iterdir())
    data = flowio.FlowData(str(trial / sheet["file"][0]))
    assert (data.event_count, data.channel_count) == (500, 17)
    assert list(data.pnn_labels) == list(panel.NAMES)
    assert [data.text.get(f"p{i}s", "") for i in range(1, 18)] == list(panel.LABELS)
    assert {data.text[f"p{i}r"] for i in range(1, 18)} == {"262144"}
    assert data.text["il2cyto_simulated"] == "1"
    size, *rest = data.text["spillover"].split(",")
    assert rest[: int(size)] == list(panel.COLOURS.values())
    stored = np.array(rest[int(size) :], float).reshape(int(size), -1)
    np.testing.assert_array_equal(stored, panel.spillover_matrix())


def test_truth_is_the_count_of_labels(trial: Path) -> None:
    truth = pl.read_csv(trial / "truth" / "frequencies.csv")
    assert truth.columns == ["sample", "population", "parent", "count", "parent_count", "frequency"]
    sample = truth["sample"][40]
    with np.load(trial / "truth" / "labels" / f"{sample}.npz", allow_pickle=False) as labels:
        names = labels["populations"][labels["population"][labels["statuses"][labels["status"]] == "live"]]
    assert len(names)
    t, cd4 = ["CD4_other", "Treg", "CD8", "DN"], ["CD4_other", "Treg"]
    lymphocytes, nk = [*t, "NK_dim", "CD56bright", "B", "null"], ["NK_dim", "CD56bright"]
    expected = {
        "lymphocytes": (lymphocytes, None),
        "T": (t, lymphocytes),
        "CD4": (cd4, t),
        "CD8": (["CD8"], t),
        "Treg": (["Treg"], cd4),
        "NK": (nk, lymphocytes),
        "CD56bright": (["CD56bright"], nk),
        "B": (["B"], lymphocytes),
    }
    rows = {row["population"]: row for row in truth.filter(pl.col("sample") == sample).iter_rows(named=True)}
    assert set(rows) == set(expected)
    for name, (cells, parent) in expected.items():
        count = int(np.isin(names, cells).sum())
        total = len(names) if parent is None else int(np.isin(names, parent).sum())
        assert (rows[name]["count"], rows[name]["parent_count"]) == (count, total), name
        assert rows[name]["frequency"] == count / total


def test_study_and_sheets_say_simulated_and_never_mention_the_truth(trial: Path) -> None:
    assert "simulated: true" in (trial / "study.yaml").read_text().splitlines()
    for name in ("study.yaml", "samples.csv", "subjects.csv", "visits.csv", "adverse_events.csv"):
        assert "truth" not in (trial / name).read_text().lower(), name
    for name in ("samples", "subjects", "visits", "adverse_events"):
        assert pl.read_csv(trial / f"{name}.csv")["subject"].str.starts_with("SIM-").all(), name


def test_truth_recovers_the_effects(tmp_path: Path) -> None:
    study = simulate_trial(tmp_path, subjects=120, visits=(0, 6), events=8000, seed=11)
    truth = pl.read_csv(study.parent / "truth" / "frequencies.csv")
    arms = pl.read_csv(study.parent / "subjects.csv").select("subject", "arm")
    keys = pl.col("sample").str.split_exact("_", 1).struct.rename_fields(["subject", "visit"])
    wide = (
        truth.with_columns(keys.alias("key"))
        .unnest("key")
        .with_columns(
            y=((pl.col("count") + 0.5) / (pl.col("parent_count") + 1)).map_batches(logit, return_dtype=pl.Float64)
        )
        .pivot("visit", index=["subject", "population"], values="y")
        .drop_nulls()
        .with_columns(change=pl.col("W6") - pl.col("W0"))
        .join(arms, on="subject")
    )
    mean = wide.group_by("population", "arm").agg(pl.col("change").mean(), se=pl.col("change").std() / pl.len().sqrt())
    for population in ("Treg", "NK", "CD56bright"):
        rows = {row["arm"]: row for row in mean.filter(pl.col("population") == population).iter_rows(named=True)}
        difference = rows["IL-2"]["change"] - rows["placebo"]["change"]
        error = np.hypot(rows["IL-2"]["se"], rows["placebo"]["se"])
        assert abs(difference - EFFECTS[population][3]) < 3 * error, population


def test_batches_hold_complete_subjects_of_both_arms(trial: Path, tmp_path: Path) -> None:
    arms = pl.read_csv(trial / "subjects.csv").select("subject", "arm")
    sheet = pl.read_csv(trial / "samples.csv").join(arms, on="subject")
    assert sheet.group_by("subject").agg(pl.col("batch").n_unique())["batch"].to_list() == [1] * 60
    per_batch = sheet.unique("subject").group_by("batch", "arm").len()
    assert per_batch["len"].to_list() == [5] * 12
    confounded = simulate_trial(tmp_path, subjects=4, visits=(0, 2), events=100, batches="visit").parent
    pairs = pl.read_csv(confounded / "samples.csv").select("visit", "batch").unique().sort("visit")
    assert pairs.rows() == [("W0", "B01"), ("W2", "B02")]


def test_progress_counts_every_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate_trial(tmp_path, subjects=3, visits=(0, 2), events=100, progress=lambda *done: seen.append(done))
    assert seen == [(i, len(seen)) for i in range(1, len(seen) + 1)]
    assert len(seen) == len(list((tmp_path / "fcs").iterdir()))


def test_wrong_settings_are_named_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as error:
        simulate_trial(tmp_path, subjects=1, events=10, visits=(2, 1), arms=("a", "a"))
    assert str(error.value) == (
        "simulate_trial: subjects is 1; allowed is 2 or more; events is 10; allowed is 100 or more; "
        "visits are [2, 1]; allowed are ascending weeks, one or more apart, from 0; "
        "arms are ['a', 'a']; allowed are two different names, control first"
    )


def test_a_real_study_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: REAL\n")
    with pytest.raises(StudyError) as error:
        simulate_trial(tmp_path, subjects=2)
    assert str(error.value) == (
        "simulate_trial: the folder holds a study.yaml that is not simulated; choose another folder"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["study.yaml"]


def test_sample_data_is_what_its_readme_says_it_is(tmp_path: Path) -> None:
    folder = sample_data_path()
    command = "simulate_trial(folder, subjects=8, visits=(0, 6, 12), events=4000, seed=2020)"
    assert command in (folder / "README.md").read_text()
    again = simulate_trial(tmp_path, subjects=8, visits=(0, 6, 12), events=4000, seed=2020).parent
    here = {name for name in digests(folder) if not name.endswith(".md")}
    assert here == set(digests(again))
    for name in (
        "samples.csv",
        "subjects.csv",
        "visits.csv",
        "adverse_events.csv",
        "study.yaml",
        "truth/frequencies.csv",
    ):
        assert (folder / name).read_text() == (again / name).read_text(), name
    ours, theirs = (
        np.array(flowio.FlowData(str(place / "fcs" / "SIM-001_W0.fcs")).events) for place in (folder, again)
    )
    # Not byte for byte: the last bit of exp() in float32 may depend on the processor.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-2)
