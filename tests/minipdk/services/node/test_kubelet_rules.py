"""Rules of the kubelet's parts, tested with many inputs."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.common.home import Home
from minipdk.common.quantities import quantity
from minipdk.common.service import ImageSource
from minipdk.images import Image, ImageStore
from minipdk.images.errors import BuildError
from minipdk.services.node import logs
from minipdk.services.node.container import restart_pauses
from minipdk.services.node.environment import expand
from minipdk.services.node.images import Images
from minipdk.services.node.logs import ContainerLog, last_line
from minipdk.services.node.probes import LIVENESS, Target, read
from minipdk.services.node.resources import pod_request
from minipdk.services.node.startup import StartLimit
from minipdk.services.node.status import PodStatus

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("2Gi", 2 << 30), ("1.5k", 1500), ("1e3", 1000), ("12E2", 1200), (".5", "0.5"), ("3E", 3 * 10**18)],
)
def test_a_quantity_is_read_as_by_kubernetes(text: str, number: object) -> None:
    assert quantity(text) == Decimal(str(number))


@given(number=st.integers(0, 10**12), suffix=st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_quantities_add_up(number: int, suffix: str) -> None:
    assert quantity(f"{number}{suffix}") == number * quantity(f"1{suffix}")


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "--1", "1e", "0x1", "1e9999", "NaN"])
def test_a_malformed_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is not a quantity")):
        quantity(text)


def test_a_pod_asks_for_its_containers_together_or_for_its_largest_init_container() -> None:
    def container(**resources: dict[str, str]) -> dict[str, object]:
        return {"resources": resources}

    mains = [container(requests={"memory": "1Gi"}), container(limits={"memory": "2Gi"}), container()]
    init = container(requests={"memory": "4Gi"})
    assert pod_request({"spec": {"containers": mains}}, "memory") == 3 << 30
    assert pod_request({"spec": {"containers": mains, "initContainers": [init]}}, "memory") == 4 << 30


@given(text=st.text(), variables=st.dictionaries(NAMES, st.text()))
def test_expansion_leaves_unknown_names_and_can_be_escaped(text: str, variables: dict[str, str]) -> None:
    assert expand(text.replace("$", "$$"), variables) == text
    assert expand(text, {}) == text.replace("$$", "$")
    for name, value in variables.items():
        assert expand(f"<$({name})>", variables) == f"<{value}>"


@given(lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), min_size=1), data=st.data())
def test_a_log_has_every_line_however_it_arrives(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    with tempfile.TemporaryDirectory() as folder:
        log = ContainerLog(Path(folder) / "main.log", Path(folder) / "main.previous.log")
        write_in_pieces(log, [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)])
        written = log.path.read_bytes().split(b"\n")[:-1]
        last = next((text for line in reversed(lines) if (text := line.decode(errors="replace").strip())), "")
        assert [line.split(b" ", 3)[3] for line in written] == lines
        assert last_line(log.path) == last


def write_in_pieces(log: ContainerLog, pieces: list[bytes]) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for piece in pieces:
                pipe.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        log.copy_from(pipe, lambda _: None)
    writer.join()


def test_a_log_is_of_bounded_size_and_keeps_the_last_run_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 1000)
    path, previous = tmp_path / "main.log", tmp_path / "main.previous.log"
    write_in_pieces(ContainerLog(path, previous), [b"line %d\n" % number for number in range(1000)])
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2000
    assert last_line(path) == "line 999"
    write_in_pieces(ContainerLog(path, previous), [])
    assert (last_line(path), last_line(previous)) == ("", "line 999")


@pytest.mark.parametrize(
    ("known", "restarts"),
    [
        ({}, 0),
        ({"restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}, 0),
        ({"restartCount": 0, "state": {"running": {}}}, 1),
        ({"restartCount": 3, "state": {"terminated": {"exitCode": 1}}}, 4),
        ({"restartCount": 3, "state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}}, 4),
    ],
)
def test_the_start_of_a_container_that_ran_before_is_a_restart(known: dict[str, object], restarts: int) -> None:
    """``known`` is the API's status of the container when this service starts."""
    statuses = [{"name": "main", **known}] if known else []
    pod = {"spec": {"containers": [{"name": "main", "image": "a:1"}]}, "status": {"containerStatuses": statuses}}
    [status] = PodStatus(pod).mains
    status.running()
    assert status.restarts == restarts
    status.terminated(1, "")
    status.waiting("CrashLoopBackOff")
    assert (status.restarts, status.last_state["terminated"]["exitCode"]) == (restarts, 1)
    status.running()
    assert status.restarts == restarts + 1


def test_pauses_grow_as_a_kubelets_until_a_container_has_run_for_ten_minutes() -> None:
    pauses = restart_pauses()
    assert [pauses.pause(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [pauses.pause(ran) for ran in (600, 1, 599)] == [0, 10, 20]


def test_containers_start_in_turns_first_come_first_served() -> None:
    async def run() -> tuple[list[int], int, list[str]]:
        limit, most, running = StartLimit(2), 0, 0
        order: list[int] = []
        messages: list[str] = []

        async def start(number: int) -> None:
            nonlocal running, most
            with limit.slot() as slot:
                await slot.acquire(messages.append)
                order.append(number)
                running += 1
                most = max(most, running)
                await asyncio.sleep(0)
                running -= 1

        await asyncio.gather(*map(start, range(6)))
        return order, most, messages

    order, most, messages = asyncio.run(run())
    assert (order, most) == (list(range(6)), 2)
    assert messages == ["waits for its turn: 2 other containers are starting"] * 4


def test_an_image_is_built_once_for_all_who_wait_and_again_after_a_failure(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "model-server:1"
    builds: list[str] = []

    def build(_store: ImageStore, _context: Path, name: str, *, progress: Callable[[str], None], **_: object) -> Image:
        progress(f"Step {len(builds)}")
        builds.append(name)
        if len(builds) == 1:
            raise BuildError("no network")
        return Image(name, f"build {len(builds)}")

    async def run() -> list[object]:
        images = Images(home, {name: ImageSource(Path(), Path())})
        lines: list[str] = []
        first = await asyncio.gather(*(images.get(name, lines.append) for _ in range(3)), return_exceptions=True)
        second = await asyncio.gather(*(images.get(name, lines.append) for _ in range(3)))
        return [*map(str, first), *(image.id for image in second), sorted(lines)]

    monkeypatch.setattr(ImageStore, "build", build)
    assert asyncio.run(run()) == [*["no network"] * 3, *["build 2"] * 3, [*["Step 0"] * 3, *["Step 1"] * 3]]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"\x08\x01", ""), (b"\x08\x02", "NOT_SERVING"), (None, "does not implement the grpc health protocol")],
)
def test_a_grpc_probe_asks_the_health_service(answer: bytes | None, reason: str) -> None:
    asked: list[bytes] = []

    async def run() -> str:
        async def check(request: bytes, _: object) -> bytes:
            asked.append(request)
            return answer or b""

        server = grpc.aio.server()
        if answer is not None:
            methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        probe = read({"livenessProbe": {"grpc": {"port": port, "service": "model"}, "timeoutSeconds": 60}}, LIVENESS)
        assert probe is not None
        try:
            return await probe.check(Target(None, {}, None, None))  # type: ignore[arg-type]  # gRPC needs neither
        finally:
            await server.stop(0)

    failure = asyncio.run(run())
    assert reason in failure
    assert bool(reason) == bool(failure)
    assert asked == ([] if answer is None else [b"\x0a\x05model"])
