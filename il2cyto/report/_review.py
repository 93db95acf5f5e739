"""The gate review's data: for each gate the binned densities of all samples, the cuts on them, and the flags.

Neither arm nor visit nor response is among them: whoever moves a gate must not know.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from il2cyto import get
from il2cyto.io import read_densities
from il2cyto.pl._outlines import Cuts
from il2cyto.pl._scales import spec_of
from il2cyto.report._alerts import OF_ABSENT
from il2cyto.report._outline import Axis, axis_of, cuts_of, lines_of, outline_of
from il2cyto.template import ReferenceLineGate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto.io import Density
    from il2cyto.report._results import Results
    from il2cyto.template import GatingTemplate, Population

#: Characters of pixels that one page may hold; a page of the demo trial stays below 10 MB with it.
BUDGET: Final = 6_500_000
LEVELS: Final = 15
#: Bins of a density's side.
SIZE: Final = 64
#: Pixels of a tile's side, as drawn on an ordinary screen.
SHOWN: Final = 190


@dataclass(frozen=True)
class Review:
    """What the page draws, and which samples had to be left to gallery pages.

    Attributes
    ----------
    json
        The data as JSON without a "<": it can stand in a page as it is.
    shown, total
        Samples in it, and samples with densities.
    """

    json: str
    shown: int
    total: int


def review_data(results: Results, *, budget: int = BUDGET) -> Review | None:
    """Collect the gate review of a results folder.

    Parameters
    ----------
    results
        The folder; without ``densities*.npz`` there is nothing to review.
    budget
        Characters that the pixels may take. Beyond it, samples are left out, those with flags and baseline samples last.

    Returns
    -------
    The review, or None.
    """
    panels = _panels(results)
    order = [(panel.name, sample) for panel in panels for sample in panel.by_need()]
    if not order:
        return None
    keep = len(order)
    while True:
        data = _data(panels, order[:keep])
        size = sum(len(gate["pixels"]) for gate in data["gates"])
        if size <= budget or keep <= 1:
            return Review(_json(data), keep, len(order))
        keep = min(keep - 1, int(keep * budget / size))


def gallery_data(results: Results) -> Iterator[tuple[str, str]]:
    """Give each gate over all samples as the data of a page of its own: the page's name, JSON."""
    panels = _panels(results)
    everyone = [(panel.name, sample) for panel in panels for sample in panel.by_need()]
    for panel in panels:
        for population in panel.template.populations:
            data = _data(panels, everyone, only=(panel.name, population.name))
            if data["gates"]:
                yield f"{panel.name}-{population.name}".removeprefix("-"), _json(data)


@dataclass(frozen=True)
class _Panel:
    """All that the pictures of one panel are made of."""

    name: str
    adata: AnnData
    template: GatingTemplate
    densities: Mapping[str, Mapping[str, Density]]
    cuts: Mapping[tuple[str, str], Cuts]
    fractions: Mapping[tuple[str, str], float]
    flags: Mapping[tuple[str, str], list[str]]

    def by_need(self) -> list[str]:
        """Samples: flagged ones first, then baseline, then the rest; each by name."""
        flagged = {sample for sample, _ in self.flags}
        baseline = self.adata.obs["baseline"].to_dict() if "baseline" in self.adata.obs else {}
        names = [str(name) for name in self.adata.obs_names if str(name) in self.densities]
        return sorted(names, key=lambda name: (name not in flagged, not baseline.get(name, False), name))

    def sample(self, name: str) -> dict[str, str]:
        """What a reviewer may know of a sample."""
        row = self.adata.obs.loc[name]
        facts = {key: str(row[key]) if key in row and row[key] == row[key] else "" for key in ("subject", "batch")}
        return {"name": name, "panel": self.name, **facts}

    def gate(self, population: Population, place: Mapping[str, int]) -> dict[str, Any] | None:
        """One gate in the samples of `place` (sample -> its number on the page); None where nobody can see it."""
        views = {s: self.densities[s][population.name] for s in place if population.name in self.densities[s]}
        if not views:
            return None
        first = next(iter(views.values()))
        x, y = (
            axis_of(key, limits, spec_of(self.adata, self.template, key))
            for key, limits in ((first.x, first.x_limits), (first.y, first.y_limits))
        )
        tiles = [
            {"at": at, "sample": place[sample], **self._tile(sample, population, view, x, y)}
            for at, (sample, view) in enumerate(views.items())
        ]
        pixels = b"".join(levels(view).tobytes() for view in views.values())
        return {
            "population": population.name,
            "panel": self.name,
            "parent": population.parent,
            "reported": population.name in self.adata.var_names,
            "x": x.shown(),
            "y": y.shown(),
            "tiles": tiles,
            # mtime=0: the same densities give the same bytes.
            "pixels": base64.b64encode(gzip.compress(pixels, 6, mtime=0)).decode("ascii"),
        }

    def _tile(self, sample: str, population: Population, view: Density, x: Axis, y: Axis) -> dict[str, Any]:
        key = (sample, population.name)
        cuts, fraction = self.cuts.get(key, Cuts()), self.fractions.get(key, float("nan"))
        events = view.counts.sum(dtype=np.int64) if view.y or view.histogram is None else view.histogram.sum()
        return {
            "n": int(events),
            "fraction": fraction if np.isfinite(fraction) else None,
            "cuts": [] if isinstance(population.gate, ReferenceLineGate) else lines_of(cuts),
            "shape": outline_of(population.gate, cuts, x, y),
            "flags": list(dict.fromkeys([*cuts.flags, *self.flags.get(key, [])])),
        }


def _panels(results: Results) -> list[_Panel]:
    made = []
    for name, adata in results.cohorts.items():
        path = results.folder / (f"densities-{name}.npz" if name else "densities.npz")
        densities = read_densities(path) if path.is_file() else {}
        cuts = cuts_of(results.table("cuts"), name)
        made.append(_Panel(name, adata, get.template(adata), densities, cuts, _fractions(adata), _flags(adata)))
    return made


def _data(panels: list[_Panel], kept: list[tuple[str, str]], *, only: tuple[str, str] | None = None) -> dict[str, Any]:
    place = {key: i for i, key in enumerate(sorted(kept))}
    of_name = {panel.name: panel for panel in panels}
    samples = [of_name[panel].sample(sample) for panel, sample in place]
    gates = [
        gate
        for panel in panels
        for population in panel.template.populations
        if only in (None, (panel.name, population.name))
        if (gate := panel.gate(population, {s: i for (of, s), i in place.items() if of == panel.name})) is not None
    ]
    flags = sorted({flag for gate in gates for tile in gate["tiles"] for flag in tile["flags"]})
    batches = sorted({sample["batch"] for sample in samples} - {""})
    return {"size": SIZE, "shown": SHOWN, "samples": samples, "gates": gates, "flags": flags, "batches": batches}


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def levels(view: Density) -> npt.NDArray[np.uint8]:
    """Levels 0-15 of a view's events, rows of y by columns of x, on a logarithmic scale; 0 is no event at all.

    A view without a second axis is drawn as its histogram, a column of the picture for each four bins.
    """
    counts = view.counts.T.astype(np.float64)
    if not view.y and view.histogram is not None:
        side = view.counts.shape[0]
        bars = view.histogram.reshape(side, -1).sum(axis=1)
        height = np.ceil(bars / max(bars.max(), 1) * side)
        grid = np.where(np.arange(side)[:, None] < height, LEVELS // 2, 0)
    else:
        # The fullest bin may come out a rounding error above the top.
        grid = np.minimum(np.ceil(LEVELS * np.log1p(counts) / np.log1p(max(counts.max(), 1.0))), LEVELS)
    return np.asarray(grid, np.uint8)


def _fractions(adata: AnnData) -> dict[tuple[str, str], float]:
    frame = get.frequencies(adata).select("sample", "population", "frequency")
    return {(sample, population): frequency for sample, population, frequency in frame.iter_rows()}


def _flags(adata: AnnData) -> dict[tuple[str, str], list[str]]:
    """Flags worth a look; notices would mark everything, and so would a marker that the panel lacks, which the alerts tell."""
    found: dict[tuple[str, str], list[str]] = {}
    frame = get.flags(adata).filter(pl.col("severity") != "info", ~pl.col("flag").is_in(OF_ABSENT))
    frame = frame.select("sample", "population", "flag")
    for sample, population, flag in frame.iter_rows():
        found.setdefault((sample, population), []).append(flag)
    return found
