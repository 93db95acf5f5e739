"""The clinical tables: published margins, and agreement of every row with the rules of its endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from il2cyto.datasets import simulate_trial

if TYPE_CHECKING:
    from pathlib import Path

# Written out once more, from the definition of the SLEDAI, as an oracle.
WEIGHTS = {
    8: "seizure psychosis organic_brain_syndrome visual cranial_nerve lupus_headache cva vasculitis",
    4: "arthritis myositis casts haematuria proteinuria pyuria",
    2: "rash alopecia mucosal_ulcers pleurisy pericarditis low_complement dna_binding",
    1: "fever thrombocytopenia leukopenia",
}
BILAG = [
    "constitutional",
    "mucocutaneous",
    "neuropsychiatric",
    "musculoskeletal",
    "cardiorespiratory",
    "gastrointestinal",
    "ophthalmic",
    "renal",
    "haematological",
]


def tables(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    subjects, visits, events = (
        pl.read_csv(folder / f"{name}.csv") for name in ("subjects", "visits", "adverse_events")
    )
    return subjects, visits, events


def sri4(before: dict[str, object], after: dict[str, object], failure_day: int | None) -> bool:
    """SRI-4 of one visit against baseline, from the definition."""
    rank = {letter: i for i, letter in enumerate("ABCDE")}
    old, new = ([rank[str(row[f"bilag_{domain}"])] for domain in BILAG] for row in (before, after))
    new_a = sum(n == 0 and o != 0 for o, n in zip(old, new, strict=True))
    new_b = sum(n == 1 and o >= 2 for o, n in zip(old, new, strict=True))
    return (
        before["sledai_total"] - after["sledai_total"] >= 4  # type: ignore[operator]
        and new_a == 0
        and new_b <= 1
        and round(after["pga"] - before["pga"], 6) < 0.3  # type: ignore[operator]
        and not (failure_day is not None and failure_day <= after["study_day"])  # type: ignore[operator]
    )


def responders(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """(arm, visit) -> responders and analysed subjects; who is missing is no responder."""
    subjects, visits, _ = tables(folder)
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for row in subjects.filter(pl.col("doses_given") > 0).iter_rows(named=True):
        own = {
            visit["visit"]: visit for visit in visits.filter(pl.col("subject") == row["subject"]).iter_rows(named=True)
        }
        for visit in visits["visit"].unique():
            hit = visit in own and visit != "W0" and sri4(own["W0"], own[visit], row["failure_day"])
            n, total = counts.get((row["arm"], visit), (0, 0))
            counts[row["arm"], visit] = (n + hit, total + 1)
    return counts


@pytest.mark.parametrize("seed", [7, 2020, 5])
def test_sri4_by_the_rules_gives_the_published_counts(tmp_path: Path, seed: int) -> None:
    counts = responders(simulate_trial(tmp_path, seed=seed, files=False).parent)
    assert counts["placebo", "W12"] == (9, 30)
    assert counts["IL-2", "W12"] == (16, 29)
    assert counts["placebo", "W24"] == (11, 30)
    assert counts["IL-2", "W24"] == (19, 29)


@pytest.mark.parametrize("visit", ["W12", "W24"])
def test_nephritis_remission_by_the_rules_gives_the_published_counts(trial: Path, visit: str) -> None:
    subjects, visits, _ = tables(trial)
    baseline = visits.filter(pl.col("visit") == "W0").select("subject", base="creatinine_umol_l")
    joined = (
        subjects.filter("lupus_nephritis")
        .join(visits.filter(pl.col("visit") == visit), on="subject", how="left")
        .join(baseline, on="subject")
        .with_columns(
            cr=((pl.col("upe_g_24h") < 0.5) & (pl.col("creatinine_umol_l") <= 1.15 * pl.col("base"))).fill_null(
                value=False
            )
        )
    )
    found = {arm: (n, total) for arm, n, total in joined.group_by("arm").agg(pl.col("cr").sum(), pl.len()).iter_rows()}
    assert found == {"placebo": (2, 12), "IL-2": (7, 13)}


def test_adverse_events_have_the_published_counts(trial: Path) -> None:
    subjects, _, events = tables(trial)
    events = events.join(subjects.select("subject", "arm"), on="subject")

    def count(condition: pl.Expr) -> tuple[int, int]:
        hit = events.filter(condition)
        return tuple(hit.filter(pl.col("arm") == arm)["subject"].n_unique() for arm in ("IL-2", "placebo"))  # type: ignore[return-value]

    group = pl.col("group").str.split(";")
    expected = {
        "infection": (2, 6),
        "urti": (2, 4),
        "herpes_zoster": (0, 1),
        "pneumonia": (0, 1),
        "npsle": (0, 1),
        "injection_site": (9, 2),
        "fever": (4, 0),
        "flu_like": (3, 0),
    }
    assert {name: count(group.list.contains(name)) for name in expected} == expected
    assert count(pl.col("serious")) == (0, 3)
    assert count(pl.col("serious") & group.list.contains("infection")) == (0, 2)


def test_adverse_events_fall_under_treatment(trial: Path) -> None:
    subjects, _, events = tables(trial)
    joined = events.join(subjects, on="subject")
    assert (joined["start_day"] >= joined["first_dose_day"]).all()
    assert (joined["start_day"] <= joined["last_dose_day"] + 28).all()
    assert (events["end_day"] >= events["start_day"]).all()
    assert events["ae_id"].is_unique().all()


def test_sledai_total_equals_the_weighted_items(trial: Path) -> None:
    _, visits, _ = tables(trial)
    items = {f"sledai_{item}": weight for weight, names in WEIGHTS.items() for item in names.split()}
    assert sum(items.values()) == 105
    total = pl.sum_horizontal(pl.col(item).cast(pl.Int64) * weight for item, weight in items.items())
    assert visits.filter(total != pl.col("sledai_total")).is_empty()
    baseline = visits.filter(pl.col("visit") == "W0")["sledai_total"]
    assert baseline.min() >= 8  # type: ignore[operator]
    assert baseline.max() <= 27  # type: ignore[operator]


def test_laboratory_values_agree_with_their_items(trial: Path) -> None:
    _, visits, _ = tables(trial)
    limits = {
        "low_complement": (pl.col("c3_g_l") < 0.9) | (pl.col("c4_g_l") < 0.1),
        "dna_binding": pl.col("dsdna_iu_ml") > 100,
        "thrombocytopenia": pl.col("platelets_1e9_l") < 100,
        "leukopenia": pl.col("wbc_1e9_l") < 3,
        "proteinuria": pl.col("upe_g_24h") > 0.5,
    }
    for item, rule in limits.items():
        assert visits.filter(rule != pl.col(f"sledai_{item}")).is_empty(), item


def test_subjects_reconcile_with_visits_and_doses(trial: Path) -> None:
    subjects, visits, _ = tables(trial)
    assert len(subjects) == 65
    randomised = subjects.filter("randomised")
    assert randomised["arm"].value_counts().sort("arm").rows() == [("IL-2", 30), ("placebo", 30)]
    assert subjects.filter(~pl.col("enrolled"))["arm"].null_count() == 5
    seen = visits.group_by("subject").agg(
        last=pl.col("study_day").max(), doses=pl.col("doses_since_prev").sum(), n=pl.len()
    )
    joined = randomised.join(seen, on="subject")
    assert len(joined) == 60
    assert (joined["end_day"] == joined["last"]).all()
    assert joined.filter((pl.col("end_reason") == "completed") != (pl.col("n") == 8)).is_empty()
    assert joined.filter((pl.col("end_reason") == "completed") & (pl.col("doses") != pl.col("doses_given"))).is_empty()
    untreated = joined.filter(pl.col("doses_given") == 0)
    assert untreated.select("arm", "n").rows() == [("IL-2", 1)]


def test_missing_follows_the_plan(trial: Path) -> None:
    _, visits, _ = tables(trial)
    sheet = pl.read_csv(trial / "samples.csv")
    at_end = visits.filter(pl.col("visit") == "W24")["subject"].n_unique()
    assert at_end == 60 - 1 - 7
    assert sheet.filter(pl.col("visit") == "W0").height == 60
    # Every tube belongs to a visit that took place; some visits have no tube.
    assert sheet.join(visits, on=["subject", "visit"], how="anti").is_empty()
    gaps = 1 - sheet.filter(pl.col("visit") != "W0").height / visits.filter(pl.col("visit") != "W0").height
    assert 0.03 < gaps < 0.10


def test_free_outcomes_have_the_expected_rate_and_no_effect_under_the_null(tmp_path: Path) -> None:
    study = simulate_trial(tmp_path / "drug", subjects=400, files=False, visits=(0, 10, 12, 24), seed=3)
    null = simulate_trial(tmp_path / "null", subjects=400, files=False, visits=(0, 10, 12, 24), seed=3, effects=0)
    rates = {key: n / total for key, (n, total) in responders(study.parent).items()}
    assert rates["IL-2", "W12"] == pytest.approx(16 / 29, abs=0.1)
    assert rates["placebo", "W12"] == pytest.approx(9 / 30, abs=0.1)
    rates = {key: n / total for key, (n, total) in responders(null.parent).items()}
    assert rates["IL-2", "W12"] == pytest.approx(9 / 30, abs=0.1)
