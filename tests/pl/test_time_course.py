"""The picture shades what departs, where it departs, and says when there is nothing to tell."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from il2cyto import pl
from il2cyto.io import open_fcs, write_fcs


def written(path, n=20_000, keywords=None):
    rng = np.random.default_rng(0)
    events, waits = rng.normal(size=(n, 2)), rng.exponential(size=n)
    events[n // 4 : n // 2, 1] += 2
    waits[-1000:] *= 3
    write_fcs(
        path,
        np.column_stack([events, np.cumsum(waits)]),
        names=["PE-A", "APC-A", "Time"],
        keywords=keywords,
        timestep=1,
    )
    return open_fcs(path)


def spans(ax):
    return [(to_hex(p.get_facecolor()), p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]


def test_stretches_are_shaded_in_both_panels_and_the_drifting_channel_is_named(tmp_path):
    file = written(tmp_path / "f.fcs")
    rate, signal = pl.time_course(file).axes
    time = file.events([2])[:, 0]
    assert spans(rate) == spans(signal)
    assert [span[1:] for span in spans(rate)] == [
        (time[5000], time[10_000]),
        (pytest.approx(time[19_000]), time[-1]),
    ]
    assert signal.get_legend_handles_labels()[1] == ["APC-A"]
    assert rate.get_legend_handles_labels()[1] == ["signal drift", "flow rate"]
    assert rate.get_title(loc="left") == "f.fcs"


def test_simulated_events_are_named_so(tmp_path):
    file = written(tmp_path / "f.fcs", keywords={"IL2CYTO_SIMULATED": "1"})
    assert pl.time_course(file).axes[0].get_title(loc="right") == "SIMULATED DATA"


def test_a_file_too_small_to_tell_says_so(tmp_path):
    figure = pl.time_course(written(tmp_path / "f.fcs", n=100))
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "no course over time: too few events, or no usable Time"
    ]
