"""No request, however wrong, is answered with an internal error, ends the server or changes objects it does not name.

Every path that is served gets valid bodies with odd changes, patches of every type, and valid and invalid queries.
``FUZZ_CALLS`` is the number of requests (300).
"""

from __future__ import annotations

import copy
import http.client
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.minipdk.services.kubernetes.conftest import (
    NODE,
    claim,
    config_map,
    inference_service,
    new_event,
    pod,
    start_server,
)

from minipdk.services.kubernetes.kinds.table import ALL_RESOURCES, RESOURCES, UNSUPPORTED_SUBRESOURCES
from minipdk.services.kubernetes.model import Resource

CALLS = int(os.environ.get("FUZZ_CALLS", "300"))
TEMPLATES: dict[str, Any] = {
    "Pod": pod("a"),
    "ConfigMap": config_map("a", {"k": "v"}),
    "InferenceService": inference_service("a"),
    "Node": NODE,
    "PersistentVolumeClaim": claim("a"),
    "Event": new_event("a"),
    "Secret": {"metadata": {"name": "a"}, "type": "Opaque", "stringData": {"k": "v"}, "data": {"x": "eA=="}},
    "Service": {"metadata": {"name": "a"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "http"}]}},
    "Deployment": {
        "metadata": {"name": "a"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "b:1"}]}},
        },
    },
    "ServingRuntime": {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
    "SeldonDeployment": {"metadata": {"name": "a"}, "spec": {"predictors": [{"name": "a", "graph": {"name": "a"}}]}},
    "SubjectAccessReview": {"spec": {"user": "a", "resourceAttributes": {"resource": "pods", "verb": "get"}}},
}
TYPES = ("json", "merge-patch+json", "json-patch+json", "strategic-merge-patch+json", "apply-patch+yaml", "yaml", "x")
NAMES = st.sampled_from(["a", "a", "a", "b", "", "..", "A", "é", "a/b", "\0", "a" * 300])
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, -1, 0, 1 << 70, 1.5, "", "a", "\0", "\ud800", "é" * 99, "9" * 30, "2026-13-01"),
        *([], {}, [None], [[]], [{}], {"": {}}, {"a": None}, {"name": 1}, [{"name": "a"}, {"name": "a"}]),
        *({"$patch": "delete"}, [{"$patch": "replace"}], {"$patch": 1}, {"$setElementOrder/containers": [1]}),
        *({"$setElementOrder/a": 1}, {"$retainKeys": 1}, {"$deleteFromPrimitiveList/name": ["a"]}, {"f:a": 1}, {"k:[]": {}}),
    ]
)
VALUES = st.sampled_from(
    [
        *("", "1", "0", "-1", "true", "All", "Strict", "Ignore", "Exact", "NotOlderThan", "Orphan", "Foreground", "Object"),
        *(
            "a\x07",
            "a" * 129,
            "a=b",
            "a in (b)",
            "!a",
            "x,",
            "metadata.name=a",
            "spec.nodeName!=a",
            "a" * 200,
            "é",
            "9" * 20,
            "e30",
        ),
    ]
)
PARAMETERS = (
    "dryRun fieldManager fieldValidation force labelSelector fieldSelector limit continue pretty resourceVersion "
    "resourceVersionMatch propagationPolicy gracePeriodSeconds includeObject tailLines container sinceSeconds sinceTime "
    "previous sendInitialEvents orphanDependents"
)
QUERIES = st.dictionaries(st.sampled_from(PARAMETERS.split()), VALUES, max_size=3)
NONSENSE = st.sampled_from(
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "a: b: c",
            '{"a":1,"a":2}',
            "1: x",
            "[a]: b",
            "? !!binary aGk=\n: a",
            "!!set {a}",
            "a: .nan",
        ),
        *("a: !!timestamp 2026-01-02", "a: &a [*a]", 'a: "\\ud800"', "[" * 400 + "]" * 400),
    ]
)
MANAGERS = [{"manager": "a", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}]
ACCEPTS = st.sampled_from(["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "*/*", "text/html", ";;=,"])


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in ``document``."""
    inner = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@st.composite
def bodies(draw: st.DrawFn, resource: Resource) -> Any:
    """A valid object of the kind with up to two values replaced by odd ones."""
    body = copy.deepcopy(TEMPLATES.get(resource.kind) or TEMPLATES.get(resource.kind.removeprefix("Cluster"), {"spec": {}}))
    body |= {"apiVersion": resource.api_version, "kind": resource.kind, "status": {"conditions": [{"type": "A"}]}}
    if draw(st.integers(0, 3)) == 3:
        body["metadata"] = body.get("metadata", {}) | {"managedFields": copy.deepcopy(MANAGERS)}
    for _ in range(draw(st.integers(0, 2))):
        *parents, last = draw(st.sampled_from(places(body)[1:]))
        target = body
        for key in parents:
            target = target[key] if isinstance(target, dict | list) else {}
        if isinstance(target, dict) or (isinstance(target, list) and last < len(target)):
            target[last] = copy.deepcopy(draw(ODD))
    return body


@st.composite
def operations(draw: st.DrawFn, body: Any) -> Any:
    """A JSON patch of places that exist, and some that do not."""
    pointers = ["/" + "/".join(map(str, path)) for path in places(body)] + ["", "/-", "/metadata/labels/~1", "/spec/9", "x"]
    made = st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
            "path": st.sampled_from(pointers) | ODD,
        },
        optional={"value": ODD, "from": st.sampled_from(pointers) | ODD},
    )
    return draw(st.lists(made | ODD, max_size=3))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any, dict[str, str]]:
    resource = draw(st.sampled_from(ALL_RESOURCES))
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = draw(st.sampled_from(["/namespaces/fuzzed"] * 4 + ["", "/namespaces/none"])) if resource.namespaced else ""
    parts = [
        "",
        "",
        "",
        *(subresource.name for subresource in resource.subresources),
        *UNSUPPORTED_SUBRESOURCES.get(resource.plural, ()),
    ]
    name, part = draw(NAMES), draw(st.sampled_from(parts))
    path = "/".join(filter(None, (f"{base}{place}/{resource.plural}", quote(name, safe=""), part)))
    query = draw(QUERIES)
    body = draw(bodies(resource))
    kind = draw(st.sampled_from(TYPES))
    if kind == "json-patch+json":
        body = draw(operations(body))
    text = json.dumps(body) if draw(st.integers(0, 9)) else draw(NONSENSE)
    headers = {"Content-Type": f"application/{kind}", "Accept": draw(ACCEPTS)}
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE"]))
    return method, f"{path}?{urlencode(query)}", text, headers


class Server:
    """A separate server, over one connection."""

    def __init__(self, path: Path) -> None:
        self.process = start_server(path)
        home = self.process.home
        context = ssl.create_default_context(cafile=str(home.ca_certificate))
        self._connection = http.client.HTTPSConnection("127.0.0.1", home.port("kubernetes"), context=context, timeout=60)
        self._token = {"Authorization": f"Bearer {home.token}"}

    def __call__(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
        self._connection.request(method, path, body, self._token | headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if method == "HEAD":
            return answer.status, None
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def stop(self) -> None:
        self._connection.close()
        self.process.stop()


@pytest.fixture(scope="module")
def fuzzed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("fuzzed") / "home")
    for name in ("fuzzed", "untouched"):
        assert server("POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": name}}))[0] == 201
    made = json.dumps(config_map("kept", {"a": "b"}, namespace="untouched", finalizers=["example.com/keep"]))
    kept = server("POST", "/api/v1/namespaces/untouched/configmaps", made)[1]
    yield server
    assert server("GET", "/api/v1/namespaces/untouched/configmaps/kept") == (200, kept)
    server.stop()
    assert "Traceback" not in server.process.log, server.process.log


@settings(max_examples=CALLS, suppress_health_check=list(HealthCheck))
@given(requests())
def test_any_request_is_answered_or_refused_properly(
    fuzzed_server: Server, request_made: tuple[str, str, Any, dict[str, str]]
) -> None:
    method, path, body, headers = request_made
    code, answer = fuzzed_server(method, path, body, **headers)
    assert code < 500 or code in (501, 504), answer
    if method != "HEAD" and code >= 400 and code != 404:
        assert (answer["kind"], answer["code"]) == ("Status", code)
        assert answer["message"]
    if code in (200, 201) and method in ("POST", "PUT", "PATCH") and "dryRun" not in path:
        metadata = answer.get("metadata") or {}
        if metadata.get("resourceVersion") and answer["kind"] in TEMPLATES:
            collection, _, rest = path.partition("?")[0].partition("/" + plural(answer["kind"]))
            shown = fuzzed_server("GET", f"{collection}/{plural(answer['kind'])}/{metadata['name']}")
            assert shown == (200, answer), rest


def plural(kind: str) -> str:
    return next(resource.plural for resource in RESOURCES if resource.kind == kind)
