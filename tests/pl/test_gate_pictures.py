"""Pictures of a gated cohort: what is drawn equals what the object says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from matplotlib.colors import to_hex

import il2cyto.pl as pictures
from il2cyto import get
from il2cyto.errors import FcsError, PopulationError, SchemaError
from il2cyto.io import Spillover, open_fcs, read_anndata, read_densities, write_fcs
from il2cyto.pl._gated import FLAGGED, GatedCohort
from il2cyto.pl._sample_events import SampleEvents, open_sample
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.figure import Figure

SAMPLE = "SIM-001_W0"
FILE = PROJECT / "sample_data" / "fcs" / f"{SAMPLE}.fcs"
HOSTILE = "$\\frac{🧬 <script>&" + "x" * 80


@pytest.fixture(scope="module")
def adata(sample_results: Path) -> AnnData:
    return read_anndata(sample_results / "results.h5ad")


@pytest.fixture(scope="module")
def densities(sample_results: Path) -> dict[str, Any]:
    return read_densities(sample_results / "densities.npz")


def axes_of(figure: Figure) -> list[Any]:
    return list(figure.axes)


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for ax in axes_of(figure) for text in ax.texts)


def lines(ax: Any, label: str) -> list[float]:
    return [line.get_xdata()[0] for line in ax.lines if line.get_label() == label]


def value(adata: AnnData, sample: str, population: str, column: str = "value") -> float:
    rows = get.cuts(adata).filter(sample=sample, population=population, coordinate="cut")
    return float(rows[column].item())


def tile(figure: Figure, x: str, name: str) -> Any:
    (ax,) = [
        ax
        for ax in axes_of(figure)
        if ax.get_xlabel() == x and any(t.get_text().startswith(f"{name}\n") for t in ax.texts)
    ]
    return ax


def test_a_sheet_shows_every_gate_with_its_events_its_cut_and_its_share(adata: AnnData, densities: Any) -> None:
    figure = pictures.gate_sheet(adata, densities, sample=SAMPLE)

    shares = dict(get.frequencies(adata).filter(sample=SAMPLE).select("population", "frequency").iter_rows())
    text = words(figure)
    for name, share in shares.items():
        # Gates and complements have two lines, booleans one.
        assert f"{name}\n{100 * share:.3g} %" in text or f"{name}  {100 * share:.3g} %" in text
    ax, view = tile(figure, "CD3", "T"), densities[SAMPLE]["T"]
    np.testing.assert_allclose(np.expm1(ax.images[0].get_array().filled(0)), view.counts.T, atol=1e-9)
    assert ax.images[0].get_extent() == [*view.x_limits, *view.y_limits]
    assert lines(ax, "final") == [value(adata, SAMPLE, "T")]
    assert ax.get_title(loc="left") == "lymphocytes"
    assert ax.get_title(loc="right") == f"{view.counts.sum():,}"


def test_an_own_cut_that_was_not_taken_is_dotted(adata: AnnData, densities: Any) -> None:
    ax = tile(pictures.gate_sheet(adata, densities, sample=SAMPLE), "CD25", "CD25pos")

    assert lines(ax, "own") == [value(adata, SAMPLE, "CD25pos", "proposal")] != lines(ax, "final")
    assert [line.get_linestyle() for line in ax.lines if line.get_label() == "own"] == [":"]


def test_the_share_read_from_a_histogram_is_that_of_the_events(adata: AnnData, densities: Any) -> None:
    cohort = GatedCohort.of(adata, densities)
    hidden = GatedCohort(adata, densities, cohort.template, cohort.cuts, {}, cohort.flags, cohort.polygons)

    for sample in cohort.samples:
        for population in ("T", "leukocytes", "B"):
            text = hidden.share(sample, population)
            assert float(text.strip("≈ %")) / 100 == pytest.approx(cohort.fractions[sample, population], abs=0.01)


def test_events_of_the_file_are_gated_as_they_were(adata: AnnData, densities: Any) -> None:
    cohort = GatedCohort.of(adata, densities)
    events = SampleEvents.of(cohort, open_sample(cohort, FILE, sample=SAMPLE), sample=SAMPLE)
    counts = adata.to_df(layer="counts").loc[SAMPLE]

    assert {name: events.tree.nodes[name].count for name in counts.index} == counts.to_dict()
    figure = pictures.gate_sheet(adata, densities, sample=SAMPLE, file=FILE)
    ax = tile(figure, "CD25", "Treg")
    assert (ax.get_ylabel(), ax.get_title(loc="right")) == ("CD127", f"{counts['CD4']:,.0f}")
    # Its corner stands at the cut of CD25.
    assert ax.patches[0].get_xy()[:, 0].min() == pytest.approx(value(adata, SAMPLE, "CD25pos"))


def test_a_file_of_another_sample_is_refused(adata: AnnData, densities: Any) -> None:
    with pytest.raises(FcsError) as error:
        pictures.gate_sheet(adata, densities, sample="SIM-001_W6", file=FILE)
    assert str(error.value) == (
        "SIM-001_W0.fcs: content: not the file that sample 'SIM-001_W6' was gated from. Give that file."
    )


def test_a_contact_sheet_is_ordered_by_batch_visit_and_name_and_paged(adata: AnnData, densities: Any) -> None:
    pages = pictures.contact_sheet(adata, densities, population="T", per_page=8)

    assert [len(page.axes) for page in pages] == [8, 8, 5]
    shown = [ax.texts[0].get_text() for page in pages for ax in axes_of(page)]
    obs = adata.obs.reset_index()
    expected = obs.sort_values(["batch", "visit", "sample"])["sample"].tolist()
    assert shown == expected
    drawn = [lines(ax, "final")[0] for page in pages for ax in axes_of(page)]
    assert drawn == [value(adata, sample, "T") for sample in expected]


def test_flagged_tiles_are_framed_and_those_of_a_person_dashed(adata: AnnData, densities: Any) -> None:
    drawn = adata.copy()
    drawn.uns["il2cyto"]["polygons"] = json.dumps({SAMPLE: {"T": [(0.2, 0.0), (0.9, 0.0), (0.5, 0.5)]}})

    (page,) = pictures.contact_sheet(drawn, densities, population="T")

    warned = get.flags(adata).filter(pl.col("severity") != "info", population="T")["sample"].to_list()
    cut_flags = get.cuts(adata).filter(population="T").filter(pl.col("flags").str.contains("VALLEY|OUTLIER|CONSENSUS"))
    framed = {
        ax.texts[0].get_text() for ax in axes_of(page) if to_hex(ax.spines["top"].get_edgecolor()) == FLAGGED.lower()
    }
    assert framed == {*warned, *cut_flags["sample"]}
    (ax,) = [ax for ax in axes_of(page) if ax.texts[0].get_text() == SAMPLE]
    (outline,) = ax.patches
    assert outline.get_linestyle() == "--"
    np.testing.assert_allclose(outline.get_xy()[:3], [(0.2, 0.0), (0.9, 0.0), (0.5, 0.5)])
    assert "manual" in ax.texts[2].get_text()


def test_a_ridge_is_the_mean_density_of_a_batch_with_the_cuts_of_its_samples(adata: AnnData, densities: Any) -> None:
    (ax,) = axes_of(pictures.ridge(adata, densities, population="CD25pos"))

    assert [label.get_text() for label in ax.get_yticklabels()] == sorted(set(adata.obs["batch"]), reverse=True)
    top = list(adata.obs_names[adata.obs["batch"] == min(adata.obs["batch"])])
    curve = [line for line in ax.lines if line.get_label() == "_density"][-1]
    x, height = curve.get_data()
    height = height - height.min()
    bins = np.mean([densities[s]["CD25pos"].histogram / densities[s]["CD25pos"].histogram.sum() for s in top], axis=0)
    assert np.average(x, weights=height) == pytest.approx(np.average(x, weights=bins), abs=1e-3)
    final = [c for c in ax.collections if c.get_label() == "_final"][-1]
    assert [segment[0, 0] for segment in final.get_segments()] == [
        value(adata, s, "CD25pos") for s in sorted(top, key=lambda s: (s,))
    ]


def test_the_drift_shows_own_and_final_cut_of_every_sample_and_marks_controls(adata: AnnData) -> None:
    marked = adata.copy()
    marked.obs["control"] = [name.endswith("W6") for name in marked.obs_names]

    (ax,) = axes_of(pictures.cut_drift(marked, population="CD25pos"))

    by_label: dict[str, Any] = {c.get_label(): c for c in (*ax.containers, *ax.lines)}
    own = by_label["own cut"][0].get_ydata()
    cuts = get.cuts(adata).filter(population="CD25pos")
    assert sorted(own) == sorted(cuts["proposal"].drop_nans())
    finals = {name: sorted(by_label[name].get_ydata()) for name in ("final cut", "bridging control")}
    control = pl.col("sample").str.ends_with("W6")
    assert finals["bridging control"] == sorted(cuts.filter(control)["value"])
    assert finals["final cut"] == sorted(cuts.filter(~control)["value"])
    medians = [c.get_segments()[0][0][1] for c in ax.collections if str(c.get_label()).startswith("_median")]
    usable = cuts.filter(~pl.col("flags").str.contains("OUTLIER_CUT|CONSENSUS|FIXED"), pl.col("proposal").is_finite())
    assert medians == pytest.approx(
        usable.group_by("batch").agg(pl.col("proposal").median()).sort("batch")["proposal"].to_list()
    )


def test_the_control_without_the_stain_is_gated_with_the_samples_cut(adata: AnnData, tmp_path: Path) -> None:
    file = open_fcs(FILE)
    names = [channel.name for channel in file.channels]
    events = np.array(file.events())
    events[:, names.index("PE-A")] = np.random.default_rng(1).normal(0, 60, len(events))
    labels = [channel.label for channel in file.channels]
    ranges = [channel.range for channel in file.channels]
    write_fcs(tmp_path / "fmo.fcs", events, names=names, labels=labels, ranges=ranges, spillover=file.spillover())

    figure = pictures.fmo(adata, population="CD25pos", sample=SAMPLE, file=FILE, control=tmp_path / "fmo.fcs")

    stained, minus_one = axes_of(figure)[:2]
    share = get.frequencies(adata).filter(sample=SAMPLE, population="CD25pos")["frequency"].item()
    assert f"CD25pos\n{100 * share:.3g} %" in [text.get_text() for text in stained.texts]
    background = float(minus_one.texts[0].get_text().split()[1])
    assert background < 2 < 100 * share
    assert lines(stained, "final") == lines(minus_one, "final") == [value(adata, SAMPLE, "CD25pos")]
    curves = {line.get_label(): line.get_ydata() for line in axes_of(figure)[2].lines}
    assert curves["sample"].sum() == pytest.approx(1, abs=1e-6)
    write_fcs(tmp_path / "other.fcs", events[:, :5], names=names[:5], labels=labels[:5], ranges=ranges[:5])
    with pytest.raises(FcsError) as error:
        pictures.fmo(adata, population="CD25pos", sample=SAMPLE, file=FILE, control=tmp_path / "other.fcs")
    assert str(error.value) == (
        "other.fcs: $PnN: other channels than SIM-001_W0.fcs. Give the control that was acquired with the sample's settings."
    )


def test_a_spillover_map_writes_what_the_matrix_holds_in_percent() -> None:
    matrix = np.array([(1.0, 0.123, 0.0002), (-0.02, 1.0, 0.5), (0.0, 0.0, 1.0)])
    figure = pictures.compensation(Spillover(("FITC-A", "PE-A", HOSTILE), matrix))

    written = {text.get_position(): text.get_text() for text in axes_of(figure)[0].texts}
    assert written == {(1, 0): "12.3", (0, 1): "−2.0", (2, 1): "50.0"}
    np.testing.assert_allclose(
        axes_of(figure)[0].images[0].get_array().compressed(), 100 * matrix[~np.eye(3, dtype=bool)]
    )
    assert "SIMULATED DATA" in [text.get_text() for text in pictures.compensation(open_fcs(FILE)).texts]


def test_changes_of_the_map_are_those_of_the_means(adata: AnnData) -> None:
    figure = pictures.population_map(adata, populations=["Treg", "NK"])

    frame = get.frequencies(adata, populations=["Treg", "NK"]).filter(pl.col("frequency").is_finite())
    means = frame.group_by("population", "arm", "visit").agg(pl.col("frequency").mean())
    mean = {tuple(map(str, row[:3])): row[3] for row in means.iter_rows()}
    panel = axes_of(figure)[1]
    assert panel.get_title(loc="left") == "IL-2"
    changes = {text.get_position(): text.get_text() for text in panel.texts}
    for row, name in enumerate(("Treg", "NK")):
        for column, visit in enumerate(("W0", "W6", "W12")):
            change = round(100 * (mean[name, "IL-2", visit] / mean[name, "IL-2", "W0"] - 1))
            assert changes[column, row] == (f"{change:+d}".replace("-", "−") if change else "0")


def test_the_medians_are_those_of_the_object(adata: AnnData) -> None:
    figure = pictures.median_map(adata)
    ax = axes_of(figure)[0]

    rows, columns = ([label.get_text() for label in axis] for axis in (ax.get_yticklabels(), ax.get_xticklabels()))
    text = {t.get_position(): t.get_text() for t in ax.texts}
    expected = np.nanmedian(adata.obsm["mfi"]["Treg_CD25"])
    assert text[columns.index("CD25"), rows.index("Treg")] == f"{expected / 1000:.2g}k"
    assert not [name for name in columns if name.startswith(("FSC", "SSC"))]


def test_a_subject_looks_the_same_in_every_figure(adata: AnnData) -> None:
    figures = [pictures.dynamics(adata, highlight=names) for names in (["SIM-002"], ["SIM-001", "SIM-002"])]
    looks = []
    for figure in figures:
        (line,) = [line for line in axes_of(figure)[0].lines if line.get_label() == "_subject SIM-002"]
        looks.append((line.get_color(), line.get_marker(), line.get_linestyle()))
    assert looks[0] == looks[1] == tuple(pictures.subject_styles(["SIM-002"])["SIM-002"])
    own = get.frequencies(adata, populations=["CD4"]).filter(subject="SIM-002").sort("week")["frequency"]
    np.testing.assert_allclose(line.get_ydata(), own)
    with pytest.raises(ValueError, match=r"^dynamics: highlight: no subject 'P9' in the object\.$"):
        pictures.dynamics(adata, highlight=["P9"])


def test_hostile_sample_names_break_no_picture(adata: AnnData, densities: Any, tmp_path: Path) -> None:
    renamed = adata[[SAMPLE]].copy()
    renamed.obs_names = [HOSTILE]
    renamed.obs["batch"] = [HOSTILE]
    own = {HOSTILE: densities[SAMPLE]}
    makers: list[Callable[[], Figure]] = [
        lambda: pictures.gate_sheet(renamed, own, sample=HOSTILE),
        lambda: pictures.contact_sheet(renamed, own, population="T")[0],
        lambda: pictures.ridge(renamed, own, population="T"),
        lambda: pictures.cut_drift(renamed, population="T"),
    ]
    for make in makers:
        first, second = (pictures.save_figure(make(), tmp_path / f"{i}.png").read_bytes() for i in range(2))
        assert first == second
    assert "$\\frac{\ufffd <script>" in pictures.gate_sheet(renamed, own, sample=HOSTILE).get_suptitle()


def test_what_cannot_be_drawn_is_named(adata: AnnData, densities: Any) -> None:
    with pytest.raises(
        PopulationError, match=r"^ridge: the gate of 'singlets' is on FSC-A, FSC-H; choose one on a single channel\.$"
    ):
        pictures.ridge(adata, densities, population="singlets")
    with pytest.raises(PopulationError, match=r"^contact_sheet: no population 'NK'"):
        pictures.contact_sheet(adata, densities, population="NK")
    with pytest.raises(SchemaError, match=r"^contact_sheet: no column 'colour' in obs; it has subject, visit, week,"):
        pictures.contact_sheet(adata, densities, population="T", by=("colour",))
    with pytest.raises(SchemaError, match=r"^gate_sheet: no sample 'x' with densities; choose one of SIM-001_W0, "):
        pictures.gate_sheet(adata, densities, sample="x")
    with pytest.raises(PopulationError, match=r"^cut_drift: 'T' has no coordinate 'slope'; choose one of cut\.$"):
        pictures.cut_drift(adata, population="T", coordinate="slope")
