"""Lazy namespaces (PEP 562): a submodule is imported when one of its names is first used."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def attach(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the three names that turn a package's ``__init__`` into a lazy one.

    Parameters
    ----------
    package
        The package's ``__name__``.
    exports
        Public name -> the submodule that defines it; a submodule that is itself public maps to "".

    Returns
    -------
    ``__getattr__``, ``__dir__`` and ``__all__`` for the package.
    """
    names = sorted(exports)

    def load(name: str) -> Any:
        if name not in exports:
            msg = f"module {package!r} has no attribute {name!r}; it has {', '.join(names)}"
            raise AttributeError(msg)
        module = importlib.import_module(f"{package}.{exports[name] or name}")
        value = getattr(module, name) if exports[name] else module
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: names, names
