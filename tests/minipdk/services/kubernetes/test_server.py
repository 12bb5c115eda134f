"""The process: the host names that it accepts, its state after kill -9, and how it stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import kubernetes
import pytest
from kubernetes.client import CoreV1Api
from tests.conftest import ServiceProcess
from tests.minipdk.services.kubernetes.conftest import PODS, Http, config_map, start_server

from minipdk.common.home import Home
from minipdk.services.kubernetes.service import kubeconfig


def test_another_hosts_name_is_refused(http: Http) -> None:
    assert http("GET", PODS, Host="evil.example.com")[0] == 403


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServiceProcess]:
    running = start_server(tmp_path / "home")
    yield running
    running.stop()


def core_of(home: Home) -> CoreV1Api:
    return CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig(home))))


def test_stored_objects_survive_kill_9(own_server: ServiceProcess) -> None:
    core = core_of(own_server.home)
    made = core.create_namespaced_config_map("models", config_map("kept", {"a": "b"}))
    core.api_client.close()
    own_server.kill()
    own_server.start()
    core = core_of(own_server.home)
    stored = core.read_namespaced_config_map("kept", "models")
    assert (stored.metadata.uid, stored.data) == (made.metadata.uid, {"a": "b"})
    # watchers resume at their version: the counter does not start again
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
