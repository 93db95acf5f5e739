"""Did the sample flow evenly? A clog shows in the times of the events, whatever their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.pp._flow import flow_of

if TYPE_CHECKING:
    from il2cyto.gt._plan import Events


def interrupted(events: Events) -> bool:
    """Whether the flow paused or its rate fell below a fifth, by the rule of :func:`il2cyto.pp.acquisition`.

    False where nothing can be tested: the file has no time, fewer than 2,000 events, or its events are not in order of time.
    """
    flow = flow_of(events.file)
    return flow is not None and flow.interrupted
