"""The frequency model against its table of effects and the published means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from il2cyto.datasets._design import Design, make_design
from il2cyto.datasets._frequencies import (
    EFFECT_WEEKS,
    EFFECTS,
    LYMPHOCYTES,
    NODE,
    NODES,
    draw_logits,
    lymphocyte_fractions,
    node_shifts,
)


def design(subjects: int, effects: float = 1.0, seed: int = 1) -> Design:
    return make_design(
        subjects=subjects, seed=seed, visits=EFFECT_WEEKS, arms=("placebo", "IL-2"), effects=effects, batches="subjects"
    )


def endpoints(logits: np.ndarray) -> dict[str, np.ndarray]:
    cells = dict(zip(LYMPHOCYTES, np.moveaxis(lymphocyte_fractions(logits), -1, 0), strict=True))
    cd4, nk = cells["CD4_other"] + cells["Treg"], cells["NK_dim"] + cells["CD56bright"]
    return {
        "CD4": cd4,
        "CD8": cells["CD8"],
        "Treg": cells["Treg"] / cd4,
        "NK": nk,
        "CD56bright": cells["CD56bright"] / nk,
    }


def test_fractions_of_lymphocytes_sum_to_one() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (500, len(NODES)))
    fractions = lymphocyte_fractions(logits)
    assert (fractions >= 0).all()
    np.testing.assert_allclose(fractions.sum(axis=-1), 1, rtol=1e-12)


def test_shifts_of_week_6_are_those_computed_by_hand() -> None:
    shifts = node_shifts(6.0, 1.0)
    assert shifts[NODE["T"]] == pytest.approx(0.167, abs=5e-4)
    assert shifts[NODE["CD4"]] == pytest.approx(0.033, abs=5e-4)
    assert (node_shifts(6.0, 0.0) == 0).all()
    assert (node_shifts(0.0, 1.0) == 0).all()


def test_baseline_agrees_with_the_published_cohort() -> None:
    values = endpoints(draw_logits(design(6000))[:, 0])
    assert values["CD4"].mean() == pytest.approx(0.3346, abs=0.01)
    assert values["CD8"].mean() == pytest.approx(0.3549, abs=0.01)
    assert values["CD4"].std() == pytest.approx(0.11, abs=0.01)
    assert np.median(values["NK"]) == pytest.approx(0.051, abs=0.003)
    assert np.median(values["Treg"]) == pytest.approx(0.055, abs=0.002)
    assert np.median(values["CD56bright"]) == pytest.approx(0.080, abs=0.003)


@pytest.mark.parametrize("effects", [1.0, 0.5, 0.0])
def test_arms_differ_by_the_tabled_effects(effects: float) -> None:
    # Same seed without effects: the noise cancels, and what remains is the drug.
    with_drug, without = (endpoints(draw_logits(design(4000, scale))) for scale in (effects, 0.0))
    active = design(4000).active
    for name, tabled in EFFECTS.items():
        moved = logit(with_drug[name]) - logit(without[name])
        np.testing.assert_allclose(moved[active].mean(axis=0), effects * np.array(tabled), atol=0.004)
        assert (moved[~active] == 0).all()


def test_parts_of_the_variance_are_those_of_the_nodes() -> None:
    logits = draw_logits(design(8000, 0.0))[:, :, NODE["Treg"]]
    node = NODES[NODE["Treg"]]
    assert logits[:, 0].std() == pytest.approx(node.sd, rel=0.03)
    # Half the variance of a difference of neighbours: (1 - rho) within^2 + technical^2.
    neighbours = np.diff(logits, axis=1).var(axis=0).mean() / 2
    assert neighbours == pytest.approx(0.5 * node.within**2 + node.technical**2, rel=0.05)


def test_a_longer_trial_keeps_the_subjects_of_a_shorter_one() -> None:
    np.testing.assert_array_equal(draw_logits(design(10, 0.0)), draw_logits(design(20, 0.0))[:10])
