"""Fixtures that every test shares: a fresh home with free ports, and real service processes in it."""

from __future__ import annotations

import importlib
import io
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import grpc
import pytest
from hypothesis import HealthCheck, settings
from pachyderm_sdk.api.admin import ClusterInfo
from xdist.scheduler import LoadScopeScheduling

from minipdk.cluster.services import PROCESSES, VENDOR_PORTS
from minipdk.common.home import Home, Identity, save
from minipdk.common.ports import is_free, is_listening

# A suite in the background of a shell ignores SIGINT, and so would every command that it starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

Value = TypeVar("Value")

REPOSITORY = Path(__file__).parents[1]
SETUP_LAYERS = Path(os.environ.get("MINIPDK_HOME") or REPOSITORY / ".minipdk") / "images" / "layers"

SLOW = (
    "notebooks/",
    "services/kserve/test_inference_service.py",
    "services/kserve/test_kills.py",
    "services/kserve/test_custom_predictors.py",
    "services/kserve/test_model_formats.py",
    "services/kserve/test_pachyderm_models.py",
    "services/kserve/predictors/test_hostile_bodies.py",
    "services/kserve/predictors/test_model_server.py",
    "services/kserve/predictors/test_onnxserver.py",
    "services/kserve/predictors/test_sklearnserver.py",
    "services/kserve/runtimes/",
    "course/model_server/",
    "course/labs/model_server/",
    "services/determined/test_master.py",
    "services/determined/api/test_det_command.py",
    "services/pachyderm/pps/worker/test_kills.py",
    "services/pachyderm/s3/test_durability.py",
    "services/pachyderm/pps/worker/test_batching.py",
    "containers/",
    "sample_data/",
)
"""Modules of notebooks, soaks, kills and image builds, the longest first.

They begin first, so that no worker is left alone with one at the end, and `make test-quick` leaves them out.
"""


class ModuleScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keep a module's tests on one worker, since they share its services; the notebooks share one cluster."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "notebooks" if module.startswith("tests/notebooks/") else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ModuleScheduling:
    return ModuleScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {item: next((rank for rank, name in enumerate(SLOW) if name in item.nodeid), len(SLOW)) for item in items}
    for item, rank in ranks.items():
        if rank < len(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=ranks.__getitem__)


settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # a busy one breaks no law


def wait_for(condition: Callable[[], Value | None], *, seconds: float = 120, what: str = "the condition") -> Value:
    """The first true value that ``condition`` returns; fails the test, naming ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: still not true after {seconds} s")
        time.sleep(0.02)
    return value


def wheel(module: str, content: str, version: str = "1.0", tag: str = "py3-none-any") -> tuple[str, bytes]:
    """The file name and the bytes of a wheel of ``module``, which no index has, so that pip needs none."""
    buffer, info = io.BytesIO(), f"{module}-{version}.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{module}/__init__.py", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{module}-{version}-{tag}.whl", buffer.getvalue()


WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
SERVICE_PORTS = range(20_000 + WORKER, 30_000, WORKERS)
"""Below the range from which the kernel gives outgoing connections their ports, so that none takes a port meanwhile.

Workers that run tests side by side have separate ports.
"""


_candidates = iter(random.sample(SERVICE_PORTS, len(SERVICE_PORTS)))


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now. None is given twice: two services may start later."""
    return list(islice(filter(is_free, _candidates), count))


def new_home(path: Path) -> Home:
    """A home at ``path`` with free ports and a known token."""
    path.mkdir(mode=0o700, parents=True)
    ports = dict(zip(VENDOR_PORTS, free_ports(len(VENDOR_PORTS)), strict=True))
    return save(path, Identity(cluster_id="00000000-0000-4000-8000-000000000000", token="test-token", ports=ports))


def share_images(home: Home) -> None:
    """Let builds in ``home`` use the layers that `make setup` has made, so that they need no package index."""
    layers = home.folder("images") / "layers"
    layers.mkdir(mode=0o700)
    for layer in SETUP_LAYERS.glob("*"):
        (layers / layer.name).symlink_to(layer)


def end(process: subprocess.Popen[Any], number: int = signal.SIGTERM, *, seconds: float = 20) -> int:
    """End ``process`` by a signal, or kill it if that does not help; returns its status."""
    process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _is_closed(port: int) -> bool:
    return not is_listening(port)


class ServiceProcess:
    """One process of the cluster, by its name, without a supervisor."""

    def __init__(self, home: Home, name: str, *ports: str) -> None:
        self.home, self.name, self.ports = home, name, ports
        self.module = next(process.module for process in PROCESSES if process.name == name)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for port in self.ports:  # a child of one that was killed may take a moment longer to end
            number = self.home.port(port)
            wait_for(partial(_is_closed, number), what=f"{self.name}'s {port} port to be free")
        with self.home.log_file(self.name).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--home", str(self.home.path)],
                stdout=log,
                stderr=log,
            )
        for port in self.ports:
            wait_for(partial(self._listening_or_dead, port), what=f"{self.name} to listen on its {port} port")

    def _listening_or_dead(self, port: str) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log}"
        return is_listening(self.home.port(port))

    @property
    def log(self) -> str:
        return self.home.log_file(self.name).read_text()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        end(self.process)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A fresh cluster's folder, shared by one module's tests."""
    return new_home(tmp_path_factory.mktemp("cluster") / "home")


@pytest.fixture(scope="module")
def run_service() -> Iterator[Callable[..., ServiceProcess]]:
    """``run_service(home, "pachyderm", "pachd", "s3")`` starts a service and waits until its ports answer."""
    with ExitStack() as stack:

        def start(home: Home, name: str, *ports: str) -> ServiceProcess:
            service = ServiceProcess(home, name, *ports)
            service.start()
            stack.callback(service.stop)
            return service

        yield start


@pytest.fixture
def pachd_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """``pachd_of(cluster_id)`` is the address of a server that answers InspectCluster with this id, as pachd does."""

    def start(cluster_id: str) -> str:
        answer = grpc.unary_unary_rpc_method_handler(lambda _request, _context: bytes(ClusterInfo(id=cluster_id)))
        server = grpc.server(ThreadPoolExecutor(1))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("admin_v2.API", {"InspectCluster": answer})])
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        request.addfinalizer(lambda: server.stop(0).wait())
        return f"grpc://{address}"

    return start


SCRIPT_FOLDERS = tuple(str(REPOSITORY / name) for name in ("containers", "labs", "sample-data", "solutions"))


@pytest.fixture(scope="module")
def import_from() -> Iterator[Callable[[str, str], ModuleType]]:
    """``import_from("containers/train", "registry")`` imports a module as a script in that folder would see it.

    Folders may hold modules of the same name (as checkpoints do): each import first forgets the modules of other folders.
    """
    before = list(sys.path)

    def load(folder: str, name: str) -> ModuleType:
        sys.path[:] = [str(REPOSITORY / folder), *before]
        own = {path.stem for path in (REPOSITORY / folder).glob("*.py")}
        for known, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if (known in own or file.startswith(SCRIPT_FOLDERS)) and Path(file).parent != REPOSITORY / folder:
                del sys.modules[known]
        return importlib.import_module(name)

    yield load
    sys.path[:] = before
