"""Discovery, OpenAPI, health and unknown paths."""

from __future__ import annotations

import json
import re

from tests.minipdk.services.kubernetes.conftest import PODS, Http


def test_health_needs_no_token(http: Http) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert http("GET", path, Authorization="") == (200, "ok")


def test_unknown_paths_are_answered_as_an_api_server_does(http: Http) -> None:
    for path in ("/api/v1/quotas", "/apis/batch/v1/jobs", "/apis/nothing/v1", "/api/v2/pods", "/api/v1/pods/x", "/anything"):
        assert http("GET", path) == (404, "404 page not found\n")
    code, status = http("GET", f"{PODS}/missing")
    assert (code, status["reason"], status["details"]) == (404, "NotFound", {"name": "missing", "kind": "pods"})


def test_both_forms_of_discovery_have_the_same_content(http: Http) -> None:
    """kubectl asks for one document, other clients for group after group."""
    for version in ("v2", "v2beta1"):
        accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
        answers = [http("GET", path, Accept=accept)[1] for path in ("/api", "/apis")]
        assert {answer["apiVersion"] for answer in answers} == {f"apidiscovery.k8s.io/{version}"}
        for group in (item for answer in answers for item in answer["items"]):
            name = group["metadata"].get("name", "")
            for listed in group["versions"]:
                plain = http("GET", f"/apis/{name}/{listed['version']}" if name else f"/api/{listed['version']}")[1]
                verbs = {entry["resource"]: entry["verbs"] for entry in listed["resources"]} | {
                    f"{entry['resource']}/{part['subresource']}": part["verbs"]
                    for entry in listed["resources"]
                    for part in entry.get("subresources", ())
                }
                assert verbs == {entry["name"]: entry["verbs"] for entry in plain["resources"]}
    assert {"/api/v1", "/apis/serving.kserve.io/v1beta1", "/openapi/v3"} <= set(http("GET", "/")[1]["paths"])


def test_both_openapi_documents_define_what_they_refer_to(http: Http) -> None:
    text = json.dumps(http("GET", "/openapi/v2")[1])
    definitions = json.loads(text)["definitions"]
    assert set(re.findall(r'"#/definitions/([^"]+)"', text)) <= definitions.keys()
    text = "".join(json.dumps(http("GET", f"/openapi/v3/{path}")[1]) for path in http("GET", "/openapi/v3")[1]["paths"])
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= definitions.keys()
