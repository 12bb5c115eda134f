"""For any bytes that a client sends to the churn endpoint, the answer names their fault, and the predictor keeps serving.

BODIES_COUNT and BODIES_SEED choose the number of random bodies and the bodies; a failure prints the body that caused it.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests import churn_archive
from tests.conftest import wait_for
from tests.minipdk.services.kserve.predictors.conftest import ModelServer, StartModelServer

COUNT, SEED = int(os.environ.get("BODIES_COUNT", "200")), int(os.environ.get("BODIES_SEED", "0"))
IMAGE = "pytorch/torchserve-kfs:0.12.0"
JSON = "application/json"
COLUMNS: dict[str, dict[str, Any]] = json.loads(churn_archive.SAMPLE.read_text())
ROW = {name: column["0"] for name, column in COLUMNS.items() if name != "churn"}
NUMERIC = [name for name, value in ROW.items() if not isinstance(value, str)]
CATEGORICAL = [name for name in ROW if name not in NUMERIC]
SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "named rows": lambda row: {name: {"0": value} for name, value in row.items()},
    "lists": lambda row: {name: [value] for name, value in row.items()},
    "records": lambda row: [row],
}
VALID = churn_archive.customers(1)
WORKERS = 2
GROWTH = 64 << 20


@pytest.fixture(scope="module")
def churn(start_model_server: StartModelServer, tmp_path_factory: pytest.TempPathFactory) -> ModelServer:
    folder = tmp_path_factory.mktemp("churn")
    churn_archive.make(folder)
    (folder / "config.properties").write_text(f"default_workers_per_model={WORKERS}\n")
    server = start_model_server(IMAGE, folder)
    server.wait_until_ready()
    wait_for(lambda: server.log.read_text().count("serving http://") == WORKERS, what="the other worker")
    return server


@pytest.fixture(scope="module", autouse=True)
def alive_and_no_larger(churn: ModelServer) -> Any:
    """After all of this module's bodies: a valid one is answered, by the same process, which has not grown."""
    for _ in range(20):
        refuse(churn, b"x" * 1_000_000)
        assert churn.predict(VALID, model="churn").json() == {"predictions": [[0.0]]}
    before = memory(churn)
    yield
    assert churn.predict(VALID, model="churn").json() == {"predictions": [[0.0]]}
    grown = memory(churn) - before
    sys.stdout.write(f"memory: {before >> 20} MiB before, {grown / 2**20:+.1f} MiB after\n")
    assert grown < GROWTH
    assert "Traceback" not in churn.log.read_text()


def memory(server: ModelServer) -> int:
    """Bytes that all of the container's processes have written to: files they map may be shared with any process."""
    statuses = [
        Path(f"/proc/{process.pid}/status").read_text()
        for process in psutil.Process(server.container.pid).children(recursive=True)
    ]
    return sum(int(re.findall(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[0]) << 10 for status in statuses)


def refuse(server: ModelServer, content: bytes, *, content_type: str = JSON, path: str = "", **headers: str) -> str:
    """Send ``content``; it has to be refused with a reason, which is returned."""
    url = f"{server.url}{path or '/v1/models/churn:predict'}"
    answer = server.http.post(url, data=content, headers={"Content-Type": content_type} | headers, timeout=60)
    assert 400 <= answer.status_code < 500, f"{answer.status_code} {answer.text[:300]} for {content[:300]!r}"
    body = answer.json()
    reason = body["error"] if "error" in body else json.dumps(body["detail"])
    assert reason
    assert len(answer.content) < 5000
    return str(reason)


def body_of(data: Any) -> dict[str, Any]:
    return {"instances": [{"data": data}]}


# Random bodies: one thing is wrong with each, and the answer names it.
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
not_numbers = values.filter(lambda value: isinstance(value, bool) or not isinstance(value, (int, float)))
huge = st.integers(10**60, 10**400) | st.integers(-(10**400), -(10**60)) | st.floats(1e60) | st.floats(max_value=-1e60)
shapes = st.sampled_from(list(SHAPES))


def encoded(data: Any) -> bytes:
    """JSON, with Python's spelling of infinity, and lone surrogates as escapes."""
    return json.dumps(data, ensure_ascii=True).encode()


@st.composite
def wrong_value(draw: st.DrawFn) -> tuple[bytes, str]:
    """A row with one wrong value, and the name that the reason must contain."""
    if draw(st.booleans()):
        name, value = draw(st.sampled_from(NUMERIC)), draw(not_numbers | huge)
    else:
        name, value = draw(st.sampled_from(CATEGORICAL)), draw(values)
    infinite = isinstance(value, (int, float)) and abs(value) > sys.float_info.max
    if isinstance(value, str) and name in CATEGORICAL and len(value) < 5:
        value += "?"  # nothing that is a category
    content = encoded(body_of(SHAPES[draw(shapes)](ROW | {name: value})))
    return content, "Unrecognized request format" if infinite else name


@st.composite
def missing_columns(draw: st.DrawFn) -> tuple[bytes, str]:
    gone = draw(st.sets(st.sampled_from(list(ROW)), min_size=1))
    unknown = draw(st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=2))
    row = {name: value for name, value in (unknown | ROW).items() if name not in gone}
    return encoded(body_of([row])), f"column missing: {next(name for name in NUMERIC + CATEGORICAL if name in gone)}"


@st.composite
def wrong_column(draw: st.DrawFn) -> tuple[bytes, str]:
    """One column differs in form from the others, or has other rows."""
    shape, name = draw(st.sampled_from(["named rows", "lists"])), draw(st.sampled_from([*ROW][1:]))
    empty: st.SearchStrategy[object] = st.just([]) if shape == "lists" else st.just({})
    column = draw(scalars | empty | st.just([1, 2]) | st.just({"7": 1}))
    return encoded(body_of(SHAPES[shape](ROW) | {name: column})), f"column {name}"


@st.composite
def other_json(draw: st.DrawFn) -> tuple[bytes, str]:
    anything = draw(values)
    place = draw(st.sampled_from(["body", "instances", "instance", "data"]))
    nested = {"body": anything, "instances": {"instances": anything}, "instance": {"instances": [anything]}}
    return encoded(nested.get(place, body_of(anything))), ""


@st.composite
def broken_bytes(draw: st.DrawFn) -> tuple[bytes, str]:
    """A good body that is cut off, in another encoding, packed, or has a byte that no JSON has."""
    good = encoded(body_of(SHAPES[draw(shapes)](ROW)))
    kind = draw(st.sampled_from(["cut", "encoding", "gzip", "byte", "noise"]))
    if kind == "cut":
        return good[: draw(st.integers(0, len(good) - 1))], "Unrecognized request format"
    if kind == "encoding":
        return good.decode().encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "cp500"]))), "Unrecognized"
    if kind == "gzip":
        return gzip.compress(good, mtime=0)[: draw(st.integers(10, 2000))], "Unrecognized request format"
    if kind == "byte":
        at = draw(st.integers(0, len(good)))
        return good[:at] + bytes([draw(st.sampled_from([0, 1, 0x80, 0xC0, 0xFF]))]) + good[at:], "Unrecognized"
    return b"\xff" + draw(st.binary(max_size=500)), "Unrecognized request format"


bodies = st.one_of(wrong_value(), missing_columns(), wrong_column(), other_json(), broken_bytes())


@seed(SEED)
@settings(max_examples=COUNT, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies)
def test_a_random_body_is_refused_with_its_fault(churn: ModelServer, body: tuple[bytes, str]) -> None:
    content, named = body
    assert named in refuse(churn, content)


@seed(SEED)
@settings(max_examples=max(20, COUNT // 10), database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=other_json() | st.builds(lambda inputs: (encoded({"inputs": inputs}), ""), values) | broken_bytes())
def test_protocol_v2_refuses_random_bodies_too(churn: ModelServer, content: tuple[bytes, str]) -> None:
    refuse(churn, content[0], path="/v2/models/churn/infer")


def tensor(**change: Any) -> bytes:
    return encoded({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]} | change]})


@pytest.mark.parametrize(
    "content",
    [
        tensor(),
        tensor(shape=[3]),
        tensor(shape=[-1]),
        tensor(shape=["a"]),
        tensor(shape=[2**62, 2**62]),
        tensor(datatype="FP33"),
        tensor(datatype=None),
        tensor(datatype="BYTES"),
        tensor(datatype="BYTES", data=[]),
        tensor(data=["a", None]),
        tensor(data=[[1], 2]),
        tensor(data=[1e400, 1]),
        tensor(data=None),
        tensor(parameters={"binary_data_size": 8}, data=None),
        tensor(name=None),
        encoded({"inputs": []}),
        encoded({"id": 3, "inputs": None}),
    ],
)
def test_protocol_v2_tensors_that_the_handler_does_not_take_are_400(churn: ModelServer, content: bytes) -> None:
    refuse(churn, content, path="/v2/models/churn/infer")
    refuse(churn, content, path="/v2/models/churn/infer", **{"Inference-Header-Content-Length": str(len(content))})
    refuse(churn, content, path="/v2/models/churn/infer", **{"Inference-Header-Content-Length": "-5"})
    refuse(churn, content, path="/v2/models/churn/infer", **{"Inference-Header-Content-Length": "five"})


GOOD = encoded(VALID)
TWICE = GOOD.replace(b'"months": ', b'"months": {"0": 1}, "months": 7, "rv": ', 1)
DEEP = b"[" * 1000 + b"]" * 1000


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(b"", "Unrecognized request format", id="nothing"),
        pytest.param(b"null", "Expected a body", id="null"),
        pytest.param(b"[]", "Expected a body", id="a list"),
        pytest.param(b'"text"', "Expected a body", id="a text"),
        pytest.param(b'{"instances": null}', "Expected a body", id="null instances"),
        pytest.param(TWICE, "column months", id="a column twice, the last of them wrong"),
        pytest.param(GOOD.replace(b'"months"', b'"Months"'), "column missing: months", id="a column in capitals"),
        pytest.param(GOOD.replace(b'"0"', b'"\\ud800"'), "Unrecognized request format", id="a lone surrogate"),
        pytest.param(GOOD.replace(b'"months": {"0": ', b'"months": {"0": NaN, "1": '), "Unrecognized", id="NaN"),
        pytest.param(encoded(body_of([ROW | {"months": "9" * 5_000_000}])), "column months", id="a giant string"),
        pytest.param(encoded(body_of([{**ROW, "area": "x" * 5_000_000}])), "column area", id="a giant category"),
        pytest.param(GOOD.replace(b'"months": {"0": ', b'"months": {"0": 1' + b"0" * 100_000), "", id="a giant number"),
        pytest.param(b'{"instances": [{"data": ' + DEEP + b"}]}", "", id="a deep data"),
        pytest.param(GOOD.replace(b'"area": {"0": ', b'"area": {"0": ' + DEEP + b', "1": '), "", id="a deep category"),
        pytest.param(encoded(body_of([ROW | {"area": {}}])), "column area", id="an object for a category"),
        pytest.param(encoded(body_of([{}] * 50_000)), "column missing", id="many empty rows"),
        pytest.param(encoded({"instances": [{}] * 50_000}), "instance 0", id="many empty instances"),
        pytest.param(encoded({"specversion": "1.0", "id": "1", "source": "x", "type": "y"}), "", id="a hollow event"),
        pytest.param(
            encoded({"specversion": "1.0", "id": "1", "source": "x", "type": "y", "time": "t", "data": 5}), "", id="event"
        ),
        pytest.param(b"x" * 7_000_000, "larger than the limit of 6553500 bytes", id="over the limit"),
    ],
)
def test_a_body_made_by_hand_is_refused(churn: ModelServer, content: bytes, named: str) -> None:
    assert named in refuse(churn, content)


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/plain", {}),
        ("image/png", {}),
        ("application/cloudevents+json", {}),
        ("application/json; charset=utf-16", {}),
        (JSON, {"ce-specversion": "9", "ce-id": "1", "ce-source": "x", "ce-type": "y"}),
        (JSON, {"ce-specversion": "1.0", "ce-id": "", "ce-source": "", "ce-type": ""}),
        (JSON, {"Content-Encoding": "gzip"}),
    ],
)
def test_a_broken_body_under_another_header_is_refused(
    churn: ModelServer, content_type: str, headers: dict[str, str]
) -> None:
    refuse(churn, b"{", content_type=content_type, **headers)
    refuse(churn, b'{"instances": [{"data": 5}]}', content_type=content_type, **headers)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: ten",
        b"Content-Length: -1",
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Transfer-Encoding: chunked",
    ],
)
def test_a_request_whose_length_is_no_length_is_400(churn: ModelServer, head: bytes) -> None:
    address = urlsplit(churn.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as client:
        client.sendall(b"POST /v1/models/churn:predict HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\nzz\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_clients_that_go_away_half_way_are_forgotten(churn: ModelServer) -> None:
    address = urlsplit(churn.url)
    for _ in range(50):
        with socket.create_connection((address.hostname, address.port), timeout=60) as client:
            client.sendall(b"POST /v1/models/churn:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert requests.post(f"{churn.url}/v1/models/churn:predict", json=VALID, timeout=60).ok


def test_a_valid_body_is_answered_between_hostile_ones(churn: ModelServer) -> None:
    wrong = copy.deepcopy(VALID)
    wrong["instances"][0]["data"]["months"]["0"] = "three"
    for _ in range(10):
        assert refuse(churn, encoded(wrong)) == 'column months, row 0: "three" is not a number'
        assert churn.predict(VALID, model="churn").json() == {"predictions": [[0.0]]}
