"""The `kubernetes` Python client and KServeClient, unmodified."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from kubernetes import client as kube
from kubernetes import dynamic, watch
from kubernetes.client import ApiClient, ApiException, CoreV1Api, CustomObjectsApi
from tests.minipdk.services.kubernetes.conftest import ISVC, config_map, inference_service, pod

from minipdk.common.home import Home
from minipdk.services.kubernetes.service import kubeconfig, server_url


def refused(call: Any, *arguments: Any, **options: Any) -> ApiException:
    with pytest.raises(ApiException) as caught:
        call(*arguments, **options)
    return caught.value


def test_a_secrets_plain_strings_are_stored_encoded(core: CoreV1Api) -> None:
    secret = kube.V1Secret(metadata=kube.V1ObjectMeta(name="plain"), string_data={"key": "välue"})
    stored = core.create_namespaced_secret("models", secret)
    assert stored.type == "Opaque"
    assert stored.string_data is None
    assert base64.b64decode(stored.data["key"]).decode() == "välue"


def test_a_name_is_generated(core: CoreV1Api) -> None:
    made = core.create_namespaced_pod("models", {**pod("x"), "metadata": {"generateName": "worker-"}})
    assert made.metadata.name.startswith("worker-")
    assert len(made.metadata.name) == len("worker-") + 5


def test_a_stale_resource_version_is_a_conflict(custom: CustomObjectsApi) -> None:
    old = custom.create_namespaced_custom_object(*ISVC, inference_service("stale"))
    changed = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    custom.replace_namespaced_custom_object(*ISVC, "stale", changed)
    error = refused(custom.replace_namespaced_custom_object, *ISVC, "stale", changed)
    assert error.status == 409
    assert "the object has been modified" in error.body


def test_an_update_that_changes_nothing_keeps_the_version(core: CoreV1Api) -> None:
    made = core.create_namespaced_config_map("models", config_map("same", {"a": "b"}))
    again = core.replace_namespaced_config_map("same", "models", config_map("same", {"a": "b"}))
    assert again.metadata.resource_version == made.metadata.resource_version


def test_status_is_written_through_its_subresource_alone(custom: CustomObjectsApi) -> None:
    made = custom.create_namespaced_custom_object(*ISVC, {**inference_service("status"), "status": {"url": "http://no"}})
    assert "status" not in made
    custom.patch_namespaced_custom_object_status(
        *ISVC, "status", {"status": {"url": "http://yes"}, "spec": {"predictor": None}}
    )
    changed = custom.get_namespaced_custom_object(*ISVC, "status")
    assert changed["status"] == {"url": "http://yes"}
    assert changed["spec"] == made["spec"]
    assert changed["metadata"]["generation"] == 1
    replaced = custom.replace_namespaced_custom_object(*ISVC, "status", {**changed, "status": {"url": "http://no"}})
    assert replaced["status"] == {"url": "http://yes"}


def test_errors_are_statuses_that_name_the_field(core: CoreV1Api) -> None:
    error = refused(core.create_namespaced_config_map, "models", config_map("Not_A_Name"))
    assert error.status == 422
    status = json.loads(error.body)
    assert status["message"].startswith('ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value')
    assert status["details"]["causes"][0]["field"] == "metadata.name"
    assert "a lowercase RFC 1123 subdomain must consist of" in error.body
    assert refused(core.create_namespaced_config_map, "nowhere", config_map("a", namespace="nowhere")).status == 404
    assert refused(core.create_namespaced_config_map, "models", config_map("a", namespace="other")).status == 400
    assert refused(core.create_namespaced_config_map, "models", config_map("kube-root-ca.crt")).status == 409
    assert refused(core.list_namespaced_pod, "models", field_selector="spec.color=red").status == 400


def test_merge_and_json_patches(core: CoreV1Api, custom: CustomObjectsApi) -> None:
    core.create_namespaced_config_map("models", config_map("patched", {"a": "1", "b": "2"}))
    changed = core.patch_namespaced_config_map("patched", "models", {"data": {"a": None, "c": "3"}})
    assert changed.data == {"b": "2", "c": "3"}
    operations = [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "move", "from": "/data/b", "path": "/data/d"}]
    assert core.patch_namespaced_config_map("patched", "models", operations).data == {"c": "3", "d": "2"}
    failing = [{"op": "test", "path": "/data/c", "value": "other"}]
    error = refused(core.patch_namespaced_config_map, "patched", "models", failing)
    assert error.status == 422
    assert "the server rejected our request" in error.body
    assert "the test failed" in error.body
    assert refused(core.patch_namespaced_config_map, "missing", "models", {"data": {}}).status == 404


def test_lists_in_pages_and_by_selector(core: CoreV1Api) -> None:
    for number in range(5):
        core.create_namespaced_config_map("models", config_map(f"page-{number}", labels={"book": "a", "page": str(number)}))
    seen, token = [], None
    while True:
        page = core.list_namespaced_config_map("models", label_selector="book=a", limit=2, _continue=token)
        seen += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if len(seen) == 2:  # every page shows the collection as it was at the first
            core.delete_namespaced_config_map("page-3", "models")
            core.create_namespaced_config_map("models", config_map("page-33", labels={"book": "a"}))
        if not token:
            break
    core.delete_namespaced_config_map("page-33", "models")
    core.create_namespaced_config_map("models", config_map("page-3", labels={"book": "a", "page": "3"}))
    assert seen == [f"page-{number}" for number in range(5)]
    chosen = core.list_namespaced_config_map("models", label_selector="book,page notin (0,1),page!=2").items
    assert [item.metadata.name for item in chosen] == ["page-3", "page-4"]
    named = core.list_config_map_for_all_namespaces(field_selector="metadata.name=page-1").items
    assert [item.metadata.name for item in named] == ["page-1"]
    core.delete_collection_namespaced_config_map("models", label_selector="book=a")
    assert core.list_namespaced_config_map("models", label_selector="book=a").items == []


def test_a_watch_without_a_version_starts_with_the_existing_objects(core: CoreV1Api) -> None:
    core.create_namespaced_config_map("models", config_map("seen", {"n": "1"}, labels={"watch": "a"}))
    events = watch.Watch().stream(core.list_namespaced_config_map, "models", label_selector="watch=a", timeout_seconds=20)
    first = next(events)
    assert (first["type"], first["object"].data) == ("ADDED", {"n": "1"})
    core.patch_namespaced_config_map("seen", "models", {"data": {"n": "2"}})
    second = next(events)
    assert (second["type"], second["object"].data) == ("MODIFIED", {"n": "2"})
    core.patch_namespaced_config_map("seen", "models", {"metadata": {"labels": {"watch": "b"}}})
    assert next(events)["type"] == "DELETED"  # it no longer matches the selector
    core.patch_namespaced_config_map("seen", "models", {"metadata": {"labels": {"watch": "a"}}})
    assert next(events)["type"] == "ADDED"
    core.delete_namespaced_config_map("seen", "models")
    last = next(events)
    assert last["type"] == "DELETED"
    assert int(last["object"].metadata.resource_version) > int(second["object"].metadata.resource_version)
    events.close()


def test_a_streamed_list_ends_with_a_bookmark_to_resume_from(core: CoreV1Api) -> None:
    core.create_namespaced_secret("models", kube.V1Secret(metadata=kube.V1ObjectMeta(name="streamed")))
    answer = core.list_namespaced_secret(
        "models",
        field_selector="metadata.name=streamed",
        watch=True,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
        timeout_seconds=1,
        _preload_content=False,
    )
    first, last = (json.loads(line) for line in answer.data.splitlines())
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "streamed")
    assert (last["type"], last["object"]["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
    assert int(last["object"]["metadata"]["resourceVersion"]) >= int(first["object"]["metadata"]["resourceVersion"])


def test_a_watch_resumes_where_a_list_was(core: CoreV1Api) -> None:
    version = core.list_namespaced_secret("models").metadata.resource_version
    core.create_namespaced_secret("models", kube.V1Secret(metadata=kube.V1ObjectMeta(name="resumed")))
    core.delete_namespaced_secret("resumed", "models")
    events = watch.Watch().stream(core.list_namespaced_secret, "models", resource_version=version, timeout_seconds=5)
    assert [next(events)["type"] for _ in range(2)] == ["ADDED", "DELETED"]
    events.close()


def test_a_watch_from_a_future_version_is_expired(core: CoreV1Api) -> None:
    events = watch.Watch().stream(core.list_namespaced_secret, "models", resource_version="999999999", timeout_seconds=5)
    assert refused(next, events).status == 410


def test_a_watch_ends_at_its_timeout(core: CoreV1Api) -> None:
    version = core.list_namespaced_service("models").metadata.resource_version
    events = watch.Watch().stream(core.list_namespaced_service, "models", resource_version=version, timeout_seconds=1)
    assert list(events) == []


def test_a_pods_log_is_read_by_container(core: CoreV1Api, cluster: Home) -> None:
    spec = {"containers": [{"name": "one", "image": "a"}, {"name": "two", "image": "a"}]}
    core.create_namespaced_pod("models", {**pod("logged"), "spec": spec})
    for name in ("one", "two"):
        path = cluster.pod_log("models", "logged", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"2020-01-01T00:00:00Z stdout F {name} old\n2099-01-01T00:00:00Z stdout F {name} new\n")

    def log(**options: Any) -> str:  # the client's own decoding shows the bytes' repr
        answer = core.read_namespaced_pod_log("logged", "models", _preload_content=False, **options)
        return str(answer.data.decode())

    assert log(container="two") == "two old\ntwo new\n"
    assert log(container="one", since_seconds=60) == "one new\n"
    assert log(container="one", tail_lines=1) == "one new\n"
    assert log(container="one", limit_bytes=3) == "one"
    assert log(container="one", tail_lines=1, timestamps=True) == "2099-01-01T00:00:00.000000Z one new\n"
    assert "choose one of: [one two]" in refused(core.read_namespaced_pod_log, "logged", "models").body
    assert "is not valid for pod" in refused(core.read_namespaced_pod_log, "logged", "models", container="../three").body
    previous = refused(core.read_namespaced_pod_log, "logged", "models", container="one", previous=True)
    assert "previous terminated container" in previous.body


def test_a_token_is_valid_while_its_service_account_exists(client: ApiClient, core: CoreV1Api, cluster: Home) -> None:
    core.create_namespaced_service_account("models", kube.V1ServiceAccount(metadata=kube.V1ObjectMeta(name="temporary")))
    request = kube.AuthenticationV1TokenRequest(spec=kube.V1TokenRequestSpec(audiences=[], expiration_seconds=1200))
    token = core.create_namespaced_service_account_token("temporary", "models", request).status.token
    configuration = kube.Configuration(host=server_url(cluster))
    configuration.ssl_ca_cert = str(cluster.ca_certificate)
    configuration.api_key = {"authorization": f"Bearer {token}"}
    with ApiClient(configuration) as holder:
        who = kube.AuthenticationV1Api(holder).create_self_subject_review(kube.V1SelfSubjectReview())
        assert who.status.user_info.username == "system:serviceaccount:models:temporary"
        core.delete_namespaced_service_account("temporary", "models")
        assert refused(CoreV1Api(holder).list_namespaced_pod, "models").status == 401


def test_a_token_bound_to_an_object_is_invalid_without_it(client: ApiClient, core: CoreV1Api, cluster: Home) -> None:
    made = core.create_namespaced_pod("models", pod("bound"))

    def request(**reference: str) -> Any:
        spec = kube.V1TokenRequestSpec(audiences=[], bound_object_ref=kube.V1BoundObjectReference(**reference))
        return kube.AuthenticationV1TokenRequest(spec=spec)

    issue = core.create_namespaced_service_account_token
    assert refused(issue, "default", "models", request(kind="Pod", name="missing")).status == 404
    assert refused(issue, "default", "models", request(kind="Pod", name="bound", uid="another")).status == 409
    assert refused(issue, "default", "models", request(kind="ConfigMap", name="bound")).status == 400
    answer = issue("default", "models", request(kind="Pod", name="bound"))
    assert answer.spec.bound_object_ref.uid == made.metadata.uid
    configuration = kube.Configuration(host=server_url(cluster))
    configuration.ssl_ca_cert = str(cluster.ca_certificate)
    configuration.api_key = {"authorization": f"Bearer {answer.status.token}"}
    with ApiClient(configuration) as holder:
        assert CoreV1Api(holder).read_namespaced_pod("bound", "models").metadata.uid == made.metadata.uid
        core.delete_namespaced_pod("bound", "models")
        assert refused(CoreV1Api(holder).list_namespaced_pod, "models").status == 401


def test_the_dynamic_client_works(client: ApiClient) -> None:
    dynamic_client = dynamic.DynamicClient(client)
    maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    applied = maps.server_side_apply(body=config_map("dynamic", {"a": "1"}), namespace="models", field_manager="python")
    patch = {"data": {"b": "2"}}
    changed = maps.patch(body=patch, name="dynamic", namespace="models", content_type="application/merge-patch+json")
    assert changed.data.to_dict() == {"a": "1", "b": "2"}
    assert changed.metadata.uid == applied.metadata.uid
    assert kube.VersionApi(client).get_code().minor == "32"
    assert "serving.kserve.io" in {group.name for group in kube.ApisApi(client).get_api_versions().groups}


def test_kserve_client_lives_a_services_whole_life(cluster: Home, custom: CustomObjectsApi) -> None:
    from kserve import KServeClient, V1beta1InferenceService, V1beta1InferenceServiceSpec, V1beta1PredictorSpec
    from kserve import V1beta1TorchServeSpec as TorchServe

    def service(uri: str) -> Any:
        return V1beta1InferenceService(
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata=kube.V1ObjectMeta(name="lived", namespace="models"),
            spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(pytorch=TorchServe(storage_uri=uri))),
        )

    kserve = KServeClient(config_file=str(kubeconfig(cluster)))
    kserve.create(service("s3://bucket/one"))
    assert not kserve.is_isvc_ready("lived", namespace="models")
    kserve.replace("lived", service("s3://bucket/two"), namespace="models")
    kserve.patch("lived", service("s3://bucket/three"), namespace="models")
    stored = kserve.get("lived", namespace="models")
    assert stored["spec"]["predictor"]["model"]["storageUri"] == "s3://bucket/three"

    def become_ready() -> None:
        ready = [{"type": "Ready", "status": "True"}]
        status = {"conditions": ready, "url": "http://lived.models.example.com", "observedGeneration": 3}
        custom.patch_namespaced_custom_object_status(*ISVC, "lived", {"status": status})

    threading.Timer(0.2, become_ready).start()
    kserve.wait_isvc_ready("lived", namespace="models", timeout_seconds=20, polling_interval=0.1)
    kserve.get("lived", namespace="models", watch=True, timeout_seconds=20)
    kserve.delete("lived", namespace="models")
    with pytest.raises(RuntimeError, match="not found"):
        kserve.get("lived", namespace="models")


def test_kserve_client_stores_s3_credentials(cluster: Home, core: CoreV1Api, tmp_path: Any) -> None:
    from kserve import KServeClient

    credentials = tmp_path / "credentials"
    # this client sends the values as a Secret's data, which is base64
    credentials.write_text("[default]\naws_access_key_id = a2V5\naws_secret_access_key = c2VjcmV0\n")
    kserve = KServeClient(config_file=str(kubeconfig(cluster)))
    kserve.set_credentials(
        storage_type="S3",
        namespace="models",
        credentials_file=str(credentials),
        service_account="s3-reader",
        s3_endpoint="127.0.0.1:30600",
        s3_use_https="0",
    )
    account = core.read_namespaced_service_account("s3-reader", "models")
    secret = core.read_namespaced_secret(account.secrets[0].name, "models")
    assert base64.b64decode(secret.data["AWS_ACCESS_KEY_ID"]).decode() == "key"
    assert secret.metadata.annotations["serving.kserve.io/s3-endpoint"] == "127.0.0.1:30600"
