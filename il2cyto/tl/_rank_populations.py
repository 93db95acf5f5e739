"""Populations ranked between groups by scanpy, where that says something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto import get
from il2cyto._keys import Obs
from il2cyto.errors import ModelError
from il2cyto.io._bridges import warn_of_repeats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def rank_populations(
    adata: AnnData,
    *,
    groupby: str = Obs.ARM,
    reference: str | None = None,
    visit: str | None = None,
    populations: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rank populations by how their fractions differ between groups of subjects: scanpy's Wilcoxon rank-sum test.

    A look, not an analysis: the trial's contrasts come from :func:`mmrm` and its like. scanpy's own fold changes are left out:
    they take the values as logarithms.

    Parameters
    ----------
    adata
        Cohort object.
    groupby
        A column of obs.
    reference
        The group to compare with; the first category if None.
    visit
        Samples of this visit only; without it a subject's visits count as if they were different subjects.
    populations
        Which ones; all if None. Samples in which one of them is not evaluable are left out.

    Returns
    -------
    By group, the smallest p first: `group reference population n n_reference difference score p p_adjusted`; `difference` is
    that of the medians, a fraction; adjustment after Benjamini and Hochberg over the populations of a group.

    Warns
    -----
    IndependenceWarning
        A subject has several samples.

    Raises
    ------
    ModelError
        Fewer than two groups have two samples.

    Examples
    --------
    >>> from il2cyto import datasets, tl
    >>> adata = datasets.toy_trial(subjects=4)
    >>> ranked = tl.rank_populations(adata, visit="W12", populations=["CD4", "Treg"])
    >>> sorted(ranked["population"])
    ['CD4', 'Treg']
    """
    import scanpy as sc  # slow to import

    part = get.complete_cases(adata, populations=populations, visit=visit)
    warn_of_repeats(part.obs, "rank_populations")
    part.obs[groupby] = part.obs[groupby].astype("category").cat.remove_unused_categories()
    sizes = part.obs[groupby].value_counts()
    groups = [str(level) for level in part.obs[groupby].cat.categories if sizes[level] > 1]
    base = groups[0] if reference is None and groups else str(reference)
    if len(groups) < 2 or base not in groups:
        found = ", ".join(f"{level}: {number}" for level, number in sizes.items())
        msg = f"rank_populations: {groupby!r} needs a reference and another group of two samples each; found {found}"
        raise ModelError(msg)
    others = [group for group in groups if group != base]
    # scanpy writes into the object and warns of missing log1p; neither concerns a copy of fractions.
    sc.tl.rank_genes_groups(part, groupby, groups=others, reference=base, method="wilcoxon", tie_correct=True)
    ranked = part.uns["rank_genes_groups"]
    label = part.obs[groupby].astype(str).to_numpy()
    middle = {
        group: dict(zip(part.var_names, np.median(part.X[label == group], axis=0), strict=True)) for group in groups
    }
    frames = []
    for group in others:
        names = [str(name) for name in ranked["names"][group]]
        frames.append(
            pl.DataFrame(
                {
                    "group": [group] * len(names),
                    "reference": [base] * len(names),
                    "population": names,
                    "n": [int(sizes[group])] * len(names),
                    "n_reference": [int(sizes[base])] * len(names),
                    "difference": [float(middle[group][name] - middle[base][name]) for name in names],
                    "score": ranked["scores"][group].astype(np.float64),
                    "p": ranked["pvals"][group].astype(np.float64),
                    "p_adjusted": ranked["pvals_adj"][group].astype(np.float64),
                }
            ).sort("p", "population")
        )
    return pl.concat(frames)
