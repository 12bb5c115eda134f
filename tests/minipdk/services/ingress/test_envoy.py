"""Envoy as a process: its counts, its administration, its start and its end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web
from tests.conftest import free_ports, wait_for
from tests.minipdk.services.ingress.conftest import HOST, Ingress, echo, predictor, serving

from minipdk import doctor
from minipdk.common.home import Home
from minipdk.common.ports import hold, is_listening
from minipdk.controller.routes import Routes, Traffic
from minipdk.services.ingress import envoy as envoy_process
from minipdk.services.ingress.bootstrap import ADMIN_SOCKET
from minipdk.services.ingress.counts import read_counts
from minipdk.services.ingress.errors import GatewayError
from minipdk.services.ingress.gateway import gateway

pytestmark = pytest.mark.anyio


async def test_requests_are_counted_by_service_and_class(ingress: Ingress) -> None:
    async def half(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=int(request.path[1:]))

    async with predictor(half) as backend:
        ingress.set("counted", "a", (Traffic(100, (backend,)),))
        await ingress.routes.in_force()
        host = {"Host": "a.counted.example.com"}
        for path, headers in [("/200", host), ("/422", host), ("/500", host), ("/serving/counted/a/201", {})]:
            async with ingress.client.get(path, headers=headers):
                pass
        counts = (await asyncio.to_thread(read_counts, ingress.port))["counted/a"]
        assert (counts.total, counts.classes) == (4, {"2": 2, "4": 1, "5": 1})
    ingress.routes.remove("counted", "a")
    assert read_counts(free_ports(1)[0]) == {}


async def test_nothing_else_of_envoys_administration_is_reached(ingress: Ingress) -> None:
    for method, path in [
        ("POST", "/stats/prometheus"),
        ("GET", "/stats"),
        ("GET", "/config_dump"),
        ("POST", "/quitquitquit"),
    ]:
        async with ingress.client.request(method, path) as answer:
            assert answer.status == 404
    async with ingress.client.get("/stats/prometheus?filter=cluster") as answer:
        assert "upstream_cx" not in await answer.text()
    assert (ingress.folder / ADMIN_SOCKET).stat().st_mode & 0o777 == 0o600


async def test_a_killed_envoy_is_started_again_with_the_routes_it_had(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        [envoy] = [child for child in psutil.Process().children() if child.name() == "envoy"]
        envoy.kill()
        async with asyncio.timeout(60):
            while not await answers(ingress, but_not=envoy.pid):
                await asyncio.sleep(0.05)
        ingress.set("models", "other", reason="new")
        await ingress.routes.in_force()


async def answers(ingress: Ingress, *, but_not: int) -> bool:
    try:
        async with ingress.client.get("/", headers=HOST) as answer:
            return answer.status == 201 and but_not not in {child.pid for child in psutil.Process().children()}
    except aiohttp.ClientError:
        return False


def test_envoy_ends_with_the_service_that_was_killed(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from minipdk.controller.routes import Routes
from minipdk.services.ingress.gateway import gateway

async def main():
    async with gateway(Routes(), pathlib.Path(sys.argv[1]), int(sys.argv[2])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    [port] = free_ports(1)
    arguments = [sys.executable, "-c", program, str(tmp_path / "envoy"), str(port)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as service:
        try:
            assert service.stdout
            assert service.stdout.readline() == b"ready\n"
            assert is_listening(port)
        finally:
            service.kill()
    wait_for(lambda: not is_listening(port), what="Envoy to end")


async def test_an_envoy_that_cannot_start_is_an_error_that_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(GatewayError, match=r"Envoy 1\.40\.0 ends at once"):
        async with gateway(Routes(), tmp_path / "second", taken.getsockname()[1]):
            pass


async def test_envoy_shares_the_port_that_its_cluster_holds(tmp_path: Path) -> None:
    [port] = free_ports(1)
    held = hold(port)
    assert held is not None
    with held:
        async with gateway(Routes(), tmp_path / "first", port):
            assert is_listening(port)


@pytest.mark.parametrize("program", ["#!/bin/sh\necho GLIBC_2.31 not found >&2; exit 1\n", None])
def test_doctor_reports_an_envoy_that_cannot_run_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Home, program: str | None
) -> None:
    binary = tmp_path / "envoy"
    if program:
        binary.write_text(program)
        binary.chmod(0o755)
    monkeypatch.setattr(envoy_process, "binary", lambda: binary)
    [check] = [check for check in doctor.examine(home) if check.subject == "Envoy"]
    assert (check.ok, check.needed, check.remedy) == (False, True, envoy_process.REMEDY)
    assert ("GLIBC_2.31 not found" if program else "No such file") in check.detail
