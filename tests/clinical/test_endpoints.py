"""All endpoints of a study: on a simulated trial of the published size, and where something is not stated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest
from anndata import AnnData

from il2cyto import clinical, datasets, io
from il2cyto.errors import StudyError
from il2cyto.io import ClinicalData
from il2cyto.study import ClinicalSettings, Study
from tests.clinical._tables import pair, visit_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A margin-matched trial, tables only."""
    return io.read_study(datasets.simulate_trial(tmp_path_factory.mktemp("simulated"), files=False))


@pytest.fixture(scope="module")
def data(study: Study) -> ClinicalData:
    return io.read_clinical(study)


def settings_of(study: Study) -> ClinicalSettings:
    assert study.clinical is not None
    return study.clinical


def tables_of(data: ClinicalData) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    assert data.subjects is not None
    assert data.visits is not None
    assert data.adverse_events is not None
    return data.subjects, data.visits, data.adverse_events


def made_of(visits: pl.DataFrame, subjects: pl.DataFrame | None = None) -> ClinicalData:
    return ClinicalData(subjects, visits, None, (), pl.DataFrame())


@pytest.mark.parametrize(
    ("endpoint", "visit", "in_set", "expected"),
    [
        ("sri4", "W12", "mitt", {"IL-2": (16, 29), "placebo": (9, 30)}),
        ("sri4", "W24", "mitt", {"IL-2": (19, 29), "placebo": (11, 30)}),
        ("sri4", "W12", "itt", {"IL-2": (16, 30), "placebo": (9, 30)}),
        ("sri4", "W24", "itt", {"IL-2": (19, 30), "placebo": (11, 30)}),
        ("nephritis_remission", "W12", "mitt", {"IL-2": (7, 13), "placebo": (2, 12)}),
        ("nephritis_remission", "W24", "mitt", {"IL-2": (7, 13), "placebo": (2, 12)}),
    ],
)
def test_a_matched_trial_has_the_published_counts(
    study: Study, data: ClinicalData, endpoint: str, visit: str, in_set: str, expected: dict[str, tuple[int, int]]
) -> None:
    subjects, visits, _ = tables_of(data)
    found = clinical.endpoints(data, settings_of(study)).binary
    sets = clinical.analysis_sets(subjects, visits).filter(in_set).select("subject", "arm")

    rows = found.filter(pl.col("visit") == visit, pl.col("endpoint") == endpoint, "evaluable").join(sets, "subject")

    counts = rows.group_by("arm").agg(pl.col("value").sum(), pl.len())
    assert {str(arm): (x, n) for arm, x, n in counts.iter_rows()} == expected


def test_a_matched_trial_has_the_published_adverse_events_and_flow(data: ClinicalData) -> None:
    subjects, visits, events = tables_of(data)

    table = clinical.adverse_events(events, subjects)
    flow = clinical.consort(subjects, clinical.analysis_sets(subjects, visits))

    counts = {row: tuple(table.filter(row=row).sort("arm", descending=True)["subjects"]) for row in table["row"]}
    published = {
        "serious": (0, 3),
        "npsle": (0, 1),
        "herpes_zoster": (0, 1),
        "pneumonia": (0, 1),
        "infection": (2, 6),
        "urti": (2, 4),
        "serious_infection": (0, 2),
        "injection_site": (9, 2),
        "fever": (4, 0),
        "flu_like": (3, 0),
    }
    assert {row: counts[row] for row in published} == published
    assert dict(table.filter(row="any").select("arm", "n").iter_rows()) == {"placebo": 30, "IL-2": 29}
    sizes = {(stage, arm): n for stage, arm, _, n in flow.iter_rows()}
    assert (sizes["contacted", None], sizes["randomised", None]) == (65, 60)
    assert (sizes["allocated", "placebo"], sizes["allocated", "IL-2"]) == (30, 30)
    assert (sizes["analysed", "placebo"], sizes["analysed", "IL-2"]) == (30, 29)


@pytest.mark.parametrize("seed", [1, 5])
def test_tables_of_any_seed_are_valid_and_raise_no_query(tmp_path: Path, seed: int) -> None:
    study = io.read_study(datasets.simulate_trial(tmp_path, seed=seed, files=False))
    data = io.read_clinical(study)

    found = clinical.endpoints(data, study.clinical)

    assert (data.notices, data.queries.height, found.queries.height) == ((), 0, 0)
    assert found.notices == (
        "lldas: not evaluable: it is defined on SLEDAI-2K, and the version in study.yaml is selena",
    )
    assert not (tmp_path / "fcs").exists()


def test_every_endpoint_has_a_row_for_every_randomised_subject_and_visit(study: Study, data: ClinicalData) -> None:
    found = clinical.endpoints(data, settings_of(study))

    states = {"c3_normal", "c4_normal", "lldas", "doris"}
    sizes = dict(found.binary.group_by("endpoint").len().iter_rows())
    assert sizes == {name: 60 * (8 if name in states else 7) for name in settings_of(study).endpoints}
    assert found.binary.filter(pl.col("value").is_null() == pl.col("evaluable")).is_empty()
    assert found.binary.filter(~pl.col("evaluable"), pl.col("observed").is_not_null()).is_empty()
    # Imputation changes what is missing, to non-response, and nothing else.
    assert found.binary.filter("evaluable", pl.col("value") != pl.col("observed").fill_null(value=False)).is_empty()
    assert dict(found.continuous.group_by("endpoint").len().iter_rows()) == dict.fromkeys(
        ("sledai", "pga", "prednisone_mg", "albumin_g_l", "upe_g_24h", "c3_g_l", "c4_g_l", "dsdna_iu_ml"), 480
    )
    assert found.continuous.filter(endpoint="upe_g_24h", evaluable=True)["subject"].n_unique() == 25


def test_statuses_depend_neither_on_the_arm_nor_on_the_order_of_rows(study: Study, data: ClinicalData) -> None:
    subjects, visits, _ = tables_of(data)
    key = ["endpoint", "subject", "visit"]
    expected = clinical.endpoints(data, settings_of(study)).binary.sort(key)

    swapped = subjects.with_columns(
        arm=pl.when(pl.col("arm").is_not_null()).then(pl.lit("IL-2").cast(pl.Enum(study.arms)))
    )
    shuffled = replace(data, subjects=swapped.sample(fraction=1, shuffle=True, seed=1), visits=visits.reverse())

    assert clinical.endpoints(shuffled, settings_of(study)).binary.sort(key).equals(expected)


def test_what_is_not_stated_is_not_guessed_but_said() -> None:
    visits = pair({}, {}).drop("new_features", "gi_activity", "upe_g_24h")

    found = clinical.endpoints(made_of(visits), ClinicalSettings(sledai_version="2k"))

    assert found.notices == (
        "c3_normal, c3_normalised: not evaluable: study.yaml states no lower limit of normal; add it as clinical: {limits: "
        "{c3_g_l: {lln: ...}}}",
        "c4_normal, c4_normalised: not evaluable: study.yaml states no lower limit of normal; add it as clinical: {limits: "
        "{c4_g_l: {lln: ...}}}",
        "nephritis_remission: not evaluable: subjects: no column lupus_nephritis, which remission of nephritis needs; add "
        "it, or leave that endpoint out",
        "lldas: not evaluable: visits: no column gi_activity, new_features, which LLDAS needs; add it, or leave that "
        "endpoint out",
    )
    reasons = dict(found.binary.filter(visit="W12").select("endpoint", "reason").iter_rows())
    assert reasons["c3_normal"] == "no_limit"
    assert reasons["lldas"] == reasons["nephritis_remission"] == "missing_columns"
    assert reasons["doris"] == "met"
    blank = found.binary.filter(pl.col("reason").is_in(["no_limit", "missing_columns"]))
    assert (blank["value"].null_count(), blank["evaluable"].any()) == (blank.height, False)


def test_another_k_is_announced_and_only_the_endpoints_asked_for_are_evaluated() -> None:
    settings = ClinicalSettings.model_validate({"sri": {"k": 6}, "endpoints": ["sri4", "doris"]})

    found = clinical.endpoints(made_of(pair({"sledai_total": 11}, {"sledai_total": 6})), settings)

    assert found.notices == (
        "sri4: evaluated with k = 6: it is the SRI-6",
        "2 SLEDAI items or totals contradict other columns; see the list of queries",
    )
    assert found.binary.filter(visit="W12").select("endpoint", "reason").rows() == [
        ("sri4", "sledai"),
        ("doris", "met"),
    ]


def test_proteinuria_of_0_has_the_logarithm_of_half_the_smallest_positive_value() -> None:
    visits = visit_table(
        {"visit": "W0", "upe_g_24h": 2.0}, {"visit": "W12", "upe_g_24h": 0.0}, {"visit": "W24", "upe_g_24h": 0.4}
    )
    rows = clinical.endpoints(made_of(visits)).continuous.filter(endpoint="upe_g_24h")

    assert rows["value"].to_list() == [2.0, 0.0, 0.4]
    assert rows["log_value"].to_list() == pytest.approx(np.log([2.0, 0.2, 0.4]).tolist())
    assert rows["zero_replaced"].to_list() == [False, True, False]


def test_a_table_without_any_measurement_has_rows_that_say_so() -> None:
    visits = pair({}, {}).select("subject", "visit", "baseline")

    found = clinical.endpoints(made_of(visits), ClinicalSettings())

    assert found.continuous.is_empty()
    assert found.binary["value"].null_count() == found.binary.height > 0
    assert clinical.endpoints(made_of(visits), ClinicalSettings(endpoints=())).binary.is_empty()


def test_visits_stand_in_the_order_of_the_schedule_whatever_that_of_the_rows() -> None:
    visits = visit_table({"visit": "W24"}, {"visit": "W0"}, {"visit": "W12"})

    status = clinical.doris(visits, pl.DataFrame({"subject": ["S2", "S1"], "arm": ["a", "b"]}))

    assert status["subject"].to_list() == ["S2"] * 3 + ["S1"] * 3
    assert status["visit"].to_list() == ["W0", "W12", "W24"] * 2
    assert status["week"].to_list() == [0.0, 12.0, 24.0] * 2


def test_endpoints_need_a_table_of_visits() -> None:
    with pytest.raises(StudyError) as error:
        clinical.endpoints(ClinicalData(None, None, None, (), pl.DataFrame()))
    assert str(error.value) == (
        "clinical: no table of visits, which endpoints need; name it in study.yaml as clinical: {visits: visits.csv}"
    )


def test_a_baseline_visit_has_to_be_known() -> None:
    visits = pair({}, {}).with_columns(baseline=pl.lit(value=False))
    with pytest.raises(StudyError) as error:
        clinical.doris(visits)
    assert str(error.value) == ("visits: found 0 baseline visits; allowed is one: mark it in the column baseline")


def cohort(*rows: tuple[str | None, str | None]) -> AnnData:
    obs = pd.DataFrame(rows, columns=["subject", "visit"], index=[f"s{i}" for i in range(len(rows))])
    return AnnData(obs=obs.astype("category"))


def test_join_puts_each_visits_values_beside_its_samples(study: Study, data: ClinicalData, tmp_path: Path) -> None:
    subjects, visits, _ = tables_of(data)
    sets = clinical.analysis_sets(subjects, visits)
    found = clinical.endpoints(data, settings_of(study))
    undosed = sets.filter(~pl.col("safety"), "itt")["subject"][0]
    adata = cohort(("SIM-001", "W12"), ("SIM-001", "W0"), (None, None), (undosed, "W0"), ("SIM-001", "W12"))

    joined = clinical.join(adata, found, sets=sets, visits=visits, primary_visit="W12")

    assert list(adata.obs) == ["subject", "visit"]
    row = visits.filter(pl.col("subject") == "SIM-001", pl.col("visit") == "W12").row(0, named=True)
    status = found.binary.filter(subject="SIM-001", endpoint="sri4").filter(pl.col("visit") == "W12")["value"][0]
    obs = joined.obs
    assert obs["sledai"].tolist()[0] == obs["sledai"].tolist()[4] == row["sledai_total"]
    assert obs.loc["s0", "study_day"] == row["study_day"]
    assert obs.loc["s0", "lymphocytes_1e9_l"] == row["lymphocytes_1e9_l"]
    assert obs["sri4"].tolist() == [status, pd.NA, pd.NA, pd.NA, status]
    assert obs["responder"].tolist() == [status, status, pd.NA, False, status]
    assert obs.loc["s0", "response"] == ("responder" if status else "non-responder")
    assert obs["mitt"].tolist() == [True, True, pd.NA, False, True]
    assert np.isnan(obs.loc["s2", "c3_g_l"])
    assert obs["lldas"].isna().all()
    joined.write_h5ad(tmp_path / "joined.h5ad")


def test_join_again_replaces_and_an_unknown_visit_is_refused(study: Study, data: ClinicalData) -> None:
    found = clinical.endpoints(data, settings_of(study))
    once = clinical.join(cohort(("SIM-001", "W12")), found, primary_visit="W12")

    assert clinical.join(once, found, primary_visit="W12").obs.equals(once.obs)
    with pytest.raises(StudyError) as error:
        clinical.join(once, found, primary_visit="W3")
    assert str(error.value) == "join: no sri4 at visit 'W3'; it is there at W2, W4, W6, W8, W10, W12, W24"
