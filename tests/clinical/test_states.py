"""LLDAS, DORIS, nephritis, steroids, complement, SLEDAI: truth tables by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from il2cyto import clinical
from il2cyto.errors import StudyError
from il2cyto.study import Limits, RenalRule
from tests.clinical._tables import QUIET, WEIGHTS, at, pair, visit_table

ORGANS = (
    *("casts", "haematuria", "proteinuria", "pyuria", "seizure", "psychosis", "organic_brain_syndrome", "visual"),
    *("cranial_nerve", "lupus_headache", "cva", "pleurisy", "pericarditis", "vasculitis", "fever"),
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "met"),
        ({"sledai_total": 4, "sledai_rash": True, "sledai_alopecia": True}, "met"),
        ({"sledai_total": 5}, "sledai"),
        *(({f"sledai_{organ}": True}, "organs") for organ in ORGANS),
        ({"haemolytic_anaemia": True}, "organs"),
        ({"gi_activity": True}, "organs"),
        ({"new_features": True}, "new_features"),
        ({"pga": 1.0}, "met"),
        ({"pga": 1.1}, "pga"),
        ({"prednisone_mg": 7.5}, "met"),
        ({"prednisone_mg": 7.6}, "prednisone"),
        ({"standard_therapy": False}, "therapy"),
        ({"prednisone_mg": None}, "missing:prednisone"),
        ({"gi_activity": None}, "missing:organs"),
        ({"gi_activity": None, "sledai_fever": True}, "organs"),
        ({"new_features": None}, "missing:new_features"),
        ({"standard_therapy": None, "pga": 2.0}, "pga"),
    ],
)
def test_lldas_is_met_where_every_criterion_is(change: dict[str, Any], reason: str) -> None:
    row = at(clinical.lldas(pair({}, change), version="2k"))

    assert row["reason"] == reason
    assert row["lldas"] is (reason == "met")
    assert row["lldas_obs"] is (None if reason.startswith("missing") else reason == "met")


@pytest.mark.parametrize("version", ["selena", None])
def test_lldas_is_not_told_from_another_version_of_the_sledai(version: str | None) -> None:
    row = at(clinical.lldas(pair({}, {}), version=version))

    assert (row["lldas"], row["lldas_obs"], row["evaluable"], row["reason"]) == (None, None, False, "needs_sledai_2k")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "met"),
        ({"sledai_total": 4, "sledai_low_complement": True, "sledai_dna_binding": True}, "met"),
        *(
            ({f"sledai_{item}": True}, "clinical_sledai")
            for item in WEIGHTS
            if item not in {"low_complement", "dna_binding"}
        ),
        ({"pga": 0.4}, "met"),
        ({"pga": 0.5}, "pga"),
        ({"prednisone_mg": 5.0}, "met"),
        ({"prednisone_mg": 5.1}, "prednisone"),
        ({"standard_therapy": False}, "therapy"),
        ({"sledai_rash": None}, "missing:clinical_sledai"),
        ({"sledai_rash": None, "sledai_fever": True}, "clinical_sledai"),
        ({"sledai_dna_binding": None}, "met"),
        ({"pga": None}, "missing:pga"),
    ],
)
def test_doris_is_met_where_every_criterion_is(change: dict[str, Any], reason: str) -> None:
    row = at(clinical.doris(pair({}, change)))

    assert (row["reason"], row["doris"]) == (reason, reason == "met")
    assert row["doris_obs"] is (None if reason.startswith("missing") else reason == "met")


def test_states_are_told_from_baseline_on_and_on_any_scale_of_the_pga() -> None:
    visits = visit_table({"visit": "W0"}, {"visit": "W12", "pga": 5.0}, {"visit": "W24", "pga": 1.5})

    assert clinical.doris(visits, pga_scale=10)["doris"].to_list() == [True, False, True]
    assert clinical.lldas(visits, version="2k", pga_scale=10)["lldas"].to_list() == [True, False, True]


NEPHRITIS = pl.DataFrame({"subject": ["S1"], "lupus_nephritis": [True]})
BLANK = {"creatinine_umol_l": None, "egfr": None}


@pytest.mark.parametrize(
    ("change", "reason", "level"),
    [
        ({"upe_g_24h": 0.49}, "met", "complete"),
        ({"upe_g_24h": 0.5}, "proteinuria", "partial"),
        ({"upe_g_24h": 2.0}, "proteinuria", "partial"),
        ({"upe_g_24h": 2.1}, "proteinuria", "none"),
        ({"upe_g_24h": None, "upcr_g_g": 0.4}, "met", "complete"),
        ({"upe_g_24h": 0.6, "upcr_g_g": 0.4}, "proteinuria", "partial"),
        # 92 is 15 % above 80.
        ({"creatinine_umol_l": 92.0}, "met", "complete"),
        ({"creatinine_umol_l": 92.1}, "renal_function", "partial"),
        ({"creatinine_umol_l": None, "egfr": 85.0}, "met", "complete"),
        ({"creatinine_umol_l": None, "egfr": 84.9}, "renal_function", "partial"),
        (BLANK, "missing:renal_function", None),
        ({"upe_g_24h": None}, "missing:proteinuria", None),
        ({"upe_g_24h": 3.0} | BLANK, "proteinuria", "none"),
    ],
)
def test_nephritis_remits_by_proteinuria_and_renal_function(
    change: dict[str, Any], reason: str, level: str | None
) -> None:
    before = {"upe_g_24h": 4.0, "upcr_g_g": 3.5, "creatinine_umol_l": 80.0}
    after = {"upe_g_24h": 0.3, "upcr_g_g": None, "creatinine_umol_l": 80.0} | change

    row = at(clinical.renal_response(pair(before, after), NEPHRITIS))

    assert (row["reason"], row["renal_response"]) == (reason, level)
    assert row["nephritis_remission"] is (reason == "met")
    assert row["nephritis_remission_obs"] is (None if reason.startswith("missing") else reason == "met")


def test_partial_remission_needs_less_than_3_5_g() -> None:
    for now, level in ((3.4, "partial"), (3.5, "none")):
        visits = pair({"upe_g_24h": 10.0}, {"upe_g_24h": now})
        assert at(clinical.renal_response(visits, NEPHRITIS))["renal_response"] == level


def test_normal_renal_function_needs_no_comparison_with_baseline() -> None:
    visits = pair({"creatinine_umol_l": 50.0}, {"creatinine_umol_l": 80.0})
    limits = Limits.model_validate({"creatinine_umol_l": {"uln": 84}})

    assert at(clinical.renal_response(visits, NEPHRITIS))["reason"] == "renal_function"
    assert at(clinical.renal_response(visits, NEPHRITIS, limits=limits))["reason"] == "met"


def test_the_rule_can_ask_for_sediment_and_albumin() -> None:
    rule = RenalRule(inactive_sediment=True, albumin_g_l=35)
    for change, reason in (
        ({"sediment_active": False, "albumin_g_l": 35.0}, "met"),
        ({"sediment_active": True, "albumin_g_l": 35.0}, "sediment"),
        ({"sediment_active": False, "albumin_g_l": 34.9}, "albumin"),
        ({"sediment_active": None, "albumin_g_l": 35.0}, "missing:sediment"),
    ):
        assert (
            at(clinical.renal_response(pair({"sediment_active": True}, change), NEPHRITIS, rule=rule))["reason"]
            == reason
        )


@pytest.mark.parametrize(("status", "reason"), [(False, "no_nephritis"), (None, "missing:lupus_nephritis")])
def test_only_nephritis_can_remit(status: object, reason: str) -> None:
    subjects = NEPHRITIS.with_columns(lupus_nephritis=pl.lit(status, pl.Boolean))

    row = at(clinical.renal_response(pair({}, {}), subjects))

    assert (row["nephritis_remission"], row["evaluable"], row["reason"]) == (None, False, reason)
    assert row["renal_response"] is None


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (15.0, 7.5, "met"),
        (15.0, 7.6, "dose"),
        (15.0, 0.0, "met"),
        (10.0, 20.0, "dose"),
        (10.0, None, "missing:dose"),
        (0.0, 0.0, "no_steroid_at_baseline"),
        (None, 5.0, "missing:baseline"),
    ],
)
def test_the_dose_has_to_be_halved_from_above_0(before: float | None, after: float | None, reason: str) -> None:
    row = at(clinical.steroid_reduction(pair({"prednisone_mg": before}, {"prednisone_mg": after})))

    inside = reason in {"met", "dose", "missing:dose"}
    assert (row["reason"], row["evaluable"]) == (reason, inside)
    assert row["steroid_reduction"] is ((reason == "met") if inside else None)


def test_prednisone_equivalents_are_those_of_the_protocol() -> None:
    doses = {"prednisolone": 10, "methylprednisolone": 8, "hydrocortisone": 40, "prednisone": 10}

    assert [clinical.prednisone_equivalent(dose, drug) for drug, dose in doses.items()] == [10, 10, 10, 10]
    assert clinical.prednisone_equivalent(1.5, "dexamethasone") == pytest.approx(10.005)
    with pytest.raises(StudyError) as error:
        clinical.prednisone_equivalent(1, "budesonide")
    assert str(error.value) == (
        "prednisone_equivalent: found 1 mg of 'budesonide'; allowed is a dose of 0 or more of prednisone, prednisolone, "
        "methylprednisolone, hydrocortisone, dexamethasone"
    )


C3 = Limits.model_validate({"c3_g_l": {"lln": 0.9, "sites": {"B": {"lln": 0.7}}}})


@pytest.mark.parametrize(
    ("before", "after", "normal", "normalised"),
    [
        (0.8, 0.9, (True, "met"), (True, "met")),
        (0.8, 0.89, (False, "low"), (False, "low")),
        (0.9, 0.8, (False, "low"), (None, "normal_at_baseline")),
        (0.8, None, (False, "missing:value"), (False, "missing:value")),
        (None, 1.0, (True, "met"), (None, "missing:baseline")),
    ],
)
def test_normal_counts_all_and_normalised_those_who_were_low(
    before: float | None, after: float | None, normal: tuple[bool, str], normalised: tuple[bool | None, str]
) -> None:
    subjects = pl.DataFrame({"subject": ["S1"], "site": ["A"]})
    row = at(clinical.complement_normalisation(pair({"c3_g_l": before}, {"c3_g_l": after}), subjects, limits=C3))

    assert (row["c3_normal"], row["c3_normal_reason"]) == normal
    assert (row["c3_normalised"], row["c3_normalised_reason"]) == normalised
    assert row["c3_normalised_evaluable"] is (normalised[0] is not None)


def test_a_site_has_its_own_limits_and_none_are_guessed() -> None:
    visits = pair({"c3_g_l": 0.6}, {"c3_g_l": 0.7})
    site = pl.DataFrame({"subject": ["S1"], "site": ["B"]})

    assert at(clinical.complement_normalisation(visits, site, limits=C3))["c3_normalised"] is True
    unknown = at(clinical.complement_normalisation(visits, site, limits=C3, analyte="c4"))
    assert (unknown["c4_normal"], unknown["c4_normal_evaluable"], unknown["c4_normal_reason"]) == (
        None,
        False,
        "no_limit",
    )
    with pytest.raises(StudyError) as error:
        clinical.complement_normalisation(visits, site.drop("site"), limits=C3)
    assert str(error.value) == (
        "limits: c3_g_l differ by site, but there is no column site in the table of subjects; add it"
    )


def test_the_sledai_is_the_total_or_else_the_weighted_items() -> None:
    on = {f"sledai_{item}": True for item in WEIGHTS}
    visits = visit_table(
        {"visit": "W0", "sledai_total": 105} | on,
        {"visit": "W12", "sledai_total": None, "sledai_cva": True, "sledai_dna_binding": True, "sledai_fever": True},
        {"visit": "W24", "sledai_total": 7, "sledai_rash": None},
    )

    frame = clinical.sledai(visits)

    assert sum(WEIGHTS.values()) == 105
    assert frame["sledai"].to_list() == [105, 11, 7]
    assert frame["items"].to_list() == [105, 11, None]
    assert frame["clinical"].to_list() == [101, 9, None]
    assert frame["agrees"].to_list() == [True, None, None]
    totals = pl.DataFrame({"subject": "S1", "visit": list("abcdefg"), "sledai_total": [0, 1, 4, 5, 10, 11, None]})
    bands = ["none", "mild", "mild", "moderate", "moderate", "high", None]
    assert clinical.sledai(totals)["band"].to_list() == bands


@pytest.mark.parametrize(
    ("change", "query"),
    [
        ({}, None),
        ({"sledai_total": 3, "sledai_rash": True}, ("sledai_total", "3", "2", "weighted items")),
        ({"sledai_total": None}, None),
        ({"c3_g_l": 0.8}, ("sledai_low_complement", "false", "true", "c3_g_l, c4_g_l")),
        ({"c3_g_l": None, "c4_g_l": 0.05}, ("sledai_low_complement", "false", "true", "c3_g_l, c4_g_l")),
        ({"c3_g_l": None}, None),
        ({"dsdna_iu_ml": 101.0}, ("sledai_dna_binding", "false", "true", "dsdna_iu_ml")),
        ({"dsdna_iu_ml": 100.0}, None),
        ({"platelets_1e9_l": 99.0}, ("sledai_thrombocytopenia", "false", "true", "platelets_1e9_l")),
        ({"wbc_1e9_l": 2.9}, ("sledai_leukopenia", "false", "true", "wbc_1e9_l")),
        ({"wbc_1e9_l": 3.0}, None),
        ({"upe_g_24h": 0.51}, ("sledai_proteinuria", "false", "true", "upe_g_24h")),
        ({"upe_g_24h": 0.5}, None),
    ],
)
def test_items_that_contradict_the_laboratory_are_asked_about(change: dict[str, Any], query: tuple | None) -> None:
    labs = {"dsdna_iu_ml": 10.0, "platelets_1e9_l": 200.0, "wbc_1e9_l": 5.0}
    limits = Limits.model_validate({"c3_g_l": {"lln": 0.9}, "c4_g_l": {"lln": 0.1}, "dsdna_iu_ml": {"uln": 100}})
    visits = pair(labs, labs | change)

    queries = clinical.sledai_queries(visits, limits=limits)

    assert queries.rows() == ([("S1", "W12", *query)] if query else [])
    assert set(QUIET) <= set(visits.columns)  # nothing was overwritten or taken away
