"""The storage: files with the SDK's operations, paths that stay in the project, and uploads that are whole or nothing."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.neuro.conftest import PROJECT, Client, Platform

MIB = 1 << 20


def folder_of(platform: Platform) -> Path:
    return platform.home.folder("neuro-storage") / PROJECT


def names(platform: Platform, path: str) -> list[str]:
    answer = platform.storage("GET", path, "LISTSTATUS").json()
    return [status["path"] for status in answer["FileStatuses"]["FileStatus"]]


def raw(platform: Platform, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """A request whose path reaches the server as it is."""
    with closing(http.client.HTTPConnection("127.0.0.1", platform.home.port("neuro"), timeout=60)) as connection:
        connection.request(method, path, body, {"Authorization": f"Bearer {platform.token}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_file_is_created_described_listed_read_renamed_and_deleted(platform: Platform) -> None:
    platform.upload("life/a/file.bin", b"0123456789")
    status = platform.storage("GET", "life/a/file.bin", "GETFILESTATUS").json()["FileStatus"]
    assert status | {"modificationTime": 0} == {
        "path": f"/{PROJECT}/life/a/file.bin",
        "type": "FILE",
        "length": 10,
        "modificationTime": 0,
        "permission": "manage",
    }
    lines = platform.storage("GET", "life", "LISTSTATUS", headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert lines.json()["FileStatus"]["path"] == "a"
    assert lines.json()["FileStatus"]["type"] == "DIRECTORY"
    assert platform.storage("GET", "life/a/file.bin", "OPEN").content == b"0123456789"
    part = platform.storage("GET", "life/a/file.bin", "OPEN", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    moved = platform.storage("POST", "life/a/file.bin", "RENAME", params={"destination": f"/{PROJECT}/life/b"})
    assert moved.status_code == 204
    assert names(platform, "life") == ["a", "b"]
    assert platform.storage("DELETE", "life", "DELETE", params={"recursive": "false"}).json()["errno"] == "EISDIR"
    assert platform.storage("DELETE", "life", "DELETE", params={"recursive": "true"}).status_code == 200
    assert platform.storage("GET", "life", "GETFILESTATUS").status_code == 404


def test_a_tree_of_any_depth_is_deleted(platform: Platform) -> None:
    platform.upload("deep/beside/file", b"x")
    (folder_of(platform) / "deep" / "link").symlink_to(folder_of(platform))
    path = "deep/" + "a/" * 1500
    assert platform.storage("PUT", path, "MKDIRS").status_code == 201
    assert platform.storage("PUT", f"{path}file", "CREATE", data=b"x").status_code == 201
    deleted = platform.storage("DELETE", "deep", "DELETE", params={"recursive": "true"})
    assert deleted.status_code == 200, deleted.text
    assert "deep" not in names(platform, "")
    assert folder_of(platform).is_dir()


def test_a_file_needs_its_folder_and_goes_on_at_its_end_alone(platform: Platform) -> None:
    assert platform.storage("PUT", "nowhere/file", "CREATE", data=b"x").status_code == 404
    platform.upload("parts/file", b"01234")

    def write(content: bytes, span: str) -> tuple[int, str]:
        answer = platform.storage("PATCH", "parts/file", "WRITE", data=content, headers={"Content-Range": span})
        return answer.status_code, "" if answer.ok else answer.json().get("error", "")

    assert write(b"567", "bytes 5-7/*") == (200, "")
    assert write(b"567", "bytes 5-7/*") == (200, "")  # a client that lost the answer repeats it
    assert write(b"x", "bytes 9-9/*") == (
        400,
        f"/{PROJECT}/parts/file has 8 bytes: writing at 9 would leave a gap; write at 8 or before",
    )
    assert write(b"x", "bytes 8-9/*") == (400, "the body has 1 bytes, and Content-Range says 2")
    assert write(b"x", "8-8") == (400, "Content-Range '8-8' must be like 'bytes 0-9/*'")
    assert platform.storage("GET", "parts/file", "OPEN").content == b"01234567"


NAMES = ["with blanks and  two", "two\nlines", "\r\x01", "größe-日本.txt", "50%.txt", "a#b?c", "-rf", "x" * 255]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_have_any_characters(platform: Platform, name: str) -> None:
    path = f"/storage/{PROJECT}/{quote(name)}?op="
    assert raw(platform, "PUT", f"{path}CREATE", b"content")[0] == 201
    assert raw(platform, "GET", f"{path}OPEN") == (200, b"content")
    assert name in names(platform, "")


def test_a_refusal_about_control_characters_is_one(platform: Platform) -> None:
    for path, status in (("missing%0d%0aX-A:1%01?op=OPEN", 404), ("missing?op=%0d%0aX-A:1", 501), ("../../../x%0a", 501)):
        answer, body = raw(platform, "GET", f"/storage/{PROJECT}/{path}")
        assert (answer, b'"error"' in body) == (status, True)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"/storage/{PROJECT}/../../../secret", 400, "'.' or '..'"),
        (f"/storage/{PROJECT}/a/%2e%2e/b", 400, "'.' or '..'"),
        (f"/storage/{PROJECT}/..%2f..%2fsecret", 400, "escaped slash"),
        (f"/storage/{PROJECT}/%00", 400, "null character"),
        (f"/storage/{PROJECT}/%ff", 400, "not UTF-8"),
        (f"/storage/{PROJECT}/{'x' * 256}", 400, "file name too long"),
        ("/storage/course/other/file", 403, "no project course/other"),
        ("/storage/", 403, "no project"),
    ],
)
@pytest.mark.parametrize("request_", [("GET", "OPEN"), ("PUT", "CREATE"), ("PUT", "MKDIRS"), ("DELETE", "DELETE")])
def test_no_path_leads_out_of_the_project(
    platform: Platform, path: str, status: int, message: str, request_: tuple[str, str]
) -> None:
    method, op = request_
    answer, body = raw(platform, method, f"{path}?op={op}")
    assert (answer, message in body.decode()) == (status, True), body


@pytest.mark.parametrize("target", ["/etc", "../../../../..", "/proc/self/root"])
def test_a_symlink_out_of_the_project_is_shown_but_not_followed(platform: Platform, target: str) -> None:
    platform.upload("links/file", b"x")
    link = folder_of(platform) / "links" / "out"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    for method, op in (("GET", "LISTSTATUS"), ("GET", "OPEN"), ("PUT", "MKDIRS"), ("GET", "GETFILESTATUS")):
        refused = platform.storage(method, "links/out", op)
        assert (refused.status_code, refused.json()["errno"]) == (400, "EXDEV")
    assert platform.storage("PUT", "links/out/new", "CREATE", data=b"x").json()["errno"] == "EXDEV"
    listed = platform.storage("GET", "links", "LISTSTATUS").json()["FileStatuses"]["FileStatus"]
    assert [(status["path"], status["type"]) for status in listed] == [("file", "FILE"), ("out", "SYMLINK")]
    assert platform.storage("DELETE", "links/out", "DELETE", params={"recursive": "true"}).status_code == 200
    assert Path("/etc/passwd").exists()


def test_a_broken_upload_leaves_no_file(platform: Platform) -> None:
    platform.upload("broken/other", b"x")
    head = (
        f"PUT /storage/{PROJECT}/broken/file?op=CREATE HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {platform.token}\r\nContent-Length: {4 * MIB}\r\n\r\n"
    )
    uploads = platform.home.folder("neuro-storage") / ".uploads"
    with socket.create_connection(("127.0.0.1", platform.home.port("neuro")), 60) as client:
        client.sendall(head.encode() + bytes(2 * MIB))
        wait_for(lambda: any(path.stat().st_size >= MIB for path in uploads.iterdir()), what="the upload to begin")
        assert names(platform, "broken") == ["other"]
    wait_for(lambda: not [*uploads.iterdir()], what="the upload to be discarded")
    assert names(platform, "broken") == ["other"]


def test_a_killed_service_leaves_no_half_of_an_upload(platform: Platform) -> None:
    platform.upload("killed/whole", b"acknowledged")
    head = (
        f"PUT /storage/{PROJECT}/killed/half?op=CREATE HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {platform.token}\r\nContent-Length: {4 * MIB}\r\n\r\n"
    )
    uploads = platform.home.folder("neuro-storage") / ".uploads"
    with socket.create_connection(("127.0.0.1", platform.home.port("neuro")), 60) as client:
        client.sendall(head.encode() + bytes(2 * MIB))
        wait_for(lambda: any(path.stat().st_size >= MIB for path in uploads.iterdir()), what="the upload to begin")
        platform.process.kill()
    platform.process.start()
    assert names(platform, "killed") == ["whole"]
    assert platform.storage("GET", "killed/whole", "OPEN").content == b"acknowledged"
    assert [*uploads.iterdir()] == []


def test_a_large_file_passes_in_constant_memory(platform: Platform, tmp_path: Path) -> None:
    size, large = 512 * MIB, tmp_path / "large"
    with large.open("wb") as file:
        os.truncate(file.fileno(), size)
    assert platform.process.process
    process = psutil.Process(platform.process.process.pid)
    before = process.memory_info().rss
    with large.open("rb") as file:
        assert platform.storage("PUT", "large", "CREATE", data=file).status_code == 201
    with platform.session.get(f"{platform.url}/storage/{PROJECT}/large?op=OPEN", stream=True, timeout=60) as answer:
        assert sum(len(block) for block in answer.iter_content(MIB)) == size
    assert process.memory_info().rss - before < 32 * MIB
    platform.storage("DELETE", "large", "DELETE")


def test_a_file_may_have_more_than_two_gigabytes(platform: Platform) -> None:
    platform.upload("sparse", b"")
    os.truncate(folder_of(platform) / "sparse", 3 << 30)
    end = {"Content-Range": f"bytes {3 << 30}-{(3 << 30) + 2}/*"}
    assert platform.storage("PATCH", "sparse", "WRITE", data=b"end", headers=end).status_code == 200
    assert platform.storage("GET", "sparse", "GETFILESTATUS").json()["FileStatus"]["length"] == (3 << 30) + 3
    tail = platform.storage("GET", "sparse", "OPEN", headers={"Range": f"bytes={3 << 30}-"})
    assert (tail.status_code, tail.content) == (206, b"end")


def test_the_client_copies_folders_both_ways(platform: Platform, client_of: Callable[[Platform, str], Client]) -> None:
    client = client_of(platform, "neuro")
    client.run("neuro", "config", "login-with-token", platform.token, client.environment["NEURO_API"])
    source = client.folder / "data"
    source.mkdir()
    (source / "small").write_bytes(b"x" * 1000)
    (source / "large").write_bytes(os.urandom(3 * MIB + 1))
    client.run("neuro", "cp", "-r", "data", "storage:copied")
    client.run("neuro", "cp", "-r", "storage:copied", "back")
    for name in ("small", "large"):
        assert (client.folder / "back" / name).read_bytes() == (source / name).read_bytes()


def test_requests_after_a_restart_need_no_new_login(platform: Platform, run_service: Callable[..., ServiceProcess]) -> None:
    platform.process.stop()
    platform.process.start()
    assert platform.storage("GET", "", "GETFILESTATUS").status_code == 200
