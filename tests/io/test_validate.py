from __future__ import annotations

import copy
import datetime
import resource
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
from anndata import AnnData
from hypothesis import given, settings, strategies as st

from il2cyto import cohort, datasets, io
from il2cyto.errors import SchemaError
from tests._cohort import make_cohort, not_evaluable


@cache
def gated() -> AnnData:
    """Two subjects of the simulated sample data, gated."""
    study = io.read_study(datasets.sample_data_path() / "study.yaml")
    few = study.model_copy(update={"sheet": study.sheet.filter(pl.col("subject").is_in(["SIM-001", "SIM-002"]))})
    return cohort.gate_study(few).adata


def places(adata):
    return [(problem.slot, problem.key) for problem in io.schema_problems(adata)]


def test_what_gating_makes_is_valid_and_stays_so_by_subsetting():
    adata = gated()

    assert places(adata) == []
    assert places(adata[2:4, ["Treg", "NK", "CD4"]].copy()) == []


def add_one(layer):
    def change(adata, i, j):
        values = adata.X if layer is None else adata.layers[layer]
        values[i, j] += 1

    return change


def fail_bit(adata, i, j):
    adata.layers["flag"][i, j] |= 1 << int(adata.uns["il2cyto"]["flags"].at["NO_PARENT", "bit"])


def hide(adata, i, j):
    adata.X[i, j] = np.nan


def swap_band(adata, i, j):
    adata.layers["cut_low"][i, j], adata.layers["cut_high"][i, j] = 0.6, 0.5


def unknown_bit(adata, i, j):
    adata.layers["flag"][i, j] |= 1 << 30


MUTATIONS = {
    "X": (add_one(None), ("X", "")),
    "counts": (add_one("counts"), ("X", "")),
    "parent_counts": (add_one("parent_counts"), ("X", "")),
    "fail_bit": (fail_bit, ("X", "")),
    "hidden": (hide, ("X", "")),
    "band": (swap_band, ("layers", "cut_low")),
    "bit": (unknown_bit, ("layers", "flag")),
}


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(MUTATIONS)), cell=st.integers(0, 10_000))
def test_a_change_of_one_cell_is_found(name, cell):
    adata = gated().copy()
    evaluated = np.argwhere(np.isfinite(adata.X))
    i, j = evaluated[cell % len(evaluated)]
    change, place = MUTATIONS[name]

    change(adata, i, j)

    assert place in places(adata)


def test_events_have_a_name_for_each_column_of_their_gates():
    events = AnnData(np.ones((3, 2), dtype=np.float32), uns={"il2cyto": {"schema_version": "1.0", "object": "events"}})
    events.obsm["gating"] = np.ones((3, 2), dtype=bool)
    events.uns["gating_cols"] = ["T"]

    assert [str(problem) for problem in io.schema_problems(events)] == [
        *(
            f"var[{key!r}]: found nothing; allowed: required; read the file again with il2cyto.io.read_fcs"
            for key in ("n", "channel", "marker")
        ),
        "obsm['gating']: found 2 columns, 1 names; allowed: a name in uns['gating_cols'] for each; gate the file again",
    ]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, "uns['il2cyto']['schema_version']: found nothing; allowed: major.minor; this is not an il2cyto object"),
        ({"schema_version": "2.0"}, "uns['il2cyto']['schema_version']: found 2.0; allowed: up to 1; update il2cyto"),
        ({"schema_version": "1.7", "object": "list"}, "uns['il2cyto']['object']: found 'list'; allowed: cohort, events; name what it is"),
    ],
)  # fmt: skip
def test_a_version_or_kind_that_is_not_known_is_all_that_is_said(facts, found):
    assert [str(problem) for problem in io.schema_problems(AnnData(np.eye(2), uns={"il2cyto": facts}))] == [found]


@pytest.mark.parametrize("slot", ["layers", "obs", "var", "uns"])
def test_every_required_key_is_missed(slot):
    from il2cyto.io._validate import REQUIRED, REQUIRED_UNS

    for key in REQUIRED_UNS if slot == "uns" else REQUIRED[slot]:
        adata = gated().copy()
        content = adata.uns["il2cyto"] if slot == "uns" else getattr(adata, slot)
        del content[key]
        assert key in [name for _, name in places(adata)]


def test_an_empty_parent_has_a_count_of_zero_and_no_fraction():
    adata = make_cohort(2)
    row = adata.obs_names.get_loc("SIM-001_W0")
    for name in ("NK", "CD56bright"):
        column = adata.var_names.get_loc(name)
        adata.layers["counts"][row, column] = 0
        adata.X[row, column] = 0
    adata.layers["parent_counts"][row, adata.var_names.get_loc("CD56bright")] = 0
    adata.X[row, adata.var_names.get_loc("CD56bright")] = np.nan

    assert places(adata) == []
    adata.layers["counts"][row, adata.var_names.get_loc("CD56bright")] = np.nan
    assert places(adata) == [("layers", "counts")]


def test_all_problems_stand_in_one_message():
    adata = make_cohort(2)
    adata.layers["counts"] = adata.layers["counts"].astype(np.int64)
    adata.obs["visit"] = adata.obs["visit"].astype(str)
    adata.obsm["gate_flag"] = adata.obsm["gate_flag"].astype(np.int64)

    with pytest.raises(SchemaError) as error:
        io.validate(adata, name="trial.h5ad")

    kind = str(adata.obs["visit"].dtype)
    assert str(error.value) == (
        "trial.h5ad does not follow il2cyto's schema 1.0:\n"
        "- layers['counts']: found int64; allowed: float64; convert it\n"
        f"- obs['visit']: found {kind}; allowed: ordered category; "
        "make it a pandas.Categorical with its categories in order and ordered=True\n"
        "- obsm['gate_flag']: found int64; allowed: int32; convert its columns"
    )


def test_a_broken_law_names_the_first_cell_and_how_many_there_are(tmp_path):
    adata = make_cohort(2)
    not_evaluable(adata, "SIM-001_W2", "Treg", "NO_PARENT")
    assert places(adata) == []
    adata.layers["counts"][:2, adata.var_names.get_loc("NK")] = 60_000
    path = io.write_anndata(adata, tmp_path / "results.h5ad")

    with pytest.raises(SchemaError) as error:
        io.read_anndata(path)

    assert "layers['counts']: found more events than in the parent in 2 of" in str(error.value)
    assert "first SIM-000_W0, NK; allowed: law 4: at most as many; gate the study again, or undo the edit" in str(
        error.value
    )


def test_a_file_that_points_at_another_is_refused(tmp_path):
    path = io.write_anndata(make_cohort(1), tmp_path / "results.h5ad")
    with h5py.File(path, "a") as file:
        file["uns/elsewhere"] = h5py.ExternalLink("/etc/hosts", "/")

    with pytest.raises(SchemaError) as error:
        io.read_anndata(path)
    assert str(error.value) == (
        "results.h5ad: found links at /uns/elsewhere; allowed: data in the file itself; write it with il2cyto"
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Path("x"), "PosixPath; allowed: text"),
        (datetime.date(2020, 1, 1), "date; allowed: a study day"),
        (pd.Timestamp(2020, 1, 1), "Timestamp; allowed: a study day"),
        ((1, 2), "tuple; allowed: a list"),
        ({1}, "set; allowed: a list"),
        (pl.DataFrame(), "a polars DataFrame; allowed: pandas"),
        ([{"a": 1}], "a list of mappings; allowed: JSON text"),
        ({1: "a"}, "a key of type int; allowed: text"),
    ],
)
def test_what_the_formats_cannot_hold_is_refused_with_what_to_write_instead(tmp_path, value, found):
    adata = make_cohort(1)
    adata.uns["mine"] = {"deep": value}

    with pytest.raises(SchemaError, match=found.replace("(", r"\(")):
        io.write_anndata(adata, tmp_path / "results.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_columns_that_would_come_back_as_something_else_are_refused(tmp_path):
    adata = make_cohort(1)
    adata.obs["mixed"] = pd.Series(["a", 1] * adata.n_obs, dtype=object)[: adata.n_obs].to_numpy()
    adata.obs["when"] = pd.Timestamp(2020, 1, 1)

    with pytest.raises(SchemaError) as error:
        io.write_anndata(adata, tmp_path / "results.h5ad")

    assert str(error.value) == (
        "results.h5ad cannot be written:\n"
        "- obs['mixed']: found text mixed with int; allowed: category, boolean or Int64; convert it\n"
        "- obs['when']: found dates; allowed: study days; convert them"
    )


def test_the_order_of_keys_does_not_reach_the_bytes(tmp_path):
    adata = make_cohort(2)
    other = adata.copy()
    other.uns["il2cyto"] = dict(reversed(copy.deepcopy(other.uns["il2cyto"]).items()))
    other.layers = dict(reversed(list(adata.layers.items())))

    files = [io.write_anndata(each, tmp_path / f"{i}.h5ad") for i, each in enumerate((adata, other))]

    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_disk_that_is_full_is_one_error_that_names_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    adata = datasets.toy_trial(subjects=2)
    path = io.write_anndata(adata, tmp_path / "results.h5ad")
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, old[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            io.write_anndata(adata, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)

    assert caught.value.filename == str(path)
    assert [each.name for each in tmp_path.iterdir()] == ["results.h5ad"]
    assert path.read_bytes() == before


def test_a_file_that_is_not_there_or_is_something_else_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("study: x\n")
    said = []
    for name in ("results.h5ad", "notes.txt"):
        with pytest.raises(SchemaError) as caught:
            io.read_anndata(tmp_path / name)
        said.append(str(caught.value))

    assert said == [
        "results.h5ad: no such file; name the results.h5ad of a run",
        "notes.txt: not an .h5ad; name the results.h5ad of a run, or a .zarr",
    ]


def test_threads_write_at_the_same_time_what_one_would(tmp_path: Path) -> None:
    adata = datasets.toy_trial(subjects=2)
    alone = io.write_anndata(adata, tmp_path / "alone.h5ad").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda i: io.write_anndata(adata.copy(), tmp_path / f"{i}.h5ad"), range(16)))

    assert {file.read_bytes() for file in files} == {alone}
