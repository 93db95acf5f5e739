"""Draft a study from a folder of FCS files: what `il2cyto init` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.drafting._draft import Draft as Draft, draft_study as draft_study
    from il2cyto.drafting._explain import explain as explain
    from il2cyto.drafting._write import write_draft as write_draft

__getattr__, __dir__, __all__ = attach(
    __name__, {"Draft": "_draft", "draft_study": "_draft", "explain": "_explain", "write_draft": "_write"}
)
