"""The FCS reader and writer, 2.0 to 3.2: numpy on mapped memory, every guess refused or flagged."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "FcsChannel": "_channels",
        "FcsFile": "_file",
        "FcsFlag": "_flags",
        "Spillover": "_spillover",
        "event_flags": "_events",
        "open_fcs": "_file",
        "read_fcs": "_anndata",
        "write_fcs": "_write",
    },
)
