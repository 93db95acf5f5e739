"""A small simulated trial as tidy frames: what the tables of statistics are made from."""

from __future__ import annotations

import numpy as np
import polars as pl

WEEKS = {"W0": 0.0, "W6": 6.0, "W12": 12.0}
POPULATIONS = {"Treg": "CD4", "NK": "lymphocytes"}


def make_sets(n: int = 24) -> pl.DataFrame:
    """Simulated subjects, alternating between the arms; the last of IL-2 is outside mITT."""
    return pl.DataFrame(
        {
            "subject": [f"SIM-{i:03d}" for i in range(n)],
            "arm": pl.Series([("placebo", "IL-2")[i % 2] for i in range(n)], dtype=pl.Enum(["placebo", "IL-2"])),
            "itt": [True] * n,
            "mitt": [i != n - 1 for i in range(n)],
            "sex": [("F", "M")[i % 3 == 0] for i in range(n)],
        }
    )


def make_frequencies(sets: pl.DataFrame, *, seed: int = 5, cells: int = 1, replicates: int = 1) -> pl.DataFrame:
    """Simulated frequencies as `get.frequencies` gives them; `cells` multiplies all counts."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject, arm in sets.select("subject", pl.col("arm").cast(pl.String)).iter_rows():
        level = rng.normal(-2, 0.4, len(POPULATIONS))
        for visit, week in WEEKS.items():
            for j, (population, parent) in enumerate(POPULATIONS.items()):
                logit = level[j] + 0.4 * (arm == "IL-2") * (week > 0) + rng.normal(0, 0.2)
                for replicate in range(replicates):
                    total = int(rng.integers(2000, 4000))
                    count = round(total / (1 + np.exp(-logit - rng.normal(0, 0.05))))
                    rows.append(
                        (f"{subject}_{visit}_{replicate}", subject, visit, week, arm, population, parent,
                         float(cells * count), float(cells * total), count / total, "")
                    )  # fmt: skip
    columns = ["sample", "subject", "visit", "week", "arm", "population", "parent", "count", "parent_count",
               "frequency", "flags"]  # fmt: skip
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return frame.with_columns(pl.col("visit").cast(pl.Enum(list(WEEKS))), pl.col("arm").cast(sets.schema["arm"]))


def make_binary(sets: pl.DataFrame, *, seed: int = 6) -> pl.DataFrame:
    """Simulated responses; one in eight was not observed and is a non-responder."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, subject in enumerate(sets["subject"]):
        for visit in ("W6", "W12"):
            responds = bool(rng.random() < 0.3 + 0.3 * (i % 2))
            missing = bool(rng.random() < 1 / 8)
            observed = None if missing else responds
            rows.append((subject, visit, "sri4", responds and not missing, observed, True))
            rows.append((subject, visit, "remission", responds and not missing, observed, i % 4 < 2))
    columns = ["subject", "visit", "endpoint", "value", "observed", "evaluable"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def make_continuous(sets: pl.DataFrame, *, seed: int = 8) -> pl.DataFrame:
    """Simulated disease activity, one value missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, subject in enumerate(sets["subject"]):
        level = rng.uniform(8, 20)
        for visit, week in WEEKS.items():
            value = level - (0.2 + 0.2 * (i % 2)) * week + rng.normal(0, 1.5)
            rows.append((subject, visit, "sledai", "points", None if (i, visit) == (3, "W6") else value))
    return pl.DataFrame(rows, schema=["subject", "visit", "endpoint", "unit", "value"], orient="row")
