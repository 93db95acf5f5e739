"""How kernels are compiled: without the GIL, and once for all processes."""

from __future__ import annotations

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
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        return cast("F", njit(nogil=True)(function))
