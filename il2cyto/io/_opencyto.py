"""openCyto's CSV templates as il2cyto's."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from il2cyto.errors import TemplateError
from il2cyto.io._opencyto_gates import FILL_IN, LOGICLE, SCATTER, Row, is_scatter
from il2cyto.io._opencyto_rows import Builder
from il2cyto.io._strategy import plain_name

_NEEDED: Final = ("alias", "pop", "parent", "dims", "gating_method", "gating_args")


@dataclass(frozen=True)
class OpenCytoImport:
    """A template as plain values, with ``FILL_IN`` where a person has to decide, and the rows it came from."""

    content: dict[str, Any]
    rows: tuple[Row, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing has to be filled in."""
        return FILL_IN not in repr(self.content["populations"])


def read_opencyto(path: str | Path) -> OpenCytoImport:
    """Convert an openCyto CSV template.

    Parameters
    ----------
    path
        The CSV: alias, pop, parent, dims, gating_method, gating_args, and those of grouping and preprocessing.

    Returns
    -------
    A template that says what the CSV says as far as it can be said. Numbers that openCyto leaves to the data (bounds of a
    cut) and gates without a counterpart are marked ``FILL_IN``: the tree stays whole, and the template does not load until a
    person has written them. Bounds are divided by 4.5, flowCore's logicle range, or by 262,144 for scatter.

    Raises
    ------
    TemplateError
        If the file is no such CSV.
    """
    path = Path(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    missing = [name for name in _NEEDED if not lines or name not in lines[0]]
    if missing:
        msg = f"{path.name}: no column {', '.join(missing)}; an openCyto template has {', '.join(_NEEDED)}"
        raise TemplateError(msg)
    builder = Builder()
    for number, line in enumerate(lines, start=2):
        builder.add(number, {name: (text or "").strip() for name, text in line.items() if name})
    scatter = [dim for dim in builder.dims if is_scatter(dim)]
    content = {
        "schema": "il2cyto/gating-template/1",
        "name": plain_name(path.stem),
        "version": "1",
        "description": f"imported from openCyto's {path.name}",
        "requires": [dim for dim in builder.dims if dim not in scatter],
        "transform": {
            "default": {"method": "logicle", "t": "range", "w": 0.5, "m": LOGICLE, "a": 0},
            "channels": {dim: {"method": "linear", "t": SCATTER, "a": 0} for dim in scatter},
        },
        "populations": builder.populations,
    }
    return OpenCytoImport(content, tuple(builder.rows))
