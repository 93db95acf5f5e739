"""The table of operations: what each kind means, and what stands in its fields.

A template becomes a table of integers, one row for an operation. An operation works on the events of one list (a population: the
positions of its events within the block) and leaves its answer, one byte for an event, in a row of `member`. Numbers of the
operation, such as the two ends of an interval, stand in `parameters`; a field says where they begin.
"""

from __future__ import annotations

# Kinds of operation; the fields of each stand beside it.
COLUMNS = 0  # list, group of sources, columns in use, four columns: their values on the linear scale
RATIO = 1  # list, column, numerator, denominator, parameters: a (x - b) / (y - c)
WITHIN = 2  # list, row, column, how, parameters: low <= x <= high
ALL = 3  # list, row: every event
NOT = 4  # list, row, a
AND = 5  # list, row, a, b
OR = 6  # list, row, a, b
COLLECT = 7  # list, row, list to fill or -1, count
COUNT = 8  # list, column, count, 0, parameters: how many low <= x <= high
CUT = 9  # list, row, column, list to fill or -1, count, parameters, count at the top or -1, its parameters
HISTOGRAM = 10  # list, column, histogram
GATHER = 11  # list, column, window: keep the values that lie in it
POLYGON = 12  # list, row, x, y, parameters, grid
ELLIPSE = 13  # likewise
SINGLET = 14  # list, row, x, y, parameters
ASK = 15  # list, row, 0, 0, parameters: a shape that only numpy knows
BIN = 16  # list, row of bins, column, table of an axis
GRID = 17  # list, row of bins in x, row of bins in y, two-dimensional count
SPECTRUM = 18  # list, row of bins, one-dimensional count

#: How WITHIN joins its answer to what stands in the row.
SET, SET_NOT, ALSO, ALSO_NOT = 0, 1, 2, 3
#: Columns that one COLUMNS computes.
LANES = 4
#: An answer that numpy must give.
UNSURE = 2
#: Cells of a grid along one axis; classes of a cell.
CELLS = 128
OUTSIDE, INSIDE, MIXED = 0, 1, 2
#: Transforms by number; their constants follow in the parameters. OTHER is known to numpy alone.
NONE, LINEAR, LOGICLE, ASINH, LOG, OTHER = 0, 1, 2, 3, 4, 5
#: Parameters of a transform: number and five constants.
TRANSFORM_SIZE = 6
#: Bins of a histogram: sign, exponent and 4 bits of the mantissa of float32, in the order of the values.
BINS = 1 << 13
BIN_SHIFT = 32 - 13
