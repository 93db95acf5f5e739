"""Tables as they are made, and why some could not be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from il2cyto.errors import Il2cytoError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl


@dataclass(frozen=True)
class Collected:
    """Tables by name, and notices."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def add(self, name: str, make: Callable[[], pl.DataFrame]) -> None:
        """Make a table; where the data do not allow it, a notice says why, and the other tables are still made."""
        try:
            self.tables[name] = make()
        except Il2cytoError as error:
            self.notices.append(f"{name}: left out: {error}")
