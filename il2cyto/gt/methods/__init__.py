"""The methods that fit a gate to the events of one file: pure functions, one per module.

A third-party method is a :class:`il2cyto.template.GateMethod` behind an entry point of the group `il2cyto.gate_methods`: the
model of its gates and a function of the same signature.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from il2cyto.errors import GatingError
from il2cyto.gt.methods import (
    _fmo,
    _quantile,
    _reference_line,
    _reference_offset,
    _singlet,
    _tail,
    _tmix1d,
    _tmix2d,
    _valley,
)
from il2cyto.template import installed_methods, load_method
from il2cyto.template._plugins import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from il2cyto.gt._types import Proposal


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
        "fmo": _fmo.propose,
        "quantile": _quantile.propose,
        "reference_line": _reference_line.propose,
        "reference_offset": _reference_offset.propose,
        "singlet": _singlet.propose,
        "tail": _tail.propose,
        "tmix1d": _tmix1d.propose,
        "tmix2d": _tmix2d.propose,
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
    if name in installed_methods():
        return cast("Propose", load_method(name).propose)
    known = ", ".join(sorted({*METHODS, *installed_methods()}))
    msg = (
        f"no gate method {name!r}; known are {known}; correct the template or install the package that provides it under the "
        f"entry point group {ENTRY_POINT_GROUP}"
    )
    raise GatingError(msg)
