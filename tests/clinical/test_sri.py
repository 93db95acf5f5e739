"""SRI: truth tables by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from il2cyto import clinical
from il2cyto.errors import StudyError
from tests.clinical._tables import at, pair, visit_table

ACTIVE: dict[str, Any] = {"sledai_total": 12, "pga": 2.0}
BETTER: dict[str, Any] = {"sledai_total": 8, "pga": 1.0}


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, {}, "responder"),
        ({}, {"sledai_total": 9}, "sledai"),
        ({}, {"sledai_total": 12}, "sledai"),
        # BILAG: a new A was none before; a new B was C, D or E.
        ({"bilag_renal": "B"}, {"bilag_renal": "A"}, "bilag"),
        ({"bilag_renal": "A"}, {"bilag_renal": "A"}, "responder"),
        ({"bilag_renal": "A"}, {"bilag_renal": "B"}, "responder"),
        ({"bilag_renal": "C"}, {"bilag_renal": "B"}, "responder"),
        ({"bilag_renal": "A", "bilag_ophthalmic": "E"}, {"bilag_renal": "B", "bilag_ophthalmic": "B"}, "responder"),
        ({"bilag_renal": "C", "bilag_ophthalmic": "E"}, {"bilag_renal": "B", "bilag_ophthalmic": "B"}, "bilag"),
        ({"bilag_renal": "B", "bilag_ophthalmic": "B"}, {"bilag_renal": "B", "bilag_ophthalmic": "B"}, "responder"),
        # PGA: a rise of 0.3 is worse, of less is not, however floating point sees it.
        ({"pga": 0.9}, {"pga": 1.2}, "pga"),
        ({"pga": 0.7}, {"pga": 1.0}, "pga"),
        ({"pga": 0.9}, {"pga": 1.19}, "responder"),
        ({"pga": 2.0}, {"pga": 0.0}, "responder"),
        # Missing makes a non-responder, and says what was missing.
        ({}, {"sledai_total": None, "sledai_rash": None}, "missing:sledai"),
        ({}, {"pga": None}, "missing:pga"),
        ({}, {"bilag_ophthalmic": None}, "missing:bilag"),
        ({"bilag_ophthalmic": None}, {}, "missing:bilag"),
        ({"pga": None}, {}, "missing:pga"),
        # A component that fails says more than one that is missing.
        ({}, {"sledai_total": 9, "pga": None}, "sledai"),
        ({}, {"bilag_renal": "A", "pga": None}, "bilag"),
        ({"sledai_total": 3}, {"sledai_total": 0}, "not_attainable"),
    ],
)
def test_the_first_component_that_fails_is_the_reason(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    row = at(clinical.sri4(pair(ACTIVE | before, BETTER | after)))

    assert row["reason"] == reason
    if reason == "not_attainable":
        assert (row["sri4"], row["sri4_obs"], row["evaluable"], row["attainable"]) == (None, None, False, False)
    else:
        assert row["sri4"] is (reason == "responder")
        assert row["sri4_obs"] is (None if reason.startswith("missing") else reason == "responder")
        assert row["evaluable"]


def test_a_pga_on_a_longer_scale_is_compared_on_that_of_0_to_3() -> None:
    for scale in (10, 100):
        step = scale / 10  # 0.3 of 3
        worse = pair(ACTIVE | {"pga": 0.3 * scale}, BETTER | {"pga": 0.3 * scale + step})
        better = pair(ACTIVE | {"pga": 0.3 * scale}, BETTER | {"pga": 0.3 * scale + 0.99 * step})
        assert at(clinical.sri4(worse, pga_scale=scale))["reason"] == "pga"
        assert at(clinical.sri4(better, pga_scale=scale))["reason"] == "responder"


@pytest.mark.parametrize("k", [4, 5, 6, 7, 8])
def test_k_points_are_needed_and_whoever_has_fewer_cannot_attain_it(k: int) -> None:
    for base, now, reason in ((k, 0, "responder"), (k + 2, 2, "responder"), (k + 2, 3, "sledai")):
        assert at(clinical.sri4(pair({"sledai_total": base}, {"sledai_total": now}), k=k))["reason"] == reason
    low = at(clinical.sri4(pair({"sledai_total": k - 1}, {"sledai_total": 0}), k=k))
    assert (low["sri4"], low["reason"]) == (None, "not_attainable")


@pytest.mark.parametrize(
    ("day", "status"), [(None, [True, True]), (1, [False, False]), (85, [False, False]), (86, [True, False])]
)
def test_a_failure_counts_from_its_day_on(day: int | None, status: list[bool]) -> None:
    visits = visit_table({"visit": "W0"} | ACTIVE, {"visit": "W12"} | BETTER, {"visit": "W24"} | BETTER)
    subjects = pl.DataFrame({"subject": ["S1"], "failure_day": pl.Series([day], dtype=pl.Int64)})

    assert clinical.sri4(visits, subjects)["sri4"].to_list() == status


def test_a_failure_before_a_visit_that_did_not_take_place_is_observed() -> None:
    visits = visit_table({"visit": "W0"} | ACTIVE, {"visit": "W12"} | BETTER, {"visit": "W24", "subject": "S2"})
    subjects = pl.DataFrame({"subject": ["S1"], "failure_day": [100]})

    row = at(clinical.sri4(visits, subjects), "W24")

    assert (row["sri4"], row["sri4_obs"], row["reason"]) == (False, False, "failure")


def test_whoever_never_came_back_is_a_non_responder_and_not_observed() -> None:
    visits = pair(ACTIVE, BETTER)
    subjects = pl.DataFrame({"subject": ["S1", "S2", "S3"], "arm": ["IL-2", "placebo", None]})

    status = clinical.sri4(visits, subjects).filter(visit="W12")

    assert status["subject"].to_list() == ["S1", "S2"]  # S3 was not randomised
    assert status["sri4"].to_list() == [True, False]
    assert status["sri4_obs"].to_list() == [True, None]
    assert status["reason"].to_list() == ["responder", "missing:visit"]


def test_items_stand_in_for_a_blank_total() -> None:
    before = {"sledai_total": None, "sledai_arthritis": True, "sledai_rash": True}
    after = {"sledai_total": None, "sledai_rash": True}

    assert at(clinical.sri4(pair(before, after)))["sri4"] is True


def test_classic_letters_are_judged_on_the_classic_domains() -> None:
    classic = [f"bilag_{domain}" for domain in clinical.BILAG_DOMAINS["classic"]]
    assert len(classic) == 8
    visits = pair(ACTIVE, BETTER).with_columns(pl.lit("D").alias(domain) for domain in classic)
    visits = visits.with_columns(
        bilag_vasculitis=pl.when(pl.col("visit") == "W12").then(pl.lit("A")).otherwise(pl.lit("C"))
    )

    assert at(clinical.sri4(visits, bilag="classic"))["reason"] == "bilag"
    assert at(clinical.sri4(visits, bilag="2004"))["reason"] == "responder"


def test_settings_and_tables_that_cannot_be_used_are_refused() -> None:
    visits = pair(ACTIVE, BETTER)
    for arguments, text in (
        ({"k": 3}, "sri4: k is 3; allowed is 4 to 8"),
        ({"bilag": "2005"}, "sri4: bilag is '2005'; allowed are 2004, classic"),
    ):
        with pytest.raises(StudyError) as error:
            clinical.sri4(visits, **arguments)
        assert str(error.value) == text
    with pytest.raises(StudyError) as error:
        clinical.sri4(visits.drop("pga", "bilag_renal"))
    assert str(error.value) == (
        "visits: no column pga, bilag_renal, which the SRI needs; add it, or leave that endpoint out"
    )
    with pytest.raises(StudyError) as error:
        clinical.sri4(pl.concat([visits, visits.tail(1)]))
    assert str(error.value) == "visits: 1 visits have several rows (S1 W12); keep one row each"


def missing_in_both() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two arms; P2 and T2 are seen at week 12 only, as responders; T3 never again, P3 failed."""
    came = {"W12": ("P1", "P2", "T1", "T2", "P3"), "W24": ("P1", "T1")}
    rows = [{"visit": "W0", "subject": s} | ACTIVE for s in ("P1", "P2", "P3", "T1", "T2", "T3")]
    rows += [{"visit": visit, "subject": s} | BETTER for visit, who in came.items() for s in who]
    subjects = pl.DataFrame(
        {
            "subject": ["P1", "P2", "P3", "T1", "T2", "T3"],
            "arm": ["placebo"] * 3 + ["IL-2"] * 3,
            "failure_day": [None, None, 50, None, None, None],
        }
    )
    status = clinical.sri4(visit_table(*rows), subjects)
    binary = status.select(
        "subject", "visit", "week", "evaluable", "reason", endpoint=pl.lit("sri4"), value="sri4", observed="sri4_obs"
    )
    return binary, subjects


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("nri", {"P1": True, "P2": False, "P3": False, "T1": True, "T2": False, "T3": False}),
        ("observed", {"P1": True, "P2": None, "P3": False, "T1": True, "T2": None, "T3": None}),
        ("locf", {"P1": True, "P2": True, "P3": False, "T1": True, "T2": True, "T3": False}),
        ("best", {"P1": True, "P2": False, "P3": False, "T1": True, "T2": True, "T3": True}),
        ("worst", {"P1": True, "P2": True, "P3": False, "T1": True, "T2": False, "T3": False}),
    ],
)
def test_each_rule_fills_what_was_not_observed(rule: Any, expected: dict[str, bool | None]) -> None:
    binary, subjects = missing_in_both()

    at_24 = clinical.impute(binary, subjects, rule=rule).filter(pl.col("visit") == "W24")

    assert dict(at_24.select("subject", "value").iter_rows()) == expected


def test_the_tipping_table_runs_from_no_to_all_responders_among_the_missing() -> None:
    binary, subjects = missing_in_both()

    table = clinical.tipping_point(binary, subjects, endpoint="sri4", visit="W24")

    # Treatment: T1 responds, T2 and T3 are missing. Control: P1 responds, P3 failed, P2 is missing.
    assert table.height == 3 * 2
    assert table.row(0) == (0, 0, 1, 3, 1, 3)
    assert table.row(-1) == (2, 1, 3, 3, 2, 3)


def test_unknown_rules_and_a_third_arm_are_refused() -> None:
    binary, subjects = missing_in_both()
    with pytest.raises(StudyError) as error:
        clinical.impute(binary, subjects, rule="mean")  # type: ignore[arg-type]
    assert str(error.value) == "impute: rule is 'mean'; allowed are nri, observed, locf, best, worst"
    three = subjects.with_columns(arm=pl.Series(["a", "b", "c"] * 2))
    with pytest.raises(StudyError) as error:
        clinical.tipping_point(binary, three, endpoint="sri4", visit="W24")
    assert str(error.value) == "tipping_point: found the arms a, b, c; allowed are two, control first"


def test_the_control_arm_can_be_named_and_is_not_whoever_stands_first() -> None:
    binary, subjects = missing_in_both()
    turned = subjects.reverse()  # the first row is now of IL-2

    rules: tuple[clinical.MissingRule, ...] = ("best", "worst")
    for rule in rules:
        named = clinical.impute(binary, turned, rule=rule, control="placebo")
        assert named.equals(clinical.impute(binary, subjects, rule=rule))
    where = {"endpoint": "sri4", "visit": "W24"}
    table = clinical.tipping_point(binary, turned, **where, control="placebo")
    assert table.equals(clinical.tipping_point(binary, subjects, **where))
    categories = subjects.with_columns(pl.col("arm").cast(pl.Enum(["placebo", "high dose", "IL-2"])))
    assert table.equals(clinical.tipping_point(binary, categories, **where))
    with pytest.raises(StudyError) as error:
        clinical.tipping_point(binary, subjects, **where, control="plazebo")
    assert str(error.value) == "tipping_point: no control arm 'plazebo'; arms are placebo, IL-2"


def test_a_subject_with_two_statuses_is_not_counted_twice() -> None:
    binary, subjects = missing_in_both()

    with pytest.raises(StudyError) as error:
        clinical.tipping_point(pl.concat([binary, binary.tail(1)]), subjects, endpoint="sri4", visit="W24")

    assert str(error.value).startswith("tipping_point: 1 subjects have several statuses at W24, first ")
