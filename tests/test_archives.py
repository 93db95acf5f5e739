"""Objects that older versions wrote stay readable, with the numbers they had."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from il2cyto import _keys, get, io

ARCHIVES = Path(__file__).parent / "archives"
FOLDERS = sorted(ARCHIVES.glob("v*/anndata-*"))
KEYS = (_keys.Layers, _keys.Obs, _keys.Var, _keys.Obsm, _keys.Uns)

pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")


def cohort_of(folder, tmp_path, kind):
    if kind == "h5ad":
        return io.read_anndata(folder / "cohort.h5ad")
    with zipfile.ZipFile(folder / "cohort.zarr.zip") as archive:
        archive.extractall(tmp_path / "cohort.zarr")
    return io.read_anndata(tmp_path / "cohort.zarr")


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
def test_an_archived_cohort_gives_the_frequencies_it_was_archived_with(folder, tmp_path, kind):
    adata = cohort_of(folder, tmp_path, kind)
    golden = pl.read_csv(folder.parent / "frequencies.csv", infer_schema_length=None)

    now = get.frequencies(adata).with_columns(pl.col("visit", "arm").cast(pl.String))

    assert now.columns == golden.columns
    for name in ("count", "parent_count", "frequency", "ci_low", "ci_high"):
        np.testing.assert_allclose(now[name], golden[name].cast(pl.Float64), rtol=1e-12)
    text = ["sample", "subject", "visit", "arm", "panel", "population", "parent"]
    assert now.select(text).rows() == golden.select(text).rows()
    assert now["flags"].to_list() == golden["flags"].fill_null("").to_list()
    assert get.cuts(adata).height > 0


def test_h5ad_and_zarr_hold_the_same_object_and_rewriting_changes_nothing(folder, tmp_path):
    once, other = (
        io.write_anndata(cohort_of(folder, tmp_path, kind), tmp_path / f"from_{kind}.h5ad") for kind in ("h5ad", "zarr")
    )
    again = io.write_anndata(io.read_anndata(once), tmp_path / "again.h5ad")

    assert once.read_bytes() == other.read_bytes() == again.read_bytes()


def test_archived_events_open_with_their_gates_and_rewrite_unchanged(folder, tmp_path):
    events = io.read_anndata(folder / "events.h5ad")

    gates = pd.DataFrame(np.asarray(events.obsm["gating"].todense()), columns=list(events.uns["gating_cols"]))
    assert gates["T"].sum() > 0
    assert not (gates["CD4"] & ~gates["T"]).any()
    once = io.write_anndata(events, tmp_path / "once.h5ad")
    assert io.write_anndata(io.read_anndata(once), tmp_path / "again.h5ad").read_bytes() == once.read_bytes()


def test_a_key_changes_only_with_the_version(folder):
    """Adding a key needs a new minor version with an archive of its own; changing or removing one, a major version."""
    archived = json.loads((folder.parent / "keys.json").read_text())
    now = {keys.__name__: {k: v for k, v in vars(keys).items() if not k.startswith("_")} for keys in KEYS}
    version = folder.parent.name.removeprefix("v")

    lost = {name: set(keys) - set(now[name].items()) for name, keys in ((n, k.items()) for n, k in archived.items())}
    assert not any(lost.values()), f"keys of schema {version} are gone or renamed: {lost}"
    if version == _keys.SCHEMA_VERSION:
        assert now == archived, "new keys: raise SCHEMA_VERSION's minor number and archive that version"
