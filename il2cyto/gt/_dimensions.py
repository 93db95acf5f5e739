"""Dimensions of a template in one file: each with its own compensation, ratio and scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.errors import PanelError
from il2cyto.gt._scale import scale_of
from il2cyto.pp import compensate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Plan
    from il2cyto.io import FcsFile
    from il2cyto.panel import Channel, Panel
    from il2cyto.template import GatingTemplate, Matrix

    FloatArray = npt.NDArray[np.float64]


def find_sources(template: GatingTemplate, panel: Panel) -> dict[str, tuple[Channel, ...]]:
    """Dimension -> its channels in the file's panel, for the dimensions that the file has all channels of."""
    sources = {}
    for key, dimension in template.dimensions.items():
        matrix = template.matrices.get(dimension.compensation)
        found = [find_channel(panel, name, matrix) for name in dimension.sources]
        present = tuple(channel for channel in found if channel is not None)
        if len(present) == len(found):
            sources[key] = present
    return sources


def find_channel(panel: Panel, name: str, matrix: Matrix | None) -> Channel | None:
    """The channel that a gate's author meant: by the fluorochrome of its matrix, by $PnN, by $PnS.

    FlowJo writes ``_`` for each ``/`` of a name.
    """
    if matrix is not None and name in matrix.fluorochromes:
        return find_channel(panel, matrix.detectors[matrix.fluorochromes.index(name)], None)
    by_slash = [channel.name.replace("/", "_") for channel in panel.channels]
    by_name, by_label = [c.name for c in panel.channels], [c.label for c in panel.channels]
    for names in (by_name, by_label, by_slash):
        if name in names:
            return panel.channels[names.index(name)]
    return None


class Dimensions:
    """The columns of one file's dimensions, made when first asked for."""

    def __init__(self, file: FcsFile, plan: Plan) -> None:
        self._file, self._plan = file, plan
        self._columns: dict[str, dict[int, FloatArray]] = {"none": {}}

    def linear(self, key: str) -> FloatArray:
        """Compensated values, or the ratio of them; infinite or NaN where the denominator is 0."""
        dimension = self._plan.template.dimensions[key]
        columns = [self._column(channel, dimension.compensation) for channel in self._plan.sources[key]]
        if dimension.ratio is None:
            return columns[0]
        x, y = columns
        with np.errstate(divide="ignore", invalid="ignore"):
            return dimension.ratio.a * ((x - dimension.ratio.b) / (y - dimension.ratio.c))

    def scaled(self, key: str) -> FloatArray:
        """Values on the dimension's own scale."""
        return scale_of(self._plan, key)(self.linear(key))

    def _column(self, channel: Channel, compensation: str) -> FloatArray:
        if compensation not in self._columns:
            self._columns[compensation] = self._compensated(compensation)
        columns = self._columns[compensation]
        return columns[channel.index] if channel.index in columns else self._raw(channel.index)

    def _raw(self, index: int) -> FloatArray:
        raw = self._columns["none"]
        if index not in raw:
            raw[index] = np.asarray(self._file.events([index]), dtype=np.float64).reshape(-1)
        return raw[index]

    def _compensated(self, compensation: str) -> dict[int, FloatArray]:
        """The columns that a matrix changes, by index in the file."""
        detectors, fluorochromes, spillover = matrix_of(self._file, self._plan, compensation)
        if not detectors:
            return {}
        mixed = np.column_stack([self._raw(index) for index in detectors])
        unmixed = compensate(mixed, spillover)
        return {index: np.ascontiguousarray(unmixed[:, i]) for i, index in enumerate(fluorochromes)}


def matrix_of(file: FcsFile, plan: Plan, compensation: str) -> tuple[Sequence[int], Sequence[int], FloatArray]:
    """Column of each detector, column that takes each fluorochrome, and the matrix.

    Raises
    ------
    PanelError
        If a matrix of the template names detectors that the file lacks.
    """
    # Gating-ML 2.0: a file without a matrix of its own counts as compensated.
    own = file.spillover() if compensation == "acquisition" else None
    if own is not None:
        position = {channel.name: channel.index for channel in file.channels}
        indices = [position[name] for name in own.channels]
        return indices, indices, own.matrix
    if compensation in ("acquisition", "none"):
        return (), (), np.empty((0, 0))
    matrix = plan.template.matrices[compensation]
    found = {name: find_channel(plan.panel, name, None) for name in matrix.detectors}
    missing = [name for name, channel in found.items() if channel is None]
    if missing:
        msg = (
            f"{file.name}: matrix {compensation!r} needs {', '.join(missing)}; the file has "
            f"{', '.join(channel.name for channel in plan.panel.channels)}. Use the matrix of this file's panel."
        )
        raise PanelError(msg)
    detectors = [channel.index for channel in found.values() if channel is not None]
    return detectors, detectors[: len(matrix.fluorochromes)], np.array(matrix.spillover)
