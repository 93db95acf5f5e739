"""The study gated at other levels: what is done again, and what the table says of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto import datasets, get, pipeline, tl
from il2cyto.batch import Cache, open_cache
from il2cyto.cohort import gate_study, read_gates
from il2cyto.errors import StudyError
from il2cyto.gt import Flag
from il2cyto.io import read_study
from il2cyto.sensitivity import LEVELS, TEMPLATE, gate_at_levels, gating_sensitivity
from tests._cohort import make_cohort
from tests._runs import make_trial, outputs

if TYPE_CHECKING:
    from il2cyto.study import Study


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(datasets.sample_data_path() / "study.yaml")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return open_cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def gated(study, cache):
    gates = read_gates(study)
    return {TEMPLATE: gate_study(study, gates=gates, cache=cache), **gate_at_levels(study, gates, cache=cache)}


def test_each_level_places_the_cuts_as_it_says(gated):
    """At `sample` every cut is its own, shrunk to the batch by its spread; at the other levels all are the group's centre."""
    apart = pl.col("flags") & int(Flag.CLAMPED | Flag.OUTLIER_CUT | Flag.CONSENSUS) != 0
    for name, level in LEVELS.items():
        cuts = gated[name].cuts["tnk"].filter(pl.col("coordinate") == "cut", pl.col("group_size") > 0, ~apart)
        assert set(cuts["level"]) == {"batch" if level == "sample" else level}  # the study has one batch
        own, spread, centre, tau = (cuts[column].to_numpy() for column in ("own", "spread", "centre", "tau"))
        weight = tau**2 / np.maximum(tau**2 + spread**2, 1e-12) if level == "sample" else np.zeros(cuts.height)
        np.testing.assert_allclose(cuts["final"], centre + weight * (own - centre), rtol=0, atol=1e-9)
        # Over all gates there are cuts that differ from their group's, whatever a single gate's draws were.
        assert (np.abs(own - centre) > 0.01).any()
        assert (weight > 0.5).any() == (level == "sample")
        # Nothing stands above the first gate: what its files propose hangs on no cut of the group.
        first = [study.cuts["tnk"].filter(population="cells")["own"] for study in (gated[name], gated[TEMPLATE])]
        assert first[0].equals(first[1])


def test_what_files_propose_is_not_done_again(study, gated, cache, monkeypatch):
    done: list[str] = []
    monkeypatch.setattr("il2cyto.batch._steps.propose", lambda *args, **kwargs: done.append("propose"))
    monkeypatch.setattr("il2cyto.batch._steps.apply", lambda *args, **kwargs: done.append("apply"))
    again = gate_study(study, cache=cache, level="batch")
    assert done == []
    assert again.cuts["tnk"].equals(gated["batch"].cuts["tnk"], null_equal=True)


def test_the_contrasts_are_those_of_the_model_and_the_first_name_is_the_measure(gated):
    table = gating_sensitivity(gated, baseline="W0", control="placebo")
    frequencies = get.frequencies(gated["sample"].adata, populations=["Treg"])
    expected = tl.population_mmrm(frequencies, baseline="W0", control="placebo").contrasts
    found = table.filter(population="Treg", cuts="sample")
    np.testing.assert_array_equal(found["estimate"], expected["estimate"])
    np.testing.assert_array_equal(found["p"], expected["p"])
    assert table["cuts"].to_list()[:4] == [TEMPLATE, "sample", "batch", "fixed"]
    assert not table.filter(cuts=TEMPLATE)["changes"].any()


def test_a_conclusion_that_depends_on_the_cuts_is_marked():
    strong, none = make_cohort(14, seed=1), make_cohort(14, seed=1)
    none.obs["arm"] = none.obs["arm"].cat.rename_categories({"placebo": "IL-2", "IL-2": "placebo"})
    none.obs["arm"] = none.obs["arm"].cat.reorder_categories(["placebo", "IL-2"])
    both = {"a": SimpleNamespace(cohorts={"x": strong}), "b": SimpleNamespace(cohorts={"x": none})}
    table = gating_sensitivity(both, baseline="W0", control="placebo")  # type: ignore[arg-type]
    at = table.filter(population="Treg", visit="W2").select("cuts", "conclusion", "changes").rows()
    assert at == [("a", "higher", False), ("b", "lower", True)]


def test_a_run_writes_the_table_and_leaves_its_other_results_as_they_are(sample_results, tmp_path):
    plain, more = sample_results, tmp_path / "more"
    output = pipeline.run(datasets.sample_data_path() / "study.yaml", more, sensitivity=True)
    assert more / "tables" / "gating_sensitivity.csv" in output.files
    table = pl.read_csv(more / "tables" / "gating_sensitivity.csv")
    assert set(table["cuts"]) == {TEMPLATE, *LEVELS}
    differing = {name for name, sha in outputs(more).items() if outputs(plain).get(name) != sha}
    # The report shows the table.
    assert differing - {"contents.jsonl"} == {"tables/gating_sensitivity.csv", "report.html"}


def test_a_study_without_arms_is_refused_before_anything_is_gated(tmp_path):
    study = make_trial(tmp_path / "study", 1)
    with pytest.raises(StudyError) as error:
        pipeline.run(study, tmp_path / "out", sensitivity=True)
    assert str(error.value) == (
        "study.yaml: no arms, no subjects; a sensitivity analysis contrasts arms after baseline: add them, or run without it"
    )
    assert not Path(tmp_path / "out").exists()
