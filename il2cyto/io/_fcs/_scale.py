"""From stored numbers to the linear scale: $PnE, $PnG and $TIMESTEP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.io._fcs._numbers import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._flags import Notes
    from il2cyto.io._fcs._types import FloatArray


def read_timestep(words: Mapping[str, str], channels: Sequence[FcsChannel], notes: Notes) -> float | None:
    """Seconds per tick; None where Time stays as it is stored."""
    if sum(channel.is_time for channel in channels) > 1:
        notes.flag("time_channels")
        return None
    if "$TIMESTEP" not in words:
        return None
    step = number(words["$TIMESTEP"])
    if step is None or step <= 0:
        notes.flag("timestep")
        return None
    return step


def scale(events: FloatArray, channels: Sequence[FcsChannel], timestep: float | None) -> FloatArray:
    """Scale the columns of `events`, which may be changed in place.

    Logarithms and gains make the result float64. A time step does not: rounding to float32 stays below a tick wherever
    float32 could hold the ticks themselves.
    """
    if any(channel.is_logarithmic or divisor(channel) != 1 for channel in channels):
        events = events.astype(np.float64, copy=False)
    for i, channel in enumerate(channels):
        if channel.is_time:
            if timestep is not None:
                events[:, i] = events[:, i].astype(np.float64) * timestep
        elif channel.is_logarithmic:
            decades, floor = channel.amplification
            with np.errstate(over="ignore"):
                events[:, i] = floor * 10 ** (decades * events[:, i] / channel.range)
        elif divisor(channel) != 1:
            events[:, i] /= divisor(channel)
    return events


def divisor(channel: FcsChannel) -> float:
    """By what linear values are divided: the gain."""
    # FACSDiva writes the time step once more as the gain of Time.
    return 1.0 if channel.is_time or channel.is_logarithmic or channel.gain is None else channel.gain
