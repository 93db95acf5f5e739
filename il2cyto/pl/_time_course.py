"""How steadily a file was acquired: flow rate and signals over time, with what departs from the rest shaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, SIMULATED, SIMULATED_INK, printable, theme
from il2cyto.pp import acquisition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from il2cyto.io import FcsFile
    from il2cyto.pp import Acquisition

_SHADES: Final = {"flow_rate": "#F4C9A8", "signal_drift": "#BFD7EA", "time_gap": "#D55E00", "change_point": INK}
_SAYS: Final = {
    "flow_rate": "flow rate",
    "signal_drift": "signal drift",
    "time_gap": "pause",
    "change_point": "change point",
}
_HEIGHT: Final = 3.4


def time_course(
    file: FcsFile | Acquisition, columns: Sequence[int] | None = None, *, title: str | None = None
) -> Figure:
    """Draw a file's flow rate and signals over time; stretches in which they depart are shaded.

    Parameters
    ----------
    file
        A file, or its course as :func:`il2cyto.pp.acquisition` gives it.
    columns
        Channels of the file to look at; all by default.
    title
        Above the picture; the file's name by default.

    Returns
    -------
    Two panels: events per unit of Time (per second where the file says how long a tick is), and for each channel the
    probability that one of its events exceeds one of the whole file. Where nothing could be tested the picture says so.

    Examples
    --------
    >>> from il2cyto import datasets, io, pl
    >>> file = io.open_fcs(next((datasets.sample_data_path() / "fcs").glob("*.fcs")))
    >>> [ax.get_ylabel() for ax in pl.time_course(file).axes]
    ['Events per unit of Time', 'P(exceeds the file)']
    """
    from il2cyto.io import FcsFile

    if isinstance(file, FcsFile):
        course = acquisition(file, range(len(file.channels)) if columns is None else columns)
        title, simulated = title if title is not None else file.name, file.simulated
    else:
        course, simulated = file, False
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, _HEIGHT), layout="constrained")
        rate, signal = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.4))
        rate.set_ylabel("Events per unit of Time")
        signal.set_ylabel("P(exceeds the file)")
        signal.set_xlabel("Time")
        rate.set_title(printable(title or ""), loc="left")
        if simulated:
            rate.set_title(SIMULATED, loc="right", color=SIMULATED_INK)
        if course.bins.is_empty():
            rate.text(
                0.5,
                0.5,
                "no course over time: too few events, or no usable Time",
                transform=rate.transAxes,
                ha="center",
            )
            return figure
        _draw(course, rate, signal)
    return figure


def _draw(course: Acquisition, rate: Axes, signal: Axes) -> None:
    time = course.bins["time"].to_numpy()
    drifted = {name for stretch in course.stretches for name in stretch.channels}
    rate.plot(time, course.bins["rate"].to_numpy(), color=INK, linewidth=0.8)
    rate.set_ylim(bottom=0)
    for name in course.channels:
        # Steady channels are context; the ones that drifted carry their names.
        values = course.bins[name].to_numpy()
        if name in drifted:
            signal.plot(time, values, label=printable(name), linewidth=1.1)
        else:
            signal.plot(time, values, color=GREY, linewidth=0.5)
    signal.axhline(0.5, color=INK, linewidth=0.4, zorder=0)
    away = max(0.15, *(float(np.abs(course.bins[name].to_numpy() - 0.5).max()) + 0.05 for name in course.channels))
    signal.set_ylim(0.5 - away, 0.5 + away)
    named: set[str] = set()
    for stretch in course.stretches:
        label = _SAYS[stretch.kind] if stretch.kind not in named else None
        named.add(stretch.kind)
        for ax, text in ((rate, label), (signal, None)):
            if stretch.kind == "change_point":
                ax.axvline(stretch.begin, color=_SHADES[stretch.kind], linewidth=0.8, linestyle="--", label=text)
            else:
                ax.axvspan(stretch.begin, stretch.end, color=_SHADES[stretch.kind], linewidth=0, zorder=-1, label=text)
    if named:
        rate.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0), frameon=False)
    if drifted:
        signal.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0), frameon=False)
