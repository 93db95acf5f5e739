"""A template laid over one file's panel: which column each marker is, on which scale, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._cache import Recent
from il2cyto.gt._dimensions import Dimensions, find_sources
from il2cyto.pp import compensate, transform
from il2cyto.template import keys_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.io import FcsFile, Spillover
    from il2cyto.panel import Channel, Panel
    from il2cyto.template import GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Plan:
    """Where a template's markers are in one panel; files of one panel share the plan.

    Attributes
    ----------
    channels
        Marker, channel or dimension as the template writes it -> channel of the file; absent where the file has none.
    sources
        Dimension -> the channels it is made of, two for a ratio; absent where the file lacks one.
    """

    template: GatingTemplate
    panel: Panel
    channels: dict[str, Channel]
    sources: dict[str, tuple[Channel, ...]] = field(default_factory=dict)

    @property
    def uses_acquisition(self) -> bool:
        """Whether the file's own spillover matters."""
        named = (self.template.compensation, *(d.compensation for d in self.template.dimensions.values()))
        return "acquisition" in named

    def missing(self, population: Population) -> tuple[str, ...]:
        """The markers that a population's gate needs and the file lacks."""
        keys = keys_of(self.template, population.name)
        return tuple(key for key in keys if key not in self.channels and key not in self.sources)


#: Files of one batch share a few panels.
_PLANS: Recent[Plan] = Recent(64)


def make_plan(template: GatingTemplate, panel: Panel, *, file: str) -> Plan:
    """Resolve a template's markers in a file's panel.

    Parameters
    ----------
    template
        The template.
    panel
        The file's channels, from :meth:`il2cyto.io.FcsFile.panel`.
    file
        Name of the file, for messages.

    Returns
    -------
    Which column each gate looks at, and which steps are passed through.

    Raises
    ------
    PanelError
        If a required marker is absent or stands on several channels: all of them in one message.
    """
    return _PLANS.get((template.digest, panel), lambda: _resolve(template, panel, file))


def _resolve(template: GatingTemplate, panel: Panel, file: str) -> Plan:
    channels = panel.require_all(template.requires, file=file)
    keys = {key for p in template.populations if p.gate for key in p.gate.keys} | set(template.optional)
    sources = find_sources(template, panel)
    channels.update({key: found[0] for key, found in sources.items() if len(found) == 1})
    for key in sorted(keys - channels.keys() - template.dimensions.keys()):
        channel = panel.find(key)
        if channel is not None:
            channels[key] = channel
    return Plan(template, panel, channels, sources)


class Events:
    """The events of one file on the scales of a template; columns are made when first asked for.

    Attributes
    ----------
    n
        Events in the file.
    compensation
        ``acquisition`` where the file's own matrix was applied, else ``none``.
    """

    def __init__(self, file: FcsFile, plan: Plan) -> None:
        self.file, self.plan = file, plan
        self.n = file.n_events
        self.spillover = file.spillover() if plan.template.compensation == "acquisition" else None
        self.compensation = "none" if self.spillover is None else "acquisition"
        self._scaled: dict[str, FloatArray] = {}

    @cached_property
    def _dimensions(self) -> Dimensions:
        return Dimensions(self.file, self.plan)

    @cached_property
    def _linear(self) -> dict[int, FloatArray]:
        return _compensated(self.file, self.plan, self.spillover)

    def linear(self, key: str) -> FloatArray:
        """Compensated values of a marker or dimension on the linear scale."""
        if key in self.plan.template.dimensions:
            return self._dimensions.linear(key)
        return self._linear[self.plan.channels[key].index]

    def scaled(self, key: str) -> FloatArray:
        """Values of a marker or dimension on the template's scale."""
        if key not in self._scaled and key in self.plan.template.dimensions:
            self._scaled[key] = self._dimensions.scaled(key)
        elif key not in self._scaled:
            channel = self.plan.channels[key]
            spec = self.plan.template.transform.of(key).at_range(channel.range)
            self._scaled[key] = transform(self.linear(key), spec)
        return self._scaled[key]

    @cached_property
    def usable(self) -> BoolArray:
        """Events that are finite in every channel of the plan: the root of the tree."""
        mask = np.ones(self.n, dtype=np.bool_)
        for key in self.plan.channels:
            mask &= np.isfinite(self.linear(key))
        return mask


def _compensated(file: FcsFile, plan: Plan, spillover: Spillover | None) -> dict[int, FloatArray]:
    """Columns of the plan's channels, compensated where the matrix has them."""
    dimensions = plan.template.dimensions
    wanted = sorted({channel.index for key, channel in plan.channels.items() if key not in dimensions})
    position = {channel.name: channel.index for channel in file.channels}
    mixed = [] if spillover is None else [position[name] for name in spillover.channels]
    columns = sorted({*wanted, *mixed})
    raw = np.asarray(file.events(columns), dtype=np.float64).reshape(file.n_events, len(columns))
    linear = {column: np.ascontiguousarray(raw[:, i]) for i, column in enumerate(columns)}
    if spillover is not None:
        unmixed = compensate(np.column_stack([linear[column] for column in mixed]), spillover.matrix)
        linear.update({column: np.ascontiguousarray(unmixed[:, i]) for i, column in enumerate(mixed)})
    return {column: linear[column] for column in wanted}
