"""Components of variance are those that were simulated, over repeated trials, however batches lie among subjects and visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from il2cyto.tl import variance_components

if TYPE_CHECKING:
    from collections.abc import Callable

# Batches differ enough for their variance to be estimated as 0 in hardly any run: where it often is, the mean is too high.
SD = {"subject": 0.4, "visit": 0.25, "batch": 0.35, "technical": 0.12}
# Which of the batches a tube is measured in: subject, visit, tube.
DESIGNS: dict[str, Callable[[int, int, int], int]] = {
    "batches cross subjects and visits": lambda i, j, tube: (i + 3 * j) % 8,
    "replicates in different batches": lambda i, j, tube: (4 * i + j + 4 * tube) % 8,
    "subjects nested in batches": lambda i, j, tube: i // 3,
    "batches nested in visits": lambda i, j, tube: 4 * j + i // 6,
}
RUNS = 50
EVENTS = 1e12  # counting has no part


def simulate(batch_of: Callable[[int, int, int], int], seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Simulated duplicates of 24 subjects in two arms at four visits."""
    rng = np.random.default_rng([seed, 5])
    batch = rng.normal(0, SD["batch"], 16)
    rows, sheet = [], []
    for i in range(24):
        subject = rng.normal(0, SD["subject"])
        for j in range(4):
            visit = rng.normal(0, SD["visit"])
            for tube in range(2):
                k = batch_of(i, j, tube)
                effects = subject + visit + batch[k] + rng.normal(0, SD["technical"])
                p = 1 / (1 + np.exp(2.5 - 0.4 * (i % 2) * (j > 0) - effects))
                name, arm = f"{i}_{j}_{tube}", ("placebo", "IL-2")[i % 2]
                rows.append((name, "Treg", arm, f"S{i}", f"W{j}", p * EVENTS, EVENTS, p))
                sheet.append((name, f"B{k}"))
    columns = ["sample", "population", "arm", "subject", "visit", "count", "parent_count", "frequency"]
    return pl.DataFrame(rows, schema=columns, orient="row"), pl.DataFrame(
        sheet, schema=["sample", "batch"], orient="row"
    )


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_the_mean_estimate_is_the_true_variance_within_monte_carlo_error(design: str) -> None:
    tables = [variance_components(f, samples=s) for f, s in (simulate(DESIGNS[design], seed) for seed in range(RUNS))]

    for name, sd in SD.items():
        found = np.array([table.filter(component=name)["sd"].item() for table in tables]) ** 2
        assert abs(found.mean() - sd**2) < 3 * found.std(ddof=1) / np.sqrt(RUNS), name


def test_batches_that_are_arms_at_visits_are_not_told_from_what_the_drug_does() -> None:
    frequencies, samples = simulate(lambda i, j, tube: 2 * j + i % 2, seed=0)

    table = variance_components(frequencies, samples=samples)

    batch = table.filter(component="batch").row(0, named=True)
    assert np.isnan(batch["sd"])
    assert batch["note"] == "this design cannot tell it from the other components"
    assert table.filter(component="technical")["sd"].item() == pytest.approx(SD["technical"], rel=0.2)
