"""Judge the two secrets with which the cluster reaches the platform, and search files for tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course.checks import CheckError, check

REGISTRY, CONFIG = "apolo-registry", "apolo"
DOCKER = "kubernetes.io/dockerconfigjson"
DOCKER_KEY = ".dockerconfigjson"
DATABASE = "db"
"""The file of the client's configuration that has the token."""

LONGEST_FILE = 20 << 20
"""Bytes of a file that is searched."""


@dataclass(frozen=True)
class Secret:
    """A secret: its type, and its data in base64 by key."""

    kind: str
    data: Mapping[str, str]


def judge(secrets: Mapping[str, Secret], elsewhere: Mapping[str, str], *, namespace: str, registry: str) -> None:
    """Check the secrets of ``namespace``; ``elsewhere`` has the namespace of each that is in another one instead.

    ``registry`` is the platform's host and port. Raises CheckError.
    """
    programs = {REGISTRY: "generate-registry-secret", CONFIG: "generate-secret"}
    for name, program in programs.items():
        hint = f"neuro-extras k8s {program} | kubectl -n {namespace} apply -f -"
        if name in elsewhere:
            hint = f"it is in {elsewhere[name]}, where the Pods of {namespace} cannot see it: {hint}"
        check(f"the secret {name} is in {namespace}", name in secrets, hint)
    first, second = secrets[REGISTRY], secrets[CONFIG]
    if first.kind != DOCKER and second.kind == DOCKER:
        raise CheckError(
            f"Not yet: the secrets have their types. Hint: they are swapped: {REGISTRY} is of generate-registry-secret, "
            f"{CONFIG} of generate-secret"
        )
    check(
        f"{REGISTRY} is for a registry", first.kind == DOCKER, f"its type is {first.kind}, not {DOCKER}: generate it again"
    )
    hosts = list(json.loads(base64.b64decode(first.data.get(DOCKER_KEY, "e30="))).get("auths", {}))
    hint = f"it is for {', '.join(hosts) or 'none'}: the platform's is {registry}. Log in, then generate it again"
    check("it is for the platform's registry", registry in hosts, hint)
    hint = f"its type is {second.kind} and it has {', '.join(second.data) or 'nothing'}: generate it again"
    check(f"{CONFIG} has the client's configuration", second.kind == "Opaque" and DATABASE in second.data, hint)


def passwords(secrets: Mapping[str, Secret]) -> set[str]:
    """The secret texts that must be in no file: the tokens, plain and as the secrets have them."""
    texts = {value for secret in secrets.values() for value in secret.data.values() if len(value) > 40}
    docker = base64.b64decode(secrets[REGISTRY].data.get(DOCKER_KEY, "")) if REGISTRY in secrets else b"{}"
    for entry in json.loads(docker or b"{}").get("auths", {}).values():
        if credentials := entry.get("auth"):
            texts |= {credentials, base64.b64decode(credentials).decode(errors="replace").partition(":")[2]}
    return {text for text in texts if text}


def judge_files(folder: Path, texts: set[str]) -> None:
    """Check that no file below ``folder`` has one of the secret ``texts``. Raises CheckError that names the file."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > LONGEST_FILE:
            continue
        content = path.read_text(errors="replace")
        if any(text in content for text in texts):
            place = "an output of it shows a token: clear the output, and save" if path.suffix == ".ipynb" else "delete it"
            name = path.relative_to(folder)
            raise CheckError(f"Not yet: no file here has a token. Hint: {name} has one: {place}. Pipe secrets into kubectl")
    check("no file here has a token", True, "")
