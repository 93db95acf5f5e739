"""Gate methods that other packages bring along."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from il2cyto.errors import TemplateError
from il2cyto.template._cuts import Cut1D

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY_POINT_GROUP: Final = "il2cyto.gate_methods"


class GateMethod(NamedTuple):
    """What an entry point of the group `il2cyto.gate_methods` stands for.

    Attributes
    ----------
    gate
        The model of its gates in a template: a subclass of :class:`il2cyto.template.Cut1D` whose field ``method`` is the name
        of the entry point. Its fields are the parameters that a template may give.
    propose
        The function that fits it to the events of one file, see :class:`il2cyto.gt.methods.Propose`.
    """

    gate: type[Cut1D]
    propose: Callable[..., Any]


def installed_methods() -> tuple[str, ...]:
    """The names of the gate methods that installed packages provide, sorted."""
    return tuple(sorted(set(entry_points(group=ENTRY_POINT_GROUP).names)))


def load_method(name: str) -> GateMethod:
    """Load a gate method of another package.

    Raises
    ------
    TemplateError
        If the package does not provide what it should.
    """
    (point,) = tuple(entry_points(group=ENTRY_POINT_GROUP, name=name))[:1]
    found = point.load()
    if not isinstance(found, GateMethod) or not issubclass(found.gate, Cut1D):
        msg = (
            f"gate method {name!r}: the entry point {point.value} gives no il2cyto.template.GateMethod with a subclass of "
            "Cut1D; update or remove the package that provides it"
        )
        raise TemplateError(msg)
    return found
