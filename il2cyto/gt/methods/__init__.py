"""The methods that fit a gate to the events of one file: pure functions, one per module.

A third-party method is a function of the same signature behind an entry point of the group `il2cyto.gate_methods`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from il2cyto.errors import GatingError
from il2cyto.gt.methods import _quantile, _reference_line, _reference_offset, _singlet, _tail, _valley

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from il2cyto.gt._types import Proposal

ENTRY_POINT_GROUP: Final = "il2cyto.gate_methods"


class Propose(Protocol):
    """What a gate method is: it sees the events of one file's parent population and nothing else.

    `values` is float64, (n,) for one channel and (n, k) for several, on the transformed scale; `gate` the template's gate;
    `reference` the values of the reference population, or None; `rng` the only source of chance. What cannot be fitted is
    a proposal with NaN and a reason, never an exception.
    """

    def __call__(
        self,
        values: npt.NDArray[np.float64],
        gate: Any,
        reference: npt.NDArray[np.float64] | None,
        rng: np.random.Generator,
        /,
    ) -> Proposal:
        """Fit the gate."""


METHODS: Final[Mapping[str, Propose]] = MappingProxyType(
    {
        "quantile": _quantile.propose,
        "reference_line": _reference_line.propose,
        "reference_offset": _reference_offset.propose,
        "singlet": _singlet.propose,
        "tail": _tail.propose,
        "valley": _valley.propose,
    }
)


@cache
def find_method(name: str) -> Propose:
    """Find a gate method by the name that templates use.

    Parameters
    ----------
    name
        One of `METHODS`, or the name of an installed entry point; a method of this package is never replaced by another.

    Raises
    ------
    GatingError
        If there is no such method.
    """
    if name in METHODS:
        return METHODS[name]
    installed = entry_points(group=ENTRY_POINT_GROUP)
    for point in installed.select(name=name):
        return cast("Propose", point.load())
    known = ", ".join(sorted({*METHODS, *installed.names}))
    msg = (
        f"no gate method {name!r}; known are {known}; correct the template or install the package that provides it under the "
        f"entry point group {ENTRY_POINT_GROUP}"
    )
    raise GatingError(msg)
