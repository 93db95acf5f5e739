"""A real scheduler and two worker processes: the same results, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from il2cyto import cohort, pipeline
from il2cyto.batch import open_backend
from il2cyto.errors import RunError
from il2cyto.io import read_study
from tests._runs import il2cyto, make_trial, outputs, shards

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

#: Loaded by every worker: one that opens a file of this name is gone, as with a fault in a library.
POISON = """
import os, signal
import il2cyto.batch._executor as executor
opened = executor.open_fcs
def open_fcs(path, **words):
    if path.name == "SIM-001_W6.fcs" and os.path.exists(os.environ["POISON"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return opened(path, **words)
executor.open_fcs = open_fcs
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers with nannies; gives the scheduler file and the file that turns the poison on."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "poison.py").write_text(POISON)
    scheduler_file, poison = folder / "scheduler.json", folder / "on"
    environment = {
        **os.environ,
        "POISON": str(poison),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), str(Path.cwd()), os.environ.get("PYTHONPATH")))),
    }
    common = ("--no-dashboard", "--scheduler-file", scheduler_file)
    words = [
        ("scheduler", *common, "--port", "0"),
        ("worker", *common, "--nworkers", "2", "--nthreads", "1", "--preload", "poison", "--local-directory", folder),
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *map(str, word)], env=environment, cwd=folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for word in words
    ]  # fmt: skip
    yield scheduler_file, poison
    for process in reversed(processes):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_trial(tmp_path_factory.mktemp("study") / "trial", 8)


@pytest.fixture(scope="module")
def serial(study, tmp_path_factory):
    """What one thread gives."""
    out = tmp_path_factory.mktemp("serial")
    pipeline.gate(study, out, workers=1)
    return outputs(out)


def worker_pids(scheduler_file):
    with distributed.Client(scheduler_file=str(scheduler_file), timeout=30) as client:
        client.wait_for_workers(2, timeout=30)
        return sorted(client.run(os.getpid).values())


def start(study, out, scheduler_file):
    command = il2cyto("gate", study, "--out", out, "--dask", scheduler_file)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_shards(process, out, n):
    while len(shards(out)) < n:
        assert process.poll() is None
        time.sleep(0.002)


def test_a_cluster_gives_the_bytes_of_one_thread(cluster, study, serial, tmp_path):
    scheduler_file, _ = cluster
    before = worker_pids(scheduler_file)
    assert pipeline.gate(study, tmp_path, dask=str(scheduler_file)).failures == ()
    assert outputs(tmp_path) == serial
    assert worker_pids(scheduler_file) == before


def test_a_worker_killed_in_the_middle_loses_nothing(cluster, study, serial, tmp_path):
    scheduler_file, _ = cluster
    victim = worker_pids(scheduler_file)[0]
    process = start(study, tmp_path, scheduler_file)
    wait_for_shards(process, tmp_path, 2)
    os.kill(victim, signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert outputs(tmp_path) == serial
    assert victim not in worker_pids(scheduler_file)


def test_a_file_that_kills_its_worker_fails_alone(cluster, study, serial, tmp_path):
    scheduler_file, poison = cluster
    worker_pids(scheduler_file)
    poison.touch()
    try:
        output = pipeline.gate(study, tmp_path, dask=str(scheduler_file))
    finally:
        poison.unlink()
    (failure,) = output.failures
    assert (failure.sample, failure.stage) == ("SIM-001_W6", "propose")
    assert failure.message == (
        "SIM-001_W6.fcs: the process that read it died during propose, also with no other file at work; the file was left out."
    )
    assert output.cohorts["tnk"].n_obs == 7
    entries = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    (failures,) = [entry["content"]["failures"] for entry in entries if entry["kind"] == "failures"]
    assert [failure["sample"] for failure in failures] == ["SIM-001_W6"]
    # Once it is harmless, only this file is missing.
    kept = shards(tmp_path, "propose")
    assert pipeline.gate(study, tmp_path, dask=str(scheduler_file)).failures == ()
    assert outputs(tmp_path) == serial
    assert shards(tmp_path, "propose").items() >= kept.items()


def test_a_driver_killed_in_the_middle_is_resumed(cluster, study, serial, tmp_path):
    scheduler_file, _ = cluster
    worker_pids(scheduler_file)
    process = start(study, tmp_path, scheduler_file)
    wait_for_shards(process, tmp_path, 3)
    process.kill()
    process.wait()
    kept = shards(tmp_path)
    assert pipeline.gate(study, tmp_path, dask=str(scheduler_file)).failures == ()
    assert outputs(tmp_path) == serial
    assert shards(tmp_path).items() >= kept.items()


def test_a_cluster_without_a_folder_of_shards_is_refused(cluster, study):
    scheduler_file, _ = cluster
    with pytest.raises(RunError) as error:
        cohort.gate_study(read_study(study), dask=str(scheduler_file))
    assert str(error.value) == (
        "a cluster hands results over as files: name a folder of shards that all of its machines see"
    )


def test_an_address_that_nobody_answers_is_an_error(monkeypatch):
    monkeypatch.setattr("il2cyto.batch._dask._SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(RunError) as error, open_backend(dask="tcp://127.0.0.1:9"):
        pass
    assert str(error.value) == "no Dask scheduler answers at 127.0.0.1:9; start one, or check the address"
