"""Files and shards in a local S3 server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from il2cyto import pipeline
from il2cyto.errors import FcsError, RunError
from il2cyto.inventory import take_inventory
from il2cyto.io import fingerprint, local_copy, open_mapping, read_study
from tests._runs import il2cyto, outputs, shards

pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def bucket():
    """A server with an empty bucket; the environment has what finds it and opens it."""
    import boto3

    moto = server.ThreadedMotoServer(port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "SECRETID")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETKEY")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="trial")
        yield client
    moto.stop()


@pytest.fixture
def remote(study, bucket):
    """The study with its files in the bucket and nowhere else; gives the study file."""
    sheet = study.parent / "samples.csv"
    for file in sorted(study.parent.glob("*.fcs")):
        bucket.put_object(Bucket="trial", Key=f"fcs/{file.name}", Body=file.read_bytes())
        sheet.write_text(sheet.read_text().replace(f"\n{file.name},", f"\ns3://trial/fcs/{file.name},"))
    return study


def test_files_and_shards_in_a_bucket_give_the_bytes_of_local_ones(study, bucket, tmp_path, request):
    pipeline.gate(study, tmp_path / "local")
    remote = request.getfixturevalue("remote")
    for file in study.parent.glob("*.fcs"):
        file.unlink()
    out = tmp_path / "out"
    assert pipeline.gate(remote, out, shards="s3://trial/shards").failures == ()
    assert outputs(out) == outputs(tmp_path / "local")
    assert shards(out) == {}
    stored = sorted(open_mapping("s3://trial/shards"))
    assert [key.split("/")[0] for key in stored].count("apply") == 4
    for path in out.rglob("*.json*"):
        assert b"SECRET" not in path.read_bytes()
    # Again, with nothing to do: no object is read.
    times = {key: bucket.head_object(Bucket="trial", Key=f"shards/{key}")["LastModified"] for key in stored}
    assert pipeline.gate(remote, out, shards="s3://trial/shards").failures == ()
    assert outputs(out) == outputs(tmp_path / "local")
    assert {key: bucket.head_object(Bucket="trial", Key=f"shards/{key}")["LastModified"] for key in stored} == times


def test_a_missing_object_is_that_file_s_failure_and_check_names_it(remote, bucket, tmp_path):
    bucket.delete_object(Bucket="trial", Key="fcs/SIM-001_W6.fcs")
    problems = take_inventory(read_study(remote)).problems
    assert problems.filter(problems["severity"] == "error")["message"].to_list() == ["file: not found"]
    (failure,) = pipeline.gate(remote, tmp_path / "out").failures
    assert failure.message == "SIM-001_W6.fcs: file: not found. Check the name and the bucket."


def test_a_changed_object_has_another_fingerprint_and_its_copy_is_private_and_goes(remote, bucket):
    url = "s3://trial/fcs/SIM-001_W0.fcs"
    before = fingerprint(url)
    assert fingerprint(url) == before != ""
    with local_copy(url) as path:
        assert path.name == "SIM-001_W0.fcs"
        assert path.parent.stat().st_mode & 0o077 == 0
        content = path.read_bytes()
    assert not path.exists()
    bucket.put_object(Bucket="trial", Key="fcs/SIM-001_W0.fcs", Body=content[:-1] + b"x")
    assert fingerprint(url) != before
    assert fingerprint("s3://trial/fcs/none.fcs") == ""


def test_an_object_that_does_not_arrive_whole_is_an_error(monkeypatch):
    class Cut:
        def info(self, place):
            return {"size": 4096}

        def get_file(self, place, path):
            Path(path).write_bytes(b"FCS3.1")

    monkeypatch.setattr("il2cyto.io._remote._filesystem", lambda url: (Cut(), url))
    with pytest.raises(FcsError) as error, local_copy("s3://trial/a.fcs"):
        pass
    assert str(error.value) == "a.fcs: size: 6 of 4096 bytes arrived. Check the connection, and run again."


@pytest.mark.slow
def test_processes_of_a_cluster_read_and_write_the_bucket(remote, bucket, tmp_path):
    pytest.importorskip("distributed")
    command = il2cyto("gate", remote, "--out", tmp_path / "out", "--dask", "local", "--shards", "s3://trial/cluster")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    pipeline.gate(remote, tmp_path / "threads")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "threads")
    record = (tmp_path / "out" / "run.jsonl").read_text()
    assert json.loads(record.splitlines()[-1])["content"] == {"failed": 0}
    assert "SECRET" not in record + done.stdout + done.stderr


def test_a_kind_of_url_that_nothing_opens_is_an_error():
    with pytest.raises(RunError) as error:
        open_mapping("nowhere://trial/a")
    assert str(error.value) == (
        "nowhere:// cannot be opened; pip install 'il2cyto[s3]', or what fsspec needs for this kind of store"
    )
