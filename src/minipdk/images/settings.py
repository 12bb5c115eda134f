"""The instructions that change an image's configuration and make no layer: ENV, CMD, USER, LABEL and so on."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from minipdk.images import expansion
from minipdk.images.dockerfile import Instruction
from minipdk.images.image import ImageConfig

Variables = Mapping[str, str]


def apply(instruction: Instruction, config: ImageConfig, variables: Variables, escape: str) -> ImageConfig:
    """``config`` after ``instruction``. Raises ValueError if the instruction is invalid."""
    match instruction.keyword:
        case "ENV":
            changes: dict[str, Any] = {"env": config.env | pairs(instruction, variables, escape)}
        case "LABEL":
            changes = {"labels": config.labels | pairs(instruction, variables, escape)}
        case "MAINTAINER":
            changes = {"labels": config.labels | {"maintainer": instruction.text}}
        case "CMD":
            changes = {"cmd": command(instruction, config)}
        case "ENTRYPOINT":
            changes = {"entrypoint": command(instruction, config), "cmd": []}
        case _:
            changes = _runtime_setting(instruction, config, variables, escape)
    return replace(config, **changes)


def _runtime_setting(instruction: Instruction, config: ImageConfig, variables: Variables, escape: str) -> dict[str, Any]:
    match instruction.keyword:
        case "SHELL":
            return {"shell": _shell(instruction)}
        case "USER":
            return {"user": expansion.expand(instruction.text, variables, escape)}
        case "STOPSIGNAL":
            return {"stop_signal": _signal(expansion.expand(instruction.text, variables, escape))}
        case "EXPOSE":
            ports = map(_port, expanded(instruction, variables, escape))
            return {"exposed_ports": sorted({*config.exposed_ports, *ports})}
        case "VOLUME":
            return {"volumes": sorted({*config.volumes, *expanded(instruction, variables, escape)})}
    raise AssertionError(instruction.keyword)


def command(instruction: Instruction, config: ImageConfig) -> list[str]:
    """The argv of RUN, CMD or ENTRYPOINT: the exec form as it is, the shell form in the image's shell."""
    exec_form = instruction.exec_form
    if exec_form is not None:
        return exec_form
    return [*config.shell, instruction.text]


def expanded(instruction: Instruction, variables: Variables, escape: str) -> list[str]:
    """The instruction's words, from its JSON or its plain form, with variables replaced."""
    parts = instruction.exec_form
    if parts is None:
        parts = expansion.split(instruction.text, escape)
    else:  # JSON has its own quotes: only variables are replaced
        parts = [json.dumps(part) if set(part) & set("'\"") else part for part in parts]
    return [expansion.expand(part, variables, escape) for part in parts]


def pairs(instruction: Instruction, variables: Variables, escape: str) -> dict[str, str]:
    """The ``name=value`` words of ENV, LABEL or ARG; also the old form ``ENV name value with blanks``."""
    parts = expansion.split(instruction.text, escape)
    if "=" not in parts[0]:
        name, value = parts[0], instruction.text[len(parts[0]) :].strip()
        if not value:
            raise ValueError(f"{instruction.keyword} {name} must have a value")
        return {name: expansion.expand(value, variables, escape)}
    values = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise ValueError(f"{part!r} should look like NAME=VALUE")
        values[expansion.expand(name, variables, escape)] = expansion.expand(value, variables, escape)
    return values


def _shell(instruction: Instruction) -> list[str]:
    if not instruction.exec_form:
        raise ValueError('SHELL requires the JSON form, such as ["/bin/bash", "-c"]')
    return instruction.exec_form


def _signal(name: str) -> str:
    """The name of a signal given as SIGTERM, TERM or 15."""
    try:
        if name.isdecimal():
            return signal.Signals(int(name)).name
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"].name
    except (KeyError, ValueError):
        raise ValueError(f"{name} is not a signal") from None


def _port(text: str) -> str:
    """``port[/protocol]`` as Docker keeps it; tcp is the default protocol. Ranges are kept unchanged."""
    port, _, protocol = text.partition("/")
    bounds = port.split("-")
    if len(bounds) > 2 or not all(bound.isdecimal() and 0 < int(bound) < 65536 for bound in bounds):
        raise ValueError(f"{text} is not a port")
    if protocol.lower() not in ("", "tcp", "udp", "sctp"):
        raise ValueError(f"{protocol} is not a protocol: use tcp, udp or sctp")
    return f"{port}/{protocol.lower() or 'tcp'}"
