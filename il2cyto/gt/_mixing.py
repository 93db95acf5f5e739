"""Which stored columns, with which weights, make the compensated values of a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from il2cyto.gt._dimensions import matrix_of
from il2cyto.pp._compensation import unmixing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from il2cyto.gt._plan import Plan
    from il2cyto.io import FcsFile
    from il2cyto.panel import Channel


class Mixture(NamedTuple):
    """A sum over stored columns, in the order in which `pp.compensate` adds.

    Attributes
    ----------
    parts
        Stored column and weight.
    detectors
        The columns of the whole matrix, in its order; empty where the channel is taken as it is stored.
    """

    parts: tuple[tuple[int, float], ...]
    detectors: tuple[int, ...] = ()


class Mixing:
    """The mixtures of one file's channels, by compensation."""

    def __init__(self, file: FcsFile, plan: Plan) -> None:
        self._file, self._plan = file, plan
        self._known: dict[str, dict[int, Mixture]] = {}

    def of_key(self, key: str) -> tuple[Mixture, ...]:
        """The mixtures of a marker, channel or dimension: two for a ratio."""
        template = self._plan.template
        if key not in template.dimensions:
            return (self._of(self._plan.channels[key], template.compensation),)
        compensation = template.dimensions[key].compensation
        return tuple(self._of(channel, compensation) for channel in self._plan.sources[key])

    def _of(self, channel: Channel, compensation: str) -> Mixture:
        if compensation not in self._known:
            self._known[compensation] = _mixtures(*matrix_of(self._file, self._plan, compensation))
        return self._known[compensation].get(channel.index, Mixture(((channel.index, 1.0),)))


def _mixtures(
    detectors: Sequence[int], fluorochromes: Sequence[int], spillover: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> dict[int, Mixture]:
    if not detectors:
        return {}
    weights = unmixing(np.asarray(spillover, dtype=np.float64))
    return {
        column: Mixture(
            tuple((detectors[i], float(weights[i, target])) for i in np.flatnonzero(weights[:, target]).tolist()),
            tuple(detectors),
        )
        for target, column in enumerate(fluorochromes)
    }
