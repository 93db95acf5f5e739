"""A small gated trial in memory, for docs and tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.cohort import gate_study
from il2cyto.datasets._trial import simulate_trial
from il2cyto.io import read_study

if TYPE_CHECKING:
    from anndata import AnnData


def toy_trial(*, subjects: int = 8, seed: int = 2020, events: int = 4000) -> AnnData:
    """Simulate and gate a small trial: weeks 0, 6 and 12, two arms. No patient is in it.

    Parameters
    ----------
    subjects
        Randomised subjects, half in each arm.
    seed
        The same seed gives the same object.
    events
        Events in each file.

    Returns
    -------
    The cohort object, samples × populations, with ``uns["il2cyto"]["simulated"]`` True.

    Examples
    --------
    >>> from il2cyto import datasets
    >>> adata = datasets.toy_trial(subjects=2)
    >>> list(adata.var_names[adata.var["role"] == "endpoint"])
    ['CD4', 'CD8', 'Treg', 'NK', 'CD56bright']
    """
    with tempfile.TemporaryDirectory() as folder:
        study = simulate_trial(Path(folder) / "toy", subjects=subjects, seed=seed, events=events, visits=(0, 6, 12))
        return gate_study(read_study(study)).adata
