"""FMO controls: the method, and the way of its cut from the control to the samples of a batch."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto import cohort
from il2cyto._keys import Layers, Obsm
from il2cyto.gt import Flag
from il2cyto.gt._controls import control_cuts, with_controls
from il2cyto.gt._propose import PROPOSAL_SCHEMA
from il2cyto.gt.methods import METHODS
from il2cyto.io import read_study, write_fcs
from il2cyto.io._templates import parse_template
from il2cyto.template import FmoGate

TEMPLATE = """schema: il2cyto/gating-template/1
name: fmo
version: "1.0"
requires: [CD3, CD25]
transform: {default: {method: none}}
min_parent: {nan: 50, warn: 200}
populations:
- {name: T, parent: root, gate: {method: valley, channel: CD3, bounds: [3, 7], one_peak: fail}}
- {name: CD25pos, parent: T, gate: {method: fmo, channel: CD25, quantile: 0.99, bounds: [-5, 30]}, adapt: {level: batch}}
- {name: corner, parent: T, gate: {method: corner, x: {method: ref, of: CD25pos}, y: {method: quantile, channel: CD3, q: 0.5, bounds: [0, 20]}, keep: [above, above]}}
- {name: notT, parent: root, gate: {method: ref, of: T, keep: below}}
expect:
- {marker: CD25, higher_in: T, than: notT, auc_above: 0.52}
"""


def fit(values, quantile=0.995, bounds=(-10.0, 10.0)):
    gate = FmoGate(method="fmo", channel="CD25", quantile=quantile, bounds=bounds)
    return METHODS["fmo"](np.asarray(values, dtype=np.float64), gate, None, np.random.default_rng(0))


def test_the_cut_is_a_quantile_of_the_control_and_needs_500_events():
    x = np.random.default_rng(1).normal(size=500)
    assert fit(x).cuts["cut"].value == np.quantile(x, 0.995)
    few, off = fit(x[:499]), fit(x + 50)
    assert few.flags == off.flags == Flag.FMO_MISSING
    assert few.reason == "FMO control: too few events: 499, at least 500 are needed"
    assert off.reason.endswith("is outside the bounds -10 to 10")


def write(path, rng, *, cd25, n=2000, shift=0.0):
    """Simulated: as many CD3- as CD3+ events; only the latter have CD25, some of them much."""
    cd3 = np.concatenate([rng.normal(0, 1, n), rng.normal(10, 1, n)])
    background = rng.normal(shift, 1, 2 * n)
    background[n : n + n // 10] += cd25
    write_fcs(path, np.column_stack([cd3, background]).astype(np.float32), names=["A", "B"], labels=["CD3", "CD25"])


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """Simulated: batch 1 with two controls, batch 2 with one that is too small, batch 3 with none; 4 samples each."""
    folder = tmp_path_factory.mktemp("fmo")
    rng = np.random.default_rng(5)
    rows = ["sample,file,subject,visit,batch,role"]
    for batch in (1, 2, 3):
        for i in range(4):
            write(folder / f"s{batch}{i}.fcs", rng, cd25=10, shift=0.2 * i)
            rows.append(f"s{batch}{i},s{batch}{i}.fcs,P{batch}{i},V1,{batch},sample")
    for name, batch, n in (("f1", 1, 1000), ("f1b", 1, 3000), ("f2", 2, 300)):
        write(folder / f"{name}.fcs", rng, cd25=0, n=n)
        rows.append(f"{name},{name}.fcs,,,{batch},fmo:CD25")
    write(folder / "other.fcs", rng, cd25=0)
    rows.append("other,other.fcs,,,3,fmo:CD3")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "study.yaml").write_text("study: simulated controls\nsamples: samples.csv\npanels: {p: {template: template.yaml}}\n")  # fmt: skip
    return cohort.gate_study(read_study(folder / "study.yaml")), folder


def flags(result, batch, population="CD25pos"):
    cuts = result.cuts["p"].filter((pl.col("population") == population) & pl.col("sample").str.starts_with(f"s{batch}"))
    return [Flag(flag) for flag in cuts["flags"]], cuts


def test_every_sample_of_a_batch_is_cut_at_the_quantile_of_its_largest_control(gated):
    from il2cyto.io import open_fcs

    result, folder = gated
    found, cuts = flags(result, 1)
    events = open_fcs(folder / "f1b.fcs").events([0, 1])
    of_t = events[events[:, 0] > 5, 1].astype(np.float64)
    assert cuts["final"].to_list() == [pytest.approx(np.quantile(of_t, 0.99), abs=0.02)] * 4
    assert found == [Flag.LOCKED] * 4
    assert (result.adata.obs_names == [f"s{batch}{i}" for batch in (1, 2, 3) for i in range(4)]).all()
    assert result.failures == ()


def test_a_batch_without_a_control_takes_the_next_level_and_says_so(gated):
    result, _ = gated
    centre = flags(result, 1)[1]["final"][0]
    for batch, reason in ((2, "FMO control: too few events: 300, at least 500 are needed"), (3, "no FMO control of CD25 in the batch")):  # fmt: skip
        found, cuts = flags(result, batch)
        assert cuts["final"].to_list() == [centre] * 4
        assert cuts["reason"].to_list() == [reason] * 4
        assert found == [Flag.FMO_MISSING | Flag.SMALL_GROUP | Flag.CONSENSUS | Flag.LOCKED] * 4
    adata = result.adata
    carried = adata[:, "CD25pos"].layers[Layers.FLAG][:, 0] & int(Flag.FMO_MISSING) != 0
    assert carried.tolist() == [False] * 4 + [True] * 8


def test_a_corner_on_the_gate_takes_its_final_cut_and_flags(gated):
    result, _ = gated
    cuts = result.adata.obsm[Obsm.CUTS]
    assert (cuts["corner_x"] == cuts["CD25pos_CD25"]).all()
    of_x = result.cuts["p"].filter((pl.col("population") == "corner") & (pl.col("coordinate") == "x"))
    of_cut = result.cuts["p"].filter(pl.col("population") == "CD25pos")
    assert of_x["flags"].to_list() == of_cut["flags"].to_list()


def test_nothing_is_expected_of_the_marker_left_out_and_a_control_does_not_spare_a_sample_the_test(tmp_path):
    rng = np.random.default_rng(7)
    rows = ["sample,file,subject,visit,batch,role"]
    for name, cd25, role in (("a", 10, "sample"), ("b", 10, "sample"), ("none", 0, "sample"), ("f", 0, "fmo:CD25")):
        write(tmp_path / f"{name}.fcs", rng, cd25=cd25)
        rows.append(f"{name},{name}.fcs,{'' if name == 'f' else name},{'' if name == 'f' else 'V1'},1,{role}")
    (tmp_path / "samples.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "study.yaml").write_text("study: simulated controls\nsamples: samples.csv\npanels: {p: {template: template.yaml}}\n")  # fmt: skip
    cuts = cohort.gate_study(read_study(tmp_path / "study.yaml")).cuts["p"].filter(pl.col("population") == "CD25pos")
    found = {
        sample: (Flag(flag), np.isfinite(final))
        for sample, flag, final in cuts.select("sample", "flags", "final").iter_rows()
    }
    assert found == {"a": (Flag.LOCKED, True), "b": (Flag.LOCKED, True), "none": (Flag.PANEL_IMPLAUSIBLE, False)}


def test_a_control_with_exchanged_labels_gives_no_cut():
    template = parse_template(TEMPLATE)
    row = {
        "sample": "f",
        "population": "CD25pos",
        "coordinate": "cut",
        "value": 3.0,
        "n": 900,
        "flags": 0,
        "reason": "",
        "panel": "CD3 is not CD3",
    }
    rows = pl.DataFrame([{**dict.fromkeys(PROPOSAL_SCHEMA), **row}], schema=PROPOSAL_SCHEMA)
    refused = control_cuts({"f": rows}, {"f": ("1", "CD25")}, template)["1"].row(0, named=True)
    assert np.isnan(refused["value"])
    assert (Flag(refused["flags"]), refused["reason"]) == (Flag.FMO_MISSING, "FMO control: CD3 is not CD3")
    own = pl.DataFrame(
        [{**dict.fromkeys(PROPOSAL_SCHEMA), **row, "sample": "a", "population": "T", "panel": ""}],
        schema=PROPOSAL_SCHEMA,
    )
    joined = with_controls(own, control_cuts({"f": rows}, {"f": ("1", "CD25")}, template)["1"], sample="a")
    assert joined.select("sample", "population", "panel").rows() == [("a", "T", ""), ("a", "CD25pos", "")]
