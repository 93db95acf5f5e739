"""The table of operations while it is written: who may stand where, and which columns are computed for whom.

Lists are populations in a block, rows are bytes of membership, columns are values on the linear scale; the kernel knows them by
number, the compiler by name. See `_kernels/_ops.py` for the operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._kernels import _ops as k
from il2cyto.gt._mixing import Mixing, Mixture
from il2cyto.gt._passes import fuse_cuts, merge_columns
from il2cyto.gt._program import place_intervals
from il2cyto.gt._scale import scale_of
from il2cyto.gt._views import axis_tables, with_scatter

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from il2cyto.gt._curves import Curve
    from il2cyto.gt._plan import Plan
    from il2cyto.gt._scale import Scale
    from il2cyto.gt._views import Limits
    from il2cyto.io import FcsFile
    from il2cyto.template import Ratio

    Definition = Mixture | tuple[Mixture, Mixture, Ratio]

D = TypeVar("D", bound="Hashable")

_OP_SIZE = 9


class Table:
    """Operations, their parameters, and the places of lists, rows, columns and counts."""

    def __init__(self, file: FcsFile, plan: Plan) -> None:
        self.plan, self._scattered = plan, with_scatter(plan)
        self._mixing = Mixing(file, self._scattered)
        self.lists = {ROOT: 0}
        self.counters: dict[tuple[str, int | str], int] = {}
        self.n_rows = 0
        self._ops: list[tuple[int, ...]] = []
        self._parameters: list[float] = []
        self._intervals: list[tuple[int, Scale, float, float | None]] = []
        self._columns: _Places[Definition] = _Places(plan)
        self._bins: _Places[tuple[int, int]] = _Places(plan)
        self._axes: dict[tuple[Scale, Limits], int] = {}
        self._grids = _Grids()

    # --- operations ------------------------------------------------------------------------------------------------------

    def emit(self, kind: int, source: str, *fields: int) -> None:
        """Write an operation on the events of `source`."""
        self._ops.append((kind, self.lists[source], *fields))

    def interval(self, key: str, low: float, high: float | None, source: str, row: int, how: int) -> None:
        """Test low <= position < high; without `high` every position from `low` on is inside, infinity too."""
        at = self.reserve(2)
        self._intervals.append((at, self.scale(key), low, high))
        self.emit(k.WITHIN, source, row, self.column(key, source), how, at)

    def linear_interval(self, key: str, low: float, high: float, source: str, row: int, how: int) -> None:
        """Test low <= x <= high on the linear scale."""
        self.emit(k.WITHIN, source, row, self.column(key, source), how, self.place(low, high))

    def curve(self, curve: Curve, source: str, row: int, columns: tuple[int, ...]) -> int:
        """Test a shape; the place of its parameters."""
        at = self.place(*curve.parameters) if curve.parameters else self.reserve(1)
        x, y = columns[:2] if len(columns) > 1 else (0, 0)
        grid = -1 if curve.grid is None else self._grids.add(*curve.grid)
        self.emit(curve.kind, source, row, x, y, at, grid)
        return at

    # --- places ----------------------------------------------------------------------------------------------------------

    def column(self, key: str, source: str) -> int:
        """The column with the values of a marker, computed for the events of `source` unless an ancestor has them."""
        mixtures = self._mixing.of_key(key)
        if len(mixtures) == 1:
            return self._sums(mixtures[0], source)
        above, below = mixtures
        x, y = self._sums(above, source), self._sums(below, source)
        ratio = self.plan.template.dimensions[key].ratio
        if ratio is None:
            msg = f"dimension {key!r} has two sources and no ratio"
            raise ValueError(msg)
        column, known = self._columns.find((above, below, ratio), source)
        if not known:
            self.emit(k.RATIO, source, column, x, y, self.place(ratio.a, ratio.b, ratio.c))
        return column

    def _sums(self, mixture: Mixture, source: str) -> int:
        column, known = self._columns.find(mixture, source)
        if not known:
            self.emit(k.COLUMNS, source, column)
        return column

    def bins(self, key: str, limits: Limits, source: str) -> int:
        """The row with the bins of a marker on an axis, looked up for the events of `source` unless an ancestor has them."""
        axis = self._axes.setdefault((self.scale(key), limits), len(self._axes))
        column = self.column(key, source)
        row, known = self._bins.find((column, axis), source)
        if not known:
            self.emit(k.BIN, source, row, column, axis)
        return row

    def scale(self, key: str) -> Scale:
        """The scale of a marker, channel or dimension."""
        return scale_of(self._scattered, key)

    def place(self, *values: float) -> int:
        """Place of new parameters."""
        self._parameters.extend(map(float, values))
        return len(self._parameters) - len(values)

    def reserve(self, n: int) -> int:
        """Place of parameters to be filled in later."""
        return self.place(*[np.nan] * n)

    def row(self) -> int:
        """A new row of membership."""
        self.n_rows += 1
        return self.n_rows - 1

    def counter(self, name: str, what: int | str) -> int:
        """Place of a count."""
        return self.counters.setdefault((name, what), len(self.counters))

    # --- the finished table ----------------------------------------------------------------------------------------------

    def finish(self) -> dict[str, Any]:
        """The fields of a program that the table knows."""
        template, names, columns = self.plan.template, list(self.lists), list(self._columns.numbers)
        sums = {i: c for i, c in enumerate(columns) if isinstance(c, Mixture)}
        wanted = [m for key in self.plan.channels for m in self._mixing.of_key(key)]
        finite = {column for mixture in wanted for column, _ in mixture.parts}
        read = finite | {column for mixture in sums.values() for column, _ in mixture.parts}
        above = [-1, *(names.index(template.by_name[name].parent) for name in names[1:])]
        # A weight of 0 changes no sum as long as the events are finite.
        matrix = [
            sums[i].detectors if i in sums and {column for column, _ in sums[i].parts} <= finite else ()
            for i in range(len(columns))
        ]
        ops, groups = merge_columns(self._ops, above, matrix)
        ops = fuse_cuts(ops)
        parameters = np.array(self._parameters, dtype=np.float64)
        place_intervals(parameters, self._intervals)
        return {
            "columns": tuple(sorted(read)),
            "finite": tuple(sorted(finite)),
            "groups": tuple(_sources([sums[column] for column in group]) for group in groups),
            "n_columns": len(columns),
            "ops": np.array([(*op, *[0] * (_OP_SIZE - len(op))) for op in ops], dtype=np.int64).reshape(-1, _OP_SIZE),
            "parameters": parameters,
            "grids": self._grids.arrays(),
            "counters": self.counters,
            "tables": axis_tables(list(self._axes)),
            "n_rows": self.n_rows,
            "n_lists": len(names),
            "n_bins": len(self._bins.numbers),
        }


class _Places(Generic[D]):
    """Numbers of what is computed for the events of populations, and for whom it is."""

    def __init__(self, plan: Plan) -> None:
        self.numbers: dict[D, int] = {}
        self._template = plan.template
        self._ready: dict[D, set[str]] = {}

    def find(self, definition: D, source: str) -> tuple[int, bool]:
        """The number, and whether it is there for the events of `source`; the caller sees to it that it will be."""
        ready, name = self._ready.setdefault(definition, set()), source
        while name != ROOT and name not in ready:
            name = self._template.by_name[name].parent
        known = name in ready
        ready.add(source)
        return self.numbers.setdefault(definition, len(self.numbers)), known


def _sources(group: Sequence[Mixture]) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """Stored columns that any column of the group needs, in the order of the matrix, with the weights in each."""
    weights = [dict(mixture.parts) for mixture in group]
    lanes = [*weights, *[{}] * (k.LANES - len(group))]
    used = group[0].detectors if len(group) > 1 else tuple(weights[0])
    used = tuple(column for column in used if any(column in own for own in weights))
    return tuple((column, tuple(own.get(column, 0.0) for own in lanes)) for column in used)


class _Grids:
    """The grids of all shapes; shapes on the same scale and range share the cells of an axis."""

    def __init__(self) -> None:
        self._axes: dict[int, int] = {}
        self._cells: list[npt.NDArray[np.uint8]] = []
        self._places: list[tuple[int, int]] = []
        self._classes: list[npt.NDArray[np.uint8]] = []

    def add(self, x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8]) -> int:
        self._places.append((self._axis(x), self._axis(y)))
        self._classes.append(classes)
        return len(self._places) - 1

    def _axis(self, cells: npt.NDArray[np.uint8]) -> int:
        if id(cells) not in self._axes:
            self._axes[id(cells)] = len(self._cells)
            self._cells.append(cells)
        return self._axes[id(cells)]

    def arrays(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        return (
            np.array(self._places, dtype=np.int64).reshape(-1, 2),
            np.array(self._cells, dtype=np.uint8).reshape(-1, 1 << 16),
            np.array(self._classes, dtype=np.uint8).reshape(-1, k.CELLS * k.CELLS),
        )
