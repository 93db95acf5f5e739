"""What people hand over by mistake is refused in words that say what is needed; rows may stand in any order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import polars
import pytest

from il2cyto import clinical, cohort, datasets, get, io, pl, tl
from il2cyto.errors import SchemaError, StudyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_COHORT: list[Callable[[Any], object]] = [
    get.complete_cases,
    get.frequencies,
    get.template,
    tl.rank_populations,
    tl.subject_dynamics,
    pl.dynamics,
    pl.median_map,
    pl.population_map,
]
NO_TABLE: list[Callable[[Any], object]] = [
    tl.adjust_contrasts,
    pl.consort,
    pl.correlation,
    pl.effect_map,
    pl.forest,
    lambda value: pl.response_rates(value, endpoint="sri4"),
    lambda value: pl.trial_endpoints({"binary_endpoints": value}),
    clinical.analysis_sets,
    clinical.sledai,
    clinical.sledai_queries,
]


@pytest.fixture(scope="module")
def trial() -> ad.AnnData:
    return datasets.toy_trial(subjects=6)


@pytest.mark.parametrize("function", NO_COHORT, ids=range(len(NO_COHORT)))
@pytest.mark.parametrize("value", ["results.h5ad", ad.AnnData(np.zeros((2, 2)))], ids=["path", "bare"])
def test_what_is_no_cohort_object_is_refused_with_the_way_to_one(function: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(SchemaError, match=r"no cohort object; read one with io\.read_anndata"):
        function(value)


@pytest.mark.parametrize("function", NO_TABLE, ids=range(len(NO_TABLE)))
def test_a_table_of_pandas_is_refused_with_the_way_to_one_of_polars(function: Callable[[Any], object]) -> None:
    with pytest.raises(StudyError, match=r"DataFrame that is not of polars; polars\.from_pandas makes one"):
        function(pd.DataFrame({"subject": ["a"]}))


@pytest.mark.parametrize("function", [clinical.join, lambda value: cohort.add_blood_counts(value, polars.DataFrame())])
def test_clinical_columns_join_any_object_with_samples_but_no_path(function: Callable[[Any], object]) -> None:
    with pytest.raises(SchemaError, match=r"str without uns.*read one with io\.read_anndata"):
        function("results.h5ad")


def test_a_path_in_place_of_an_object_is_no_valid_object() -> None:
    with pytest.raises(SchemaError, match="found a str, which is no AnnData"):
        io.validate("results.h5ad")


def test_an_object_without_samples_is_refused_where_there_is_nothing_to_draw(trial: ad.AnnData) -> None:
    with pytest.raises(SchemaError, match="none of the 0 samples has a subject"):
        pl.dynamics(trial[:0].copy())


def test_a_population_that_no_sample_has_is_named(trial: ad.AnnData) -> None:
    lost = trial.copy()
    lost.X[:, lost.var_names.get_loc("Treg")] = np.nan

    with pytest.raises(SchemaError, match="; none has Treg; name fewer"):
        get.complete_cases(lost)


@pytest.mark.parametrize(
    "draw",
    [
        pl.dynamics,
        pl.median_map,
        pl.population_map,
        lambda adata: pl.cut_drift(adata, population="CD25pos"),
    ],
)
def test_the_order_of_samples_and_populations_changes_no_picture(
    trial: ad.AnnData, draw: Callable[[ad.AnnData], Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    shuffled = trial[rng.permutation(trial.n_obs), rng.permutation(trial.n_vars)]

    drawn = [
        hashlib.sha256(pl.save_figure(draw(adata), tmp_path / f"{i}.svg").read_bytes()).hexdigest()
        for i, adata in enumerate((trial, shuffled))
    ]

    assert drawn[0] == drawn[1]
