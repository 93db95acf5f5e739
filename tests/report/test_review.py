from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from il2cyto import get
from il2cyto.io import read_anndata, read_densities
from il2cyto.report._outline import Axis, Cuts, outline_of
from il2cyto.report._results import read_results
from il2cyto.report._review import gallery_data, levels, review_data
from il2cyto.template import ReferenceLineGate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def data(gated: Path) -> dict[str, Any]:
    review = review_data(read_results(gated))
    assert review is not None
    loaded: dict[str, Any] = json.loads(review.json)
    return loaded


def test_tiles_hold_each_samples_density_at_its_place(gated: Path, data: dict[str, Any]) -> None:
    densities = read_densities(gated / "densities.npz")
    for gate in data["gates"]:
        pixels = np.frombuffer(gzip.decompress(base64.b64decode(gate["pixels"])), np.uint8).reshape(-1, 64, 64)
        assert pixels.max() <= 15
        for tile in gate["tiles"]:
            view = densities[data["samples"][tile["sample"]]["name"]][gate["population"]]
            if view.y:
                np.testing.assert_array_equal(pixels[tile["at"]] > 0, view.counts.T > 0)
                assert tile["n"] == view.counts.sum()


def test_levels_keep_the_order_of_the_counts(gated: Path) -> None:
    view = read_densities(gated / "densities.npz")["SIM-001_W0"]["T"]
    order = np.argsort(view.counts.T, axis=None)
    assert (np.diff(levels(view).ravel()[order].astype(int)) >= 0).all()
    assert levels(view).max() == 15


def test_cuts_and_fractions_are_those_of_the_results(gated: Path, data: dict[str, Any]) -> None:
    adata = read_anndata(gated / "results.h5ad")
    cuts = get.cuts(adata).filter(coordinate="cut")
    expected = {(s, p): v for s, p, v in cuts.select("sample", "population", "value").iter_rows()}
    frequencies = get.frequencies(adata).select("sample", "population", "frequency")
    fractions = {(s, p): f for s, p, f in frequencies.iter_rows()}
    seen = 0
    for gate in data["gates"]:
        for tile in gate["tiles"]:
            key = (data["samples"][tile["sample"]]["name"], gate["population"])
            if key in expected and tile["cuts"]:
                assert tile["cuts"][0]["final"] == pytest.approx(expected[key], abs=1e-5)
                seen += 1
            if gate["reported"] and tile["fraction"] is not None:
                assert tile["fraction"] == fractions[key]
    assert seen > 100


def test_no_arm_visit_or_response_reaches_the_reviewer(data: dict[str, Any]) -> None:
    assert {key for sample in data["samples"] for key in sample} == {"name", "panel", "subject", "batch"}
    assert "placebo" not in json.dumps(data)


def test_a_small_budget_keeps_flagged_samples_and_the_rest_goes_to_the_gallery(
    gated: Path, data: dict[str, Any]
) -> None:
    results = read_results(gated)
    pixels = sum(len(gate["pixels"]) for gate in data["gates"])
    small = review_data(results, budget=pixels // 2)

    assert small is not None
    assert 0 < small.shown < small.total == len(data["samples"])
    kept = {sample["name"] for sample in json.loads(small.json)["samples"]}
    flags = get.flags(read_anndata(gated / "results.h5ad")).filter(pl.col("severity") != "info")
    flagged = set(flags["sample"])
    assert kept <= flagged or flagged <= kept
    pages = dict(gallery_data(results))
    assert set(pages) == {gate["population"] for gate in data["gates"]}
    assert len(json.loads(pages["T"])["samples"]) == len(data["samples"])


@pytest.mark.parametrize(
    ("keep", "slope", "corners"),
    [
        ("above", 1.0, {(0.0, 0.0), (1.0, 1.0), (0.0, 1.0)}),
        ("below", 1.0, {(0.0, 0.0), (1.0, 1.0), (1.0, 0.0)}),
        ("above", -0.5, {(0.0, 0.75), (1.0, 0.25), (1.0, 1.0), (0.0, 1.0)}),
    ],
)
def test_a_line_is_drawn_where_it_crosses_the_picture(keep, slope, corners):
    gate = ReferenceLineGate(
        method="reference_line", channels=("CD8", "CD56"), reference="NK", k=1, pivot=0.5, bounds=(0, 1), keep=keep
    )
    axis = Axis("", 0.0, 1.0)
    assert set(outline_of(gate, Cuts({"cut": 0.5, "slope": slope}), axis, axis) or ()) == corners
    assert outline_of(gate, Cuts({"cut": None, "slope": slope}), axis, axis) is None
