"""Simulated trials: no patient is in them, and every file says so."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"simulate_trial": "_trial", "sample_data_path": "_sample_data"})
