"""What stands at the top of a report: each finding once, in words that a person can act on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from il2cyto import datasets
from il2cyto._keys import Uns
from il2cyto.report._alerts import alerts
from il2cyto.report._results import Results


def said(adata, code):
    return [alert[:3] for alert in alerts(Results(Path(), {"tnk": adata}, {}, "")) if alert.code == code]


@pytest.fixture
def trial():
    return datasets.toy_trial(subjects=8)


def test_clinical_values_that_fit_another_unit_are_an_alert(trial):
    row = {"table": "visits.csv", "subject": "P1", "visit": "W0", "column": "albumin_g_l", "line": 2, "found": 3.9}
    queries = pl.DataFrame([row | {"low": 10.0, "high": 60.0, "unit": "g/L"}])

    found = alerts(Results(Path(), {"tnk": trial}, {"value_queries": queries}, ""))

    assert [alert[:3] for alert in found if alert.code == "IMPLAUSIBLE"] == [
        (
            "warn",
            "IMPLAUSIBLE",
            "visits.csv: albumin_g_l: implausible in g/L (usually 10 to 60) in line 2; check the unit; nothing was converted.",
        )
    ]


@pytest.mark.parametrize("column", ["batch", "cytometer", "site"])
def test_arms_that_were_run_apart_are_an_alert_that_names_no_arm(trial, column):
    trial.obs["batch"] = "one"
    trial.obs[column] = np.where(trial.obs["arm"] == trial.obs["arm"].cat.categories[0], "x", "y")
    ((level, _, text),) = said(trial, "CONFOUNDED_BATCH")
    assert level == "warn"
    assert text.startswith(f"8 of 8 subjects share their {column} with their own arm only, and 0% of the comparison")
    assert not any(arm in text for arm in trial.obs["arm"].cat.categories)


def test_a_control_that_was_run_on_both_sides_leaves_it_a_notice(trial):
    trial.obs["batch"] = np.where(trial.obs["arm"] == trial.obs["arm"].cat.categories[0], "x", "y")
    subjects = trial.obs["subject"].astype(str)
    of_both = [subjects[trial.obs["batch"] == name].iloc[0] for name in "xy"]
    trial.obs["control"] = subjects.isin(of_both).to_numpy()
    trial.obs["subject"] = subjects.replace(dict.fromkeys(of_both, "HD"))
    ((level, _, text),) = said(trial, "CONFOUNDED_BATCH")
    assert level == "info"
    assert text.endswith("; bridging controls were run in both.")


def test_a_marker_that_some_samples_lack_is_one_warning_and_one_that_the_panel_does_without_is_a_notice(trial):
    channels = trial.uns[Uns.IL2CYTO][Uns.CHANNELS]
    channels.loc[channels["marker"] == "CD14", "samples"] = ";".join(trial.obs_names[4:])
    n, rest = trial.n_obs, "removed nothing. All other populations are gated as usual."
    assert said(trial, "MARKER_ABSENT") == [
        ("warn", "MARKER_ABSENT", f"CD14 is not in 4 of {n} samples of panel tnk: the step not_monocyte {rest}"),
        ("info", "MARKER_ABSENT", f"lineage is not in {n} of {n} samples of panel tnk: the step NK_lineage {rest}"),
    ]
