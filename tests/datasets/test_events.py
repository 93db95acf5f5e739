"""The event generator: what is put in can be got out of the values."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.datasets import _panel as panel
from il2cyto.datasets._events import Events, Tube, draw_events
from il2cyto.datasets._frequencies import NODES, lymphocyte_fractions

FRACTIONS = lymphocyte_fractions(np.array([node.mean for node in NODES]))


def draw(n: int = 30_000, *, drug: float = 0.0, shift: float = 0.0, seed: int = 1) -> Events:
    tube = Tube(FRACTIONS, n, np.full(len(panel.MARKERS), shift), drug)
    return draw_events(tube, np.random.Generator(np.random.SFC64(seed)))


def compensated(events: Events) -> dict[str, np.ndarray]:
    colours = events.values[:, 5:].astype(float) @ np.linalg.inv(panel.spillover_matrix())
    return dict(zip(panel.MARKERS, colours.T, strict=True))


def of(events: Events, population: str) -> np.ndarray:
    return np.asarray((events.population == panel.CODE[population]) & (events.status == 0))


def test_spillover_obeys_its_bounds() -> None:
    matrix = panel.spillover_matrix()
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    assert (np.diag(matrix) == 1).all()
    assert off.min() == 0
    assert off.max() <= 0.25
    assert np.linalg.cond(matrix) < 10


def test_compensation_recovers_the_levels_of_every_population() -> None:
    events = draw(200_000)
    colours = compensated(events)
    background = dict(zip(panel.MARKERS, panel.AUTOFLUORESCENCE, strict=True))
    for population, levels in panel.LEVELS.items():
        if population == "debris":
            continue
        size = panel.SCATTER_LEVELS[population][0] / panel.SCATTER_LEVELS["B"][0]
        for marker in set(panel.MARKERS) - {"Viability"}:
            mean, _ = levels.get(marker, panel.NEGATIVE)
            found = np.median(colours[marker][of(events, population)]) - size * background[marker]
            assert found == pytest.approx(10**mean, rel=0.06, abs=35), (population, marker)


def test_uncompensated_values_do_not_separate_what_compensated_ones_do() -> None:
    events = draw()
    raw, colours = dict(zip(panel.MARKERS, events.values[:, 5:].T, strict=True)), compensated(events)
    b, t = of(events, "B"), of(events, "CD4_other") | of(events, "CD8")
    # CD19's detector sees the CD4 and CD8 dyes of T cells until they are taken out.
    assert np.median(raw["CD19"][t]) > 700
    assert abs(np.median(colours["CD19"][t])) < 200
    assert np.mean(colours["CD19"][b] > 2000) > 0.99
    assert np.mean(colours["CD19"][t] < 2000) > 0.999


def test_negative_populations_spread_below_zero() -> None:
    events = draw()
    share = np.mean(compensated(events)["CD3"][of(events, "B")] < 0)
    assert 0.01 < share < 0.5


def test_treg_overlaps_the_other_cd4_cells_on_each_axis() -> None:
    events = draw(100_000)
    colours = compensated(events)
    treg, other = of(events, "Treg"), of(events, "CD4_other")
    for marker, sign in (("CD25", 1), ("CD127", -1)):
        values = sign * colours[marker]
        above = np.searchsorted(np.sort(values[other]), values[treg]) / other.sum()
        assert 0.93 < above.mean() < 0.995, marker


def test_drug_brightens_without_moving_a_label() -> None:
    on, off = draw(drug=1.0), draw(drug=0.0)
    np.testing.assert_array_equal(on.population, off.population)
    np.testing.assert_array_equal(on.status, off.status)
    gain = {
        (marker, population): np.log10(np.median(compensated(on)[marker][of(on, population)]))
        - np.log10(np.median(compensated(off)[marker][of(off, population)]))
        for marker, population in (("CD25", "Treg"), ("CD25", "CD4_other"), ("CD56", "NK_dim"), ("CD127", "Treg"))
    }
    assert gain["CD25", "Treg"] == pytest.approx(0.20, abs=0.02)
    assert gain["CD25", "CD4_other"] == pytest.approx(0.05, abs=0.02)
    assert gain["CD56", "NK_dim"] == pytest.approx(0.10, abs=0.02)
    assert gain["CD127", "Treg"] == pytest.approx(0, abs=1e-3)


def test_batch_shift_multiplies_brightness() -> None:
    shifted, plain = compensated(draw(shift=0.3)), compensated(draw())
    cd8 = of(draw(), "CD8")
    assert np.log10(np.median(shifted["CD8"][cd8]) / np.median(plain["CD8"][cd8])) == pytest.approx(0.3, abs=0.01)


def test_shares_of_artefacts_stay_in_their_ranges() -> None:
    shares = np.array([np.bincount(draw(20_000, seed=seed).status, minlength=5) / 20_000 for seed in range(30)])
    dead, doublet, debris = shares[:, 1], shares[:, 2], shares[:, 3]
    assert dead.min() > 0.015
    assert dead.max() < 0.105
    assert doublet.min() > 0.008
    assert doublet.max() < 0.043
    assert debris.min() > 0.027
    assert debris.max() < 0.105
    assert shares[:, 4].min() > 0


def test_artefacts_look_like_what_they_are() -> None:
    events = draw()
    area, height = events.values[:, 1], events.values[:, 2]
    status = {name: events.status == code for code, name in enumerate(panel.STATUSES)}
    assert np.median(height[status["live"]] / area[status["live"]]) == pytest.approx(0.8, abs=0.005)
    assert np.mean(height[status["doublet"]] / area[status["doublet"]] < 0.7) > 0.97
    assert (area[status["margin"]] == panel.RANGE - 1).all()
    assert np.mean(area[status["debris"]] < 45_000) > 0.99
    viability = compensated(events)["Viability"]
    assert np.mean(viability[status["dead"]] > 3000) > 0.99
    assert np.mean(viability[status["live"]] < 3000) > 0.999


def test_truth_counts_live_single_cells_by_label() -> None:
    events = draw()
    by_hand = [
        int(((events.population == code) & (events.status == 0)).sum()) for code in range(len(panel.POPULATIONS))
    ]
    assert events.counts().tolist() == by_hand
    assert events.counts()[panel.CODE["debris"]] == 0


def test_time_increases_and_values_stay_in_range() -> None:
    values = draw().values
    assert values.dtype == np.float32
    assert (np.diff(values[:, 0]) >= 0).all()
    assert values.max() <= panel.RANGE - 1
    assert np.isfinite(values).all()
