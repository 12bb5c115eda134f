"""The server as a process: who may ask, what it refuses, what survives kill -9, and how it stops."""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kubernetes.client import CoreV1Api
from tests.conftest import ServiceProcess, new_home, wait_for
from tests.minipdk.services.kubernetes.conftest import CONTAINER, MAPS, PODS, SERVICES, Http, config_map, start_server

from minipdk.common.home import Home
from minipdk.services.kubernetes import store as stores
from minipdk.services.kubernetes.api.options import list_options
from minipdk.services.kubernetes.certificates import ensure_tls, server_certificate, write_kubeconfig
from minipdk.services.kubernetes.errors import ExpiredError
from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS
from minipdk.services.kubernetes.model import Target
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.registry.watches import list_objects
from minipdk.services.kubernetes.service import kubeconfig

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubject"
TOKENS = "/api/v1/namespaces/models/serviceaccounts/default/token"
NAMESPACED = Target(CONFIG_MAPS, "models")


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic dGVzdC10b2tlbg==", "Bearer a.b.c", "Bearer é"])
def test_without_the_token_nothing_is_told(http: Http, token: str) -> None:
    code, status = http("GET", PODS, Authorization=token)
    assert (code, status["kind"], status["reason"]) == (401, "Status", "Unauthorized")


def test_health_is_told_to_anyone(http: Http) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert http("GET", path, Authorization="") == (200, "ok")


def test_another_hosts_name_is_refused(http: Http) -> None:
    assert http("GET", PODS, Host="evil.example.com")[0] == 403


def test_what_is_not_there_is_answered_as_an_api_server_does(http: Http) -> None:
    for path in ("/api/v1/quotas", "/apis/batch/v1/jobs", "/apis/nothing/v1", "/api/v2/pods", "/api/v1/pods/x", "/anything"):
        assert http("GET", path) == (404, "404 page not found\n")
    code, status = http("GET", f"{PODS}/missing")
    assert (code, status["reason"], status["details"]) == (404, "NotFound", {"name": "missing", "kind": "pods"})


def test_discovery_tells_the_same_in_both_forms(http: Http) -> None:
    """kubectl asks for everything at once, other clients ask for group after group."""
    for version in ("v2", "v2beta1"):
        wanted = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
        answers = [http("GET", path, Accept=wanted)[1] for path in ("/api", "/apis")]
        assert {one["apiVersion"] for one in answers} == {f"apidiscovery.k8s.io/{version}"}
        for group in (item for one in answers for item in one["items"]):
            name = group["metadata"].get("name", "")
            for found in group["versions"]:
                plain = http("GET", f"/apis/{name}/{found['version']}" if name else f"/api/{found['version']}")[1]
                verbs = {one["resource"]: one["verbs"] for one in found["resources"]} | {
                    f"{one['resource']}/{part['subresource']}": part["verbs"]
                    for one in found["resources"]
                    for part in one.get("subresources", ())
                }
                assert verbs == {one["name"]: one["verbs"] for one in plain["resources"]}
    assert {"/api/v1", "/apis/serving.kserve.io/v1beta1", "/openapi/v3"} <= set(http("GET", "/")[1]["paths"])


def test_both_openapi_documents_define_what_they_refer_to(http: Http) -> None:
    text = json.dumps(http("GET", "/openapi/v2")[1])
    definitions = json.loads(text)["definitions"]
    assert set(re.findall(r'"#/definitions/([^"]+)"', text)) <= definitions.keys()
    text = "".join(json.dumps(http("GET", f"/openapi/v3/{path}")[1]) for path in http("GET", "/openapi/v3")[1]["paths"])
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= definitions.keys()


@pytest.mark.parametrize("part", ["exec", "attach", "portforward", "proxy", "eviction"])
def test_subresources_of_a_real_cluster_are_refused_by_name(http: Http, part: str) -> None:
    code, status = http("POST", f"{PODS}/x/{part}")
    assert code == 501
    assert status["message"].startswith(f"pods/{part} is not supported by minipdk")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "code", "told"),
    [
        ("POST", PODS, "{", {}, 400, "not JSON"),
        ("POST", PODS, "[]", {}, 400, "must be one API object"),
        ("POST", PODS, "{}", {"Content_Type": "text/plain"}, 415, "application/json"),
        ("POST", PODS, '{"metadata": {"name": NaN}}', {}, 400, "NaN"),
        ("POST", PODS, '{"metadata": "x"}', {}, 400, "metadata"),
        ("POST", PODS, '{"kind": "Secret"}', {}, 400, "does not match the expected kind (Pod)"),
        ("POST", PODS, '{"metadata": {"name": "a"}, "spec": {"containers": 3}}', {}, 400, "spec.containers"),
        ("POST", PODS, '{"metadata": {"name": "a"}, "spec": {}}', {}, 422, "spec.containers: Required value"),
        (
            "POST",
            "/apis/apps/v1/namespaces/models/deployments",
            '{"metadata": {"name": "a"}}',
            {},
            422,
            "spec.template: Required",
        ),
        ("POST", PODS, "", {}, 400, "must be of type Pod): unexpected end of JSON input"),
        ("POST", f"{PODS}?dryRun=Some", "{}", {}, 422, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("PUT", f"{PODS}/x?fieldValidation=No", "{}", {}, 422, 'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation'),
        ("POST", f"{PODS}?fieldManager={'a' * 129}", "{}", {}, 422, "fieldManager: Too long: may not be more than 128"),
        ("POST", f"{PODS}?fieldManager=a%07", "{}", {}, 422, "invalid character U+0007 (at position 1)"),
        ("PATCH", f"{PODS}/x", "{}", {}, 415, "application/merge-patch+json"),
        ("GET", f"{PODS}?limit=many", None, {}, 400, "limit"),
        ("GET", f"{PODS}?labelSelector=a%20b", None, {}, 400, "unable to parse requirement"),
        ("GET", f"{PODS}?continue=x", None, {}, 400, "continue"),
        ("GET", f"{PODS}?resourceVersion=99999999", None, {}, 504, "Too large resource version: 99999999"),
        ("GET", f"{PODS}?resourceVersionMatch=Exact", None, {}, 422, "forbidden unless resourceVersion is provided"),
        ("GET", f"{PODS}?resourceVersionMatch=Some&resourceVersion=1", None, {}, 422, '"Exact", "NotOlderThan"'),
        ("GET", f"{PODS}?resourceVersionMatch=Exact&resourceVersion=0", None, {}, 422, 'forbidden for resourceVersion "0"'),
        ("GET", f"{PODS}?sendInitialEvents=true", None, {}, 422, "sendInitialEvents is forbidden for list"),
        ("GET", f"{PODS}?watch=1&sendInitialEvents=true", None, {}, 422, "setting resourceVersionMatch to NotOlderThan"),
        ("GET", f"{PODS}?watch=1&resourceVersionMatch=Exact", None, {}, 422, "forbidden for watch"),
        ("GET", PODS, None, {"Accept": "text/html"}, 406, "application/json"),
        ("DELETE", f"{PODS}/x?propagationPolicy=No", None, {}, 422, "propagationPolicy: Unsupported value"),
        ("DELETE", f"{PODS}/x?propagationPolicy=Orphan&orphanDependents=true", None, {}, 422, "cannot be both set"),
        ("DELETE", f"{PODS}/x", '{"dryRun": ["Some"]}', {}, 422, 'dryRun: Unsupported value: ["Some"]'),
        ("DELETE", f"{PODS}/x?dryRun=Some", None, {}, 422, 'dryRun: Unsupported value: ["Some"]'),
        ("DELETE", f"{PODS}/x", '{"gracePeriodSeconds": 99999999999999999999}', {}, 400, "must be of type int64"),
        ("DELETE", "/api/v1/pods", None, {}, 405, "does not allow this method"),
        ("POST", "/api/v1/pods", "{}", {}, 405, "does not allow this method"),
        ("PATCH", f"{PODS}/x", "{}", {"Content_Type": "application/apply-patch+yaml"}, 422, "fieldManager: Required value"),
        (
            "PATCH",
            f"{PODS}/x?force=true",
            "{}",
            {"Content_Type": "application/merge-patch+json"},
            422,
            "force: Forbidden: may not be specified for non-apply patch",
        ),
        ("POST", f"{REVIEWS}accessreviews", '{"spec": {}}', {}, 422, "exactly one of nonResourceAttributes"),
        ("POST", f"{REVIEWS}rulesreviews", '{"spec": {}}', {}, 400, "no namespace on request"),
        ("POST", TOKENS, '{"spec": {"audiences": [], "expirationSeconds": 60}}', {}, 422, "less than 10 minutes"),
        ("POST", TOKENS, '{"spec": {"audiences": [], "expirationSeconds": 9999999999}}', {}, 422, "larger than 2^32"),
        ("POST", f"{PODS}/x", "{}", {}, 405, "does not allow this method"),
        ("POST", PODS, b"k8s\0\xff", {"Content_Type": "application/vnd.kubernetes.protobuf"}, 400, "protobuf"),
    ],
)
def test_bad_requests_name_what_is_wrong(
    http: Http, method: str, path: str, body: Any, headers: dict[str, str], code: int, told: str
) -> None:
    answered, status = http(method, path, body, **headers)
    assert (answered, status["kind"]) == (code, "Status")
    assert told in status["message"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}, 'spec.ports[1].name: Duplicate value: "a"'),
        ({"ports": [{"port": 80, "protocol": "HTTP"}]}, 'spec.ports[0].protocol: Unsupported value: "HTTP"'),
        ({"type": "NodePort", "ports": [{"port": 80}]}, 'spec.type: Unsupported value: "NodePort"'),
        ({"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}, "virtual addresses are not supported by minipdk"),
        ({"clusterIPs": ["10.0.0.1"], "ports": [{"port": 80}]}, "spec.clusterIPs: Invalid value"),
    ],
)
def test_a_service_that_cannot_be_is_refused_by_its_field(http: Http, spec: Any, told: str) -> None:
    code, status = http("POST", SERVICES, json.dumps({"metadata": {"name": "wrong"}, "spec": spec}))
    assert (code, status["reason"]) == (422, "Invalid")
    assert told in status["message"]


def test_a_service_that_becomes_a_name_loses_its_address(http: Http) -> None:
    body = {"metadata": {"name": "named"}, "spec": {"ports": [{"port": 80}]}}
    assert http("POST", SERVICES, json.dumps(body))[1]["spec"]["clusterIPs"] == ["None"]
    patch = {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    _, changed = http("PATCH", f"{SERVICES}/named", json.dumps(patch), Content_Type="application/merge-patch+json")
    assert changed["spec"]["externalName"] == "example.com"
    assert "clusterIP" not in changed["spec"]


def test_a_body_that_is_too_large_or_too_deep_is_refused(http: Http) -> None:
    assert http("POST", PODS, "x" * (4 << 20))[0] == 413
    deep = '{"metadata":{"name":"a"},"spec":' + '{"a":' * 5000 + "1" + "}" * 5001
    assert http("POST", "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments", deep)[0] == 400


@pytest.mark.parametrize(
    ("keys", "found"),
    [("1: x", {"1": "x"}), ("true: x", {"true": "x"}), ("1.5: x", {"1.5": "x"}), ("2026-01-02: x", {"2026-01-02": "x"})],
)
def test_a_name_in_yaml_is_a_string_whatever_it_looks_like(http: Http, keys: str, found: Any) -> None:
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: named}}\ndata: {{{keys}}}"
    path = f"{MAPS}/named?dryRun=All&fieldManager=me"
    code, made = http("PATCH", path, body, Content_Type="application/apply-patch+yaml")
    assert (code, made["data"]) == (201, found)


@pytest.mark.parametrize(
    "yaml",
    ["? [a]\n: x", "? !!binary aGk=\n: x", "a: !!set {b}", "a: !!binary aGk=", "a: .nan", "a: &a [*a]", 'a: "\\ud800"'],
)
def test_yaml_that_is_no_json_is_refused(http: Http, yaml: str) -> None:
    code, status = http("PATCH", f"{MAPS}/x?fieldManager=me", yaml, Content_Type="application/apply-patch+yaml")
    assert (code, status["reason"]) == (400, "BadRequest")


def test_yaml_whose_aliases_multiply_is_refused(http: Http) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    path = f"{MAPS}/x?fieldManager=me"
    code, status = http("PATCH", path, "\n".join(lines), Content_Type="application/apply-patch+yaml")
    assert (code, "excessive aliasing" in status["message"]) == (400, True)


def test_the_head_of_an_object_cannot_be_asked_for(http: Http) -> None:
    """As of a real API server, whose documents alone have one."""
    for path in (PODS, f"{PODS}/x", f"{PODS}/x/log"):
        assert http("HEAD", path)[0] == 405
    assert http("HEAD", "/version")[0] == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("metadata", "spec", "data", "stringData", "type", "status", "secrets", "involvedObject", "subsets", "finalizers")
BODIES = st.dictionaries(
    st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(("name", "labels", "containers")), JSON)
)
PATHS = [f"/api/v1/namespaces/models/{kind}" for kind in ("pods", "secrets", "configmaps", "events", "services")]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), BODIES)
def test_no_body_is_the_servers_fault(http: Http, path: str, body: Any) -> None:
    code, _ = http("POST", f"{path}?dryRun=All", json.dumps(body))
    assert code == 201 or 400 <= code < 500


PATCHED = st.sampled_from([f"{PODS}/patched", "/api/v1/namespaces/models/serviceaccounts/default"])
MERGES = st.sampled_from(["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(f"{PODS}/patched", "merge-patch+json", {"metadata": None})
@example(f"{PODS}/patched", "strategic-merge-patch+json", {"metadata": {"finalizers": [{}, []]}})
@given(PATCHED, MERGES, BODIES)
def test_no_patch_is_the_servers_fault(http: Http, path: str, kind: str, body: Any) -> None:
    http("POST", PODS, json.dumps({"metadata": {"name": "patched"}, "spec": {"containers": [CONTAINER]}}))
    options = "&fieldManager=me&force=true" if kind == "apply-patch+yaml" else ""
    code, _ = http("PATCH", f"{path}?dryRun=All{options}", json.dumps(body), Content_Type=f"application/{kind}")
    assert code == 200 or 400 <= code < 500


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServiceProcess]:
    running = start_server(tmp_path / "home")
    yield running
    running.stop()


def core_of(home: Home) -> CoreV1Api:
    return CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig(home))))


def test_what_was_stored_survives_kill_9(own_server: ServiceProcess) -> None:
    core = core_of(own_server.home)
    made = core.create_namespaced_config_map("models", config_map("kept", {"a": "b"}))
    core.api_client.close()
    own_server.kill()
    own_server.start()
    core = core_of(own_server.home)
    found = core.read_namespaced_config_map("kept", "models")
    assert (found.metadata.uid, found.data) == (made.metadata.uid, {"a": "b"})
    # watchers go on where they were: the counter does not begin again
    events = kubernetes.watch.Watch().stream(
        core.list_namespaced_config_map, "models", resource_version=made.metadata.resource_version, timeout_seconds=20
    )
    core.delete_namespaced_config_map("kept", "models")
    assert next(events)["type"] == "DELETED"
    events.close()
    core.api_client.close()


def test_stopping_ends_the_watches_first(own_server: ServiceProcess) -> None:
    core = core_of(own_server.home)
    events = kubernetes.watch.Watch().stream(core.list_namespaced_config_map, "models", timeout_seconds=60)
    next(events)
    stopping = threading.Thread(target=own_server.stop)
    stopping.start()
    list(events)  # ends without an error, long before its timeout
    core.api_client.close()
    stopping.join()
    assert "Cancel 1 running task" not in own_server.log
    assert "Traceback" not in own_server.log


def test_a_watch_older_than_the_remembered_changes_is_expired(in_process: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "REMEMBERED", 10)
    monkeypatch.setattr(stores, "PRUNE_EVERY", 5)
    made = in_process.create(CONFIG_MAPS, "models", config_map("busy"), WriteOptions())
    target = Target(CONFIG_MAPS, "models", "busy")
    for number in range(30):
        in_process.change(target, lambda found, n=number: {**found, "data": {"n": str(n)}}, WriteOptions())  # type: ignore[misc]
    with pytest.raises(ExpiredError, match="too old resource version"):
        in_process.store.changes(CONFIG_MAPS, "models", int(made["metadata"]["resourceVersion"]))
    recent, _ = in_process.store.changes(CONFIG_MAPS, "models", in_process.store.version - 3)
    assert [change.current["data"]["n"] for change in recent if change.current] == ["27", "28", "29"]
    old = {"resourceVersion": made["metadata"]["resourceVersion"]}
    for query in ({**old, "resourceVersionMatch": "Exact"}, {**old, "limit": "1"}):
        with pytest.raises(ExpiredError, match="too old resource version"):
            list_objects(in_process.store, target, list_options(target, query))
    first = list_objects(in_process.store, NAMESPACED, list_options(NAMESPACED, {"limit": "1"}))[1]
    monkeypatch.setattr(stores, "REMEMBERED", 0)
    for number in range(5):
        in_process.change(target, lambda found, n=number: {**found, "data": {"n": str(n)}}, WriteOptions())  # type: ignore[misc]
    with pytest.raises(ExpiredError, match="continue parameter is too old"):
        list_objects(in_process.store, NAMESPACED, list_options(NAMESPACED, {"continue": first["continue"]}))


def test_the_ca_stays_and_the_files_are_private(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    ensure_tls(home)
    write_kubeconfig(home)
    before = [path.read_bytes() for path in (home.ca_certificate, server_certificate(home))]
    ensure_tls(home)
    assert [path.read_bytes() for path in (home.ca_certificate, server_certificate(home))] == before
    server_certificate(home).unlink()
    ensure_tls(home)
    assert home.ca_certificate.read_bytes() == before[0]
    for path in (kubeconfig(home), *home.folder("tls").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_created_namespace_has_its_service_account(http: Http) -> None:
    assert http("POST", "/api/v1/namespaces", '{"metadata": {"name": "furnished"}}')[0] == 201
    assert http("GET", "/api/v1/namespaces/furnished/serviceaccounts/default")[0] == 200
    wait_for(lambda: http("DELETE", "/api/v1/namespaces/furnished")[0] in (200, 404), what="the namespace to go")


def test_a_field_that_is_there_twice_is_refused_or_told_of(http: Http) -> None:
    body = '{"metadata": {"name": "twice"}, "spec": {"containers": [{"name": "a", "image": "b:1", "image": "c:1"}]}}'
    duplicate = 'duplicate field "spec.containers[0].image"'
    code, status = http("POST", f"{PODS}?dryRun=All&fieldValidation=Strict", body)
    assert (code, f"strict decoding error: {duplicate}" in status["message"]) == (400, True)
    yaml = "metadata:\n  name: twice\ndata:\n  a: '1'\n  a: '2'\n"
    maps = "/api/v1/namespaces/models/configmaps?dryRun=All&fieldValidation="
    code, status = http("POST", f"{maps}Strict", yaml, Content_Type="application/yaml")
    assert (code, 'line 5: key "a" already set in map' in status["message"]) == (400, True)
    assert http("POST", f"{maps}Ignore", yaml, Content_Type="application/yaml")[1]["data"] == {"a": "2"}
