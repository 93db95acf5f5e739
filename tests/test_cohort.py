"""The main job on a simulated trial: estimated frequencies against the truth, and laws of the cohort object."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest

from il2cyto import checks, cohort, datasets, get
from il2cyto._keys import ENDPOINT_POPULATIONS, Layers, Obs, Obsm, Uns
from il2cyto.batch import Job
from il2cyto.errors import GatingError, StudyError
from il2cyto.gt._flags import FAIL, Flag
from il2cyto.io import open_fcs, read_anndata, read_study, write_anndata, write_fcs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated trial of 16 subjects and 8 visits, 10,000 events a file."""
    return datasets.simulate_trial(tmp_path_factory.mktemp("trial"), subjects=16, seed=11).parent


@pytest.fixture(scope="module")
def gated(trial):
    return cohort.gate_study(read_study(trial / "study.yaml"))


@pytest.fixture(scope="module")
def small():
    return read_study(datasets.sample_data_path() / "study.yaml")


@pytest.fixture(scope="module")
def adata(small):
    return cohort.gate_study(small).adata


def concordance(x, y):
    """Lin's coefficient: correlation, shrunk by any shift or change of scale."""
    return 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


@pytest.mark.parametrize(("population", "least"), [("CD4", 0.98), ("CD8", 0.98), ("NK", 0.98), ("Treg", 0.95), ("CD56bright", 0.95)])  # fmt: skip
def test_estimated_frequencies_agree_with_the_truth(trial, gated, population, least):
    truth = pl.read_csv(trial / "truth" / "frequencies.csv").filter(pl.col("population") == population)
    both = get.frequencies(gated.adata, populations=[population]).join(truth, on="sample", suffix="_true")
    assert both.height == gated.adata.n_obs
    assert both["parent"].to_list() == both["parent_true"].to_list()
    assert concordance(both["frequency"].to_numpy(), both["frequency_true"].to_numpy()) >= least


def test_the_cohort_keeps_the_laws_of_its_schema(adata):
    counts, parents, flags = (adata.layers[key] for key in (Layers.COUNTS, Layers.PARENT_COUNTS, Layers.FLAG))
    failed = (flags & int(FAIL)) != 0
    np.testing.assert_array_equal(np.isnan(adata.X), failed | (parents == 0))
    np.testing.assert_array_equal(np.isnan(counts), failed)
    ok = np.isfinite(adata.X)
    np.testing.assert_array_equal(adata.X[ok], (counts / parents)[ok])
    assert (counts[ok] <= parents[ok]).all()
    low, high = adata.layers[Layers.CUT_LOW], adata.layers[Layers.CUT_HIGH]
    fitted = np.isfinite(low)
    assert fitted[:, [adata.var_names.get_loc(name) for name in ENDPOINT_POPULATIONS]].any(axis=0).all()
    assert ((low <= adata.X) & (high >= adata.X))[fitted].all()
    for i, name in enumerate(adata.var_names):
        parent = adata.var["parent"].iloc[i]
        if parent in adata.var_names:
            np.testing.assert_array_equal(parents[:, i], adata[:, parent].layers[Layers.COUNTS][:, 0], err_msg=name)
    used = int(np.bitwise_or.reduce(flags, axis=None))
    legend = adata.uns[Uns.IL2CYTO][Uns.FLAGS]
    assert used & ~sum(1 << bit for bit in legend["bit"]) == 0


def test_the_cohort_says_what_it_is(adata):
    meta = adata.uns[Uns.IL2CYTO]
    assert (meta[Uns.OBJECT], meta[Uns.UNIT], meta[Uns.SIMULATED]) == ("cohort", "fraction", True)
    assert list(adata.obs[Obs.ARM].cat.categories) == ["placebo", "IL-2"]
    assert adata.obs[Obs.VISIT].cat.ordered
    assert set(ENDPOINT_POPULATIONS) == set(adata.var_names[adata.var["role"] == "endpoint"])
    assert adata.obs[Obs.VIABILITY].between(0.8, 1).all()
    for key in (Obsm.CUTS, Obsm.CUTS_RAW, Obsm.CUTS_SPREAD, Obsm.CUT_FLAG):
        assert list(adata.obsm[key].columns) == list(meta[Uns.CUTS].index)
    assert "Treg_CD25" in adata.obsm[Obsm.MFI]


@pytest.mark.parametrize("ending", ["h5ad", "zarr"])
def test_a_cohort_survives_saving_and_reading(adata, tmp_path, ending):
    path = write_anndata(adata, tmp_path / f"results.{ending}")
    back = read_anndata(path)
    np.testing.assert_array_equal(back.X, adata.X)
    pd.testing.assert_frame_equal(back.obs, adata.obs)
    pd.testing.assert_frame_equal(back.var, adata.var)
    for key in adata.layers:
        assert back.layers[key].dtype == adata.layers[key].dtype
        np.testing.assert_array_equal(back.layers[key], adata.layers[key])
    for key in adata.obsm:
        pd.testing.assert_frame_equal(back.obsm[key], adata.obsm[key])
    assert get.frequencies(back).equals(get.frequencies(adata), null_equal=True)
    again = read_anndata(write_anndata(back, tmp_path / f"again.{ending}"))
    assert get.cuts(again).equals(get.cuts(adata), null_equal=True)


def test_scanpy_reads_and_draws_it(adata, tmp_path):
    import matplotlib as mpl

    mpl.use("Agg")
    sc = pytest.importorskip("scanpy")
    frame = sc.get.obs_df(adata, keys=["Treg", "arm"], layer=None)
    np.testing.assert_array_equal(frame["Treg"], adata[:, "Treg"].X[:, 0])
    axes = sc.pl.violin(adata, "Treg", groupby="arm", show=False)
    assert axes.get_ylabel() == "Treg"


def test_neither_order_of_files_nor_workers_change_a_number(small, adata):
    shuffled = small.model_copy(update={"sheet": small.sheet.sample(fraction=1, shuffle=True, seed=3)})
    other = cohort.gate_study(shuffled, workers=3).adata
    np.testing.assert_array_equal(other.X, adata.X)
    for key in adata.obsm:
        pd.testing.assert_frame_equal(other.obsm[key], adata.obsm[key])


def test_permuting_arms_and_visits_leaves_every_gate_where_it_was(small, adata):
    visits = small.sheet.with_columns(visit=pl.col("visit").reverse())
    arms = small.subject_sheet.with_columns(arm=pl.col("arm").reverse())
    other = cohort.gate_study(small.model_copy(update={"sheet": visits, "subject_sheet": arms})).adata
    np.testing.assert_array_equal(other.X, adata.X)
    # Whether replicates agree is asked of the result, and which files are replicates hangs on the visit.
    of_gates = ~int(Flag.DISCORDANT_REPLICATE)
    np.testing.assert_array_equal(other.layers[Layers.FLAG] & of_gates, adata.layers[Layers.FLAG] & of_gates)
    pd.testing.assert_frame_equal(other.obsm[Obsm.CUTS], adata.obsm[Obsm.CUTS])
    assert list(other.obs[Obs.VISIT]) != list(adata.obs[Obs.VISIT])


def test_renaming_subjects_changes_no_frequency(small, adata):
    renamed = small.sheet.with_columns(subject="P-" + pl.col("subject"))
    subjects = small.subject_sheet.with_columns(subject="P-" + pl.col("subject"))
    other = cohort.gate_study(small.model_copy(update={"sheet": renamed, "subject_sheet": subjects})).adata
    np.testing.assert_array_equal(other.X, adata.X)


def test_other_names_of_subjects_and_samples_in_another_order_change_no_number(small, adata):
    """Names decide the order in which groups are built: here it is turned round."""
    people = small.subject_sheet["subject"].to_list()
    names = {name: f"Q-{len(people) - i:03}" for i, name in enumerate(people)}
    samples = {name: f"z{small.sheet.height - i:03}" for i, name in enumerate(sorted(small.sheet["sample"]))}
    rename = pl.col("subject").replace_strict(names)
    sheet = small.sheet.with_columns(rename, pl.col("sample").replace_strict(samples))
    shuffled = sheet.sample(fraction=1, shuffle=True, seed=5)
    subjects = small.subject_sheet.with_columns(rename)
    other = cohort.gate_study(small.model_copy(update={"sheet": shuffled, "subject_sheet": subjects})).adata
    same = other[[samples[name] for name in adata.obs_names]]
    assert list(same.obs_names) == list(other.obs_names)[::-1]
    np.testing.assert_array_equal(same.X, adata.X)
    for key in adata.layers:
        np.testing.assert_array_equal(same.layers[key], adata.layers[key])
    for key in adata.obsm:
        np.testing.assert_array_equal(same.obsm[key].to_numpy(), adata.obsm[key].to_numpy())


def test_a_file_to_gate_carries_no_arm_visit_or_response():
    assert {field.name for field in dataclasses.fields(Job)} == {"sample", "path", "batch", "subject", "fmo", "control"}


def test_the_templates_grouping_says_which_column_is_the_batch(small, tmp_path):
    from il2cyto.io import find_template

    text = (
        find_template("tnk")
        .read_text()
        .replace("adapt: {level: sample", "grouping: {batch: site}\nadapt: {level: sample", 1)
    )
    (tmp_path / "template.yaml").write_text(text)
    panels = {"tnk": small.panels["tnk"].model_copy(update={"template": str(tmp_path / "template.yaml")})}
    sheet = small.sheet.with_columns(site=pl.Series(["north", "south"] * 11)[: small.sheet.height])
    cuts = cohort.gate_study(small.model_copy(update={"sheet": sheet, "panels": panels})).cuts["tnk"]
    assert set(cuts.filter(pl.col("population") == "CD25pos")["group"]) == {"north", "south"}


@pytest.mark.parametrize(("share", "passes"), [(0.0, True), (0.15, True), (0.3, False)])
def test_unsteady_acquisition_is_a_reason_and_fails_a_sample_from_a_fifth_on_but_no_event_is_lost(
    trial, tmp_path, share, passes
):
    file = open_fcs(min((trial / "fcs").glob("*.fcs")))
    events = np.asarray(file.events(), dtype=np.float64)
    channels = file.panel().channels
    column = next(c.index for c in channels if c.marker == "CD14")
    events[len(events) - int(share * len(events)) :, column] += 3 * events[:, column].std()
    names, labels, ranges = zip(*((c.name, c.label, c.range) for c in channels), strict=True)
    write_fcs(
        tmp_path / "a.fcs", events, names=names, labels=labels, ranges=ranges, spillover=file.spillover(), timestep=0.01
    )
    (tmp_path / "samples.csv").write_text("file,subject,visit\na.fcs,P1,W0\n")
    (tmp_path / "study.yaml").write_text("study: x\nsamples: samples.csv\npanels: {t: {template: tnk}}\n")

    obs = cohort.gate_study(read_study(tmp_path)).adata.obs

    assert ("signal_drift" in obs["qc_reasons"].iloc[0].split(";")) == (share > 0)
    assert (bool(obs["qc_pass"].iloc[0]), int(obs["n_events"].iloc[0])) == (passes, file.n_events)


def test_margin_events_doublets_and_unsteady_stretches_are_shares_of_what_the_gates_saw() -> None:
    study = read_study(datasets.sample_data_path() / "study.yaml")
    gated = cohort.gate_study(study)
    obs = gated.adata.obs

    frequencies = get.frequencies(gated.adata, populations=["singlets"])
    np.testing.assert_allclose(obs["doublets"], 1 - frequencies["frequency"].to_numpy(), rtol=1e-12)
    assert ((obs["margin"] >= 0) & (obs["margin"] < 0.1)).all()
    assert not any("margin" in reasons.split(";") for reasons in obs["qc_reasons"])


def test_a_marker_that_no_file_has_fails_no_sample_and_one_that_a_single_file_lacks_fails_that_sample(tmp_path) -> None:
    files = sorted((datasets.sample_data_path() / "fcs").glob("*.fcs"))[:2]

    def reasons(*without_cd56: str) -> dict[str, tuple[bool, str]]:
        for path in files:
            file = open_fcs(path)
            channels = file.panel().channels
            labels = ["" if path.stem in without_cd56 and c.marker == "CD56" else c.label for c in channels]
            write_fcs(
                tmp_path / path.name, file.events(), names=[c.name for c in channels], labels=labels,
                ranges=[c.range for c in channels], spillover=file.spillover(), timestep=0.01,
            )  # fmt: skip
        rows = "".join(f"{path.name},{path.stem},W0\n" for path in files)
        (tmp_path / "samples.csv").write_text("file,subject,visit\n" + rows)
        (tmp_path / "study.yaml").write_text("study: x\nsamples: samples.csv\npanels: {t: {template: tbnk}}\n")
        obs = cohort.gate_study(read_study(tmp_path)).adata.obs
        return {row.subject: (bool(row.qc_pass), row.qc_reasons) for row in obs.itertuples()}

    first, second = (path.stem for path in files)
    assert reasons(first, second) == {first: (True, "NK_NOT_IN_PANEL"), second: (True, "NK_NOT_IN_PANEL")}
    assert reasons(first) == {first: (False, "NK_NOT_EVALUABLE"), second: (True, "")}


@pytest.fixture
def two_panels(tmp_path: Path) -> Path:
    """Two readable files and two that are none, a panel each."""
    source = datasets.sample_data_path() / "fcs"
    for i, name in enumerate(("SIM-001_W0.fcs", "SIM-001_W6.fcs")):
        (tmp_path / f"good{i}.fcs").write_bytes((source / name).read_bytes())
        (tmp_path / f"bad{i}.fcs").write_text("no FCS file")
    rows = [f"{kind}{i}.fcs,P{i},W0,{kind}" for kind in ("good", "bad") for i in range(2)]
    (tmp_path / "samples.csv").write_text("\n".join(["file,subject,visit,panel", *rows]))
    panels = "{good: {template: tnk}, bad: {template: tnk}}"
    (tmp_path / "study.yaml").write_text(f"study: s\nsamples: samples.csv\npanels: {panels}\n")
    return tmp_path


def test_a_panel_without_a_readable_file_has_failures_and_no_cohort(two_panels: Path) -> None:
    gated = cohort.gate_study(two_panels / "study.yaml")

    assert list(gated.cohorts) == list(gated.cuts) == ["good"]
    assert [failure.file for failure in gated.failures] == ["bad0.fcs", "bad1.fcs"]


def test_a_study_none_of_whose_files_can_be_gated_names_them(two_panels: Path) -> None:
    for path in two_panels.glob("good*.fcs"):
        path.write_text("no FCS file either")

    with pytest.raises(GatingError, match="none of the 4 files could be gated") as caught:
        cohort.gate_study(two_panels)
    assert {line.split(":")[0] for line in str(caught.value).splitlines()[1:]} == {
        *("good0.fcs", "good1.fcs", "bad0.fcs", "bad1.fcs"),
    }


def test_a_study_of_controls_alone_has_nothing_to_gate(two_panels: Path) -> None:
    sheet = pl.read_csv(two_panels / "samples.csv")
    sheet.with_columns(role=pl.lit("unstained"), sample=pl.format("s{}", pl.int_range(pl.len()))).write_csv(
        two_panels / "samples.csv"
    )

    with pytest.raises(StudyError, match="all 4 files are controls"):
        cohort.gate_study(two_panels)
    assert "E103" in set(checks.check_study(two_panels, hashes=False).problems["code"])


def test_what_is_no_study_is_refused_with_what_is_one() -> None:
    with pytest.raises(TypeError, match=r"gate_study: found int; give a study from il2cyto.io.read_study, or the path"):
        cohort.gate_study(3)  # type: ignore[arg-type]
