"""Do cuts that adapt follow the drug? Treg, NK and CD56bright in simulated trials with shifted batches, gated in three ways.

The trials are simulated: batches shift every marker (SD 0.15 decades, so that most lie within ±0.3), tubes of a batch by another
0.03, and on drug CD25 and CD56 brighten without any cell changing its kind. Every trial has a seed of its own and shares neither
subjects nor batches with another. What is recovered is compared with what is true in the same trial: the ratio of the arms' mean fold
changes from week 0 to week 2, and whether a t test of the change in logits rejects at 5 %.

Run `OPENBLAS_NUM_THREADS=1 python benchmarks/adaptive_bias.py recovery --trials 10` for rises of 0, 20 and 50 % of Treg, and
`... null --trials 200` for the rejections without effect; `--brightening 2` doubles what the drug does to intensities. A trial of 20
subjects takes about five seconds on an idle core. `--table FILE` keeps a row for each trial, and goes on where a run was stopped.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.special import expit
from scipy.stats import norm, ttest_ind

from il2cyto import cohort, datasets, get, io, tl
from il2cyto.batch import open_cache

if TYPE_CHECKING:
    from il2cyto.study import Study

#: Rise of Treg -> the simulator's multiplier: logit 0.55 at week 2, from 5.5 % of CD4. NK and CD56bright rise along.
RISES: Final = {"0 %": 0.0, "+20 %": 0.353, "+50 %": 0.79}
#: How it is called here -> the level of every gate; None is each gate's own level in the template.
LEVELS: Final = {"fixed": "study", "per sample": "own", "reconciled": None}
POPULATIONS: Final = ("Treg", "NK", "CD56bright")
Layout = Literal["subjects", "visit"]
PLACES: Final = {"subjects": "complete subjects", "visit": "one visit"}
#: Subjects of a trial for which the share of rejections is foretold from bias and scatter: the size of the published trial.
FULL_SIZE: Final = 60


class Trial(NamedTuple):
    """What is simulated. A batch holds complete subjects, or one visit."""

    rise: str
    batches: Layout
    brightening: float
    seed: int
    subjects: int = 20
    events: int = 10_000


def simulate(trial: Trial, folder: Path) -> Study:
    """Two visits."""
    return io.read_study(
        datasets.simulate_trial(
            folder,
            subjects=trial.subjects,
            seed=trial.seed,
            events=trial.events,
            visits=(0, 2),
            batch_shift=0.15,
            jitter=0.03,
            effects=RISES[trial.rise],
            intensity_shift=trial.brightening,
            batches=trial.batches,
            workers=1,
        )
    )


def logits(study: Study) -> pl.DataFrame:
    """A row for each sample and population; columns for the truth and for each level, null where the gate failed."""
    share = (pl.col("count") + 0.5) / (pl.col("parent_count") + 1)  # finite where a rare population has no event
    value = share.log() - (1 - share).log()
    truth = pl.read_csv(study.path("truth/frequencies.csv")).filter(pl.col("population").is_in(POPULATIONS))
    table = truth.select("sample", "population", true=value)
    cache = open_cache(study.folder / "shards")
    for name, level in LEVELS.items():
        gated = cohort.gate_study(study, workers=1, cache=cache, level=level)
        found = get.frequencies(gated.adata, populations=POPULATIONS).filter(pl.col("frequency").is_finite())
        table = table.join(
            found.select("sample", "population", value.alias(name)), on=["sample", "population"], how="left"
        )
    return table.join(study.sheet.select("sample", "subject", "visit"), on="sample")


class Comparison(NamedTuple):
    """Treated over controls: fold changes, differences of the changes in logits, and P of a t test of the recovered one."""

    true: float
    recovered: float
    true_difference: float
    difference: float
    p: float


def compare(table: pl.DataFrame, name: str, active: set[str]) -> Comparison:
    """What is true and what is recovered, both in the subjects that have both visits."""
    wide = table.drop_nulls(name).pivot("visit", index="subject", values=["true", name]).drop_nulls()
    treated = wide["subject"].is_in(list(active)).to_numpy()

    def changes(kind: str) -> tuple[np.ndarray, np.ndarray]:
        base, value = wide[f"{kind}_W0"].to_numpy(), wide[f"{kind}_W2"].to_numpy()
        return value - base, np.log(expit(value) / expit(base))

    def difference(change: np.ndarray) -> float:
        return float(change[treated].mean() - change[~treated].mean())

    (true, true_fold), (found, fold) = changes("true"), changes(name)
    p = float(ttest_ind(found[treated], found[~treated]).pvalue)
    folds = (float(np.exp(difference(x))) for x in (true_fold, fold))
    return Comparison(*folds, difference(true), difference(found), p)


def run(trial: Trial) -> pl.DataFrame:
    """Simulate, gate and compare: a row for each population and level, and one for the true frequencies."""
    with tempfile.TemporaryDirectory() as folder:
        study = simulate(trial, Path(folder))
        table = logits(study)
    assert study.subject_sheet is not None
    active = set(study.subject_sheet.filter(arm=study.arms[1])["subject"])
    table = table.with_columns(truth="true")
    rows = [
        (*trial, population, name, *compare(table.filter(population=population), name, active))
        for population in POPULATIONS
        for name in ("truth", *LEVELS)
    ]
    columns = (*Trial._fields, "population", "cuts", *Comparison._fields)
    return pl.DataFrame(rows, schema=columns, orient="row")


def run_all(trials: list[Trial], path: Path | None, workers: int) -> pl.DataFrame:
    """Every trial once; what stands in the table already is not run again."""
    done = pl.read_csv(path) if path is not None and path.exists() else pl.DataFrame()
    known = set(done.select(Trial._fields).iter_rows()) if done.height else set()
    parts = [done] if done.height else []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for part in pool.map(run, [trial for trial in trials if tuple(trial) not in known]):
            parts.append(part)
            if path is not None:
                pl.concat(parts).write_csv(path)
    wanted = pl.DataFrame(trials, schema=list(Trial._fields), orient="row")
    return pl.concat(parts).join(wanted, on=list(Trial._fields), how="semi")


def summarise(results: pl.DataFrame) -> pl.DataFrame:
    """Over trials: recovered over true fold change, share of rejections at 5 %, and the share foretold for a large trial."""
    by = ["population", "rise", "batches", "brightening", "cuts"]
    ratio, bias = pl.col("recovered") / pl.col("true"), pl.col("difference") - pl.col("true_difference")
    size = (FULL_SIZE / pl.col("subjects").first()).sqrt()
    table = results.group_by(by, maintain_order=True).agg(
        trials=pl.len(),
        true=pl.col("true").mean(),
        ratio=ratio.mean(),
        ratio_se=ratio.std() / pl.len().sqrt(),
        rejected=(pl.col("p") < 0.05).sum(),
        shift=bias.mean() / pl.col("difference").std() * size,
    )
    low, high = tl.clopper_pearson(table["rejected"], table["trials"])
    shift = table["shift"].to_numpy()
    foretold = norm.sf(norm.isf(0.025) - shift) + norm.cdf(norm.ppf(0.025) - shift)
    return table.with_columns(pl.Series("low", low), pl.Series("high", high), pl.Series("foretold", foretold))


def print_recovery(summary: pl.DataFrame) -> None:
    """Recovered over true fold change, as in docs/gating-validation.md."""
    print(f"| population | rise of Treg | a batch holds | true | {' | '.join(LEVELS)} |\n|{'-|' * (4 + len(LEVELS))}")
    for (population, rise, batches), rows in summary.filter(pl.col("cuts") != "truth").group_by(
        "population", "rise", "batches", maintain_order=True
    ):
        cells = [f"{row['ratio']:.3f} ± {row['ratio_se']:.3f}" for row in rows.iter_rows(named=True)]
        print(f"| {population} | {rise} | {PLACES[str(batches)]} | {rows['true'][0]:.3f} | {' | '.join(cells)} |")


def print_rejections(summary: pl.DataFrame) -> None:
    """Rejections without effect, as in docs/gating-validation.md."""
    print(
        "| population | brightening | cuts | trials | recovered | rejected | 95 % interval | foretold |\n|-|-|-|-|-|-|-|-|"
    )
    for row in summary.sort("population", "brightening", maintain_order=True).iter_rows(named=True):
        share, low, high = row["rejected"] / row["trials"], row["low"], row["high"]
        start = f"| {row['population']} | {row['brightening']:g} | {row['cuts']} | {row['trials']}"
        fold = f"{row['ratio']:.3f} ± {row['ratio_se']:.3f}"
        print(f"{start} | {fold} | {share:.3f} | {low:.3f} to {high:.3f} | {row['foretold']:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("question", choices=["recovery", "null"])
    parser.add_argument("--trials", type=int, default=10, help="trials for each row")
    parser.add_argument("--brightening", type=float, default=1.0, help="multiplies the simulator's; 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", type=Path, help="CSV file with a row for each trial, population and level")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.trials)
    rises = RISES if options.question == "recovery" else ["0 %"]
    layouts: tuple[Layout, ...] = ("subjects", "visit") if options.question == "recovery" else ("subjects",)
    trials = [Trial(rise, layout, options.brightening, seed) for seed in seeds for rise in rises for layout in layouts]
    summary = summarise(run_all(trials, options.table, options.workers))
    print(
        f"simulated: {options.trials} trials a row, {trials[0].subjects} subjects, {trials[0].events:,} events a file"
    )
    (print_recovery if options.question == "recovery" else print_rejections)(summary)


if __name__ == "__main__":
    main()
