"""Every key of the AnnData objects, once. See docs/schema.md for what stands behind each."""

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = "1.0"
FREQUENCY_OF_PARENT: Final = "freq_of_parent"
ROOT: Final = "root"
#: The population that a blood count counts.
LYMPHOCYTES: Final = "lymphocytes"

ENDPOINT_POPULATIONS: Final = ("CD4", "CD8", "Treg", "NK", "CD56bright")


class Layers:
    """Cohort layers, samples × populations."""

    COUNTS: Final = "counts"
    PARENT_COUNTS: Final = "parent_counts"
    CUT_LOW: Final = "cut_low"
    CUT_HIGH: Final = "cut_high"
    FREQ_OF_TOTAL: Final = "freq_of_total"
    FLAG: Final = "flag"
    CELLS_PER_UL: Final = "cells_per_ul"
    COMPENSATED: Final = "compensated"  # events object
    TRANSFORMED: Final = "transformed"  # events object


class Obs:
    """Cohort obs columns."""

    SAMPLE: Final = "sample"  # index name
    SUBJECT: Final = "subject"
    VISIT: Final = "visit"
    WEEK: Final = "week"
    STUDY_DAY: Final = "study_day"
    BASELINE: Final = "baseline"
    ARM: Final = "arm"
    PERIOD: Final = "period"
    BATCH: Final = "batch"
    SITE: Final = "site"
    CYTOMETER: Final = "cytometer"
    PANEL: Final = "panel"
    REPLICATE: Final = "replicate"
    N_EVENTS: Final = "n_events"
    N_LIVE: Final = "n_live"
    VIABILITY: Final = "viability"
    MARGIN: Final = "margin"
    DOUBLETS: Final = "doublets"
    ANOMALOUS: Final = "anomalous"
    COMPENSATION: Final = "compensation"
    QC_PASS: Final = "qc_pass"
    QC_REASONS: Final = "qc_reasons"
    CONTROL: Final = "control"
    COUNT_METHOD: Final = "count_method"
    FILE: Final = "file"
    FILE_SHA256: Final = "file_sha256"
    FILE_NAME: Final = "file_name"  # events object

    # Joined by il2cyto.clinical.join.
    ITT: Final = "itt"
    MITT: Final = "mitt"
    SAFETY: Final = "safety"
    RESPONSE: Final = "response"
    RESPONDER: Final = "responder"
    SRI4: Final = "sri4"
    NEPHRITIS_REMISSION: Final = "nephritis_remission"
    STEROID_REDUCTION: Final = "steroid_reduction"
    C3_NORMAL: Final = "c3_normal"
    C4_NORMAL: Final = "c4_normal"
    C3_NORMALISED: Final = "c3_normalised"
    C4_NORMALISED: Final = "c4_normalised"
    LLDAS: Final = "lldas"
    DORIS: Final = "doris"
    SLEDAI: Final = "sledai"
    PGA: Final = "pga"
    PREDNISONE_MG: Final = "prednisone_mg"
    ALBUMIN_G_L: Final = "albumin_g_l"
    UPE_G_24H: Final = "upe_g_24h"
    UPCR_G_G: Final = "upcr_g_g"
    CREATININE_UMOL_L: Final = "creatinine_umol_l"
    EGFR: Final = "egfr"
    C3_G_L: Final = "c3_g_l"
    C4_G_L: Final = "c4_g_l"
    DSDNA_IU_ML: Final = "dsdna_iu_ml"
    WBC_1E9_L: Final = "wbc_1e9_l"
    PLATELETS_1E9_L: Final = "platelets_1e9_l"
    LYMPHOCYTES_1E9_L: Final = "lymphocytes_1e9_l"


class Var:
    """Cohort var columns; the last block is that of the events object."""

    POPULATION: Final = "population"  # index name
    PARENT: Final = "parent"
    PATH: Final = "path"
    DEPTH: Final = "depth"
    LEAF: Final = "leaf"
    PHENOTYPE: Final = "phenotype"
    MARKERS: Final = "markers"
    DENOMINATORS: Final = "denominators"
    GATE_TYPE: Final = "gate_type"
    ROLE: Final = "role"
    PANEL: Final = "panel"
    CELL_ONTOLOGY_ID: Final = "cell_ontology_id"
    REPORT_ORDER: Final = "report_order"
    FEATURE_TYPE: Final = "feature_type"
    LABEL: Final = "label"

    N: Final = "n"
    CHANNEL: Final = "channel"
    MARKER: Final = "marker"
    PNB: Final = "PnB"
    PNE: Final = "PnE"
    PNG: Final = "PnG"
    PNR: Final = "PnR"
    SIGNAL_TYPE: Final = "signal_type"
    DETECTOR_TYPE: Final = "detector_type"
    FLUOROCHROME: Final = "fluorochrome"


class Obsm:
    """Obsm keys."""

    CUTS: Final = "gate_cutpoints"
    CUTS_RAW: Final = "gate_cutpoints_raw"
    CUTS_SPREAD: Final = "gate_cutpoints_spread"
    CUT_FLAG: Final = "gate_flag"
    MFI: Final = "mfi"
    GATING: Final = "gating"  # events object


class Uns:
    """Uns keys: the first block at the top level, the rest inside ``uns["il2cyto"]``."""

    IL2CYTO: Final = "il2cyto"
    GATING_COLS: Final = "gating_cols"  # events object
    META: Final = "meta"  # events object

    VERSION: Final = "schema_version"
    OBJECT: Final = "object"
    X: Final = "x"
    UNIT: Final = "unit"
    TOTAL: Final = "total"
    SIMULATED: Final = "simulated"
    STUDY: Final = "study"
    TEMPLATE: Final = "template"
    SCHEDULE: Final = "schedule"
    TREATMENT_WEEKS: Final = "treatment_weeks"
    ARMS: Final = "arms"
    FLAGS: Final = "flags"
    CUTS: Final = "cuts"
    MFI: Final = "mfi"
    ALIASES: Final = "aliases"
    FAILURES: Final = "failures"
    CHANNELS: Final = "channels"
    POLYGONS: Final = "polygons"
    POPULATIONS: Final = "populations"  # events object
    KEYWORDS: Final = "keywords"  # events object
    PROVENANCE: Final = "provenance"
