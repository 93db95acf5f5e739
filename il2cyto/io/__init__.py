"""Files in, nouns out, and back: FCS, templates, tables, AnnData."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "FcsFile": "_fcs",
        "Spillover": "_fcs",
        "open_fcs": "_fcs",
        "read_fcs": "_fcs",
        "read_study": "_study",
        "write_fcs": "_fcs",
        "find_template": "_templates",
        "read_template": "_templates",
        "template_folders": "_templates",
        "read_anndata": "_anndata",
        "write_anndata": "_anndata",
        "write_events": "_anndata",
        "write_csv": "_tables",
    },
)
