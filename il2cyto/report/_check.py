"""What a check found, as one page that opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from il2cyto.report._alerts import Alert, Level
from il2cyto.report._render import render, write_page
from il2cyto.report._tables import Table, table

if TYPE_CHECKING:
    import polars as pl

    from il2cyto.inventory import Inventory

_LEVELS: Final[dict[str, Level]] = {"error": "fail", "warning": "warn", "info": "info"}
_NAMED: Final = 5


class _Part(NamedTuple):
    id: str
    title: str


def write_check_page(inventory: Inventory, path: str | Path, *, study: str, simulated: bool) -> Path:
    """Write what a check found as one HTML file.

    Parameters
    ----------
    inventory
        From :func:`il2cyto.inventory.take_inventory` or :func:`il2cyto.checks.check_study`.
    path
        The page; one that exists is replaced.
    study
        Name of the study.
    simulated
        Whether its data are simulated; the page then says so.

    Returns
    -------
    The path. Findings stand in front, each kind once with its remedy; then every finding and every file as a table that can be
    sorted, searched and copied.
    """
    parts = [
        (
            _Part("problems", "All findings"),
            table("problems", inventory.problems, caption="Each finding of each file."),
        ),
        (_Part("files", "Files"), table("files", inventory.files, caption="One row per file of the sample sheet.")),
    ]
    tables: list[tuple[str, str, Table]] = [(*part, shown) for part, shown in parts]
    page = render(
        "check.html.j2",
        kind="check",
        study=study,
        summary=f"{inventory.files.height} files, {inventory.problems.height} findings, errors: {inventory.n_errors}",
        simulated=simulated,
        sections=[_Part("findings", "Findings"), *(part for part, _ in parts)],
        alerts=_alerts(inventory.problems),
        tables=tables,
    )
    return write_page(Path(path), page)


def _alerts(problems: pl.DataFrame) -> list[Alert]:
    kinds = problems.group_by("severity", "code", "message", "remedy", maintain_order=True).agg("file")
    return [
        Alert(_LEVELS[severity], code, f"{message.rstrip('.')}. {remedy}", _where([file for file in files if file]))
        for severity, code, message, remedy, files in kinds.iter_rows()
    ]


def _where(files: list[str]) -> str:
    return ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
