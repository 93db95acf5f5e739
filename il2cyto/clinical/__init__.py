"""Clinical endpoints, analysis sets, exposure and safety: statuses and counts out of tidy tables, without tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.clinical._consort import consort as consort
    from il2cyto.clinical._endpoints import Endpoints as Endpoints, endpoints as endpoints
    from il2cyto.clinical._exposure import exposure as exposure
    from il2cyto.clinical._impute import impute as impute, tipping_point as tipping_point
    from il2cyto.clinical._join import join as join
    from il2cyto.clinical._lldas_doris import doris as doris, lldas as lldas
    from il2cyto.clinical._renal import renal_response as renal_response
    from il2cyto.clinical._safety import (
        adverse_events as adverse_events,
        adverse_events_by_term as adverse_events_by_term,
        treatment_emergent as treatment_emergent,
    )
    from il2cyto.clinical._serology import complement_normalisation as complement_normalisation
    from il2cyto.clinical._sets import analysis_sets as analysis_sets
    from il2cyto.clinical._sledai import (
        SLEDAI_WEIGHTS as SLEDAI_WEIGHTS,
        sledai as sledai,
        sledai_queries as sledai_queries,
    )
    from il2cyto.clinical._sri import BILAG_DOMAINS as BILAG_DOMAINS, sri4 as sri4, sri4_components as sri4_components
    from il2cyto.clinical._steroids import (
        prednisone_equivalent as prednisone_equivalent,
        steroid_reduction as steroid_reduction,
    )


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "BILAG_DOMAINS": "_sri",
        "Endpoints": "_endpoints",
        "SLEDAI_WEIGHTS": "_sledai",
        "adverse_events": "_safety",
        "adverse_events_by_term": "_safety",
        "analysis_sets": "_sets",
        "complement_normalisation": "_serology",
        "consort": "_consort",
        "doris": "_lldas_doris",
        "endpoints": "_endpoints",
        "exposure": "_exposure",
        "impute": "_impute",
        "join": "_join",
        "lldas": "_lldas_doris",
        "prednisone_equivalent": "_steroids",
        "renal_response": "_renal",
        "sledai": "_sledai",
        "sledai_queries": "_sledai",
        "sri4": "_sri",
        "sri4_components": "_sri",
        "steroid_reduction": "_steroids",
        "tipping_point": "_impute",
        "treatment_emergent": "_safety",
    },
)
