"""How templates hold on tubes that differ from those at hand: cells keep their labels while instrument, stain and blood change.

    python benchmarks/stress_templates.py FOLDER --template euroflow-lst

FOLDER holds `NAME.fcs`, with `NAME.labels.npz` (`code`, `names`; `names[code]` labels each event in file order) or without: what the
template finds in the unchanged files is then the truth, and what is measured is stability. The changed files are gated together.
For every change and population: median and worst F1, how many results were flagged, and how many were below the floor, with a
flag and silently. A flag is one of severity `warn` or `fail` that the unchanged file does not have; a result of fewer than 50 true
cells is not held to a floor.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto.batch import Job, gate_files
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._flags import FAIL, LEGEND, flag_names
from il2cyto.io import find_template, open_fcs, read_template, write_fcs
from il2cyto.pp import compensate, inverse_transform, transform
from il2cyto.template._transforms import Logicle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]

EUROFLOW = {"CD4": ["CD4+CD8-"], "CD8": ["CD8+CD4-"], "NK": ["CD56dim", "CD56bright"], "CD56bright": ["CD56bright"]}
OTHER = {"B": ["Mature SIg Kappa", "Mature SIg Lambda"], "gdT": ["TCRgd+"], "DN": ["TCRgd-", "CD4+CD8dim", "CD4+CD8+"]}
FLOORS = {"T": 0.90, "CD4": 0.90, "CD8": 0.90, "B": 0.85, "NK": 0.85, "NK_lineage": 0.85, "CD56bright": 0.40, "Treg": 0.40}
FEWEST = 50
WARN = sum(flag for flag, (severity, _) in LEGEND.items() if severity != "info")
#: Spillover of neighbouring detectors, as a share; its error is what a wrong compensation leaves.
SPILL, SPILL_ERROR = 0.15, 0.2


@dataclass(frozen=True)
class Tube:
    """Events of one file: fluorescence (n, c) and scatter (n, s) on the linear scale, and which events are which population."""

    fluorescence: FloatArray
    scatter: FloatArray
    truth: dict[str, npt.NDArray[np.bool_]]
    markers: tuple[str, ...]

    def rows(self, rows: Rows) -> Tube:
        """Some events, perhaps several times."""
        truth = {name: of[rows] for name, of in self.truth.items()}
        return replace(self, fluorescence=self.fluorescence[rows], scatter=self.scatter[rows], truth=truth)

    def of(self, *names: str) -> npt.NDArray[np.bool_]:
        """Events of any of some populations; those that the tube does not tell are empty."""
        nobody = np.zeros(len(self.scatter), np.bool_)
        return np.any([self.truth.get(name, nobody) for name in names], axis=0)


Change = "Callable[[Tube, np.random.Generator], Tube]"


def only(share: float, *names: str) -> Change:
    """Keep a share of some populations' events, or of all."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        among = tube.of(*names) if names else np.ones(len(tube.scatter), np.bool_)
        return tube.rows(np.flatnonzero(~among | (rng.random(among.size) < share)))

    return change


def to_share(share: float, names: tuple[str, ...], of: tuple[str, ...]) -> Change:
    """Thin or repeat some populations' events until they are a share of others' (which include them)."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        here, rest = tube.of(*names), tube.of(*of) & ~tube.of(*names)
        if not here.any():
            return tube
        wanted = int(share / (1 - share) * rest.sum())
        drawn = rng.choice(np.flatnonzero(here), wanted, replace=wanted > here.sum())
        grown = tube.rows(np.concatenate([np.flatnonzero(~here), drawn]))
        again = np.zeros(len(grown.scatter), np.bool_)
        again[len(again) - wanted :] = wanted > here.sum()
        # Cells that stand for several differ a little, or the density would be one of needles.
        return blurred(grown, again, 0.1, rng)

    return change


def blurred(tube: Tube, which: npt.NDArray[np.bool_], cv: float, rng: np.random.Generator) -> Tube:
    """Measure some events less well: a relative error, and one as wide as the dimmest tenth of the file is."""
    out = []
    for values in (tube.fluorescence, tube.scatter):
        values = values.copy()
        dark = np.percentile(np.abs(values), 10, axis=0)
        shape = values[which].shape
        values[which] += cv * rng.normal(size=shape) * np.abs(values[which]) + cv * dark * rng.normal(size=shape)
        out.append(values)
    return replace(tube, fluorescence=out[0], scatter=out[1])


def events(n: int) -> Change:
    """Keep n events."""
    return lambda tube, rng: tube.rows(np.sort(rng.permutation(len(tube.scatter))[:n]))


def resampled(tube: Tube, rng: np.random.Generator) -> Tube:
    """Draw as many events with replacement."""
    return tube.rows(np.sort(rng.integers(len(tube.scatter), size=len(tube.scatter))))


def gain(most: float, marker: str = "") -> Change:
    """Amplify one marker by a factor, or all by factors at random up to it, or down to its reciprocal."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        factors = np.exp(rng.uniform(-1, 1, len(tube.markers)) * np.log(most))
        if marker:
            factors = np.where([marker == name for name in tube.markers], most, 1.0)
        return replace(tube, fluorescence=tube.fluorescence * factors)

    return change


def scatter_gain(factor: float) -> Change:
    return lambda tube, rng: replace(tube, scatter=tube.scatter * factor)


def offset(tube: Tube, rng: np.random.Generator) -> Tube:
    """Move each channel's zero by up to half of how far its noise reaches below it."""
    reach = np.abs(np.percentile(tube.fluorescence, 0.1, axis=0))
    return replace(tube, fluorescence=tube.fluorescence + reach * rng.uniform(-0.5, 0.5, reach.size))


def wrong_spillover(tube: Tube, rng: np.random.Generator) -> Tube:
    """Compensate with coefficients that are off by 20 %: neighbours spill 15 %, others less the further apart they are."""
    c = len(tube.markers)
    apart = np.abs(np.subtract.outer(np.arange(c), np.arange(c)))
    spill = np.where(apart == 0, 0.0, SPILL / 4.0 ** (apart - 1))
    return replace(tube, fluorescence=tube.fluorescence @ (np.eye(c) + spill * rng.uniform(-SPILL_ERROR, SPILL_ERROR, (c, c))))


def noisy(tube: Tube, rng: np.random.Generator) -> Tube:
    """Measure everything with another 15 % of error."""
    return blurred(tube, np.ones(len(tube.scatter), np.bool_), 0.15, rng)


def doublets(share: float) -> Change:
    """Add pairs of events that passed the laser together; they are of no population."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        first, second = (tube.rows(rng.integers(len(tube.scatter), size=int(share * len(tube.scatter)))) for _ in "ab")
        pairs = replace(first, fluorescence=first.fluorescence + second.fluorescence, scatter=first.scatter + second.scatter)
        return both(tube, nobody(pairs))

    return change


def debris(share: float) -> Change:
    """Add fragments: a twentieth to a half of an event's scatter and fluorescence; they are of no population."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        n = int(share / (1 - share) * len(tube.scatter))
        pieces = tube.rows(rng.integers(len(tube.scatter), size=n))
        size = np.exp(rng.uniform(np.log(0.05), np.log(0.5), (n, 1)))
        pieces = replace(pieces, fluorescence=pieces.fluorescence * size, scatter=pieces.scatter * size)
        return both(tube, nobody(pieces))

    return change


def clipped(tube: Tube, rng: np.random.Generator) -> Tube:
    """Cut fluorescence off at each channel's 98th percentile, as a detector at its limit does."""
    return replace(tube, fluorescence=np.minimum(tube.fluorescence, np.percentile(tube.fluorescence, 98, axis=0)))


def leukaemic(tube: Tube, rng: np.random.Generator) -> Tube:
    """Make B cells 80 % of the lymphocytes, with the little CD19 and CD20 and the much CD5 of chronic lymphocytic leukaemia."""
    grown = to_share(0.8, ("B",), LYMPHOCYTES)(tube, rng)
    factor = np.array([0.4 if "CD19" in m else 0.4 if "CD20" in m else 8.0 if "CD5" in m.split("+") else 1.0 for m in tube.markers])
    changed = np.where(grown.of("B")[:, None], grown.fluorescence * factor, grown.fluorescence)
    return replace(grown, fluorescence=changed)


def in_turn(*changes: Change) -> Change:
    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        for one in changes:
            tube = one(tube, rng)
        return tube

    return change


def both(a: Tube, b: Tube) -> Tube:
    truth = {name: np.concatenate([a.truth[name], b.truth[name]]) for name in a.truth}
    together = partial(np.concatenate, axis=0)
    return replace(
        a, fluorescence=together([a.fluorescence, b.fluorescence]), scatter=together([a.scatter, b.scatter]), truth=truth
    )


def nobody(tube: Tube) -> Tube:
    return replace(tube, truth={name: np.zeros_like(of) for name, of in tube.truth.items()})


LYMPHOCYTES = ("CD4", "CD8", "NK", "B", "gdT", "DN", "lymphocytes")
T_CELLS = ("CD4", "CD8", "gdT", "DN", "T")


def changes(markers: tuple[str, ...]) -> Iterator[tuple[str, Change, int]]:
    """Name, change, and how often it is drawn."""
    yield "unchanged", lambda tube, rng: tube, 1
    yield "drawn with replacement", resampled, 3
    for n in (50_000, 20_000, 10_000, 5_000):
        yield f"{n:,} events", events(n), 3
    for marker in markers:
        for factor in (0.5, 2.0):
            yield f"{marker} x {factor:g}", gain(factor, marker), 1
    yield "all channels x 0.67-1.5", gain(1.5), 4
    yield "all channels x 0.5-2", gain(2.0), 6
    yield "offset", offset, 4
    yield "spillover wrong by 20 %", wrong_spillover, 4
    yield "noise 15 %", noisy, 1
    yield "top cut off", clipped, 1
    for factor in (0.8, 1.25):
        yield f"scatter x {factor:g}", scatter_gain(factor), 1
    for share in (0.05, 0.1):
        yield f"{share:.0%} doublets", doublets(share), 1
    for share in (0.1, 0.3):
        yield f"{share:.0%} debris", debris(share), 1
    yield "half the lymphocytes", only(0.5, *LYMPHOCYTES), 1
    yield "a tenth of the lymphocytes", only(0.1, *LYMPHOCYTES), 1
    for share in (0.02, 0.1):
        yield f"CD4 {share:.0%} of lymphocytes", to_share(share, ("CD4",), LYMPHOCYTES), 1
        yield f"CD8 {share:.0%} of lymphocytes", to_share(share, ("CD8",), LYMPHOCYTES), 1
    for share in (0.01, 0.03, 0.5):
        yield f"NK {share:.0%} of lymphocytes", to_share(share, ("NK",), LYMPHOCYTES), 1
    yield "CD8 70 % of lymphocytes", to_share(0.7, ("CD8",), LYMPHOCYTES), 1
    yield "B 0.2 % of lymphocytes", to_share(0.002, ("B",), LYMPHOCYTES), 1
    yield "B 70 % of lymphocytes", to_share(0.7, ("B",), LYMPHOCYTES), 1
    yield "B 80 %, leukaemic", leukaemic, 1
    for share in (0.01, 0.05, 0.1, 0.2):
        yield f"CD56bright {share:.0%} of NK", to_share(share, ("CD56bright",), ("NK",)), 1
    yield "another lab", in_turn(gain(1.6), offset, doublets(0.03), debris(0.15), wrong_spillover), 6
    yield "another lab, 30,000 events", in_turn(gain(1.6), offset, doublets(0.03), debris(0.15), events(30_000)), 6


class Bench:
    """The files of a folder, changed and gated again."""

    def __init__(self, folder: Path, template: GatingTemplate, aliases: Mapping[str, str], unit: float) -> None:
        self.template, self.aliases, self.unit = template, dict(aliases), unit
        self.paths = {path.stem: path for path in sorted(folder.glob("*.fcs"))}
        labelled = all(path.with_suffix(".labels.npz").exists() for path in self.paths.values())
        found, self.unchanged = self.gate(self.paths)
        self.populations = [name for name in FLOORS if name in template.by_name and (not labelled or name in EUROFLOW)]
        self.paths = {sample: path for sample, path in self.paths.items() if sample in found}
        self.tubes = {s: self.read(path, None if labelled else found[s]) for s, path in self.paths.items()}

    def read(self, path: Path, found: Mapping[str, npt.NDArray[np.bool_]] | None) -> Tube:
        file = open_fcs(path)
        values = np.asarray(file.events(range(len(file.channels))), dtype=np.float64)
        spillover = file.spillover() if self.template.compensation == "acquisition" else None
        if spillover is not None:
            mixed = [[c.name for c in file.channels].index(name) for name in spillover.channels]
            values[:, mixed] = compensate(values[:, mixed], spillover.matrix)
        if found is None:
            stored = np.load(path.with_suffix(".labels.npz"))
            labels = stored["names"][stored["code"]]
            found = {name: np.isin(labels, which) for name, which in {**EUROFLOW, **OTHER}.items()}
        light = self.light(path)
        names = tuple(c.label or c.name for c, is_light in zip(file.panel().channels, light, strict=True) if is_light)
        return Tube(self.linear(values[:, light]), values[:, ~light], dict(found), names)

    def light(self, path: Path) -> npt.NDArray[np.bool_]:
        """Which channels are stains."""
        return np.array([channel.detector in ("fluor", "mass") for channel in open_fcs(path).panel().channels])

    def linear(self, values: FloatArray) -> FloatArray:
        return inverse_transform(values / self.unit, Logicle(w=1.0)) if self.unit else values

    def stored(self, values: FloatArray) -> FloatArray:
        return transform(values, Logicle(w=1.0)) * self.unit if self.unit else values

    def gate(
        self, paths: Mapping[str, Path]
    ) -> tuple[dict[str, Mapping[str, npt.NDArray[np.bool_]]], dict[str, Mapping[str, int]]]:
        gated = gate_files([Job(sample, path) for sample, path in paths.items()], self.template, aliases=self.aliases)
        # A file of which nothing can be said has cuts all the same; one whose panel does not fit has none.
        unreadable = {failure.sample for failure in gated.failures} - set(gated.cuts["sample"])
        masks, flags = {}, {}
        for sample in sorted(paths.keys() - unreadable):
            file = open_fcs(paths[sample])
            plan = make_plan(self.template, file.panel(self.aliases), file=file.name)
            result = apply(Events(file, plan), gated.cuts, sample=sample, keep_masks=True)
            masks[sample], flags[sample] = result.masks, result.flags
        return masks, flags

    def write(self, path: Path, tube: Tube, out: Path) -> None:
        panel, light = open_fcs(path).panel().channels, self.light(path)
        values = np.empty((len(tube.scatter), len(panel)))
        values[:, light], values[:, ~light] = self.stored(tube.fluorescence), tube.scatter
        ranges = [channel.range for channel in panel]
        write_fcs(out, values, names=[c.name for c in panel], labels=[c.label or "" for c in panel], ranges=ranges)

    def score(self, title: str, change: Change, seed: int) -> Iterator[tuple[str, int, str, str, float, int, str]]:
        """Title, seed, sample, population, F1, true cells, flags; F1 is NaN where the population was not evaluable."""
        changed = {}
        with tempfile.TemporaryDirectory() as folder:
            for sample, tube in self.tubes.items():
                text = f"{title}/{seed}/{sample}"
                rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))
                changed[sample] = change(tube, rng)
                self.write(self.paths[sample], changed[sample], Path(folder) / f"{sample}.fcs")
            masks, flags = self.gate({sample: Path(folder) / f"{sample}.fcs" for sample in changed})
        for sample, tube in changed.items():
            for name in self.populations:
                found, truth = masks[sample][name], tube.truth[name]
                bits = flags[sample][name] & WARN & ~self.unchanged[sample][name]
                total = np.count_nonzero(found) + np.count_nonzero(truth)
                failed = bool(flags[sample][name] & FAIL)
                f1 = float("nan") if failed or not total else 2 * np.count_nonzero(found & truth) / total
                yield title, seed, sample, name, f1, int(truth.sum()), flag_names(bits)


COLUMNS = ["change", "draw", "sample", "population", "f1", "true", "flags"]


def summary(table: pl.DataFrame) -> pl.DataFrame:
    """One row per change and population."""
    floor = pl.col("population").replace_strict(FLOORS, return_dtype=pl.Float64)
    flagged, low = pl.col("flags") != "", (pl.col("f1") < floor) & (pl.col("true") >= FEWEST)
    number = pl.col("f1").is_not_nan()
    return table.group_by("change", "population", maintain_order=True).agg(
        n=pl.len(),
        median=pl.col("f1").filter(number).median(),
        worst=pl.col("f1").filter(number).min(),
        flagged=(flagged & number).sum(),
        missing=(~number).sum(),
        low_flagged=(low & number & flagged).sum(),
        silent=(low & number & ~flagged).sum(),
    )


def main() -> None:
    """Stress a template on the files of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--template", default="euroflow-lst")
    parser.add_argument("--alias", action="append", default=[], help="LABEL=MARKER")
    parser.add_argument("--unit", type=float, default=0.0, help="top of the scale of files already transformed")
    parser.add_argument("--csv", type=Path, help="write every result here")
    parser.add_argument("--only", default="", help="changes whose name contains this")
    arguments = parser.parse_args()
    template = read_template(find_template(arguments.template, relative_to=Path.cwd()))
    aliases = dict(pair.split("=", 1) for pair in arguments.alias)
    bench = Bench(arguments.folder, template, aliases, arguments.unit)
    known = {marker for tube in bench.tubes.values() for marker in tube.markers}
    used = tuple(m for m in sorted(known) if any(marker in m for marker in (*template.requires, *template.optional)))
    rows = []
    for title, change, draws in changes(used):
        if arguments.only in title:
            rows += [row for draw in range(draws) for row in bench.score(title, change, draw)]
    table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    if arguments.csv:
        table.write_csv(arguments.csv)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=140, fmt_str_lengths=40, float_precision=3):
        print(summary(table))
        print(summary(table.with_columns(change=pl.lit("all"))))


if __name__ == "__main__":
    main()
