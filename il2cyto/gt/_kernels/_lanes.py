"""Four sums at once in one register of the processor, which numba does not write by itself."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from il2cyto.gt._kernels._ops import LANES


@intrinsic
def lane_sums(_: Any, raw: Any, event: Any, positions: Any, weights: Any, sums: Any) -> Any:
    """Add weights[k] * raw[event, positions[k]] for each k in turn, in all lanes alike, and write the `LANES` sums.

    Each lane adds in the order of k and rounds after every multiplication and addition, as numpy does: the instructions carry
    none of the flags that would let the compiler fuse or reorder them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        table, places, factors, out = (
            context.make_array(kinds[i])(context, builder, arguments[i]) for i in (0, 2, 3, 4)
        )
        lanes, size = ir.VectorType(ir.DoubleType(), LANES), ir.IntType(64)
        width = builder.extract_value(table.shape, 1)
        row = builder.gep(table.data, [builder.mul(builder.zext(arguments[1], size), width)])
        weight = builder.bitcast(factors.data, lanes.as_pointer())
        total = cgutils.alloca_once_value(builder, ir.Constant(lanes, [0.0] * LANES))  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, builder.extract_value(places.shape, 0)) as loop:
            x = builder.load(builder.gep(row, [builder.load(builder.gep(places.data, [loop.index]))]))
            x = x if x.type == ir.DoubleType() else builder.fpext(x, ir.DoubleType())
            first = builder.insert_element(ir.Constant(lanes, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
            every = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            factor = builder.load(builder.gep(weight, [loop.index]), align=8)
            product = builder.fmul(builder.shuffle_vector(first, first, every), factor)
            builder.store(builder.fadd(builder.load(total), product), total)
        builder.store(builder.load(total), builder.bitcast(out.data, lanes.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.none(raw, event, positions, weights, sums), generate
