"""Frequencies of a small trial, drawn from known effects, and its study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto.study import TrialFile

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEKS = {"W0": 0.0, "W2": 2.0, "W12": 12.0}


def trial(arms: Sequence[str] = ("placebo", "IL-2"), weeks=None, primary: str | None = "W12", **more) -> TrialFile:
    weeks = weeks or WEEKS
    return TrialFile.model_validate(
        {
            "study": "T",
            "arms": arms,
            "schedule": [{"visit": v, "week": w, "baseline": w == 0} for v, w in weeks.items()],
            "treatment_weeks": [[0, 2]],
            "primary": {"visit": primary} if primary else None,
            **more,
        }
    )


def frequencies(
    subjects: int,
    arms: Sequence[str | None] = ("placebo", "IL-2"),
    weeks=None,
    names=("NK", "Treg"),
    seed=1,
    total=5000,
) -> pl.DataFrame:
    """Counts with a spread between subjects and no effect of anything, subjects in turn to the arms."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(subjects):
        level = rng.normal(-2, 0.4)
        for visit, week in (weeks or WEEKS).items():
            for name in names:
                count = int(rng.binomial(total, 1 / (1 + np.exp(-level - rng.normal(0, 0.2)))))
                rows.append((f"S{i:02}", visit, week, arms[i % len(arms)], name, "lymphocytes", count, total))
    columns = ["subject", "visit", "week", "arm", "population", "parent", "count", "parent_count"]
    frame = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"arm": pl.String})
    return frame.with_columns(frequency=pl.col("count") / pl.col("parent_count"), flags=pl.lit(""))
