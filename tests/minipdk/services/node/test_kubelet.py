"""Pods from creation to deletion, through kubectl and the Kubernetes client, run by the real services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig
from minipdk.services.node.scheduler import OVERCOMMIT

IMAGE = "python:3.11"
FOREVER = "sleep 1000"
SERVER = "import http.server, os; os.chdir('/shared'); http.server.test(http.server.SimpleHTTPRequestHandler, port=8080)"
FAST = {"periodSeconds": 1, "timeoutSeconds": 60, "failureThreshold": 1}


@dataclass
class Machine:
    """The Kubernetes API, the node, and a folder of this machine that Pods mount at /shared."""

    home: Home
    serving: ServiceProcess
    shared: Path

    def kubectl(self, *arguments: str, stdin: object = None) -> str:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        command = ["kubectl", "--namespace", "models", *arguments]
        text = None if stdin is None else json.dumps(stdin)
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, input=text).stdout

    def create(self, name: str, *containers: dict[str, Any], **spec: Any) -> None:
        volumes = [{"name": "shared", "hostPath": {"path": str(self.shared)}}, *spec.pop("volumes", [])]
        pod = {"containers": list(containers), "volumes": volumes, "terminationGracePeriodSeconds": 60, **spec}
        self.kubectl("create", "-f", "-", stdin={**kind("Pod", name), "spec": pod})

    def pod(self, name: str) -> dict[str, Any]:
        pod: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
        return pod

    def container(self, name: str) -> dict[str, Any]:
        """The status of a Pod's first container; empty before there is one."""
        statuses: list[dict[str, Any]] = self.pod(name)["status"].get("containerStatuses") or [{}]
        return statuses[0]

    def waiting(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = self.container(name).get("state", {})
        return state.get("waiting") or {}

    def wait_until_waiting(self, name: str, reason: str = "") -> dict[str, Any]:
        """The state of a container once it waits with a message, for ``reason`` if it is given."""

        def waiting() -> dict[str, Any]:
            state = self.waiting(name)
            return state if state.get("message") and reason in ("", state["reason"]) else {}

        return wait_for(waiting, what=f"{name} to wait")

    def terminated(self, name: str) -> dict[str, Any]:
        """The end of a container's last run."""
        state: dict[str, Any] = self.container(name).get("lastState", {})
        return state.get("terminated") or {}

    def is_ready(self, name: str) -> bool:
        conditions = self.pod(name)["status"].get("conditions", [])
        return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)

    def wait_until_ready(self, name: str) -> None:
        wait_for(lambda: self.is_ready(name), what=f"pod {name} to be ready")

    def phase(self, name: str) -> str:
        return str(self.pod(name)["status"]["phase"])

    def described(self, name: str) -> str:
        return " ".join(self.kubectl("describe", "pod", name).split())

    def expect_described(self, name: str, text: str) -> None:
        wait_for(lambda: text in self.described(name), what=f"{text!r} in kubectl describe")

    def delete(self, *names: str) -> None:
        self.kubectl("delete", "pod", "--grace-period=1", *names)


def kind(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"app": name}}}


def shell(script: str, **fields: Any) -> dict[str, Any]:
    """A container that runs ``script``, with the shared folder at /shared."""
    mounts = [{"name": "shared", "mountPath": "/shared"}, *fields.pop("volumeMounts", [])]
    command = ["sh", "-c", textwrap.dedent(script)]
    return {"name": "main", "image": IMAGE, "command": command, "volumeMounts": mounts, **fields}


def web_server(**fields: Any) -> dict[str, Any]:
    """A container that serves the shared folder on 0.0.0.0:8080."""
    return shell("", ports=[{"containerPort": 8080}], **fields) | {"command": ["python", "-c", SERVER]}


def is_restarted(machine: Machine, name: str) -> bool:
    return int(machine.container(name)["restartCount"]) >= 1


def has_logged(machine: Machine, name: str, text: str) -> bool:
    return machine.is_ready(name) and machine.kubectl("logs", name) == text


def get(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": 8080}, **FAST}


@pytest.fixture(scope="module")
def machine(
    home: Home, run_service: Callable[..., ServiceProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    run_service(home, "kubernetes", "kubernetes")
    write_kubeconfig(home)
    machine = Machine(home, run_service(home, "serving", "ingress"), tmp_path_factory.mktemp("shared"))
    machine.kubectl("create", "configmap", "settings", "--from-literal=color=blue", "--from-literal=shape=round")
    machine.kubectl("create", "secret", "generic", "keys", "--from-literal=token=hidden")
    yield machine
    assert "Traceback" not in machine.serving.log, machine.serving.log


def test_a_pod_finds_its_variables_arguments_and_volumes(machine: Machine) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    machine.kubectl("create", "-f", "-", stdin={**kind("PersistentVolumeClaim", "data"), "spec": claim})
    script = """
        for name in GREETING WHO S_color TOKEN APP MEMORY ABSENT; do echo "$name=$(printenv $name)"; done
        echo "$0 $1"; pwd; id -u; cat /etc/conf/deep/color /order; stat -c %a /etc/keys/token; nproc
        touch /etc/conf/x 2>/dev/null || echo read-only; echo kept > /data/file
    """
    main = shell(
        script,
        args=["$(WHO)", "$$(WHO)"],
        workingDir="/made/here",
        securityContext={"runAsUser": 1000},
        env=[
            {"name": "GREETING", "value": "$(WHO) $(S_color) $$(S_color)"},
            {"name": "WHO", "value": "you"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "nobody", "key": "x", "optional": True}}},
        ],
        envFrom=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
        resources={"limits": {"memory": "256Mi", "cpu": "500m"}},
        volumeMounts=[
            {"name": "conf", "mountPath": "/etc/conf"},
            {"name": "keys", "mountPath": "/etc/keys"},
            {"name": "scratch", "mountPath": "/order", "subPath": "order"},
            {"name": "data", "mountPath": "/data", "subPath": "below"},
        ],
    )
    first, second = (
        {
            **shell(f"echo {name} >> /scratch/order", volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}]),
            "name": name,
        }
        for name in ("first", "second")
    )
    machine.create(
        "whole",
        main,
        initContainers=[first, second],
        restartPolicy="Never",
        volumes=[
            {"name": "scratch", "emptyDir": {}},
            {"name": "conf", "configMap": {"name": "settings", "items": [{"key": "color", "path": "deep/color"}]}},
            {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
    )
    wait_for(lambda: machine.phase("whole") in ("Succeeded", "Failed"))
    assert machine.kubectl("logs", "whole").splitlines() == [
        *(
            "GREETING=$(WHO) blue $(S_color)",
            "WHO=you",
            "S_color=blue",
            "TOKEN=hidden",
            "APP=whole",
            "MEMORY=256",
            "ABSENT=",
        ),
        *("you $(WHO)", "/made/here", "1000", "bluefirst", "second", "400", "1", "read-only"),
    ]
    assert machine.phase("whole") == "Succeeded"
    assert (machine.home.folder("volumes") / "models/data/below/file").read_text() == "kept\n"
    machine.delete("whole")


def test_pods_listen_on_the_same_port_and_a_pods_containers_share_a_network(machine: Machine) -> None:
    (machine.shared / "page").write_text("a page")
    ask = "until curl -fsS http://127.0.0.1:8080/page 2>/dev/null; do sleep 0.1; done; echo; exec sleep 1000"
    probes = {"readinessProbe": get("/page")}
    for name in ("one", "two"):
        machine.create(
            name, web_server(**probes), {**shell(ask), "name": "side", "readinessProbe": {"tcpSocket": {"port": 8080}}}
        )
    for name in ("one", "two"):
        machine.wait_until_ready(name)
        assert machine.kubectl("logs", name, "-c", "side") == "a page\n"
    machine.delete("one", "two")


def test_a_pod_is_ready_exactly_while_its_probe_passes(machine: Machine) -> None:
    page = machine.shared / "readiness"
    look = {"exec": {"command": ["cat", "/shared/readiness"]}, **FAST}
    machine.create(
        "probed", web_server(readinessProbe=get("/readiness")), {**shell(FOREVER), "name": "side", "readinessProbe": look}
    )
    machine.expect_described("probed", "Readiness probe failed: HTTP probe failed with statuscode: 404")
    machine.expect_described("probed", "Readiness probe failed: cat: /shared/readiness: No such file or directory")
    assert not machine.is_ready("probed")
    page.touch()
    wait_for(lambda: machine.is_ready("probed"), what="the pod to become ready")
    page.unlink()
    wait_for(lambda: not machine.is_ready("probed"), what="the pod to become unready")
    page.touch()
    wait_for(lambda: machine.is_ready("probed"), what="the pod to become ready again")
    assert machine.container("probed")["restartCount"] == 0
    machine.delete("probed")


def test_a_container_that_fails_its_liveness_or_startup_probe_is_restarted(machine: Machine) -> None:
    page = machine.shared / "alive"
    page.touch()
    machine.create("lively", web_server(livenessProbe=get("/alive")))
    machine.create("sluggish", web_server(startupProbe=get("/never")))
    wait_for(lambda: machine.is_ready("lively"))
    page.unlink()
    for name, probe in (("lively", "liveness"), ("sluggish", "startup")):
        wait_for(partial(is_restarted, machine, name), what=f"the restart of {name}")
        machine.expect_described(name, f"Container main failed {probe} probe, will be restarted")
    machine.delete("lively", "sluggish")


def test_a_crashed_container_restarts_immediately_and_then_after_pauses(machine: Machine) -> None:
    machine.create("crashing", shell("echo run; echo because of this >&2; exit 3"))
    waiting = machine.wait_until_waiting("crashing", "CrashLoopBackOff")
    assert waiting["message"] == "back-off 10s restarting failed container=main pod=crashing"
    status = machine.container("crashing")
    assert status["restartCount"] == 1  # a restart counts when it happens, not before
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "because of this")
    assert "run" in machine.kubectl("logs", "crashing", "--previous")
    machine.expect_described("crashing", "Back-off restarting failed container main in pod crashing")
    machine.delete("crashing")


@pytest.mark.parametrize(("policy", "script", "phase"), [("Never", "exit 1", "Failed"), ("OnFailure", "true", "Succeeded")])
def test_a_pod_that_is_not_to_be_restarted_ends(machine: Machine, policy: str, script: str, phase: str) -> None:
    machine.create("ending", shell(script), restartPolicy=policy)
    wait_for(lambda: machine.phase("ending") == phase, what=phase)
    machine.delete("ending")


def test_a_container_that_holds_more_memory_than_its_limit_is_killed(machine: Machine) -> None:
    grow = ["python", "-c", "import time; held = b'x' * (200 << 20); time.sleep(1000)"]
    machine.create("greedy", {**shell(""), "command": grow, "resources": {"limits": {"memory": "100Mi"}}})
    ended = wait_for(lambda: machine.terminated("greedy"), what="its end")
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    machine.delete("greedy")


def test_a_pod_waits_for_memory_and_runs_when_there_is_room(machine: Machine) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    early = [f"early-{number}" for number in range(OVERCOMMIT["memory"])]
    for name in (*early, "late"):
        machine.create(name, shell(FOREVER, resources={"requests": {"memory": str(total)}}))
    wait_for(lambda: all(machine.is_ready(name) for name in early), what="the pods that fit")
    machine.expect_described("late", "FailedScheduling")
    assert "0/1 nodes are available: 1 Insufficient memory." in machine.described("late")
    assert machine.kubectl("get", "pod", "late", "--no-headers").split()[1:3] == ["0/1", "Pending"]
    machine.delete(early[0])
    wait_for(lambda: machine.is_ready("late"))
    for name in (*early[1:], "late"):
        machine.delete(name)


def test_a_pod_that_this_machine_cannot_hold_alone_waits(machine: Machine) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    machine.create("huge", shell(FOREVER, resources={"requests": {"memory": str(total + 1)}}))
    machine.expect_described("huge", "1 Insufficient memory.")
    machine.delete("huge")


def test_a_missing_object_is_named_and_waited_for(machine: Machine) -> None:
    variable = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "later", "key": "x"}}}
    machine.create("early-secret", shell(FOREVER, env=[variable]))
    machine.create("no-image", {**shell(FOREVER), "image": "nobody/nothing:1"})
    machine.create("no-volume", shell(FOREVER), volumes=[{"name": "gone", "configMap": {"name": "gone"}}])
    machine.create("sleeps-alone", shell(FOREVER), hostUsers=False)
    machine.create("turns-knobs", shell(FOREVER), securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]})
    machine.create("claims", shell(FOREVER, resources={"claims": [{"name": "gpu"}]}))
    machine.create("asks-too-much", shell(FOREVER, lifecycle={"preStop": {"exec": {"command": ["true"]}}}))
    machine.create("probes-elsewhere", web_server(livenessProbe={"httpGet": {"port": 8080, "host": "example.com"}}))
    machine.create("elsewhere", shell(FOREVER), nodeSelector={"kubernetes.io/os": "windows"})
    for name, reason, message in (
        ("early-secret", "CreateContainerConfigError", 'secret "later" not found'),
        ("no-image", "ErrImagePull", "build it with `minipdk image build DIR -t nobody/nothing:1`"),
        ("probes-elsewhere", "CreateContainerConfigError", "livenessProbe.httpGet.host is not supported by minipdk"),
        ("sleeps-alone", "CreateContainerConfigError", "spec.hostUsers is not supported by minipdk"),
        ("turns-knobs", "CreateContainerConfigError", "spec.securityContext.sysctls is not supported by minipdk"),
        ("claims", "CreateContainerConfigError", "resources.claims of container main is not supported by minipdk"),
        ("asks-too-much", "CreateContainerConfigError", "lifecycle of container main is not supported by minipdk"),
    ):
        waiting = machine.wait_until_waiting(name)
        assert (waiting["reason"], message in waiting["message"]) == (reason, True)
        machine.expect_described(name, message)
    machine.expect_described("no-volume", 'MountVolume.SetUp failed for volume "gone" : configmap "gone" not found')
    machine.expect_described("elsewhere", "node(s) didn't match Pod's node affinity/selector")
    machine.kubectl("create", "secret", "generic", "later", "--from-literal=x=1")
    wait_for(lambda: machine.is_ready("early-secret"))
    refused = ("sleeps-alone", "turns-knobs", "claims", "asks-too-much", "probes-elsewhere")
    machine.delete("early-secret", "no-image", "no-volume", "elsewhere", *refused)


def test_no_path_or_name_leads_out_of_a_volume(machine: Machine) -> None:
    """Of another container of the pod, which has made links in a volume that they share, or of the pod itself."""
    links = "ln -s / /scratch/root; ln -s ../../../.. /scratch/up; ln -s real /scratch/inside; mkdir /scratch/real"
    first = {**shell(links, volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}]), "name": "first"}
    for name in ("root", "up", "inside"):
        mounts = [{"name": "scratch", "mountPath": "/mounted", "subPath": f"{name}/new"}]
        main = shell("touch /mounted/file; ls /scratch/real", volumeMounts=[*mounts, first["volumeMounts"][1]])
        scratch = {"name": "scratch", "emptyDir": {}}
        machine.create(f"in-{name}", main, initContainers=[first], restartPolicy="Never", volumes=[scratch])
    machine.create("claims-all", shell(FOREVER), volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": ".."}}])
    machine.create("shows-pods", shell(FOREVER), volumes=[{"name": "v", "secret": {"secretName": "../pods/in-root"}}])
    wait_for(lambda: machine.phase("in-inside") == "Succeeded", what="the end of in-inside")
    assert machine.kubectl("logs", "in-inside") == "new\n"
    for name in ("root", "up"):
        waiting = machine.wait_until_waiting(f"in-{name}", "CreateContainerConfigError")
        assert waiting["message"] == f"volume mount \"scratch\": subPath '{name}/new' leads out of the volume"
    invalid = '"v" : {} cannot be read: 400: invalid resource name "{}"'.format
    machine.expect_described("claims-all", invalid('persistentvolumeclaim ".."', ".."))
    machine.expect_described("shows-pods", invalid('secret "../pods/in-root"', "../pods/in-root"))
    assert not Path("/new").exists()
    machine.delete("in-root", "in-up", "in-inside", "claims-all", "shows-pods")


def test_a_deleted_pod_ends_in_its_own_time_or_immediately_without_grace(machine: Machine) -> None:
    wait = "until test -e /shared/may-end; do sleep 0.1; done; touch /shared/ended; exit"
    trap = f"trap '{wait}' TERM; echo up; sleep 1000 & wait"
    for name in ("orderly", "forced"):
        machine.create(name, shell(trap))
    for name in ("orderly", "forced"):
        wait_for(partial(has_logged, machine, name, "up\n"))
    machine.kubectl("delete", "pod", "orderly", "forced", "--wait=false")
    assert "Terminating" in machine.kubectl("get", "pod", "orderly")
    machine.kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
    folders = machine.home.folder("logs") / "pods" / "models"
    wait_for(lambda: not (folders / "forced").exists(), what="the forced end")
    assert (folders / "orderly").exists()
    (machine.shared / "may-end").touch()
    wait_for(lambda: not (folders / "orderly").exists(), what="the orderly end")
    assert (machine.shared / "ended").exists()


def test_following_logs_goes_on_over_a_restart(machine: Machine) -> None:
    count = "n=$(ls /shared | grep -c run-); touch /shared/run-$n; echo run $n"
    machine.create("talking", shell(f"{count}; until test -e /shared/end-$n; do sleep 0.1; done"))
    wait_for(lambda: machine.container("talking").get("state", {}).get("running"))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig(machine.home))}
    command = ["kubectl", "--namespace", "models", "logs", "-f", "talking"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            assert following.stdout.readline() == "run 0\n"
            (machine.shared / "end-0").touch()
            assert following.stdout.readline() == "run 1\n"
        finally:
            following.kill()
    machine.delete("talking")


def test_a_pod_whose_network_was_killed_gets_another(machine: Machine) -> None:
    (machine.shared / "page").touch()
    machine.create("cut-off", web_server(readinessProbe=get("/page")))
    wait_for(lambda: machine.is_ready("cut-off"))
    assert machine.serving.process is not None
    children = Path(f"/proc/{machine.serving.process.pid}/task").glob("*/children")
    pids = [pid for path in children for pid in path.read_text().split()]
    [forwarder] = [pid for pid in pids if b"sandbox.forwarder" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(forwarder), signal.SIGKILL)
    machine.expect_described("cut-off", "Pod sandbox changed, it will be killed and re-created.")
    wait_for(lambda: machine.is_ready("cut-off"))
    machine.delete("cut-off")


def test_pods_outlive_a_killed_service_and_those_deleted_meanwhile_go(machine: Machine) -> None:
    for name in ("staying", "going", "gone"):
        machine.create(name, shell("echo up; exec sleep 1000"))
        wait_for(partial(has_logged, machine, name, "up\n"))
    machine.serving.kill()
    machine.kubectl("delete", "pod", "going", "--wait=false")
    machine.kubectl("delete", "pod", "gone", "--force", "--grace-period=0")
    machine.serving.start()
    wait_for(lambda: machine.container("staying")["restartCount"] == 1 and machine.is_ready("staying"))
    wait_for(lambda: "going" not in machine.kubectl("get", "pods", "-o", "name"), what="the deleted pod to go")
    logs = machine.home.folder("logs") / "pods/models"
    wait_for(lambda: [folder.name for folder in logs.iterdir()] == ["staying"], what="the removal of their logs")
    machine.delete("staying")


def test_the_node_reports_its_capacity_and_lease(machine: Machine) -> None:
    assert machine.kubectl("get", "node", "minipdk", "--no-headers").split()[:2] == ["minipdk", "Ready"]
    capacity = json.loads(machine.kubectl("get", "node", "minipdk", "-o", "jsonpath={.status.capacity}"))
    assert int(capacity["cpu"]) == os.cpu_count()
    lease = json.loads(machine.kubectl("get", "lease", "minipdk", "-n", "kube-node-lease", "-o", "json"))
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseDurationSeconds"]) == ("minipdk", 120)
    assert "RenewTime:" in machine.kubectl("describe", "node", "minipdk")
