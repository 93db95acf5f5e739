"""Exchanged labels are found on the cells: the numbers are those measured when the files were labelled."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto import datasets
from il2cyto.batch import Job, gate_files
from il2cyto.datasets import _panel as panel
from il2cyto.datasets._events import Tube, draw_events
from il2cyto.datasets._frequencies import LYMPHOCYTES
from il2cyto.gt import Events, Flag, make_plan, panel_plausibility
from il2cyto.gt._plausibility import _auc
from il2cyto.io import Spillover, open_fcs, read_template, write_fcs
from il2cyto.template import GatingTemplate, Override

SAMPLE = datasets.sample_data_path() / "fcs"


def relabelled(path, out, exchanged):
    """A copy in which each marker stands under another's label."""
    file = open_fcs(path)
    channels = file.panel().channels
    labels = {channel.markers[0]: channel.label for channel in channels if channel.markers}
    wrong = [labels[exchanged[c.markers[0]]] if c.markers and c.markers[0] in exchanged else c.label for c in channels]
    names = [label if c.name == c.label else c.name for c, label in zip(channels, wrong, strict=True)]
    write_fcs(
        out, np.asarray(file.events(), dtype=np.float64), names=names, labels=wrong,
        ranges=[c.range for c in channels], spillover=file.spillover(),
    )  # fmt: skip
    return out


def look(path, template, most=20_000):
    file = open_fcs(path)
    return panel_plausibility(Events(file, make_plan(template, file.panel(), file=file.name)), most=most)


@pytest.mark.parametrize("number", [1, 4, 5, 6, 9, 14])
def test_real_files_pass_with_the_measured_numbers(shared, number):
    path = shared / "data" / "euroflow_lst" / f"Cytometry{number}.fcs"
    for most in (20_000, 1_000_000):
        found = look(path, read_template("euroflow-lst"), most)
        correlation, cd20, cd5, cd56, cd38, cd38_of_t, *_ = (finding.value for finding in found.findings)
        assert found.plausible
        assert found.reason == ""
        assert -0.88 < correlation < -0.70
        assert 0.97 < cd20 <= 1.0
        assert 0.96 < cd5 <= 1.0
        assert 0.95 < cd56 <= 1.0
        assert 0.85 < cd38 <= 1.0
        assert 0.45 < cd38_of_t < 0.9


@pytest.mark.parametrize(
    "exchanged",
    [
        {"CD38": "CD4", "CD4": "CD5", "CD5": "CD56", "CD56": "CD38"},
        {"CD38": "CD5", "CD5": "CD38", "CD4": "CD56", "CD56": "CD4"},
        {"CD5": "CD56", "CD56": "CD5"},
        {"CD38": "CD56", "CD56": "CD38"},
    ],
)
@pytest.mark.parametrize("number", [5, 6])
def test_exchanged_labels_of_a_real_file_are_found_and_named(shared, tmp_path, number, exchanged):
    path = relabelled(shared / "data" / "euroflow_lst" / f"Cytometry{number}.fcs", tmp_path / "x.fcs", exchanged)
    found = look(path, read_template("euroflow-lst"))
    assert not found.plausible
    assert found.exchanged == exchanged


@pytest.mark.parametrize(
    "exchanged",
    [
        {"CD4": "CD8", "CD8": "CD4"},
        {"CD56": "CD127", "CD127": "CD56"},
        {"CD4": "CD56", "CD56": "CD127", "CD127": "CD4"},
    ],
)
def test_exchanged_labels_of_a_simulated_file_are_found_and_named(tmp_path, exchanged):
    template = read_template("tnk")
    path = min(SAMPLE.glob("*.fcs"))
    assert look(path, template).plausible
    found = look(relabelled(path, tmp_path / "x.fcs", exchanged), template)
    assert found.exchanged == exchanged
    assert all(f"{marker} is labelled {label}" in found.reason for marker, label in exchanged.items())


def simulated(out, cd4):
    """A tube of the simulated panel in which CD4+ cells are a share of the T cells."""
    t = 0.7 * np.array([0.94 * cd4, 0.06 * cd4, 0.96 - 0.96 * cd4, 0.04 - 0.04 * cd4])
    fractions = np.array([*t, 0.12, 0.01, 0.13, 0.04])  # the order of LYMPHOCYTES
    assert len(fractions) == len(LYMPHOCYTES)
    drawn = draw_events(Tube(fractions, 30_000, np.zeros(len(panel.MARKERS))), np.random.default_rng(1))
    write_fcs(
        out, np.asarray(drawn.values, dtype=np.float64), names=panel.NAMES, labels=panel.LABELS,
        ranges=[panel.RANGE] * len(panel.NAMES), spillover=Spillover(tuple(panel.COLOURS.values()), panel.spillover_matrix()),
    )  # fmt: skip
    return out


@pytest.mark.parametrize("cd4", [0.04, 0.1, 0.5, 0.9])
def test_a_tube_with_few_or_many_cd4_cells_is_no_exchange_of_labels_and_an_exchange_is_named_in_it(tmp_path, cd4):
    """The correlation of CD4 with CD8 is -0.5 where CD4+ cells are 4 % of T, -0.9 where they are half; neither is a fault."""
    template, path = read_template("tnk"), simulated(tmp_path / "x.fcs", cd4)
    assert look(path, template).reason == ""
    exchanged = [{"CD4": "CD8", "CD8": "CD4"}]
    # Beside CD8 any marker of CD4+ cells is exclusive; but CD127 is a matter of degree, and CD4 is not.
    exchanged += [{"CD4": "CD127", "CD127": "CD4"}] if cd4 >= 0.3 else []
    for labels in exchanged:
        assert look(relabelled(path, tmp_path / "wrong.fcs", labels), template).exchanged == labels


REAL = [
    ("tbnk", "visits/*.fcs", 12),
    ("tnk", "raw_panels/aurora_30c/*Tetramer.fcs", 4),
    ("hipc-treg", "raw_panels/aurora_30c/*Tetramer.fcs", 4),
    ("hipc-nk", "lyoplate_dc_nk/*.fcs", 2),
    ("cytof-pbmc", "raw_panels/cytof_fcs20/*.fcs", 1),
]


@pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning")
@pytest.mark.parametrize(("name", "pattern", "n"), REAL, ids=[name for name, *_ in REAL])
def test_no_real_file_breaks_the_expectations_of_its_template(shared, name, pattern, n):
    files = sorted((shared / "data").glob(pattern))
    assert len(files) == n
    assert [(path.name, reason) for path in files if (reason := look(path, read_template(name)).reason)] == []


def test_cd4_under_the_label_of_cd8_is_found_and_named_in_every_tube_though_they_exclude_one_another(shared, tmp_path):
    template, exchanged = read_template("tbnk"), {"CD4": "CD8", "CD8": "CD4"}
    without_cd56 = sorted((shared / "data" / "visits").glob("*.fcs"))
    with_cd56 = sorted(SAMPLE.glob("*.fcs"))[:3]
    for path in (*without_cd56, *with_cd56):
        found = look(relabelled(path, tmp_path / "x.fcs", exchanged), template)
        correlation, *others = found.findings
        assert not correlation.fails
        # CD3 tells where there are no NK cells, the CD8 of NK cells where there are.
        telling = "CD3" if path in without_cd56 else "CD8"
        assert any(finding.fails and finding.expected.startswith(telling) for finding in others), path.name
        assert found.exchanged == exchanged


@pytest.mark.parametrize("exchanged", [{"CD14": "lineage", "lineage": "CD14"}, {"CD16": "CD14", "CD14": "CD16"}])
def test_monocytes_tell_cd14_from_other_markers(shared, tmp_path, exchanged):
    for path in sorted((shared / "data" / "lyoplate_dc_nk").glob("*.fcs")):
        assert not look(relabelled(path, tmp_path / "x.fcs", exchanged), read_template("hipc-nk")).plausible


def test_a_refused_file_is_out_of_all_groups_until_a_person_accepts_it(tmp_path):
    files = sorted(SAMPLE.glob("*.fcs"))[:4]
    swapped = relabelled(files[0], tmp_path / "swapped.fcs", {"CD4": "CD8", "CD8": "CD4"})
    template = read_template("tnk")
    others = [Job(path.stem, path, batch="1") for path in files[1:]]
    alone = gate_files(others, template)
    batch = gate_files([*others, Job("swapped", swapped, batch="1")], template)
    assert batch.cuts.filter(pl.col("sample") != "swapped").equals(alone.cuts, null_equal=True)
    (result,) = (result for result in batch.results if result.sample == "swapped")
    assert set(result.flags.values()) == {int(Flag.PANEL_IMPLAUSIBLE)}
    assert np.isnan([*result.counts.values(), *result.parent_counts.values(), *result.medians.values()]).all()
    (failure,) = batch.failures
    findings = look(swapped, template).findings
    assert failure.message == (
        "swapped.fcs: the markers do not behave as their labels say: CD25 higher in CD4 than in CD8: AUC above 0.5, found "
        f"{findings[3].value:.2f}; CD8 higher in NK than in CD4: AUC above 0.55, found {findings[6].value:.2f}; all expectations hold "
        "if CD4 is labelled CD8, CD8 is labelled CD4. Correct the labels, or accept them in the overrides file (accept_panel: true)"
    )
    said = {"who": "a", "why": "stained so", "when": "2025-11-03"}
    accepted = Override.model_validate({"sample": "swapped", "accept_panel": True, **said})
    again = gate_files([*others, Job("swapped", swapped, batch="1")], template, overrides=[accepted])
    assert again.failures == ()
    cut = Override.model_validate({"sample": "swapped", "population": "T", "cut": 0.5, **said})
    still = gate_files([*others, Job("swapped", swapped, batch="1")], template, overrides=[cut])
    assert len(still.failures) == 1


def test_an_absent_optional_marker_and_too_few_cells_say_nothing(tmp_path):
    template = read_template("tnk")
    file = open_fcs(min(SAMPLE.glob("*.fcs")))
    channels = file.panel().channels
    path = tmp_path / "few.fcs"
    write_fcs(
        path, np.asarray(file.events()[:60], dtype=np.float64), names=[c.name for c in channels],
        labels=[c.label for c in channels], ranges=[c.range for c in channels],
    )  # fmt: skip
    found = look(path, template)
    assert np.isnan([finding.value for finding in found.findings]).all()
    assert found.plausible
    lacking = template.model_dump(by_alias=True, exclude_unset=True)
    lacking["optional"] = [*lacking["optional"], "CD38"]
    lacking["expect"] = [*lacking["expect"], {"marker": "CD38", "higher_in": "T", "than": "nonT", "auc_above": 0.9}]
    assert look(min(SAMPLE.glob("*.fcs")), GatingTemplate.model_validate(lacking)).plausible


def test_auc_is_that_of_all_pairs_with_ties_for_half():
    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 20, 80).astype(float), rng.integers(0, 15, 60).astype(float)
    pairs = np.sign(high[:, None] - low)
    assert _auc(high, low) == pytest.approx((1 + pairs.mean()) / 2)
