"""How kernels are compiled: without the GIL, once for all processes, and dividing as numpy does, without a test for 0."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import CellType, FunctionType
from typing import TYPE_CHECKING, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def kernel(function: F) -> F:
    """Compile a function when it is first called, and keep the result on disk.

    The compiled code lies beside the package, where that is read-only in the user's cache folder, or where `NUMBA_CACHE_DIR`
    says. Where none of these can be written, it is compiled by every process anew.
    """
    stamped = _stamped(function)
    try:
        return cast("F", njit(nogil=True, cache=True, error_model="numpy")(stamped))
    except RuntimeError:
        return cast("F", njit(nogil=True, error_model="numpy")(function))


def _stamped(function: F) -> F:
    """The function with the digest of all kernels' sources in its closure, which is part of the key of its compiled code.

    Numba compares the file of a kernel alone; compiled code of a kernel that calls one of another file would outlive a change
    there.
    """
    source = cast("FunctionType", function)
    code = source.__code__.replace(co_freevars=("_sources",))
    stamped = FunctionType(code, source.__globals__, source.__name__, source.__defaults__, (CellType(_digest()),))
    stamped.__module__, stamped.__qualname__, stamped.__doc__ = source.__module__, source.__qualname__, source.__doc__
    stamped.__annotations__ = source.__annotations__
    return cast("F", stamped)


@cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
