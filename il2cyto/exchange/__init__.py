"""Results and gates to and from other programs, laboratories and standards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.exchange._cdisc import cdisc_tables as cdisc_tables
    from il2cyto.exchange._cdisc_rules import cdisc_rules as cdisc_rules, check_cdisc as check_cdisc
    from il2cyto.exchange._compare import (
        compare_counts as compare_counts,
        summarise_comparison as summarise_comparison,
        write_comparison as write_comparison,
    )
    from il2cyto.exchange._export import TARGETS as TARGETS, Export as Export, Target as Target, export as export
    from il2cyto.exchange._gates import Exported as Exported, export_gates as export_gates
    from il2cyto.exchange._import import Imported as Imported, import_templates as import_templates
    from il2cyto.exchange._miflowcyt import miflowcyt as miflowcyt

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Export": "_export",
        "Exported": "_gates",
        "Imported": "_import",
        "TARGETS": "_export",
        "Target": "_export",
        "cdisc_rules": "_cdisc_rules",
        "cdisc_tables": "_cdisc",
        "check_cdisc": "_cdisc_rules",
        "compare_counts": "_compare",
        "export": "_export",
        "export_gates": "_gates",
        "import_templates": "_import",
        "miflowcyt": "_miflowcyt",
        "summarise_comparison": "_compare",
        "write_comparison": "_compare",
    },
)
