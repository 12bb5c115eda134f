"""The cost of a predictor, and of twenty InferenceServices that are created together.

    python -m tests.benchmarks.predictors [services]

Memory is the proportional share (PSS) of a Pod's processes, and their private memory (USS); the start is the time
from the creation of the InferenceService until it is Ready, its image being there. Starts a separate cluster: the
Kubernetes API, the serving service and an S3 server.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
from kserve import V1beta1ONNXRuntimeSpec, V1beta1SKLearnSpec
from kubernetes import client as k8s
from sklearn.linear_model import LinearRegression
from tests.benchmarks._serving_cluster import serving_cluster
from tests.conftest import wait_for
from tests.minipdk.services.kserve.conftest import EXPORT_ONNX, NAMESPACE, Cluster, archiver, predictors, torchserve

from minipdk.images import ImageStore

MANY = 20
PATIENCE = 900.0
CUSTOM_IMAGE = "doubling:1.0"
CUSTOM = """
import kserve

class Doubling(kserve.Model):
    def load(self):
        self.ready = True

    def predict(self, payload, headers=None):
        return {"predictions": [[2 * x for x in row] for row in payload["instances"]]}

model = Doubling("custom")
model.load()
kserve.ModelServer().start([model])
"""
DOCKERFILE = 'FROM python:3.11\nCOPY model.py /srv/\nENTRYPOINT ["python", "/srv/model.py"]\n'
MIB = 1 << 20


def memory(processes: Iterable[int]) -> tuple[int, int]:
    """PSS and USS of the processes together, in MiB."""
    totals: Counter[str] = Counter()
    for process in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
                name, size, _ = line.split()
                totals[name.rstrip(":")] += int(size) * 1024
    return totals["Pss"] // MIB, (totals["Private_Clean"] + totals["Private_Dirty"]) // MIB


def processes_of(cluster: Cluster, name: str) -> list[int]:
    return [process for pod in cluster.pods(name) for process in predictors(pod.metadata.uid)]


@contextlib.contextmanager
def served(cluster: Cluster, name: str, **predictor: Any) -> Iterator[float]:
    """An InferenceService while it lasts, and the seconds until it was Ready."""
    began = time.monotonic()
    cluster.create(name, "", **{"pytorch": None, **predictor})
    wait_for(lambda: cluster.is_ready(name), seconds=PATIENCE, what=f"{name} to be ready")
    yield time.monotonic() - began
    cluster.kserve.delete(name, namespace=NAMESPACE)
    wait_for(lambda: not cluster.pods(name), what=f"the end of {name}")


def kinds(cluster: Cluster, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of predictor, with its spec; their models and the custom one's image are made."""
    cluster.s3.put_folder("models", archiver(folder)().parent, "one/model-store/")
    yield "pytorch", {"pytorch": torchserve("s3://models/one")}
    for name in ("sklearn", "onnx", "custom"):
        (folder / name).mkdir()
    joblib.dump(LinearRegression().fit([[1], [2]], [2, 4]), folder / "sklearn" / "model.joblib")
    cluster.s3.put_folder("models", folder / "sklearn", "sklearn/")
    yield "sklearn", {"sklearn": V1beta1SKLearnSpec(storage_uri="s3://models/sklearn")}
    exported = (folder / "onnx" / "model.onnx", folder / "scale.onnx")
    subprocess.run([sys.executable, "-W", "ignore", "-c", EXPORT_ONNX, *exported], check=True, capture_output=True)
    cluster.s3.put_folder("models", folder / "onnx", "onnx/")
    yield "onnx", {"onnx": V1beta1ONNXRuntimeSpec(storage_uri="s3://models/onnx")}
    (folder / "custom" / "model.py").write_text(CUSTOM)
    (folder / "custom" / "Dockerfile").write_text(DOCKERFILE)
    ImageStore(cluster.home).build(folder / "custom", CUSTOM_IMAGE)
    storage = k8s.V1EnvVar(name="STORAGE_URI", value="s3://models/sklearn")
    yield "custom", {"containers": [k8s.V1Container(name="kserve-container", image=CUSTOM_IMAGE, env=[storage])]}


def each_kind(cluster: Cluster, folder: Path) -> None:
    print("| predictor | first start, with its image's build s | start s | PSS MiB | USS MiB | processes |")
    print("|---|---|---|---|---|---|")
    for kind, spec in kinds(cluster, folder):
        with served(cluster, f"{kind}-first", **spec) as first:
            pass
        with served(cluster, kind, **spec) as start:
            running = processes_of(cluster, kind)
            pss, uss = memory(running)
            print(f"| {kind} | {first:.1f} | {start:.1f} | {pss} | {uss} | {len(running)} |", flush=True)


def many(cluster: Cluster, count: int) -> None:
    names = [f"many-{number:02}" for number in range(count)]
    began = time.monotonic()
    for name in names:
        cluster.create(name, "s3://models/one")
    print(f"\n{count} InferenceServices created in {time.monotonic() - began:.1f} s")
    ready: dict[str, float] = {}
    shown = 0.0
    while len(ready) < count:
        now = time.monotonic() - began
        rows = [line.split() for line in cluster.kubectl("get", "isvc", "--no-headers").splitlines()]
        ready |= {row[0]: now for row in rows if "True" in row and row[0] not in ready}
        if now > shown:
            pods = Counter(line.split()[2] for line in cluster.kubectl("get", "pods", "--no-headers").splitlines())
            print(f"{now:6.1f} s: {len(ready)} ready; pods: {dict(pods)}; load {os.getloadavg()[0]:.1f}", flush=True)
            shown = now + 10
        if now > PATIENCE:
            print(cluster.kubectl("get", "isvc,pods"))
            sys.exit(f"not ready: {sorted(set(names) - ready.keys())}")
        time.sleep(0.5)
    print("seconds until Ready, in order:", ", ".join(f"{name[-2:]} {at:.0f}" for name, at in ready.items()))
    running = [process for name in names for process in processes_of(cluster, name)]
    pss, uss = memory(running)
    restarts = sum(pod.status.container_statuses[0].restart_count for name in names for pod in cluster.pods(name))
    print(f"together {len(running)} processes, PSS {pss} MiB, USS {uss} MiB; {restarts} restarts of containers")
    assert all(cluster.answers(name, 2.0) for name in names)
    delete_all(cluster, names)


def delete_all(cluster: Cluster, names: list[str]) -> None:
    """Delete the services together, and check that nothing of them is left."""
    uids = [pod.metadata.uid for name in names for pod in cluster.pods(name)]
    began = time.monotonic()
    cluster.kubectl("delete", "isvc", "--all", "--wait=false")
    wait_for(lambda: not any(cluster.pods(name) for name in names), seconds=PATIENCE, what="the pods' end")
    wait_for(lambda: not any(predictors(uid) for uid in uids), what="the processes' end")
    wait_for(lambda: all(cluster.predict(name).status_code == 404 for name in names), what="the routes' end")
    folders = [cluster.home.folder("serving"), cluster.home.folder("logs") / "pods" / NAMESPACE]
    wait_for(lambda: not any(list(folder.iterdir()) for folder in folders), what="the folders' end")
    print(f"all deleted, their processes, folders and routes gone, after {time.monotonic() - began:.1f} s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serving_cluster(Path(folder)) as cluster:
        each_kind(cluster, Path(folder))
        many(cluster, int(sys.argv[1]) if sys.argv[1:] else MANY)


if __name__ == "__main__":
    main()
