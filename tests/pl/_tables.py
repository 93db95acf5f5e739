"""Result tables of a made-up trial, by hand in the form that analyses give them."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import norm

ARMS = ("placebo", "IL-2")
VISITS = {"W0": 0.0, "W12": 12.0, "W24": 24.0}
#: endpoint -> visit -> responders and subjects of each arm
RATES = {
    "sri4": {"W12": ((9, 30), (16, 29)), "W24": ((11, 30), (19, 29))},
    "nephritis_remission": {"W12": ((1, 12), (4, 13)), "W24": ((2, 12), (7, 13))},
    "steroid_reduction": {"W12": ((5, 28), (9, 27)), "W24": ((7, 28), (14, 27))},
    "c3_normal": {"W0": ((8, 30), (9, 29)), "W12": ((10, 30), (17, 29)), "W24": ((11, 30), (19, 29))},
    "c4_normal": {"W0": ((12, 30), (10, 29)), "W12": ((14, 30), (18, 29)), "W24": ((13, 30), (20, 29))},
}
MEASURES = {"sledai": (11.0, -4.0, ""), "albumin_g_l": (32.0, 4.0, "g/L"), "upe_g_24h": (2.1, -0.9, "g/24 h")}


def binary_endpoints(rates: dict = RATES) -> pl.DataFrame:
    z = norm.isf(0.025)
    rows = []
    for endpoint, visits in rates.items():
        for visit, arms in visits.items():
            for arm, (x, n) in zip(ARMS, arms, strict=True):
                centre, half = (x + z**2 / 2) / (n + z**2), z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
                limits = (centre - half, centre + half)
                rows.append(
                    (endpoint, "mitt", "nri", visit, VISITS.get(visit, float(visit[1:])), arm, x, n, x / n, *limits)
                )
    columns = ["endpoint", "set", "rule", "visit", "week", "arm", "x", "n", "proportion", "ci_low", "ci_high"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def binary_contrasts() -> pl.DataFrame:
    rows = [
        ("sri4", "mitt", "nri", "W12", 12.0, 0.0524, "(N-1) chi-squared"),
        ("sri4", "mitt", "nri", "W24", 24.0, 0.028, "(N-1) chi-squared"),
    ]
    return pl.DataFrame(rows, schema=["endpoint", "set", "rule", "visit", "week", "p", "p_method"], orient="row")


def continuous_endpoints() -> pl.DataFrame:
    rows = []
    for endpoint, (start, change, unit) in MEASURES.items():
        for visit, week in VISITS.items():
            for slope, (arm, n) in zip((0.4, 1.0), zip(ARMS, (30, 29), strict=True), strict=True):
                mean = start + change * slope * week / 24
                sd = 0.2 * start
                half = 2 * sd / np.sqrt(n)
                rows.append(
                    (
                        endpoint,
                        unit,
                        visit,
                        week,
                        arm,
                        n,
                        mean,
                        sd,
                        mean,
                        mean - 0.67 * sd,
                        mean + 0.67 * sd,
                        mean - half,
                        mean + half,
                    )
                )
    columns = ["endpoint", "unit", "visit", "week", "arm", "n", "mean", "sd", "median", "q1", "q3", "ci_low", "ci_high"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def continuous_contrasts() -> pl.DataFrame:
    rows = [("sledai", "W12", 12.0, "ANCOVA", 0.06), ("sledai", "W24", 24.0, "ANCOVA", 0.0004)]
    return pl.DataFrame(rows, schema=["endpoint", "visit", "week", "model", "p"], orient="row")


def population_contrasts() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for population, effect in {"CD4": 0.05, "CD8": 0.0, "Treg": 0.5, "NK": 0.25, "CD56bright": 0.6}.items():
        for week in (2.0, 6.0, 12.0, 24.0):
            estimate = effect * (1.0 if week < 12 else 0.4) + 0.03 * rng.standard_normal()
            low, high = estimate - 0.2, estimate + 0.2
            p = float(2 * norm.sf(abs(estimate) / 0.1))
            rows.append(
                (
                    population,
                    f"W{week:g}",
                    week,
                    "MMRM",
                    estimate,
                    low,
                    high,
                    p,
                    min(1.0, 5 * p),
                    *np.exp([estimate, low, high]),
                )
            )
    columns = [
        "population",
        "visit",
        "week",
        "model",
        "estimate",
        "ci_low",
        "ci_high",
        "p",
        "p_adjusted",
        "odds_ratio",
        "or_low",
        "or_high",
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def consort() -> pl.DataFrame:
    rows = [
        ("contacted", None, None, 65),
        ("not_enrolled", None, "did not meet criteria", 4),
        ("not_enrolled", None, "declined", 1),
        ("randomised", None, None, 60),
        ("allocated", "placebo", None, 30),
        ("allocated", "IL-2", None, 30),
        ("discontinued", "placebo", "lack_of_efficacy", 2),
        ("discontinued", "placebo", "withdrew", 1),
        ("discontinued", "IL-2", "withdrew", 2),
        ("completed", "placebo", None, 27),
        ("completed", "IL-2", None, 28),
        ("excluded", "IL-2", "no post-baseline assessment", 1),
        ("analysed", "placebo", None, 30),
        ("analysed", "IL-2", None, 29),
    ]
    return pl.DataFrame(rows, schema=["stage", "arm", "reason", "n"], orient="row")
