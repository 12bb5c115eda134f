"""How fast the Kubernetes API is: ``python -m tests.benchmarks.kubernetes [objects]``.

Prints the times of lists of so many InferenceServices (1,000), of single writes, and from a write to the event that a watch
gets of it, alone and beside a hundred other watches.
"""

from __future__ import annotations

import json
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

from tests.minipdk.services.kubernetes.conftest import inference_service, start_server

from minipdk.common.home import Home

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
MAPS = "/api/v1/namespaces/models/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
ROUNDS, WATCHES = 30, 100


class Connection:
    """One connection to the API, kept open as clients keep theirs."""

    def __init__(self, home: Home) -> None:
        self._token = {"Authorization": f"Bearer {home.token}"}
        context = ssl.create_default_context(cafile=str(home.ca_certificate))
        self._http = HTTPSConnection("127.0.0.1", home.port("kubernetes"), context=context, timeout=120)

    def open(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        content = {"Content-Type": "application/json"} if body is not None else {}
        sent = json.dumps(body) if body is not None else None
        self._http.request(method, path, sent, self._token | content | {k.replace("_", "-"): v for k, v in headers.items()})
        answer = self._http.getresponse()
        assert answer.status < 300, answer.read()
        return answer

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return json.loads(self.open(method, path, body, **headers).read())

    def close(self) -> None:
        self._http.close()


def measure(what: str, action: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Print the median and the longest of ``rounds`` runs of ``action``, after one that is not counted."""
    action()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    tell(what, times)


def tell(what: str, times: list[float]) -> None:
    print(f"{what:<60} {statistics.median(times):8.2f} ms, longest {max(times):8.2f} ms")


@contextmanager
def watching(home: Home, path: str) -> Iterator[HTTPResponse]:
    connection = Connection(home)
    answer = connection.open("GET", f"{path}?watch=true&timeoutSeconds=600&resourceVersion={version(home, path)}")
    try:
        yield answer
    finally:
        connection.close()


def version(home: Home, path: str) -> str:
    connection = Connection(home)
    version = connection("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
    connection.close()
    return str(version)


def latency(home: Home, api: Connection, what: str) -> None:
    """From before a write until a watch receives its event."""
    name = api("POST", MAPS, {"metadata": {"generateName": "watched-"}})["metadata"]["name"]
    times: list[float] = []
    with watching(home, MAPS) as events:
        for number in range(ROUNDS):
            begin = time.perf_counter()
            write = threading.Thread(
                target=lambda n=number: api(
                    "PATCH", f"{MAPS}/{name}", {"data": {"n": str(n)}}, Content_Type="application/merge-patch+json"
                )
            )
            write.start()
            events.readline()
            times.append((time.perf_counter() - begin) * 1000)
            write.join()
    tell(what, times)


def measure_all(home: Home, objects: int) -> None:
    api = Connection(home)
    begin = time.perf_counter()
    for number in range(objects):
        api("POST", SERVICES, inference_service(f"service-{number}"))
    print(f"{f'creating {objects} InferenceServices':<60} {(time.perf_counter() - begin) / objects * 1000:8.2f} ms each")
    measure(f"a list of {objects}", lambda: api("GET", SERVICES), 10)
    measure(f"a list of {objects} as a table", lambda: api("GET", SERVICES, **TABLE), 10)
    measure("a page of 50", lambda: api("GET", f"{SERVICES}?limit=50"))
    measure("a list with a label selector that nothing matches", lambda: api("GET", f"{SERVICES}?labelSelector=a%3Db"))
    measure("one by a field selector", lambda: api("GET", f"{SERVICES}?fieldSelector=metadata.name%3Dservice-7"))
    measure("one object", lambda: api("GET", f"{SERVICES}/service-7"))
    numbers = iter(range(10**6))

    def apply() -> Any:
        body = inference_service("service-7")
        body["metadata"]["annotations"] = {"n": str(next(numbers))}
        path = f"{SERVICES}/service-7?fieldManager=bench&force=true"
        return api("PATCH", path, body, Content_Type="application/apply-patch+yaml")

    measure("a server-side apply", apply)
    latency(home, api, "from a write to its event")
    with ExitStack() as stack:
        for _ in range(WATCHES):
            stack.enter_context(watching(home, SERVICES))
        latency(home, api, f"the same beside {WATCHES} watches of another kind")
    api.close()


def main() -> None:
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "home")
        try:
            measure_all(server.home, objects)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
