"""An explanation says what the program did: its calculation gives the cut that was used."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto import datasets, explaining, pl as pictures
from il2cyto.batch import Cache, open_cache
from il2cyto.cohort import gate_study
from il2cyto.errors import PopulationError, StudyError
from il2cyto.gt import Flag, explain_cut, reconcile
from il2cyto.gt._propose import PROPOSAL_SCHEMA
from il2cyto.io import read_study, read_template
from il2cyto.template import GatingTemplate
from tests._runs import il2cyto

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def study() -> Path:
    return datasets.sample_data_path() / "study.yaml"


@pytest.fixture(scope="module")
def results(sample_results) -> Path:
    return sample_results


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    """The levels differ in how cuts are reconciled, not in those that the files propose."""
    return open_cache(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("level", [None, "own", "sample", "study"])
def test_the_calculation_gives_the_final_cut_of_every_gate_and_sample(study, cache, level):
    gated = gate_study(read_study(study), level=level, cache=cache)
    template = read_template("tnk")
    template = template.at_level(level) if level else template
    cuts = gated.cuts["tnk"]
    told = [explain_cut(row, template) for row in cuts.iter_rows(named=True)]
    assert len({step.split("=")[0] for each in told for step in each.steps}) > (2 if level is None else 0)
    np.testing.assert_allclose([each.recomputed for each in told], cuts["final"].to_numpy(), rtol=1e-12)


def template(**adapt: object) -> GatingTemplate:
    gate = {"method": "valley", "channel": "CD3", "keep": "above", "bounds": [0.2, 0.8], "one_peak": "fail"}
    return GatingTemplate.model_validate(
        {
            "schema": "il2cyto/gating-template/1",
            "name": "one",
            "version": "1",
            "requires": ["CD3"],
            "populations": [{"name": "T", "parent": "root", "gate": gate, "adapt": adapt}],
        }
    )


def reconciled(cuts: list[float], adapt: dict[str, object]) -> pl.DataFrame:
    rows = [
        (f"s{i}", "T", "cut", "valley", t, 0.02, t - 0.01, t + 0.01, 0.0, 0.5, 1000, 1.0, 0, "", "")
        for i, t in enumerate(cuts)
    ]
    groups = pl.DataFrame({"sample": [row[0] for row in rows], "batch": "b", "subject": [row[0] for row in rows]})
    return reconcile(pl.DataFrame(rows, schema=PROPOSAL_SCHEMA, orient="row"), groups, template(**adapt))


NAN = float("nan")


@pytest.mark.parametrize(
    ("cuts", "adapt", "flag"),
    [
        ([0.44, 0.48, 0.5, 0.52, 0.56], {}, Flag.SHRUNK),
        ([0.5, 0.5, 0.51, 0.49, 0.75], {}, Flag.OUTLIER_CUT),
        ([0.5, 0.5, 0.51, NAN], {}, Flag.CONSENSUS),
        ([NAN], {}, Flag.NONE),
        ([NAN], {"fixed": 0.4}, Flag.FIXED),
        ([0.44], {"level": "batch"}, Flag.SMALL_GROUP),
        ([0.44], {"level": "batch", "fixed": 0.5}, Flag.FIXED),
        ([0.44], {"level": "fixed", "fixed": 0.5}, Flag.NONE),
        ([0.44, 0.48, 0.5], {"level": "batch"}, Flag.LOCKED),
        ([0.44, 0.48, NAN, 0.5], {"level": "own"}, Flag.CONSENSUS),
        ([0.44, 0.9, 0.5, 0.51], {"level": "fixed", "fixed": 0.9}, Flag.CLAMPED),
    ],
)
def test_the_calculation_holds_for_every_turn_of_the_rule(cuts, adapt, flag):
    table = reconciled(cuts, adapt)
    assert int(flag) == 0 or any(row & flag for row in table["flags"])
    for row in table.iter_rows(named=True):
        assert explain_cut(row, template(**adapt)).recomputed == pytest.approx(row["final"], nan_ok=True)


def test_shrinkage_is_told_with_its_numbers():
    told = explain_cut(reconciled([0.44, 0.48, 0.5, 0.52, 0.56], {}).row(0, named=True), template())
    assert told.text == (
        "T in s0: valley on CD3, cut, on the template's scale\n"
        "  own cut      t = 0.4400, spread s = 0.0200, 1,000 events in the parent\n"
        "  group        m = 0.5000, τ = 0.0219, batch b, 5 usable cuts\n"
        "  bounds       0.2000 to 0.8000\n"
        "  calculation  w = τ² / (τ² + s²) = 0.0219² / (0.0219² + 0.0200²) = 0.545\n"
        "               final = m + w (t − m) = 0.5000 + 0.545 × (0.4400 − 0.5000) = 0.4673\n"
        "  final cut    0.4673 ± 0.0148\n"
        "  info         SHRUNK: own cut moved towards the group's by more than delta"
    )


def test_a_folder_of_results_tells_the_same_as_the_study(study, results):
    for population in ("T", "Treg", "singlets"):
        of_folder = explaining.explain(results, population=population)
        of_study = explaining.explain(study, population=population)
        assert of_folder.simulated
        assert [cut.text for cut in of_folder.cuts] == [cut.text for cut in of_study.cuts]
        assert all((a.counts == b.counts).all() for a, b in zip(of_folder.cuts, of_study.cuts, strict=True))


def test_the_histogram_holds_the_events_of_the_gates_parent(results):
    (cut,) = explaining.explain(results, population="T", sample="SIM-001_W0").cuts
    assert cut.counts.sum() == cut.n
    treg = explaining.explain(results, population="Treg", sample="SIM-001_W0").cuts
    assert {each.coordinate: int(each.counts.sum()) for each in treg} == {"slope": 0, "x": treg[0].n, "y": treg[0].n}


def test_what_cannot_be_explained_is_named_with_what_can(results, tmp_path):
    with pytest.raises(PopulationError) as error:
        explaining.explain(results, population="NK")
    assert str(error.value).startswith(
        "explain: no cut of 'NK' is fitted: it is 'CD56pos'; choose one of cells, singlets, "
    )
    with pytest.raises(StudyError) as unknown:
        explaining.explain(results, population="T", sample="SIM-099_W0")
    assert (
        str(unknown.value)
        == "explain: no sample 'SIM-099_W0'; there are 21, such as SIM-001_W0, SIM-001_W12, SIM-001_W6"
    )
    with pytest.raises(StudyError) as empty:
        explaining.explain(tmp_path, population="T")
    assert str(empty.value).endswith(
        "no results.h5ad with tables/cuts.csv; name the folder that `il2cyto run` wrote, or a study.yaml"
    )


def test_the_picture_draws_each_position_of_the_text(results):
    found = explaining.explain(results, population="T")
    cut = found.most_moved
    assert cut.moved == max(abs(each.final - each.own) for each in found.cuts)
    figure = pictures.explain_cut(cut, simulated=True)
    (ax,) = figure.axes
    assert [np.asarray(line.get_xdata())[0] for line in ax.lines] == [cut.final, cut.own, cut.centre]
    assert any("SIMULATED DATA" in text.get_text() for text in figure.texts)


def test_the_command_line_tells_a_line_a_sample_and_the_farthest_in_full(results, tmp_path):
    picture = tmp_path / "why.svg"
    done = subprocess.run(
        il2cyto("templates", "explain", results, "--population", "T", "--picture", picture),
        capture_output=True,
        text=True,
        check=True,
    )
    found = explaining.explain(results, population="T")
    assert done.stdout == "\n".join([*(cut.line for cut in found.cuts), found.most_moved.text, ""])
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
