"""Files that pachd fetches from a URL itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import head, new_repo, paths, read

LARGE = bytes(range(256)) * 20_000


class Site(BaseHTTPRequestHandler):
    """A large file, a redirect to it, one that breaks off, and nothing else."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/large")
            self.end_headers()
        elif self.path in ("/large", "/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(LARGE)))
            self.end_headers()
            self.wfile.write(LARGE if self.path == "/large" else LARGE[:1000])
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def branch(client: Client) -> pfs.Branch:
    return pfs.Branch(repo=new_repo(client), name="master")


def test_a_file_is_put_from_a_url_and_appended_to_from_another(client: Client, branch: pfs.Branch, site: str) -> None:
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_url(path="/a", url=f"{site}/large")
        more = [
            pfs.AddFile(path="/a", raw=b"between"),
            pfs.AddFile(path="/a", url=pfs.AddFileUrlSource(url=f"{site}/moved")),
        ]
        requests = [pfs.ModifyFileRequest(add_file=addition) for addition in more]
        client.pfs.modify_file(iter([pfs.ModifyFileRequest(set_commit=commit), *requests]))
    assert read(client, head(branch), "/a") == LARGE + b"between" + LARGE


@pytest.mark.parametrize(
    ("path", "why"),
    [("/nothing", "404 Not Found"), ("/cut", f"the connection was closed {len(LARGE) - 1000} bytes before the end")],
)
def test_an_incomplete_transfer_is_not_put(client: Client, branch: pfs.Branch, site: str, path: str, why: str) -> None:
    refuse(client, branch, f"{site}{path}", f'error retrieving content from "{site}{path}": {why}')


def test_a_host_that_does_not_answer_is_named(client: Client, branch: pfs.Branch) -> None:
    url = "http://127.0.0.1:1/x"
    refuse(
        client,
        branch,
        url,
        f'error retrieving content from "{url}": [Errno 111] Connection refused',
        grpc.StatusCode.UNKNOWN,
    )


@pytest.mark.parametrize("url", ["s3://bucket/key", "gs://bucket/key", "azblob://c/key", "file:///etc/passwd", "ftp://h/x"])
def test_other_schemes_are_refused_by_name(client: Client, branch: pfs.Branch, url: str) -> None:
    scheme = url.partition(":")[0]
    message = f"putting a file from a {scheme} URL ({url}) is not supported by minipdk"
    refuse(client, branch, url, message, grpc.StatusCode.UNIMPLEMENTED)


def test_getting_a_file_to_a_url_is_refused_by_name(client: Client, branch: pfs.Branch) -> None:
    with pytest.raises(grpc.RpcError, match=r"GetFileRequest.URL is not supported by minipdk"):
        list(client.pfs.get_file(file=pfs.File(commit=head(branch), path="/a"), url="s3://bucket/key"))


def refuse(client: Client, branch: pfs.Branch, url: str, message: str, code: Any = grpc.StatusCode.UNKNOWN) -> None:
    """Putting from ``url`` fails, and leaves no file."""
    commit = client.pfs.start_commit(branch=branch)
    with pytest.raises(grpc.RpcError) as caught:
        client.pfs.put_file_from_url(commit=commit, path="/refused", url=url)
    assert (caught.value.code(), caught.value.details()) == (code, message)
    assert "/refused" not in paths(client.pfs.list_file(file=pfs.File(commit=commit, path="/")))
    client.pfs.drop_commit(commit=commit)
