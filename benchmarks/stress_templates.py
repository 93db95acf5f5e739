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
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from tube_changes import Tube, changes

from il2cyto.batch import Job, gate_files
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._flags import FAIL, LEGEND, flag_names
from il2cyto.io import find_template, open_fcs, read_template, write_fcs
from il2cyto.pp import compensate, inverse_transform, transform
from il2cyto.template._transforms import Logicle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    from tube_changes import Change

    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]

EUROFLOW = {"CD4": ["CD4+CD8-"], "CD8": ["CD8+CD4-"], "NK": ["CD56dim", "CD56bright"], "CD56bright": ["CD56bright"]}
OTHER = {"B": ["Mature SIg Kappa", "Mature SIg Lambda"], "gdT": ["TCRgd+"], "DN": ["TCRgd-", "CD4+CD8dim", "CD4+CD8+"]}
FLOORS = {
    "T": 0.90,
    "CD4": 0.90,
    "CD8": 0.90,
    "B": 0.85,
    "NK": 0.85,
    "NK_lineage": 0.85,
    "CD56bright": 0.40,
    "Treg": 0.40,
}
FEWEST = 50
WARN = sum(flag for flag, (severity, _) in LEGEND.items() if severity != "info")


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
