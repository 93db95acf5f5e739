"""Power of the planned tests in simulated trials: il2cyto's own simulator, outcomes drawn freely.

Frequencies and responses are drawn without events, so that a run takes milliseconds. The trials are simulated: the sizes of the
drug's effects are assumptions (see `il2cyto.datasets.simulate_trial`).

Run `python benchmarks/power.py --runs 500`; `--effects 0` gives the type I error.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto import tl
from il2cyto.datasets._course import draw_course
from il2cyto.datasets._design import make_design
from il2cyto.datasets._frequencies import NODE, draw_logits

if TYPE_CHECKING:
    from collections.abc import Callable

WEEKS = (0, 2, 4, 6, 8, 10, 12, 24)
PRIMARY = WEEKS.index(12)
POPULATIONS = ("Treg", "CD56bright", "NK")
EVENTS = {"Treg": 4_000, "CD56bright": 600, "NK": 12_000}

Trial = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawing(subjects: int, effects: float) -> Callable[[np.random.Generator], Trial]:
    """Draws (active, logits with counting noise, responders at week 12); NaN where there is no tube."""

    def draw(rng: np.random.Generator) -> Trial:
        design = make_design(
            subjects=subjects,
            seed=int(rng.integers(2**31)),
            visits=WEEKS,
            arms=("placebo", "IL-2"),
            effects=effects,
            batches="subjects",
        )
        logits = draw_logits(design)
        course = draw_course(design, logits[:, :, NODE["Treg"]], matched=False)
        seen = [
            np.where(course.sampled, _counted(logits[:, :, NODE[name]], EVENTS[name], rng), np.nan)
            for name in POPULATIONS
        ]
        return design.active, np.stack(seen, axis=-1), course.responder[:, PRIMARY]

    return draw


def _counted(logit: np.ndarray, events: int, rng: np.random.Generator) -> np.ndarray:
    count = rng.binomial(events, 1 / (1 + np.exp(-logit)))
    return np.log((count + 0.5) / (events - count + 0.5))


def analyse(trial: Trial) -> dict[str, float]:
    """P values at week 12: every population by two methods, and the response by two tests."""
    active, logits, responder = trial
    p = {}
    for k, name in enumerate(POPULATIONS):
        value, base = logits[:, PRIMARY, k], logits[:, 0, k]
        change = value - base
        p[f"{name}, ANCOVA (HC3)"] = tl.ancova(value, base, active).p
        p[f"{name}, Wilcoxon on change"] = tl.shift_between(change[active], change[~active]).p
    counts = [int(n) for arm in (active, ~active) for n in (responder[arm].sum(), arm.sum())]
    x1, n1, x2, n2 = counts
    p["SRI-4, Fisher"] = tl.proportions_p(x1, n1, x2, n2, test="fisher")
    p["SRI-4, (N-1) chi-square"] = tl.proportions_p(x1, n1, x2, n2, test="n_minus_1")
    return p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subjects", type=int, default=60)
    parser.add_argument("--effects", type=float, default=1.0, help="multiplies the drug's effects; 0 is the null")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    table = tl.power_by_simulation(
        drawing(options.subjects, options.effects), analyse, runs=options.runs, seed=options.seed
    )
    print(f"simulated trials, {options.subjects} subjects, effects times {options.effects:g}")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=40, tbl_width_chars=120, float_precision=3):
        print(table)


if __name__ == "__main__":
    main()
