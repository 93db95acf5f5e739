"""Did the sample flow evenly? A clog shows in the times of the events, whatever their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from il2cyto.gt._plan import Events

#: Parts of equal number of events (a few more where it does not divide), the fewest events in one, and how much longer than
#: usual one may take.
PARTS, FEWEST, LONGEST = 100, 20, 5.0


def interrupted(events: Events) -> bool:
    """Whether the event rate fell below a fifth of its usual value for a hundredth of the events, or flow stopped.

    False where the file has no time, or fewer than 2,000 events, or its clock is too coarse to tell.
    """
    clock = next((c.index for c in events.plan.panel.channels if c.detector == "time"), None)
    if clock is None or events.n < PARTS * FEWEST:
        return False
    ends = slice(None, None, (events.n - 1) // PARTS)
    time = np.asarray(events.file.events([clock], rows=ends), dtype=np.float64).reshape(-1)
    durations = np.diff(time)
    usual = float(np.median(durations))
    return bool(usual > 0 and durations.max() > LONGEST * usual)
