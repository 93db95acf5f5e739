"""Folders of small simulated FCS files under names of one's choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from il2cyto.io import write_fcs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TNK = ("CD3", "CD4", "CD8", "CD25", "CD127", "CD56", "CD16")
TBNK = ("CD45", "CD3", "CD4", "CD8", "CD19")


class MakeFolder(Protocol):
    """Signature of the fixture `make_folder`."""

    def __call__(
        self,
        files: Sequence[str],
        *,
        labels: Mapping[str, Sequence[str]] | None = None,
        days: Mapping[str, str] | None = None,
        range_: float = 262144,
    ) -> Path: ...


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write files with the markers of a T/NK panel; `labels` and `days` ($DATE) by file name."""

    def make(
        files: Sequence[str],
        *,
        labels: Mapping[str, Sequence[str]] | None = None,
        days: Mapping[str, str] | None = None,
        range_: float = 262144,
    ) -> Path:
        folder = tmp_path / "trial"
        for file in files:
            own = (labels or {}).get(file, TNK)
            names = ["FSC-A", "FSC-H", "SSC-A", *(f"D{i}-A" for i in range(len(own)))]
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write_fcs(
                folder / file,
                np.ones((3, len(names))),
                names=names,
                labels=["", "", "", *own],
                ranges=[range_] * len(names),
                keywords={"$DATE": days[file]} if days else None,
            )
        return folder

    return make
