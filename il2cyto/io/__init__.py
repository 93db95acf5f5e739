"""Files in, nouns out, and back: FCS, templates, tables, AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.io._anndata import (
        read_anndata as read_anndata,
        read_events_provenance as read_events_provenance,
        write_anndata as write_anndata,
        write_events as write_events,
    )
    from il2cyto.io._bridges import (
        to_composition as to_composition,
        to_ehrdata as to_ehrdata,
        to_mudata as to_mudata,
    )
    from il2cyto.io._clinical import ClinicalData as ClinicalData, read_clinical as read_clinical
    from il2cyto.io._densities import (
        Density as Density,
        read_densities as read_densities,
        write_densities as write_densities,
    )
    from il2cyto.io._fcs import (
        FcsFile as FcsFile,
        Spillover as Spillover,
        open_fcs as open_fcs,
        read_fcs as read_fcs,
        write_fcs as write_fcs,
    )
    from il2cyto.io._flowjo import FlowJoSample as FlowJoSample, read_flowjo as read_flowjo
    from il2cyto.io._frequencies import read_frequencies as read_frequencies
    from il2cyto.io._gatingml import read_gatingml as read_gatingml
    from il2cyto.io._gatingml_write import SampleChannel as SampleChannel, write_gatingml as write_gatingml
    from il2cyto.io._overrides import read_overrides as read_overrides
    from il2cyto.io._prism import write_prism as write_prism
    from il2cyto.io._provenance import (
        RunRecord as RunRecord,
        Verification as Verification,
        open_run_record as open_run_record,
        read_run_record as read_run_record,
        verify_run as verify_run,
    )
    from il2cyto.io._remote import (
        Source as Source,
        file_size as file_size,
        fingerprint as fingerprint,
        is_url as is_url,
        local_copy as local_copy,
        open_mapping as open_mapping,
        source_name as source_name,
    )
    from il2cyto.io._study import read_study as read_study, read_trial as read_trial
    from il2cyto.io._tables import write_csv as write_csv, write_parquet as write_parquet
    from il2cyto.io._templates import (
        find_template as find_template,
        read_template as read_template,
        template_folders as template_folders,
        write_template as write_template,
    )
    from il2cyto.io._validate import (
        SchemaProblem as SchemaProblem,
        schema_problems as schema_problems,
        validate as validate,
    )
    from il2cyto.io._workbook import write_workbook as write_workbook


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Density": "_densities",
        "ClinicalData": "_clinical",
        "FcsFile": "_fcs",
        "FlowJoSample": "_flowjo",
        "SampleChannel": "_gatingml_write",
        "SchemaProblem": "_validate",
        "Spillover": "_fcs",
        "open_fcs": "_fcs",
        "read_densities": "_densities",
        "read_clinical": "_clinical",
        "read_fcs": "_fcs",
        "read_flowjo": "_flowjo",
        "read_gatingml": "_gatingml",
        "read_frequencies": "_frequencies",
        "RunRecord": "_provenance",
        "Source": "_remote",
        "file_size": "_remote",
        "fingerprint": "_remote",
        "is_url": "_remote",
        "local_copy": "_remote",
        "open_mapping": "_remote",
        "source_name": "_remote",
        "Verification": "_provenance",
        "open_run_record": "_provenance",
        "read_run_record": "_provenance",
        "verify_run": "_provenance",
        "read_study": "_study",
        "read_trial": "_study",
        "schema_problems": "_validate",
        "to_composition": "_bridges",
        "to_ehrdata": "_bridges",
        "to_mudata": "_bridges",
        "validate": "_validate",
        "write_fcs": "_fcs",
        "find_template": "_templates",
        "read_overrides": "_overrides",
        "read_template": "_templates",
        "template_folders": "_templates",
        "write_gatingml": "_gatingml_write",
        "write_template": "_templates",
        "read_anndata": "_anndata",
        "read_events_provenance": "_anndata",
        "write_anndata": "_anndata",
        "write_events": "_anndata",
        "write_csv": "_tables",
        "write_parquet": "_tables",
        "write_prism": "_prism",
        "write_workbook": "_workbook",
        "write_densities": "_densities",
    },
)
