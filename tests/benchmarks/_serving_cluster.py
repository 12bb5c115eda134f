"""The cluster that the serving benchmarks measure: the Kubernetes API, the serving service and an S3 server for models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import ServiceProcess, new_home
from tests.minipdk.services.kserve.conftest import Cluster, FakeS3


@contextmanager
def serving_cluster(folder: Path) -> Iterator[Cluster]:
    """A fresh cluster below ``folder``, with credentials for its S3 server."""
    with ExitStack() as stack:
        home = new_home(folder / "home")
        services = [ServiceProcess(home, "kubernetes", "kubernetes"), ServiceProcess(home, "serving", "ingress")]
        for service in services:
            service.start()
            stack.callback(service.stop)
        s3 = FakeS3()
        stack.callback(s3.close)
        cluster = Cluster(home, services[1], s3)
        cluster.add_credentials()
        yield cluster
