"""Simulated trials for the tests of the mixed model."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

ROLES: dict[str, Any] = {"response": "y", "subject": "subject", "visit": "week", "arm": "arm"}
WEEKS = (2, 4, 8, 10, 12, 24)


def simulate(subjects: int, visits: int, *, missing: float = 0.0, seed: int = 0, small: float = 0.3) -> pl.DataFrame:
    """One row per subject and visit that was not missed; `small` is the least eigenvalue of Ω."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((visits, visits))
    values, vectors = np.linalg.eigh(A @ A.T)
    values[0] = small
    base, sex = rng.standard_normal(subjects), rng.integers(0, 3, subjects)
    y = rng.standard_normal((subjects, visits)) @ (vectors * np.sqrt(values)).T + 0.5 * base[:, None]
    i, j = np.nonzero(rng.random(y.shape) >= missing)
    return pl.DataFrame(
        {
            "subject": i,
            "week": np.array(WEEKS)[j],
            "arm": i % 2,
            "base": base[i],
            "site": np.array(["A", "B", "C"])[sex[i]],
            "y": y[i, j],
        }
    )
