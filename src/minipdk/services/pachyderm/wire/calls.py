"""The gRPC calls of the SDK: their paths, types of messages and streams.

The SDK's stubs are its only record of the calls. Each stub is given a channel that sends nothing and records the call.
"""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType

import betterproto
from pachyderm_sdk import api

_NO_SERVICE = {"taskapi": "taskapi", "cdr": "cdr"}


@dataclasses.dataclass(frozen=True)
class Rpc:
    """One call of one service, as the SDK's stub makes it.

    ``service`` is the full name of the service (``pfs_v2.API``), ``method`` the call's vendor name (``GetFileTAR``),
    ``name`` the SDK's name for it (``get_file_tar``) and ``package`` the SDK's module (``pfs``). ``request`` and
    ``response`` are classes of the SDK: `message_class` has the class of the C runtime.
    """

    package: str
    service: str
    method: str
    name: str
    request: type[betterproto.Message]
    response: type[betterproto.Message]
    client_streams: bool
    server_streams: bool

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


@cache
def modules() -> dict[str, ModuleType]:
    """The SDK's API modules by name."""
    return {module.name: import_module(f"{api.__name__}.{module.name}") for module in pkgutil.iter_modules(api.__path__)}


@cache
def proto_names() -> dict[str, str]:
    """The protobuf package of each SDK module, read from the paths of its calls."""
    return _NO_SERVICE | {rpc.package: rpc.service.rpartition(".")[0] for rpc in rpcs()}


@cache
def rpcs() -> tuple[Rpc, ...]:
    """Every call of every service that the SDK has a stub for."""
    calls: list[Rpc] = []
    for package, module in modules().items():
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__name__.endswith("Stub") and kind.__module__ == module.__name__:
                calls.extend(_rpcs_of(package, kind))
    return tuple(calls)


class _Recorder:
    """A channel that sends nothing and records the calls of a stub."""

    def __init__(self) -> None:
        self.multicallables: dict[str, tuple[bool, bool, type[betterproto.Message]]] = {}
        self.called: tuple[str, object] | None = None

    def _multicallable(self, client_streams: bool, server_streams: bool) -> Callable[..., object]:
        def make(path: str, **serializers: betterproto.Message) -> Callable[..., object]:
            response = serializers["response_deserializer"].__self__
            self.multicallables[path] = (client_streams, server_streams, response)

            def call(request: object, **_: object) -> Iterator[object]:
                self.called = (path, request)
                return iter(())

            return call

        return make

    def __getattr__(self, name: str) -> Callable[..., object]:
        client, server = (side == "stream" for side in name.split("_"))
        return self._multicallable(client, server)


def _rpcs_of(package: str, stub_class: type) -> Iterator[Rpc]:
    recorder = _Recorder()
    stub = stub_class(recorder)
    for name, function in inspect.getmembers(stub_class, inspect.isfunction):
        if name.startswith("_"):
            continue
        request_type, path = _observe(recorder, getattr(stub, name), function)
        client_streams, server_streams, response_type = recorder.multicallables[path]
        service, _, method = path.removeprefix("/").partition("/")
        yield Rpc(package, service, method, name, request_type, response_type, client_streams, server_streams)


def _observe(
    recorder: _Recorder, method: Callable[..., object], function: FunctionType
) -> tuple[type[betterproto.Message], str]:
    """Make one call on the recorder; return the type of message it sends and the path it sends it to."""
    recorder.called = None
    parameters = list(inspect.signature(function).parameters.values())[1:]
    positional = [parameter for parameter in parameters if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    result = method(*[iter(()) for _ in positional])
    if inspect.isgenerator(result):
        list(result)
    assert recorder.called is not None, function
    path, request = recorder.called
    if isinstance(request, betterproto.Message):
        return type(request), path
    hints = typing.get_type_hints(function, vars(import_module(function.__module__)))
    (streamed,) = {arm for hint in typing.get_args(hints[positional[0].name]) for arm in (typing.get_args(hint) or (hint,))}
    return streamed, path
