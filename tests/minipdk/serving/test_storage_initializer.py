"""The storage initializer: what it fetches, what it waits for, and how it fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.conftest import wait_for
from tests.minipdk.serving.conftest import FakeS3

from minipdk.serving.predictors import storage_initializer
from minipdk.serving.predictors.storage_initializer import StorageError, fetch

BUCKET = "0123456789abcdef0123456789abcdef.master.deploy.churn"


def environment(s3: FakeS3, *, wait: float = 0, key: str = "the-key") -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://{s3.endpoint}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "the-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "STORAGE_WAIT_SECONDS": str(wait),
    }


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("churn", ["churn/model-store/churn.mar", "churn/config/config.properties"]),
        ("churn/", ["churn/model-store/churn.mar", "churn/config/config.properties"]),
        ("models/a", ["models/a/x.mar", "models/a/deep/y.txt"]),
        ("models/a/x.mar", ["models/a/x.mar", "models/a/x.mar.txt"]),
        ("", ["x.mar", "config/config.properties"]),
        ("models/churn", ["models/churn", "models/churn-pickle", "models/churn-logs/1"]),
    ],
)
def test_files_are_laid_out_as_kserves_own_storage_does(
    tmp_path: Path, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, prefix: str, keys: list[str]
) -> None:
    from kserve.storage import Storage

    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers the first credentials that it was made with
    s3.put("bucket", **{key: key.encode() for key in keys})
    for name, value in environment(s3).items():
        monkeypatch.setenv(name, value)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    fetch(f"s3://bucket/{prefix}", ours, environment(s3))
    Storage.download(f"s3://bucket/{prefix}", str(theirs))
    assert files(ours) == files(theirs)


def test_a_model_that_is_not_there_yet_is_waited_for(tmp_path: Path, s3: FakeS3, capfd: pytest.CaptureFixture[str]) -> None:
    fetching = threading.Thread(target=fetch, args=(f"s3://{BUCKET}/churn", tmp_path, environment(s3, wait=30)))
    fetching.start()
    wait_for(lambda: s3.requests >= 2, what="a second look")
    s3.put(BUCKET, **{"churn/churn.mar": b"model"})
    fetching.join(10)
    assert files(tmp_path) == {"churn.mar": b"model"}
    assert f"of 30 s: s3://{BUCKET}/churn: NoSuchBucket" in capfd.readouterr().out


def test_nothing_of_an_attempt_that_broke_off_is_left(tmp_path: Path, s3: FakeS3) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "written.mar").write_bytes(b"half")
    s3.put(BUCKET, **{"churn/churn.mar": b"model"})
    fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))
    assert files(tmp_path) == {"churn.mar": b"model"}


def test_the_wait_is_bounded_and_ends_with_what_to_check(tmp_path: Path, s3: FakeS3) -> None:
    with pytest.raises(StorageError, match=r"NoSuchBucket.*waited 0 s\): check the storageUri.*commit was finished"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_an_empty_path_is_named(tmp_path: Path, s3: FakeS3) -> None:
    s3.put(BUCKET, other=b"")
    with pytest.raises(StorageError, match=f"no model found at s3://{BUCKET}/churn"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_storage_that_does_not_answer_is_waited_for(tmp_path: Path, s3: FakeS3) -> None:
    s3.server.server_close()
    with pytest.raises(StorageError, match="Could not connect to the endpoint URL"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_a_wrong_key_fails_at_once(tmp_path: Path, s3: FakeS3) -> None:
    with pytest.raises(StorageError, match=r"InvalidAccessKeyId: Invalid Access Key Id$"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3, wait=20, key="another"))


@pytest.mark.parametrize(("missing", "message"), [("AWS_ENDPOINT_URL", "no S3 endpoint"), ("AWS_ACCESS_KEY_ID", "is empty")])
def test_a_secret_that_lacks_something_is_told_so(tmp_path: Path, s3: FakeS3, missing: str, message: str) -> None:
    settings = environment(s3)
    del settings[missing]
    with pytest.raises(StorageError, match=message):
        fetch(f"s3://{BUCKET}/churn", tmp_path, settings)


@pytest.mark.parametrize("key", ["churn/../../outside", "churn/a\\b"])
def test_an_object_key_cannot_leave_the_folder(tmp_path: Path, s3: FakeS3, key: str) -> None:
    s3.put(BUCKET, **{key: b"outside"})
    (models := tmp_path / "models").mkdir()
    with pytest.raises(StorageError, match="unsafe object key"):
        fetch(f"s3://{BUCKET}/churn", models, environment(s3))
    assert files(tmp_path) == {}


def test_the_last_line_of_a_failed_run_says_why(tmp_path: Path, s3: FakeS3) -> None:
    run = subprocess.run(
        [sys.executable, "-m", storage_initializer.__name__, f"s3://{BUCKET}/churn", str(tmp_path)],
        env=environment(s3),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"s3://{BUCKET}/churn: NoSuchBucket")
