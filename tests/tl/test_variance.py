from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from il2cyto.errors import StudyError
from il2cyto.tl import variance_components
from il2cyto.tl._reml import separable, variances

HUGE = 10**12  # events per parent: counting has no part


def indicators(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(float)


def test_a_balanced_one_way_layout_gives_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(0, 1, (12, 1)) + rng.normal(0, 0.5, (12, 4))
    within = table.var(axis=1, ddof=1).mean()
    between = 4 * table.mean(axis=1).var(ddof=1)

    found = variances(table.ravel(), np.ones((48, 1)), {"subject": indicators(np.repeat(np.arange(12), 4))})

    assert found == pytest.approx({"": within, "subject": (between - within) / 4}, rel=1e-5)


def test_a_balanced_nested_layout_gives_the_analysis_of_variance() -> None:
    """Subjects, their visits, replicates: mean squares of 15 subjects, 3 visits, 2 tubes."""
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (15, 1, 1)) + rng.normal(0, 0.6, (15, 3, 1)) + rng.normal(0, 0.3, (15, 3, 2))
    ms_tube = values.var(axis=2, ddof=1).mean()
    visits = values.mean(axis=2)
    ms_visit = 2 * visits.var(axis=1, ddof=1).mean()
    ms_subject = 6 * visits.mean(axis=1).var(ddof=1)
    subject = np.repeat(np.arange(15), 6)
    visit = np.repeat(np.arange(45), 2)

    found = variances(values.ravel(), np.ones((90, 1)), {"subject": indicators(subject), "visit": indicators(visit)})

    expected = {"": ms_tube, "subject": (ms_subject - ms_visit) / 6, "visit": (ms_visit - ms_tube) / 2}
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_balanced_crossed_layout_gives_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    a, b = 14, 9
    values = rng.normal(0, 1, (a, 1)) + rng.normal(0, 0.7, (1, b)) + rng.normal(0, 0.4, (a, b))
    rows, columns, grand = values.mean(axis=1), values.mean(axis=0), values.mean()
    ms_error = np.square(values - rows[:, None] - columns + grand).sum() / ((a - 1) * (b - 1))
    first, second = (np.array(pairs) for pairs in zip(*itertools.product(range(a), range(b)), strict=True))

    found = variances(values.ravel(), np.ones((a * b, 1)), {"a": indicators(first), "b": indicators(second)})

    expected = {"": ms_error, "a": rows.var(ddof=1) - ms_error / b, "b": columns.var(ddof=1) - ms_error / a}
    assert found == pytest.approx(expected, rel=1e-4)


def test_an_effect_that_the_design_cannot_tell_is_dropped() -> None:
    subject, visit = np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8)
    effects = {
        "subject": indicators(subject),
        "again": indicators(subject),
        "each": np.eye(24),
        "visit": indicators(visit),
    }

    assert separable(np.ones((24, 1)), effects) == ["subject", "visit"]
    assert separable(indicators(visit), effects) == ["subject"]


def simulate(
    *, sd: dict[str, float], replicates: int = 2, controls: int = 0, events: int = HUGE, seed: int = 0
) -> tuple:
    """Simulated frequencies, (get.frequencies-like, samples): 60 subjects in 2 arms, 4 visits, in 12 batches."""
    rng = np.random.default_rng(seed)
    batch = rng.normal(0, sd["batch"], 12)
    rows, sheet = [], []

    def add(subject: str, visit: str, arm: str | None, logit: float, b: int, tube: int) -> None:
        p = 1 / (1 + np.exp(-(logit + batch[b] + rng.normal(0, sd["technical"]))))
        count = float(rng.binomial(events, p)) if events < HUGE else events * p
        name = f"{subject}_{visit}_{b}_{tube}"
        rows.append((name, "Treg", arm, subject, visit, count, float(events), count / events))
        sheet.append((name, f"B{b:02d}", arm is None))

    for i in range(60):
        level = -2.8 + rng.normal(0, sd["subject"])
        for j in range(4):
            logit = level + 0.5 * (i % 2) * (j > 0) + rng.normal(0, sd["visit"])
            for tube in range(replicates):
                add(f"S{i:02d}", f"W{j}", ("placebo", "IL-2")[i % 2], logit, (i // 5 + 5 * j) % 12, tube)
    for b in range(12 * (controls > 0)):
        for tube in range(controls):
            add("PBMC", "none", None, -2.5, b, tube)
    columns = ["sample", "population", "arm", "subject", "visit", "count", "parent_count", "frequency"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return frame, pl.DataFrame(sheet, schema=["sample", "batch", "control"], orient="row")


TRUE = {"subject": 0.4, "visit": 0.25, "batch": 0.2, "technical": 0.12}


def sds(table: pl.DataFrame) -> dict[str, float]:
    return dict(table.select("component", "sd").iter_rows())


def test_replicates_and_batches_recover_what_was_simulated() -> None:
    found = [sds(variance_components(f, samples=s)) for f, s in (simulate(sd=TRUE, seed=seed) for seed in range(2))]

    mean = {name: float(np.mean([run[name] for run in found])) for name in TRUE}
    for name, error in {"subject": 0.06, "visit": 0.03, "batch": 0.1, "technical": 0.012}.items():
        assert mean[name] == pytest.approx(TRUE[name], abs=error), name
    assert all(run["counting"] < 1e-4 for run in found)


def test_bridging_controls_separate_technical_from_visit_without_replicates() -> None:
    frequencies, samples = simulate(sd=TRUE, replicates=1, controls=6, seed=4)

    with_controls = sds(variance_components(frequencies, samples=samples))
    without = variance_components(frequencies.filter(pl.col("arm").is_not_null()), samples=samples)

    assert with_controls["technical"] == pytest.approx(TRUE["technical"], abs=0.03)
    assert with_controls["visit"] == pytest.approx(TRUE["visit"], abs=0.04)
    assert sds(without)["visit"] == pytest.approx(np.hypot(TRUE["visit"], TRUE["technical"]), abs=0.04)
    notes = dict(without.select("component", "note").iter_rows())
    assert notes["visit"] == "with technical: nothing was measured twice"
    assert np.isnan(sds(without)["technical"])


def test_counting_is_known_and_not_taken_for_technique() -> None:
    frequencies, samples = simulate(sd=TRUE, events=600, seed=6)
    table = variance_components(frequencies, samples=samples)

    found = sds(table)
    count = frequencies["count"].to_numpy()
    assert found["counting"] == pytest.approx(np.sqrt(np.mean(1 / count + 1 / (600 - count))), rel=0.02)
    assert found["technical"] == pytest.approx(TRUE["technical"], abs=0.04)
    # Left out of account, counting would more than half as much again be called technique.
    assert np.hypot(found["technical"], found["counting"]) > 1.5 * TRUE["technical"]


def test_shares_add_up_and_the_other_columns_follow_from_the_variances() -> None:
    frame, samples = simulate(sd=TRUE, events=3000)
    few = frame.filter(pl.col("subject") < "S20")
    table = variance_components(few, samples=samples)
    variance = {name: sd**2 for name, sd in sds(table).items()}
    total = sum(variance.values())
    by = {row["component"]: row for row in table.iter_rows(named=True)}

    assert table["share"].sum() == pytest.approx(1.0)
    assert by["subject"]["icc"] == pytest.approx(variance["subject"] / total)
    assert by["visit"]["icc"] == pytest.approx((variance["subject"] + variance["visit"]) / total)
    logit = np.log((few["count"] + 0.5) / (3000.5 - few["count"]))
    assert by["technical"]["cv"] == pytest.approx(by["technical"]["sd"] * (1 - 1 / (1 + np.exp(-logit.mean()))))


def test_without_batches_or_visits_the_table_says_so() -> None:
    frequencies = simulate(sd=TRUE)[0].filter(pl.col("subject") < "S20")
    once = frequencies.filter(visit="W0").filter(pl.col("sample").str.ends_with("_0"))

    no_batch = variance_components(frequencies)
    single = variance_components(once)

    assert no_batch.filter(component="batch").select("sd", "note").row(0)[1] == "fewer than two batch levels are known"
    assert single.filter(component="subject")["note"].item() == "this design cannot tell it from the other components"
    assert variance_components(frequencies[:1])["sd"][:4].is_nan().all()
    with pytest.raises(StudyError) as e:
        variance_components(frequencies, samples=pl.DataFrame({"sample": ["a", "a"]}))
    assert str(e.value) == "variance_components: 2 rows are not the only one of their sample, first sample a."
