"""Gating-ML documents written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from il2cyto.gt._types import Decision

HEAD = (
    '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">'
)


def document(tmp_path: Path, *elements: str, head: str = HEAD) -> Path:
    path = tmp_path / "gates.xml"
    path.write_text(f"{head}{''.join(elements)}</gating:Gating-ML>")
    return path


def range_gate(
    name: str, channel: str, *, rest: str = "", parent: str = "", compensation: str = "uncompensated"
) -> str:
    parent = f'gating:parent_id="{parent}"' if parent else ""
    return (
        f'<gating:RectangleGate gating:id="{name}" {parent}><gating:dimension gating:compensation-ref="{compensation}" {rest}>'
        f'<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension></gating:RectangleGate>'
    )


def no_cuts(population, gate, tree) -> Decision:
    raise AssertionError(population)
