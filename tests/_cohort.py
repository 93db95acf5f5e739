"""A small simulated cohort object, made by hand after docs/schema.md section 3, without the code that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

WEEKS = {"W0": 0, "W2": 2, "W4": 4, "W6": 6, "W8": 8, "W10": 10, "W12": 12, "W24": 24}
#: population -> parent, logit of its usual fraction, effect of treatment on drug, label
TREE = {
    "lymphocytes": ("root", 0.8, 0.0, "Lymphocytes"),
    "T": ("lymphocytes", 1.0, 0.0, "T cells"),
    "CD4": ("T", 0.1, 0.05, "CD4+ T cells"),
    "CD8": ("T", -0.4, 0.0, "CD8+ T cells"),
    "Treg": ("CD4", -2.85, 0.55, "Regulatory T cells"),
    "NK": ("lymphocytes", -2.4, 0.25, "NK cells"),
    "CD56bright": ("NK", -2.44, 0.7, "CD56bright NK cells"),
}
#: flag -> bit, severity, meaning
FLAGS = {
    "SHRUNK": (1, "info", "own cut moved towards the group's"),
    "UNSTABLE": (5, "warn", "the cut varies under resampling"),
    "LOW_PARENT": (13, "warn", "the parent has few events"),
    "NO_PARENT": (20, "fail", "the parent has too few events for a fraction"),
    "PARENT_FAILED": (22, "fail", "an ancestor is not evaluable"),
}


def path(population: str) -> str:
    return "" if population == "root" else f"{path(TREE[population][0])}/{population}"


def make_cohort(
    subjects_per_arm: int = 6,
    *,
    arms: Sequence[str] = ("placebo", "IL-2"),
    weeks: dict[str, int] = WEEKS,
    seed: int = 7,
) -> AnnData:
    """One sample per subject and visit; 5 % of the samples are absent."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"SIM-{a * subjects_per_arm + i:03}", arm, visit)
        for a, arm in enumerate(arms)
        for i in range(subjects_per_arm)
        for visit in weeks
        if visit == next(iter(weeks)) or rng.random() > 0.05
    ]
    subject, arm, visit = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    week = np.array([weeks[v] for v in visit], dtype=np.float64)
    on_drug = (arm == arms[-1]) * np.isin(week, (2, 6, 10))
    obs = pd.DataFrame(
        {
            "subject": pd.Categorical(subject),
            "visit": pd.Categorical(visit, categories=list(weeks), ordered=True),
            "week": week,
            "baseline": week == 0,
            "arm": pd.Categorical(arm, categories=list(arms)),
            "batch": pd.Categorical(np.where(week < 7, "B1", "B2")),
            "panel": pd.Categorical(["tcell"] * len(rows)),
            "replicate": np.ones(len(rows), dtype=np.int64),
            "n_events": np.full(len(rows), 50_000, dtype=np.int64),
            "control": np.zeros(len(rows), dtype=bool),
        },
        index=pd.Index([f"{s}_{v}" for s, v in zip(subject, visit, strict=True)], name="sample"),
    )
    counts, parents = simulate_counts(rng, subject, on_drug)
    return assemble(obs, counts, parents, list(arms))


def simulate_counts(
    rng: np.random.Generator, subject: npt.NDArray[np.object_], on_drug: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Binomial counts down the tree, with a random effect of the subject and of the sample."""
    _, who = np.unique(subject, return_inverse=True)
    counts: dict[str, npt.NDArray[np.int64]] = {"root": np.full(len(subject), 50_000)}
    for name, (parent, logit, effect, _) in TREE.items():
        eta = logit + effect * on_drug + rng.normal(0, 0.45, who.max() + 1)[who] + rng.normal(0, 0.12, len(subject))
        # CD8 is drawn from what CD4 leaves, so that the two exclude each other.
        available = counts[parent] - (counts["CD4"] if name == "CD8" else 0)
        counts[name] = rng.binomial(available, 1 / (1 + np.exp(-eta - (1.6 if name == "CD8" else 0))))
    columns = [counts[name].astype(float) for name in TREE]
    return np.column_stack(columns), np.column_stack([counts[parent] for parent, *_ in TREE.values()]).astype(float)


def assemble(
    obs: pd.DataFrame, counts: npt.NDArray[np.float64], parents: npt.NDArray[np.float64], arms: list[str]
) -> AnnData:
    text = {
        "parent": [parent for parent, *_ in TREE.values()],
        "path": [path(name) for name in TREE],
        "role": ["intermediate" if name in {"lymphocytes", "T"} else "endpoint" for name in TREE],
        "label": [label for *_, label in TREE.values()],
    }
    var = pd.DataFrame(
        {name: pd.Categorical(values) for name, values in text.items()}, index=pd.Index(TREE, name="population")
    )
    adata = AnnData(counts / parents, obs=obs, var=var)
    adata.layers["counts"], adata.layers["parent_counts"] = counts, parents
    adata.layers["flag"] = np.zeros(counts.shape, dtype=np.int32)
    rng = np.random.default_rng(1)
    cut = pd.DataFrame({"CD4_CD4": rng.normal(0.5, 0.02, len(obs)), "Treg_CD25": rng.normal(0.6, 0.02, len(obs))})
    cut.index = obs.index
    adata.obsm["gate_cutpoints"], adata.obsm["gate_cutpoints_raw"] = cut, cut + 0.01
    adata.obsm["gate_cutpoints_spread"] = cut * 0 + 0.005
    adata.obsm["gate_flag"] = (cut * 0).astype(np.int32)
    weeks = obs.groupby("visit", observed=True)["week"].first()
    flags = pd.DataFrame.from_dict(FLAGS, orient="index", columns=["bit", "severity", "meaning"])
    adata.uns["il2cyto"] = {
        "schema_version": "1.0",
        "object": "cohort",
        "x": "freq_of_parent",
        "unit": "fraction",
        "total": "lymphocytes",
        "simulated": True,
        "study": "toy",
        "arms": arms,
        "treatment_weeks": np.array([[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]),
        "schedule": pd.DataFrame(
            {"week": weeks.to_numpy(), "order": np.arange(len(weeks)), "baseline": weeks.to_numpy() == 0},
            index=pd.Index(weeks.index.astype(str), name="visit"),
        ),
        "flags": flags.rename_axis("flag"),
        "cuts": pd.DataFrame(
            {"population": ["CD4", "Treg"], "marker": ["CD4", "CD25"], "coordinate": ["cut", "cut"]},
            index=pd.Index(["CD4_CD4", "Treg_CD25"], name="cut"),
        ),
    }
    return adata


def not_evaluable(adata: AnnData, sample: str, population: str, *flags: str) -> None:
    """Set flags, and with a failing one the NaN that belong to it, in one cell of the table."""
    i, j = adata.obs_names.get_loc(sample), adata.var_names.get_loc(population)
    for name in flags:
        bit, severity, _ = FLAGS[name]
        adata.layers["flag"][i, j] |= 1 << bit
        if severity == "fail":
            adata.layers["counts"][i, j] = np.nan
            adata.X[i, j] = np.nan
