"""What a folder of results keeps of its study."""

from __future__ import annotations

import pytest
from polars.testing import assert_frame_equal

from il2cyto import analysis, datasets, io
from il2cyto.errors import StudyError
from il2cyto.study import TrialFile


def test_kept_inputs_come_back_as_they_were_without_folders(tmp_path) -> None:
    study = io.read_study(datasets.sample_data_path())
    data = io.read_clinical(study)

    list(analysis.keep_inputs(tmp_path, study, data))
    trial, again = analysis.kept_inputs(tmp_path)

    assert trial is not None
    assert again is not None
    assert [getattr(trial, name) for name in TrialFile.model_fields] == [
        getattr(study, n) for n in TrialFile.model_fields
    ]
    for name in ("subjects", "visits", "adverse_events", "queries"):
        assert_frame_equal(getattr(again, name), getattr(data, name))
    assert str(datasets.sample_data_path()) not in (tmp_path / "inputs" / "trial.json").read_text("utf-8")


def test_a_damaged_trial_is_an_error_that_says_what_to_do(tmp_path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "trial.json").write_text("{")

    with pytest.raises(StudyError) as e:
        analysis.kept_inputs(tmp_path)

    assert str(e.value) == (
        f"inputs/trial.json: damaged; give the study file itself: il2cyto analyse {tmp_path.name} --study study.yaml"
    )
