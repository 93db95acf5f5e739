"""Binned densities of gated populations, for review: one compressed archive of plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np

from il2cyto.errors import SchemaError
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Limits = tuple[float, float]

#: Version of the archive's format.
FORMAT: Final = "il2cyto/densities/1"


@dataclass(frozen=True, eq=False)
class Density:
    """The events that a gate looks at, binned: those of its population's parent.

    Attributes
    ----------
    population
        The population whose gate it is.
    x, y
        Channels or markers as the template writes them; `y` is empty where there is no second axis.
    x_limits, y_limits
        First and last edge of either axis, on the template's scale; the same in every file of a template. An event beyond
        them is counted in the outermost bin.
    counts
        (64, 64) uint16, x then y; 65535 stands for that many events or more. All 0 without a second axis.
    histogram
        (256,) uint32 over x, for a fitted gate on one channel; else None.
    """

    population: str
    x: str
    y: str
    x_limits: Limits
    y_limits: Limits
    counts: npt.NDArray[np.uint16]
    histogram: npt.NDArray[np.uint32] | None = None

    @property
    def view(self) -> tuple[str, str, str, Limits, Limits]:
        """What is seen, without the events."""
        return self.population, self.x, self.y, self.x_limits, self.y_limits


def write_densities(path: str | Path, densities: Mapping[str, Mapping[str, Density]]) -> Path:
    """Write the densities of many samples into one archive, replacing what was there in one step.

    Parameters
    ----------
    path
        Where to, ``densities.npz``; missing folders are made.
    densities
        Sample -> population -> density.

    Returns
    -------
    The path. The format is described in docs/schema.md; the same densities give the same bytes.
    """
    path = Path(path)
    samples = sorted(densities)
    seen: dict[tuple[str, str, str, Limits, Limits], list[tuple[int, Density]]] = {}
    for i, sample in enumerate(samples):
        for density in densities[sample].values():
            seen.setdefault(density.view, []).append((i, density))
    populations, x, y, x_limits, y_limits = zip(*seen, strict=True) if seen else ((),) * 5
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "format": np.array(FORMAT),
        "samples": np.array(samples, dtype=np.str_),
        "population": np.array(populations, dtype=np.str_),
        "x": np.array(x, dtype=np.str_),
        "y": np.array(y, dtype=np.str_),
        "limits": np.array([x_limits, y_limits], dtype=np.float64).reshape(2, -1, 2).swapaxes(0, 1),
    }
    for v, members in enumerate(seen.values()):
        arrays[f"{v}/sample"] = np.array([i for i, _ in members], dtype=np.int64)
        arrays[f"{v}/counts"] = np.stack([density.counts for _, density in members])
        histograms = [density.histogram for _, density in members if density.histogram is not None]
        if histograms:
            arrays[f"{v}/histogram"] = np.stack(histograms)
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def read_densities(path: str | Path) -> dict[str, dict[str, Density]]:
    """Read what :func:`write_densities` wrote.

    Parameters
    ----------
    path
        The archive.

    Returns
    -------
    Sample -> population -> density.

    Raises
    ------
    SchemaError
        If the file is no such archive, or of another version of the format.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (BadZipFile, ValueError, EOFError, AttributeError):
        arrays = {}
    found = str(arrays.get("format", "no format"))
    if found != FORMAT:
        msg = f"{path.name}: found {found}, expected {FORMAT}; gate the study again with this version of il2cyto"
        raise SchemaError(msg)
    samples = arrays["samples"].tolist()
    densities: dict[str, dict[str, Density]] = {sample: {} for sample in samples}
    names = [arrays[name].tolist() for name in ("population", "x", "y", "limits")]
    for v, (population, x, y, (x_limits, y_limits)) in enumerate(zip(*names, strict=True)):
        histograms = arrays.get(f"{v}/histogram")
        for k, i in enumerate(arrays[f"{v}/sample"].tolist()):
            histogram = None if histograms is None else histograms[k]
            densities[samples[i]][population] = Density(
                population, x, y, tuple(x_limits), tuple(y_limits), arrays[f"{v}/counts"][k], histogram
            )
    return densities
