"""What headers tell of a panel, and how well each template suits it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from il2cyto.errors import FcsError
from il2cyto.inventory._types import Demand
from il2cyto.io import find_template, read_template, template_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from il2cyto.io import FcsFile
    from il2cyto.panel import Panel
    from il2cyto.template import GatingTemplate

#: Values that a program has transformed already end here or below ($PnR); linear ones reach 2^18.
_TRANSFORMED_RANGE: Final = 2.0**16


@dataclass(frozen=True)
class Header:
    """A readable file, as its header describes it."""

    fcs: FcsFile
    panel: Panel

    @property
    def markers(self) -> tuple[str, ...]:
        """The set of markers, sorted."""
        return tuple(sorted({marker for channel in self.panel.channels for marker in channel.markers}))

    @property
    def is_mass(self) -> bool:
        """Whether it is mass cytometry."""
        return any(channel.detector == "element" for channel in self.panel.channels)

    @property
    def is_transformed(self) -> bool | None:
        """Whether the values were compensated and transformed before: False with a matrix, True with a short scale, else None."""
        try:
            matrix = self.fcs.spillover() is not None
        except FcsError:
            matrix = True
        if matrix or self.is_mass or any(channel.is_logarithmic for channel in self.fcs.channels):
            return False
        ranges = [channel.range for channel in self.panel.channels if channel.detector == "fluor"]
        return True if ranges and max(ranges) <= _TRANSFORMED_RANGE else None


@dataclass(frozen=True)
class Fit:
    """How well a template suits a panel.

    Attributes
    ----------
    template
        Its name.
    n_required, n_optional
        How many markers it requires; how many of its optional ones the panel has.
    without
        The optional ones that some file of the panel lacks.
    missing
        What it requires and some file of the panel lacks.
    unsuited
        Why it is not for these values even where no marker is missing; "" where it is.
    doubt
        What the headers leave open about the values, and the template takes for granted; "" for nothing.
    """

    template: str
    n_required: int
    n_optional: int
    without: tuple[str, ...]
    missing: tuple[str, ...]
    unsuited: str
    doubt: str

    @property
    def suits(self) -> bool:
        """Whether it can gate the panel."""
        return not self.missing and not self.unsuited


def fit_templates(headers: Sequence[Header]) -> list[Fit]:
    """Try every template that can be named on a panel, the best first."""
    paths = {name: find_template(name) for name in template_folders()}
    fits = [_fit(name, _read(path, path.stat().st_mtime_ns), headers) for name, path in paths.items()]
    return sorted(fits, key=lambda fit: (not fit.suits, len(fit.missing), *_rank(fit), fit.template))


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> GatingTemplate:
    """Read a template once, until its file changes: each panel is held against all of them."""
    return read_template(path)


def best(fits: Sequence[Fit]) -> Fit | None:
    """Choose the template that suits and asks for most; None where none suits, or two ask for the same."""
    suited = [fit for fit in fits if fit.suits]
    if len(suited) > 1 and _rank(suited[0]) == _rank(suited[1]):
        return None
    return suited[0] if suited else None


def _rank(fit: Fit) -> tuple[bool, int, int]:
    return bool(fit.doubt), -fit.n_required, -fit.n_optional


def _fit(name: str, template: GatingTemplate, headers: Sequence[Header]) -> Fit:
    demand = Demand.of(template)
    # Files of one batch share the channels.
    panels = list({id(header.panel.channels): header.panel for header in headers}.values())
    missing = tuple(key for key in demand.required if any(not panel.candidates(key) for panel in panels))
    without = tuple(key for key in demand.optional if any(not panel.candidates(key) for panel in panels))
    present = len(demand.optional) - len(without)
    return Fit(name, len(demand.required), present, without, missing, *_values(template, headers))


def _values(template: GatingTemplate, headers: Sequence[Header]) -> tuple[str, str]:
    """Say why a template is not for the values of these files, and what about them is open."""
    scale = template.transform.default.method
    states = {header.is_transformed for header in headers}
    if scale == "none" and False in states:
        return "it is for values that were compensated and transformed before", ""
    if scale != "none" and True in states:
        return "the values seem to be compensated and transformed already", ""
    for_mass = scale == "asinh" and template.compensation == "none"
    if for_mass != all(header.is_mass for header in headers):
        return "it is for mass cytometry" if for_mass else "it is not for mass cytometry", ""
    return "", "that the values were compensated and transformed before" if scale == "none" and None in states else ""
