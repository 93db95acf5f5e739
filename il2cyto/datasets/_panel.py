"""The simulated panel: detectors, markers, spillover and the brightness of every population. All numbers are assumptions."""

from __future__ import annotations

import numpy as np

from il2cyto.datasets._frequencies import LYMPHOCYTES

RANGE = 262144
SCATTER = ("FSC-A", "FSC-H", "SSC-A", "SSC-H")
COLOURS = {
    "Viability": "BV510-A",
    "CD45": "AF700-A",
    "CD3": "APC-Cy7-A",
    "CD4": "PerCP-Cy5-5-A",
    "CD8": "BV785-A",
    "CD25": "PE-A",
    "CD127": "BV421-A",
    "CD56": "PE-Cy7-A",
    "CD16": "BV605-A",
    "CD19": "BV711-A",
    "CD14": "PE-CF594-A",
    "FOXP3": "AF647-A",
}
MARKERS = tuple(COLOURS)
NAMES = ("Time", *SCATTER, *COLOURS.values())
LABELS = ("", *("" for _ in SCATTER), *MARKERS)

# Fluorochrome -> neighbours it spills into, per cent: neighbours 2-25, a tandem into its donor's detector 1-5, others below 1.
_SPILL_PERCENT: dict[str, dict[str, float]] = {
    "BV421-A": {"BV510-A": 9.0, "BV605-A": 2.0, "BV711-A": 0.5, "BV785-A": 0.4},
    "BV510-A": {"BV421-A": 2.5, "BV605-A": 12.0, "BV711-A": 2.2, "BV785-A": 0.9},
    "BV605-A": {"BV421-A": 1.5, "BV510-A": 3.0, "BV711-A": 14.0, "PE-A": 2.5, "PE-CF594-A": 8.0, "BV785-A": 4.0},
    "BV711-A": {"BV421-A": 2.0, "BV785-A": 18.0, "AF700-A": 6.0, "PerCP-Cy5-5-A": 4.0, "APC-Cy7-A": 0.8},
    "BV785-A": {"BV421-A": 2.2, "BV711-A": 6.0, "APC-Cy7-A": 5.0, "PE-Cy7-A": 2.0},
    "PerCP-Cy5-5-A": {
        "BV711-A": 11.0,
        "AF700-A": 5.0,
        "PE-Cy7-A": 6.0,
        "AF647-A": 2.0,
        "BV785-A": 3.0,
        "APC-Cy7-A": 0.6,
    },
    "PE-A": {"PE-CF594-A": 24.0, "PerCP-Cy5-5-A": 3.0, "PE-Cy7-A": 2.0, "BV605-A": 2.0},
    "PE-CF594-A": {"PE-A": 5.0, "PerCP-Cy5-5-A": 14.0, "PE-Cy7-A": 3.0, "BV605-A": 4.0},
    "PE-Cy7-A": {"PE-A": 2.5, "PE-CF594-A": 0.9, "APC-Cy7-A": 4.0, "BV785-A": 2.5},
    "AF647-A": {"AF700-A": 20.0, "APC-Cy7-A": 5.0, "PerCP-Cy5-5-A": 0.8},
    "AF700-A": {"APC-Cy7-A": 8.0, "AF647-A": 0.9, "BV711-A": 0.7, "BV785-A": 2.0},
    "APC-Cy7-A": {"AF647-A": 3.5, "AF700-A": 6.0, "PE-Cy7-A": 2.0, "BV785-A": 2.5},
}

POPULATIONS = (*LYMPHOCYTES, "monocyte", "granulocyte", "debris")
CODE = {name: code for code, name in enumerate(POPULATIONS)}
STATUSES = ("live", "dead", "doublet", "debris", "margin")

# log10 brightness, mean and SD. Unnamed markers are negative.
NEGATIVE = (2.0, 0.30)
_HIGH = (4.2, 0.15)
_LYMPHOCYTE = {"CD45": (4.55, 0.12)}
_T = {**_LYMPHOCYTE, "CD3": _HIGH, "CD25": (2.2, 0.30)}
_CD4 = {**_T, "CD4": _HIGH, "CD25": (2.7, 0.35), "CD127": (3.5, 0.22), "FOXP3": (2.3, 0.30)}
_NK = {**_LYMPHOCYTE, "CD8": (2.4, 0.50)}
LEVELS: dict[str, dict[str, tuple[float, float]]] = {
    "CD4_other": _CD4,
    # CD25 and CD127 of Treg and the other CD4 cells overlap: neither marker has a valley.
    "Treg": {**_CD4, "CD25": (3.5, 0.22), "CD127": (2.7, 0.25), "FOXP3": (3.4, 0.25)},
    "CD8": {**_T, "CD8": (4.4, 0.18), "CD127": (3.2, 0.35)},
    "DN": {**_T, "CD127": (2.9, 0.40)},
    "NK_dim": {**_NK, "CD56": (3.5, 0.20), "CD16": (4.0, 0.25)},
    "CD56bright": {**_NK, "CD56": (4.15, 0.17), "CD16": (2.6, 0.35), "CD127": (2.8, 0.30), "CD25": (2.7, 0.30)},
    "B": {**_LYMPHOCYTE, "CD19": (4.1, 0.20), "CD25": (2.3, 0.30)},
    "null": _LYMPHOCYTE,
    "monocyte": {"CD45": (4.1, 0.15), "CD14": (4.2, 0.18), "CD4": (3.0, 0.22), "CD16": (2.4, 0.40)},
    "granulocyte": {"CD45": (3.85, 0.15), "CD16": (4.0, 0.30)},
    "debris": {"Viability": (2.6, 0.40), "CD45": (2.3, 0.35)},
}
DEAD_VIABILITY = (4.2, 0.20)
# Means of FSC-A and SSC-A and their coefficients of variation.
SCATTER_LEVELS: dict[str, tuple[float, float, float, float]] = {
    **dict.fromkeys(LYMPHOCYTES, (90_000, 0.09, 26_000, 0.15)),
    "monocyte": (130_000, 0.09, 66_000, 0.13),
    "granulocyte": (140_000, 0.09, 150_000, 0.12),
    "debris": (16_000, 0.35, 9_000, 0.45),
}
# On drug, log10 units: trap for a cut that follows the dose. Every other T cell gains a little CD25.
DRUG_CD25_TREG, DRUG_CD25_OTHER, DRUG_CD56_NK = 0.20, 0.05, 0.10

# Unstained signal of a lymphocyte per detector; the violet and blue lines excite more of it than the red.
AUTOFLUORESCENCE = np.array([70, 12, 15, 45, 25, 40, 60, 25, 60, 30, 40, 12], np.float32)
ELECTRONIC_NOISE = 45.0
# SD of the photon noise is this times the square root of the signal.
PHOTON_NOISE = 2.5


def spillover_matrix() -> np.ndarray:
    """Spillover, (12, 12) float64, a row per fluorochrome and ones on the diagonal; channels in the order of `COLOURS`."""
    detectors = list(COLOURS.values())
    matrix = np.eye(len(detectors))
    for source, targets in _SPILL_PERCENT.items():
        for target, percent in targets.items():
            matrix[detectors.index(source), detectors.index(target)] = percent / 100
    return matrix


def level_tables() -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of log10 brightness, each (12 markers, 11 populations) float32."""
    pairs = np.array(
        [[LEVELS[population].get(marker, NEGATIVE) for population in POPULATIONS] for marker in MARKERS], np.float32
    )
    return pairs[..., 0], pairs[..., 1]


def drug_shift() -> np.ndarray:
    """Gain of log10 brightness on drug, (12 markers, 11 populations) float32."""
    shift = np.zeros((len(MARKERS), len(POPULATIONS)), np.float32)
    shift[MARKERS.index("CD25"), [CODE[name] for name in ("CD4_other", "CD8", "DN")]] = DRUG_CD25_OTHER
    shift[MARKERS.index("CD25"), CODE["Treg"]] = DRUG_CD25_TREG
    shift[MARKERS.index("CD56"), [CODE["NK_dim"], CODE["CD56bright"]]] = DRUG_CD56_NK
    return shift
