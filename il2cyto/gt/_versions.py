"""A fitted gate at its final cuts: the fixed shape that it is then, and the same with its cuts moved by their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.template import Gate


def versions(gate: Gate, cuts: Mapping[str, float], spread: Mapping[str, float]) -> tuple[Gate, Gate, Gate]:
    """The gate with its cuts moved towards fewer events, at its cuts, and with them moved towards more.

    One object three times where no spread is known. The shapes are of the kinds that a template can write down itself.
    """
    exact = gate.at_cuts(cuts)
    moving = {name: side for name, side in gate.sides.items() if spread.get(name, 0.0) > 0}
    if not moving:
        return exact, exact, exact
    stricter = {
        name: cuts[name] + (spread[name] if side == "above" else -spread[name]) for name, side in moving.items()
    }
    looser = {name: 2 * cuts[name] - at for name, at in stricter.items()}
    return gate.at_cuts({**cuts, **stricter}), exact, gate.at_cuts({**cuts, **looser})
