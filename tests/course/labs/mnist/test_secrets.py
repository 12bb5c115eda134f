"""The hints on the two secrets, and the search for tokens. 1 s."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from course.labs.mnist import secrets
from course.labs.mnist.secrets import CONFIG, DOCKER, REGISTRY, Secret

Hint = Callable[..., str]
HOST, TOKEN = "127.0.0.1:8085", "ey" + "J0b2tlbg" * 10


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


AUTHS = {"auths": {HOST: {"auth": encoded(f"user:{TOKEN}")}}}
SECRETS = {
    REGISTRY: Secret(DOCKER, {".dockerconfigjson": encoded(json.dumps(AUTHS))}),
    CONFIG: Secret("Opaque", {"db": encoded(f"SQLite format 3 {TOKEN}")}),
}


def judge(given: dict[str, Secret], **elsewhere: str) -> None:
    secrets.judge(given, elsewhere, namespace="seldon", registry=HOST)


def test_both_secrets_pass(hint: Hint) -> None:
    assert hint(judge, SECRETS) == ""


def test_a_missing_secret_is_named_with_its_command(hint: Hint) -> None:
    said = hint(judge, {CONFIG: SECRETS[CONFIG]})
    assert said.endswith(
        "apolo-registry is in seldon. Hint: neuro-extras k8s generate-registry-secret | kubectl -n seldon apply -f -"
    )
    assert "Hint: neuro-extras k8s generate-secret" in hint(judge, {REGISTRY: SECRETS[REGISTRY]})


def test_a_secret_in_another_namespace_is_noticed(hint: Hint) -> None:
    said = hint(judge, {REGISTRY: SECRETS[REGISTRY]}, apolo="default")
    assert "it is in default, where the Pods of seldon cannot see it" in said


def test_swapped_secrets_are_noticed(hint: Hint) -> None:
    swapped = {REGISTRY: SECRETS[CONFIG], CONFIG: SECRETS[REGISTRY]}
    assert "they are swapped: apolo-registry is of generate-registry-secret" in hint(judge, swapped)


def test_a_secret_of_another_kind_or_registry_is_noticed(hint: Hint) -> None:
    assert "its type is Opaque, not kubernetes.io/dockerconfigjson" in hint(
        judge, SECRETS | {REGISTRY: Secret("Opaque", {})}
    )
    other = encoded(json.dumps({"auths": {"registry.example.com": {}}}))
    said = hint(judge, SECRETS | {REGISTRY: Secret(DOCKER, {".dockerconfigjson": other})})
    assert f"it is for registry.example.com: the platform's is {HOST}" in said
    assert "it has nothing: generate it again" in hint(judge, SECRETS | {CONFIG: Secret("Opaque", {})})


def test_a_token_in_a_file_or_in_an_output_is_found(hint: Hint, tmp_path: Path) -> None:
    texts = secrets.passwords(SECRETS)
    assert TOKEN in texts
    (tmp_path / "picture.jpg").write_bytes(bytes(range(256)))
    assert hint(secrets.judge_files, tmp_path, texts) == ""
    (tmp_path / "pkg").mkdir()
    manifest = tmp_path / "pkg" / "secret.yaml"
    for leaked in (TOKEN, encoded(f"user:{TOKEN}"), SECRETS[CONFIG].data["db"]):
        manifest.write_text(f"data: {leaked}\n")
        assert "pkg/secret.yaml has one: delete it. Pipe secrets into kubectl" in hint(secrets.judge_files, tmp_path, texts)
    manifest.unlink()
    (tmp_path / "lab.ipynb").write_text(json.dumps({"cells": [{"outputs": [{"text": [TOKEN]}]}]}))
    assert "lab.ipynb has one: an output of it shows a token" in hint(secrets.judge_files, tmp_path, texts)


def test_without_secrets_there_is_nothing_to_find() -> None:
    assert secrets.passwords({}) == set()
