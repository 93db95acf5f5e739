"""Files of the fixture `make_fcs`: what is in them, and how tests open them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io import FcsFile, open_fcs

if TYPE_CHECKING:
    from pathlib import Path

#: 3 events of 2 channels, distinct in every byte that matters.
EVENTS = np.array([[1.5, 1000.0], [-2.25, 70000.5], [3.125, 3.0]], dtype=np.float32)
DAMAGED = "The file is damaged or truncated: copy or export it again."


def quiet(path: Path, dataset: int | None = None) -> FcsFile:
    """Open a file whose flags are looked at by the test itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        return open_fcs(path, dataset=dataset)


def codes(file: FcsFile) -> list[str]:
    return [flag.code for flag in file.flags]


def error_of(path: Path) -> str:
    with pytest.raises(FcsError) as caught:
        quiet(path)
    return str(caught.value)
