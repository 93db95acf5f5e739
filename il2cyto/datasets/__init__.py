"""Simulated trials: no patient is in them, and every file says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.datasets._sample_data import sample_data_path as sample_data_path
    from il2cyto.datasets._toy import toy_trial as toy_trial
    from il2cyto.datasets._trial import simulate_trial as simulate_trial


__getattr__, __dir__, __all__ = attach(
    __name__, {"sample_data_path": "_sample_data", "simulate_trial": "_trial", "toy_trial": "_toy"}
)
