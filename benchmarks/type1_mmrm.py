"""How often the tests of a trial without any effect reject at the nominal 5 %: `tl.mmrm` and what else might be used.

The values are simulated: logit frequencies with a subject's level, an autoregressive course within the subject and technical
noise, with the standard deviations of Treg % CD4; 6 % of visits are missed, and 11 % of the subjects leave for good.

Run `OPENBLAS_NUM_THREADS=1 python benchmarks/type1_mmrm.py --small 1000 --big 400 --seed 1`.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import mannwhitneyu, norm

from il2cyto import tl

MEAN, BETWEEN, WITHIN, TECHNICAL, RHO = -2.85, 0.354, 0.25, 0.12, 0.5
MISSED, LEFT = 0.06, 0.11
NOMINAL = 0.05


class Layout(NamedTuple):
    """Subjects per arm and weeks after baseline; the primary visit is the last but one."""

    treatment: int
    control: int
    weeks: tuple[int, ...]


SMALL = Layout(13, 12, (2, 6, 12, 24))
BIG = Layout(29, 30, (2, 4, 6, 8, 10, 12, 24))


def simulate(layout: Layout, rng: np.random.Generator) -> pl.DataFrame:
    """One trial under the null, in rows of subject and visit."""
    subjects, visits = layout.treatment + layout.control, len(layout.weeks)
    course = np.empty((subjects, visits + 1))
    course[:, 0] = rng.standard_normal(subjects)
    for j in range(visits):
        course[:, j + 1] = RHO * course[:, j] + math.sqrt(1 - RHO**2) * rng.standard_normal(subjects)
    y = MEAN + BETWEEN * rng.standard_normal((subjects, 1)) + WITHIN * course
    y += TECHNICAL * rng.standard_normal(y.shape)
    seen = rng.random((subjects, visits)) > MISSED
    leaves = np.where(rng.random(subjects) < LEFT, rng.integers(1, visits, subjects), visits)
    seen &= np.arange(visits) < leaves[:, None]
    i, j = np.nonzero(seen)
    return pl.DataFrame(
        {"subject": i, "week": np.array(layout.weeks)[j], "arm": (i < layout.treatment).astype(int)}
        | {"base": y[i, 0], "y": y[i, j + 1]}
    )


def p_values(frame: pl.DataFrame, week: int) -> tuple[dict[str, float], str]:
    """Two-sided p of the contrast at the primary visit by each method, and the structure that the first of them used."""
    roles = {"response": "y", "subject": "subject", "visit": "week", "arm": "arm", "covariates": ["base"]}
    kr = tl.mmrm(frame, **roles)
    satterthwaite = tl.mmrm(frame, **roles, ddf="satterthwaite")
    cs = tl.mmrm(frame, **roles, covariance="cs")
    ar1 = tl.mmrm(frame, **roles, covariance="ar1", ddf="satterthwaite")
    at = frame.filter(pl.col("week") == week)
    ancova = tl.mmrm(at, **roles)
    change = at.with_columns(change=pl.col("y") - pl.col("base")).partition_by("arm", as_dict=True)
    row = {name: result.contrasts.row(by_predicate=pl.col("visit") == week, named=True) for name, result in [
        ("us, Kenward-Roger", kr), ("us, Satterthwaite", satterthwaite), ("ar1, Satterthwaite", ar1),
        ("cs, Kenward-Roger", cs), ("ANCOVA at the visit, t", ancova),
    ]}  # fmt: skip
    p = {name: values["p"] for name, values in row.items()}
    z = row["us, Satterthwaite"]
    p["us, normal quantiles"] = 2 * norm.sf(abs(z["estimate"] / z["se"]))
    p["Wilcoxon on change"] = mannwhitneyu(change[(1,)]["change"], change[(0,)]["change"]).pvalue
    omnibus = kr.omnibus["p"].item()
    if omnibus is not None:
        p["arm × visit F, Kenward-Roger"] = omnibus
    return p, kr.diagnostics.covariance


def rejections(layout: Layout, runs: int, seed: int) -> tuple[dict[str, list[bool]], Counter[str]]:
    """Whether each method rejects in each run, and the structures used."""
    rejected: dict[str, list[bool]] = {}
    used: Counter[str] = Counter()
    for run in range(runs):
        frame = simulate(layout, np.random.default_rng([seed, layout.treatment, run]))
        p, structure = p_values(frame, layout.weeks[-2])
        used[structure] += 1
        for name, value in p.items():
            rejected.setdefault(name, []).append(value < NOMINAL)
    return rejected, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000, help="runs of 13 v 12 subjects, 4 visits")
    parser.add_argument("--big", type=int, default=400, help="runs of 29 v 30 subjects, 7 visits")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for layout, runs in ((SMALL, arguments.small), (BIG, arguments.big)):
        rejected, used = rejections(layout, runs, arguments.seed)
        print(
            f"\n{layout.treatment} v {layout.control}, {len(layout.weeks)} visits, {runs} runs, seed {arguments.seed}"
        )
        print("structures used when us was asked for:", ", ".join(f"{name} {n}" for name, n in used.items()))
        print("\n| method | rejected at .05 | Monte-Carlo SE |\n| - | - | - |")
        for name, hits in rejected.items():
            rate = float(np.mean(hits))
            print(f"| {name} | {rate:.4f} | {math.sqrt(rate * (1 - rate) / len(hits)):.4f} |")


if __name__ == "__main__":
    main()
