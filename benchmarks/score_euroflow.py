"""Score the template euroflow-lst against expert labels, as the files are and after changes that should not matter.

    python benchmarks/score_euroflow.py FOLDER

FOLDER holds `NAME.fcs` with `NAME.labels.npz` (`code`, `names`; `names[code]` labels each event in file order). Prints F1 per
sample and population for: the files gated together; each alone; fluorescence shifted by 0.15 of a decade up, down and at random
by channel; scatter a tenth smaller or larger; 30 % of the events; a quarter of the NK cells.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.batch import Job, gate_files
from il2cyto.gt import Events, apply, make_plan
from il2cyto.io import find_template, open_fcs, read_template, write_fcs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from il2cyto.batch import GatedBatch
    from il2cyto.template import GatingTemplate

    Labels = npt.NDArray[np.str_]
    Membership = Mapping[str, npt.NDArray[np.bool_]]
    #: Events (n, channels), their labels, which channels are fluorescence, and a source of chance, to events and labels.
    Change = Callable[
        [npt.NDArray[np.float64], Labels, npt.NDArray[np.bool_], np.random.Generator],
        tuple[npt.NDArray[np.float64], Labels],
    ]

TRUTH = {"CD4": ["CD4+CD8-"], "CD8": ["CD8+CD4-"], "NK": ["CD56dim", "CD56bright"], "CD56bright": ["CD56bright"]}
GOALS = {"CD4": (0.98, 0.90), "CD8": (0.98, 0.90), "NK": (0.95, 0.85), "CD56bright": (0.70, 0.40)}
#: 0.15 of a decade where 10,000 units are a logicle scale of 4.5 decades.
SHIFT = 0.15 / 4.5 * 10_000


def f1(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    """2 TP / (true + found)."""
    return float(2 * np.count_nonzero(truth & found) / (np.count_nonzero(truth) + np.count_nonzero(found)))


def read_labels(path: Path) -> Labels:
    """The expert's label of each event."""
    stored = np.load(path)
    labels: Labels = stored["names"][stored["code"]]
    return labels


def shifted(sign: Callable[[np.random.Generator, int], npt.NDArray[np.float64]]) -> Change:
    """Fluorescence moved by SHIFT times a sign for each channel."""

    def change(events, labels, fluorescence, rng):  # type: ignore[no-untyped-def]
        moved = events.copy()
        moved[:, fluorescence] += SHIFT * sign(rng, int(fluorescence.sum()))
        return moved, labels

    return change


def scaled(factor: float) -> Change:
    """Scatter times a factor."""

    def change(events, labels, fluorescence, rng):  # type: ignore[no-untyped-def]
        return events * np.where(fluorescence, 1.0, factor), labels

    return change


def thinned(share: float, labels_of: tuple[str, ...] = ()) -> Change:
    """A random share of the events, or of those with some labels."""

    def change(events, labels, fluorescence, rng):  # type: ignore[no-untyped-def]
        keep = rng.random(len(events)) < share
        if labels_of:
            keep |= ~np.isin(labels, labels_of)
        return events[keep], labels[keep]

    return change


CHANGES: dict[str, Change] = {
    "shifted up": shifted(lambda rng, n: np.ones(n)),
    "shifted down": shifted(lambda rng, n: -np.ones(n)),
    "shifted at random, 1": shifted(lambda rng, n: rng.uniform(-1, 1, n)),
    "shifted at random, 2": shifted(lambda rng, n: rng.choice([-1.0, 1.0], n)),
    "scatter a tenth smaller": scaled(0.9),
    "scatter a tenth larger": scaled(1.1),
    "30 % of the events": thinned(0.3),
    "a quarter of the NK cells": thinned(0.25, ("CD56dim", "CD56bright")),
}


def changed(folder: Path, out: Path, change: Change) -> Path:
    """Write changed copies of all files."""
    for path in sorted(folder.glob("*.fcs")):
        file = open_fcs(path)
        panel = file.panel()
        events = np.asarray(file.events(range(len(file.channels))), dtype=np.float64)
        fluorescence = np.array([channel.detector == "fluor" for channel in panel.channels])
        rng = np.random.default_rng([ord(letter) for letter in path.stem])
        events, labels = change(events, read_labels(path.with_suffix(".labels.npz")), fluorescence, rng)
        names, ranges = [c.name for c in panel.channels], [c.range for c in panel.channels]
        write_fcs(out / path.name, events, names=names, labels=[c.label for c in panel.channels], ranges=ranges)
        known, code = np.unique(labels, return_inverse=True)
        np.savez(out / f"{path.stem}.labels.npz", names=known, code=code)
    return out


def members(job: Job, gated: GatedBatch) -> Membership:
    """Which events are in which population, by the batch's final cuts."""
    file = open_fcs(job.path)
    events = Events(file, make_plan(gated.template, file.panel(), file=file.name))
    return apply(events, gated.cuts, sample=job.sample, keep_masks=True).masks


def score(folder: Path, template: GatingTemplate, *, together: bool = True) -> dict[str, dict[str, float]]:
    """Population -> sample -> F1; NaN where the population was not evaluable."""
    masks: dict[str, Membership] = {}
    jobs = [Job(path.stem, path) for path in sorted(folder.glob("*.fcs"))]
    for batch in [jobs] if together else [[job] for job in jobs]:
        gated = gate_files(batch, template)
        masks.update({job.sample: members(job, gated) for job in batch})
        for failure in gated.failures:
            print(f"  {failure.message}")
    scores: dict[str, dict[str, float]] = {population: {} for population in TRUTH}
    for job in jobs:
        labels = read_labels(Path(job.path).with_suffix(".labels.npz"))
        for population, names in TRUTH.items():
            found = masks[job.sample][population]
            scores[population][job.sample] = f1(np.isin(labels, names), found)
    return scores


def report(title: str, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Print one line a population: median and worst, with ! where a goal is missed, then every sample."""
    print(title)
    for population, of in scores.items():
        values = np.array(list(of.values()))
        median, worst = GOALS[population]
        missed = "!" if np.median(values) < median or values.min() < worst else " "
        each = ", ".join(f"{sample.removeprefix('Cytometry')} {value:.3f}" for sample, value in of.items())
        print(f" {missed}{population:11} median {np.median(values):.3f} worst {values.min():.3f}   {each}")


def main() -> None:
    """Score the files of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--template", default="euroflow-lst")
    arguments = parser.parse_args()
    template = read_template(find_template(arguments.template, relative_to=Path.cwd()))
    report("as they are", score(arguments.folder, template))
    report("each file alone", score(arguments.folder, template, together=False))
    for title, change in CHANGES.items():
        with tempfile.TemporaryDirectory() as out:
            report(title, score(changed(arguments.folder, Path(out), change), template))


if __name__ == "__main__":
    main()
