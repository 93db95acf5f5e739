"""The two replicates of a NK tube whose populations a peer tool has gated and whose densities R has computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import flowio
import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Replicate:
    columns: dict[str, np.ndarray]
    members: dict[str, np.ndarray]

    def of(self, marker: str, population: str = "/boundary/Monocytes/Live/CD14-Lineage-") -> np.ndarray:
        return self.columns[marker][self.members[population]]


@pytest.fixture(scope="session")
def lyoplate(shared: Path) -> dict[str, Replicate]:
    """Replicates 001 and 002; values as stored, that is transformed to 0..4096 but for the scatter."""
    folder = shared / "data" / "lyoplate_dc_nk"
    replicates = {}
    for name in ("001", "002"):
        fcs = flowio.FlowData(folder / f"DC_MONO_NK_12828001_{name}_transformed.fcs")
        events = np.reshape(np.asarray(fcs.events, dtype=np.float64), (-1, fcs.channel_count))
        labels = [label or channel for channel, label in zip(fcs.pnn_labels, fcs.pns_labels, strict=True)]
        stored = np.load(folder / f"DC_MONO_NK_12828001_{name}_opencyto_membership.npz")
        bits = np.unpackbits(stored["member"], axis=0)[: int(stored["n"])].astype(bool)
        replicates[name] = Replicate(
            dict(zip(labels, events.T, strict=True)), dict(zip(stored["paths"].tolist(), bits.T, strict=True))
        )
    return replicates
