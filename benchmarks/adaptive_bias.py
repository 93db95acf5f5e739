"""Do cuts that adapt follow the drug? Treg in simulated trials with shifted batches, gated at each level of adaptation.

The trials are simulated: batches shift every marker (SD 0.15 decades, so that most lie within ±0.3), tubes of a batch by another
0.03, and on drug CD25 and CD56 brighten without any cell changing its kind. What is recovered is compared with what is true in the
same trial: the ratio of the arms' mean fold changes of Treg % CD4 from week 0 to week 2. The error is Monte Carlo's, over trials.

How often a t test of the change in logits rejects at 5 % where there is no effect is found by allocating the arms anew, at random:
gating knows no arm, so that any allocation could have been the trial's. With brightening that does not hold, and only the bias is shown.

Run `OPENBLAS_NUM_THREADS=1 python benchmarks/adaptive_bias.py`, about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
from scipy.special import logit
from scipy.stats import ttest_ind

from il2cyto import cohort, datasets, get, io
from il2cyto.batch import open_cache

if TYPE_CHECKING:
    from il2cyto.study import Study

    Layout = Literal["subjects", "visit"]

#: Rise of Treg -> the simulator's multiplier: logit 0.55 at week 2, from 5.5 % of CD4.
RISES: Final = {"0 %": 0.0, "+20 %": 0.353, "+50 %": 0.79}
#: How it is called here -> the level of every gate; None is each gate's own level in the template.
LEVELS: Final = {"fixed": "study", "per sample": "own", "batch": "batch", "reconciled": None}
POPULATION: Final = "Treg"


def simulate(
    folder: Path, *, rise: str, layout: Layout, brightening: bool, subjects: int, events: int, seed: int
) -> Study:
    """One trial of two visits."""
    return io.read_study(
        datasets.simulate_trial(
            folder,
            subjects=subjects,
            seed=seed,
            events=events,
            visits=(0, 2),
            batch_shift=0.15,
            jitter=0.03,
            effects=RISES[rise],
            intensity_shift=brightening,
            batches=layout,
            workers=1,
        )
    )


def frequencies(study: Study) -> pl.DataFrame:
    """Treg of each sample, a column for the truth and for each level."""
    truth = pl.read_csv(study.path("truth/frequencies.csv")).filter(population=POPULATION)
    cache = open_cache(study.folder / "shards")
    table = truth.select("sample", truth="frequency")
    for name, level in LEVELS.items():
        gated = cohort.gate_study(study, workers=1, cache=cache, level=level)
        found = get.frequencies(gated.adata, populations=[POPULATION])
        table = table.join(found.select("sample", pl.col("frequency").alias(name)), on="sample", how="left")
    return table.join(study.sheet.select("sample", "subject", "visit", "batch"), on="sample")


def changes(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Frequencies at both visits of the subjects that have both."""
    wide = table.filter(pl.col(name).is_finite(), pl.col(name) > 0).pivot("visit", index="subject", values=name)
    return wide.drop_nulls().sort("subject")


def fold(table: pl.DataFrame, name: str, active: dict[str, bool]) -> float:
    """Fold change of the treated over that of the controls."""
    pairs = changes(table, name)
    change = np.log(pairs["W2"].to_numpy() / pairs["W0"].to_numpy())
    treated = np.array([active[subject] for subject in pairs["subject"]])
    return float(np.exp(change[treated].mean() - change[~treated].mean()))


def rejected(table: pl.DataFrame, name: str, active: dict[str, bool], *, runs: int, seed: int) -> list[bool]:
    """Whether the t test of the change rejects, for random allocations."""
    pairs = changes(table, name)
    base, value = (logit(pairs[visit].to_numpy()) for visit in ("W0", "W2"))
    treated = np.array([active[subject] for subject in pairs["subject"]])
    rng = np.random.default_rng(seed)
    allocations = (rng.permutation(treated) for _ in range(runs))
    change = value - base
    return [bool(ttest_ind(change[arm], change[~arm]).pvalue < 0.05) for arm in allocations]


def trial(
    rise: str, layout: Layout, *, brightening: bool, subjects: int, events: int, seed: int, runs: int
) -> pl.DataFrame:
    """A row for each level: true and recovered fold change, and the share of rejections where there is no effect."""
    with tempfile.TemporaryDirectory() as folder:
        study = simulate(
            Path(folder), rise=rise, layout=layout, brightening=brightening, subjects=subjects, events=events, seed=seed
        )
        table = frequencies(study)
    assert study.subject_sheet is not None
    active = {
        subject: arm == study.arms[1] for subject, arm in study.subject_sheet.select("subject", "arm").iter_rows()
    }
    null = rise == "0 %" and not brightening
    rows = []
    for name in LEVELS:
        both = table.filter(pl.col(name).is_finite())  # the truth of the same samples
        level = np.mean(rejected(table, name, active, runs=runs, seed=seed)) if null else math.nan
        rows.append(
            (rise, layout, brightening, name, fold(both, "truth", active), fold(both, name, active), float(level))
        )
    columns = ("rise", "batches", "brightening", "cuts", "true", "recovered", "rejections")
    return pl.DataFrame(rows, schema=columns, orient="row")


def summarise(trials: pl.DataFrame) -> pl.DataFrame:
    """Mean over trials with its Monte-Carlo standard error; `ratio` is recovered over true fold change."""
    ratio = pl.col("recovered") / pl.col("true")
    error = pl.len().sqrt()
    return trials.group_by("rise", "batches", "brightening", "cuts", maintain_order=True).agg(
        trials=pl.len(),
        true=pl.col("true").mean(),
        recovered=pl.col("recovered").mean(),
        ratio=ratio.mean(),
        ratio_se=ratio.std() / error,
        rejections=pl.col("rejections").mean(),
        rejections_se=pl.col("rejections").std() / error,
    )


def print_tables(summary: pl.DataFrame) -> None:
    """The tables of docs/gating-validation.md."""
    places = {"subjects": "complete subjects", "visit": "visits"}
    head = " | ".join(LEVELS)
    rejections = []
    print(f"| rise | a batch holds | brightening | true | {head} |\n|{'-|' * (4 + len(LEVELS))}")
    for (rise, batches, brightening), rows in summary.group_by("rise", "batches", "brightening", maintain_order=True):
        cells = [f"{row['ratio']:.3f} ± {row['ratio_se']:.3f}" for row in rows.iter_rows(named=True)]
        place = f"| {rise} | {places[str(batches)]} | {'yes' if brightening else 'no'}"
        print(f"{place} | {rows['true'][0]:.3f} | {' | '.join(cells)} |")
        if rows["rejections"].is_finite().all():
            cells = [f"{row['rejections']:.3f} ± {row['rejections_se']:.3f}" for row in rows.iter_rows(named=True)]
            rejections.append(f"| {places[str(batches)]} | {' | '.join(cells)} |")
    print(f"\n| a batch holds | {head} |\n|{'-|' * (1 + len(LEVELS))}", *rejections, sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=4, help="trials for each row")
    parser.add_argument("--runs", type=int, default=500, help="random allocations of a trial without effect")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    layouts: tuple[Layout, ...] = ("subjects", "visit")
    found = [
        trial(
            rise, layout, brightening=brightening, subjects=options.subjects, events=options.events,
            seed=options.seed + i, runs=options.runs,
        )
        for brightening in (True, False) for layout in layouts for rise in RISES for i in range(options.trials)
    ]  # fmt: skip
    print(f"simulated: {options.trials} trials a row, {options.subjects} subjects, {options.events:,} events a file")
    print_tables(summarise(pl.concat(found)))


if __name__ == "__main__":
    main()
