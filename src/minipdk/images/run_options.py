"""The options of ``docker run``, in Docker's own words, as far as a container here can have them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from minipdk.common.ports import HOST
from minipdk.images.errors import RunOptionError
from minipdk.sandbox import Mount

SOURCE, TARGET, READ_ONLY = ("source", "src"), ("target", "destination", "dst"), ("readonly", "ro")
YES, NO = ("true", "1"), ("false", "0")


def variables(options: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE``, or ``NAME`` for its value in this process's environment; without one it is left out, as in Docker."""
    values = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not name:
            raise RunOptionError(f"--env {option!r} has no name: use NAME=VALUE")
        if equals:
            values[name] = value
        elif name in os.environ:
            values[name] = os.environ[name]
    return values


def published(options: Iterable[str], network: str) -> list[tuple[int, int]] | None:
    """``[HOST_IP:]HOST_PORT:CONTAINER_PORT[/tcp]`` as (port of this machine's loopback, port in the container).

    None if ``network`` is ``host``, this machine's network; ``bridge``, Docker's default, is a private one.
    """
    pairs = [_published(option) for option in options]
    if network not in ("bridge", "host"):
        raise RunOptionError(f"--network {network} is not supported: use bridge or host")
    if network == "bridge":
        return pairs
    if pairs:
        raise RunOptionError("--publish is for a container's private network: with --network host leave it out")
    return None


def _published(option: str) -> tuple[int, int]:
    ports, _, protocol = option.partition("/")
    outer, _, inner = ports.rpartition(":")
    address, _, outer = outer.rpartition(":")
    if protocol not in ("", "tcp"):
        raise RunOptionError(f"--publish {option}: {protocol} is not supported, only tcp is")
    if address not in ("", HOST):
        raise RunOptionError(f"--publish {option}: ports are published on {HOST} only, not on {address}")
    if not (_is_port(outer) and _is_port(inner)):
        raise RunOptionError(f"--publish {option}: use HOST_PORT:CONTAINER_PORT, as in 8080:8080")
    return int(outer), int(inner)


def mount(option: str) -> Mount:
    """``type=bind,source=PATH,target=PATH[,readonly]``; quotes surround a value that contains a comma, as in Docker."""
    fields = {}
    for field in next(csv.reader([option]), []):
        key, equals, value = field.partition("=")
        if key not in ("type", *SOURCE, *TARGET, *READ_ONLY):
            raise RunOptionError(f"--mount {option}: {key!r} is not supported: use type=bind,source=,target=[,readonly]")
        fields[next((names[0] for names in (SOURCE, TARGET, READ_ONLY) if key in names), key)] = value if equals else "true"
    kind, read_only = fields.get("type", "volume"), fields.get("readonly", "false")
    if kind != "bind":
        raise RunOptionError(f"--mount {option}: type={kind} is not supported: use type=bind")
    if read_only not in (*YES, *NO):
        raise RunOptionError(f"--mount {option}: readonly is true or false, not {read_only!r}")
    if not (fields.get("source") and fields.get("target")):
        raise RunOptionError(f"--mount {option}: it wants a source and a target")
    return Mount(Path(fields["source"]), fields["target"], read_only=read_only in YES)


def volume(option: str) -> Mount:
    """``SOURCE:TARGET[:ro|rw]``, where the source is a path: volumes with names are not supported."""
    source, _, rest = option.partition(":")
    target, _, mode = rest.partition(":")
    if not (source and target):
        raise RunOptionError(f"--volume {option}: use SOURCE:TARGET[:ro]")
    if "/" not in source and source not in (".", ".."):
        raise RunOptionError(f"--volume {option}: {source} would be a volume with a name: give a path, as in ./{source}")
    if mode not in ("", "ro", "rw"):
        raise RunOptionError(f"--volume {option}: {mode} is not supported, only ro and rw are")
    return Mount(Path(source), target, read_only=mode == "ro")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) < 65536
