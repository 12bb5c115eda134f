"""The storage initializer: the sources it fetches from, how it waits, and how it fails."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from tests.conftest import wait_for
from tests.minipdk.services.kserve.conftest import FakeS3, FakeWeb

from minipdk.services.kserve.predictors import storage_initializer
from minipdk.services.kserve.predictors.errors import StorageError
from minipdk.services.kserve.predictors.storage_initializer import fetch

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
    ("prefix", "objects"),
    [
        (
            "churn",
            {
                "churn/model-store/churn.mar": "model-store/churn.mar",
                "churn/config/config.properties": "config/config.properties",
            },
        ),
        ("churn/", {"churn/model-store/churn.mar": "model-store/churn.mar", "churn/empty/": None}),
        ("models/a", {"models/a/x.mar": "x.mar", "models/a/deep/y.txt": "deep/y.txt"}),
        ("models/a/x.mar", {"models/a/x.mar": "x.mar", "models/a/x.mar.txt": None}),
        ("", {"x.mar": "x.mar", "config/config.properties": "config/config.properties"}),
        ("models/churn", {"models/churn": "churn", "models/churn-pickle": None, "models/churn-logs/1": None}),
    ],
)
def test_objects_are_laid_out_as_kserves_own_storage_does(
    tmp_path: Path, s3: FakeS3, prefix: str, objects: dict[str, str | None]
) -> None:
    s3.put("bucket", {key: b"" if key.endswith("/") else key.encode() for key in objects})
    fetch(f"s3://bucket/{prefix}", tmp_path, environment(s3))
    assert files(tmp_path) == {name: key.encode() for key, name in objects.items() if name}


def test_a_model_that_is_not_there_yet_is_waited_for(tmp_path: Path, s3: FakeS3, capfd: pytest.CaptureFixture[str]) -> None:
    fetching = threading.Thread(target=fetch, args=(f"s3://{BUCKET}/churn", tmp_path, environment(s3, wait=30)))
    fetching.start()
    wait_for(lambda: s3.requests >= 2, what="a second look")
    s3.put(BUCKET, {"churn/churn.mar": b"model"})
    fetching.join(10)
    assert files(tmp_path) == {"churn.mar": b"model"}
    assert f"of 30 s: s3://{BUCKET}/churn: NoSuchBucket" in capfd.readouterr().out


def test_files_of_an_attempt_that_broke_off_are_removed(tmp_path: Path, s3: FakeS3) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "written.mar").write_bytes(b"half")
    s3.put(BUCKET, {"churn/churn.mar": b"model"})
    fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))
    assert files(tmp_path) == {"churn.mar": b"model"}


def test_the_wait_is_bounded_and_its_error_says_where_to_look(tmp_path: Path, s3: FakeS3) -> None:
    with pytest.raises(StorageError, match=r"NoSuchBucket.*waited 0 s\): check the storageUri.*commit was finished"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_an_empty_path_is_named(tmp_path: Path, s3: FakeS3) -> None:
    s3.put(BUCKET, {"other": b""})
    with pytest.raises(StorageError, match=f"no model found at s3://{BUCKET}/churn"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_storage_that_does_not_answer_is_waited_for(tmp_path: Path, s3: FakeS3) -> None:
    s3.server.server_close()
    with pytest.raises(StorageError, match="Could not connect to the endpoint URL"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3))


def test_a_wrong_key_fails_immediately(tmp_path: Path, s3: FakeS3) -> None:
    with pytest.raises(StorageError, match=r"InvalidAccessKeyId: Invalid Access Key Id$"):
        fetch(f"s3://{BUCKET}/churn", tmp_path, environment(s3, wait=20, key="another"))


@pytest.mark.parametrize(("missing", "message"), [("AWS_ENDPOINT_URL", "no S3 endpoint"), ("AWS_ACCESS_KEY_ID", "is empty")])
def test_an_incomplete_secret_is_reported(tmp_path: Path, s3: FakeS3, missing: str, message: str) -> None:
    settings = environment(s3)
    del settings[missing]
    with pytest.raises(StorageError, match=message):
        fetch(f"s3://{BUCKET}/churn", tmp_path, settings)


@pytest.mark.parametrize("key", ["churn/../../outside", "churn/a\\b"])
def test_an_object_key_cannot_leave_the_folder(tmp_path: Path, s3: FakeS3, key: str) -> None:
    s3.put(BUCKET, {key: b"outside"})
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


NO_WAIT = {"STORAGE_WAIT_SECONDS": "0"}


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return content.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for member, body in members:
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


MODEL = {"model.joblib": b"model", "deep/notes.txt": b"notes"}
TARRED = tuple((tarfile.TarInfo(name), body) for name, body in MODEL.items())


@pytest.mark.parametrize(
    ("name", "kind", "body", "expected"),
    [
        ("model.joblib", "application/octet-stream", b"model", {"model.joblib": b"model"}),
        ("my%20model.pkl", "application/octet-stream", b"model", {"my model.pkl": b"model"}),
        ("model.pkl.gz", "application/octet-stream", gzip.compress(b"model", mtime=0), {"model.pkl": b"model"}),
        ("model.zip", "application/zip", zipped(**MODEL), MODEL),
        ("model.tar", "application/x-tar", tarred(*TARRED, mode="w"), MODEL),
        ("model.tgz", "application/gzip", tarred(*TARRED), MODEL),
        ("model.tar.gz", "application/x-gzip", tarred(*TARRED), MODEL),
    ],
)
def test_a_url_is_one_file_or_an_archive_of_the_model(
    tmp_path: Path, web: FakeWeb, name: str, kind: str, body: bytes, expected: dict[str, bytes]
) -> None:
    fetch(web.put(f"/models/{name}", body, kind) + "?raw=true", tmp_path, NO_WAIT)
    assert files(tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "kind", "body", "message"),
    [
        (
            "model.joblib",
            "text/html",
            b"<html>",
            "did not respond with 'Content-Type': application/octet-stream, but with text/html",
        ),
        (
            "model.zip",
            "application/octet-stream",
            b"",
            "did not respond with 'Content-Type': application/x-zip-compressed or",
        ),
        ("model.zip", "application/zip", b"hello", "model.zip is broken or no zip archive"),
        ("model.zip", "application/zip", zipped(**MODEL)[:-30], "model.zip is broken or no zip archive"),
        ("model.zip", "application/zip", zipped(**{"../out": b"x"}), "model.zip holds the unsafe path '../out'"),
        ("model.tgz", "application/gzip", b"hello", "model.tgz is broken or no tar archive"),
        ("model.tgz", "application/gzip", tarred(*TARRED)[:-30], "model.tgz is broken or no tar archive"),
        (
            "model.tar",
            "application/x-tar",
            tarred((tarfile.TarInfo("../out"), b"x"), mode="w"),
            "holds the unsafe path '../out'",
        ),
        (
            "model.tar",
            "application/x-tar",
            tarred((tarfile.TarInfo("/out"), b"x"), mode="w"),
            "holds the unsafe path '/out'",
        ),
        ("model.pkl.gz", "application/octet-stream", b"hello", "model.pkl.gz is broken or not compressed by gzip"),
        ("", "application/octet-stream", b"", "names no file: its path must end with one"),
    ],
)
def test_an_answer_that_is_no_model_fails_immediately_with_the_reason(
    tmp_path: Path, web: FakeWeb, name: str, kind: str, body: bytes, message: str
) -> None:
    (models := tmp_path / "models").mkdir()
    with pytest.raises(StorageError) as failure:
        fetch(web.put(f"/{name}", body, kind), models, {"STORAGE_WAIT_SECONDS": "60"})
    assert message in str(failure.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_an_archive_is_refused(tmp_path: Path, web: FakeWeb, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "/etc/passwd"
    url = web.put("/model.tar", tarred((member, b""), mode="w"), "application/x-tar")
    with pytest.raises(StorageError, match=r"model\.tar holds the link or device 'link'"):
        fetch(url, tmp_path, NO_WAIT)


def test_a_missing_url_fails_immediately(tmp_path: Path, web: FakeWeb) -> None:
    with pytest.raises(StorageError, match=r"/model\.pkl: 404 Not Found$"):
        fetch(f"{web.url}/model.pkl", tmp_path, {"STORAGE_WAIT_SECONDS": "60"})
    assert len(web.seen) == 1


def test_a_server_that_cannot_answer_now_is_waited_for(
    tmp_path: Path, web: FakeWeb, capfd: pytest.CaptureFixture[str]
) -> None:
    url = web.put("/model.pkl", b"", status=503)
    fetching = threading.Thread(target=fetch, args=(url, tmp_path, {"STORAGE_WAIT_SECONDS": "60"}))
    fetching.start()
    wait_for(lambda: len(web.seen) >= 2, what="a second look")
    web.put("/model.pkl", b"model")
    fetching.join(60)
    assert files(tmp_path) == {"model.pkl": b"model"}
    assert "of 60 s: " in capfd.readouterr().out


def test_a_download_that_breaks_off_is_not_taken_for_the_model(tmp_path: Path, web: FakeWeb) -> None:
    web.pages["/model.pkl"] = (200, {"Content-Type": "application/octet-stream", "Content-Length": "10"}, b"model")
    with pytest.raises(StorageError, match=r"IncompleteRead|5 bytes read, 5 more expected"):
        fetch(f"{web.url}/model.pkl", tmp_path, NO_WAIT)


def test_a_server_that_speaks_no_tls_is_named(tmp_path: Path, web: FakeWeb) -> None:
    with pytest.raises(StorageError, match=r"https://127\.0\.0\.1.*TLS:"):
        fetch(f"https://127.0.0.1:{web.port}/model.pkl", tmp_path, {"STORAGE_WAIT_SECONDS": "60"})


def test_a_secrets_headers_go_to_their_host_and_not_where_it_redirects(tmp_path: Path, web: FakeWeb) -> None:
    web.put("/model.pkl", b"model")
    web.pages["/moved.pkl"] = (302, {"Location": f"http://localhost:{web.port}/model.pkl"}, b"")
    headers = {"127.0.0.1-headers": json.dumps({"X-Token": "secret"})}
    fetch(f"{web.url}/moved.pkl", tmp_path, NO_WAIT | headers)
    assert [seen.get("x-token") for seen in web.seen] == ["secret", None]
    assert files(tmp_path) == {"moved.pkl": b"model"}
    with pytest.raises(StorageError, match=r"headers that the Secret has for 127\.0\.0\.1 are no JSON object"):
        fetch(f"{web.url}/moved.pkl", tmp_path, NO_WAIT | {"127.0.0.1-headers": "X-Token: secret"})


@pytest.mark.parametrize(
    ("location", "message"), [("file:///etc/passwd", "not http or https"), ("/loop.pkl", "more than 10 times")]
)
def test_a_redirect_leads_to_another_url_or_fails(tmp_path: Path, web: FakeWeb, location: str, message: str) -> None:
    web.pages["/loop.pkl"] = (302, {"Location": location}, b"")
    with pytest.raises(StorageError, match=message):
        fetch(f"{web.url}/loop.pkl", tmp_path, NO_WAIT)


def test_a_local_path_is_copied_and_its_one_archive_unpacked(tmp_path: Path) -> None:
    source, models = tmp_path / "source", tmp_path / "models"
    (source / "deep").mkdir(parents=True)
    models.mkdir()
    (source / "model.pkl").write_bytes(b"model")
    (source / "deep" / "notes.txt").write_bytes(b"notes")
    fetch(f"file://{source}", models, NO_WAIT)
    assert files(models) == {"model.pkl": b"model", "deep/notes.txt": b"notes"}
    fetch(f"file://{source}/model.pkl", models, NO_WAIT)
    assert files(models) == {"model.pkl": b"model"}
    (source / "packed.zip").write_bytes(zipped(**MODEL))
    fetch(f"file://{source}/packed.zip", models, NO_WAIT)
    assert files(models) == MODEL


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file:///nowhere/at/all", "/nowhere/at/all does not exist"),
        ("gs://bucket/model", "gs:// is not supported by minipdk: use s3, http, https, file or pvc"),
        ("model.pkl", "is not supported by minipdk"),
    ],
)
def test_a_uri_that_cannot_be_copied_is_named(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        fetch(uri, tmp_path, NO_WAIT)
