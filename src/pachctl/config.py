"""The vendor's configuration file, version 2: which clusters there are and which one commands speak to.

``PACH_CONFIG`` names the file (default ``/pachctl/config.json`` if it is there, else ``~/.pachyderm/config.json``),
``PACH_CONTEXT`` a context other than the active one.
The document stays a plain dict, so that fields of other versions survive a rewrite.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pachctl.errors import PachctlError

DEFAULT_PORT = 30650
SPOUT_CONFIG = Path("/pachctl/config.json")
FIRST = "default"
"""The context of a new configuration."""
REMEDY = "set one with: pachctl config set active-context <context>, or pachctl connect <address>"
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")  # urlsplit drops some
_NOT_IN_HOSTS = re.compile(r"[^\w.:%-]")
SECURE = {"grpc": False, "http": False, "grpcs": True, "https": True}

Document = dict[str, Any]
Context = dict[str, Any]


class ConfigError(PachctlError):
    """The configuration cannot be used as asked."""


def path() -> Path:
    """Where the configuration is. In a spout's container it is the one that the worker made."""
    if named := os.environ.get("PACH_CONFIG"):
        return Path(named).expanduser()
    return SPOUT_CONFIG if SPOUT_CONFIG.exists() else Path.home() / ".pachyderm" / "config.json"


def load() -> Document:
    """The configuration; without a file a new one with the empty context ``default``, as the vendor's binary makes it."""
    file = path()
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise ConfigError(f"could not read the config {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"could not parse config json at {file}: it is not text in UTF-8") from error
    try:
        document = json.loads(text) if text.strip() else {"v2": {"active_context": FIRST, "contexts": {FIRST: {}}}}
    except ValueError as error:
        raise ConfigError(f"could not parse config json at {file}: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.setdefault("v2", {}), dict):
        raise ConfigError(f"could not parse config json at {file}: expected an object with a field v2")
    document.setdefault("user_id", uuid.uuid4().hex)
    document["v2"].setdefault("active_context", "")
    document["v2"].setdefault("metrics", False)
    if document["v2"].setdefault("contexts", {}) is None:
        document["v2"]["contexts"] = {}
    return document


def save(document: Document) -> None:
    """Replace the file in one step; only its owner may read it, for it holds session tokens."""
    file = path()
    if "PACH_CONFIG" not in os.environ:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=file.resolve().parent, prefix=".config-")  # mode 0600
        with os.fdopen(handle, "w") as out:
            out.write(json.dumps(document, indent=2) + "\n")
        Path(name).replace(file.resolve())
    except OSError as error:
        raise ConfigError(f"cannot write the config at {file}: {error.strerror}") from error


def contexts(document: Document) -> dict[str, Context]:
    contexts: dict[str, Context] = document["v2"]["contexts"]
    return contexts


def context(document: Document, name: str) -> Context:
    """The context of that name."""
    if name not in contexts(document):
        raise ConfigError(f"context does not exist: {name}")
    return contexts(document)[name]


def active(document: Document) -> tuple[str, Context]:
    """The name and the content of the context that commands use."""
    if named := os.environ.get("PACH_CONTEXT"):
        if named not in contexts(document):
            raise ConfigError(f"pachctl config error: PACH_CONTEXT refers to a context ({named!r}) that does not exist")
        return named, contexts(document)[named]
    name = document["v2"]["active_context"]
    if not name:
        raise ConfigError(f"pachctl config error: no active context configured; {REMEDY}")
    if name not in contexts(document):
        raise ConfigError(f"pachctl config error: the active context is {name!r}, but there is no such context; {REMEDY}")
    return name, contexts(document)[name]


def signed_in(document: Document, address: str) -> str:
    """The name of a context that has this qualified address and a session token, if possible the active one; else empty."""
    names = [name for name, context in contexts(document).items() if context.get("session_token")]
    names.sort(key=lambda name: name != document["v2"]["active_context"])
    return next((name for name in names if _address(contexts(document)[name]) == address), "")


def _address(context: Context) -> str:
    try:
        return qualify(context["pachd_address"])
    except (KeyError, TypeError, ConfigError):
        return ""


def chosen(document: Document) -> str:
    """The name of the context that commands use; empty if there is none."""
    try:
        return active(document)[0]
    except ConfigError:
        return ""


def kubernetes_context(name: str) -> dict[str, Any]:
    """A context of the file that ``KUBECONFIG`` names (default ``~/.kube/config``), the current one for an empty name."""
    import yaml

    file = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        document = yaml.safe_load(file.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"could not read the Kubernetes config {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"could not parse the Kubernetes config {file}: {error}") from error
    name = name or document.get("current-context") or ""
    contexts = {entry.get("name"): entry.get("context") or {} for entry in document.get("contexts") or []}
    if name not in contexts:
        raise ConfigError(f"kubernetes context does not exist: {name}")
    return dict(contexts[name])


def qualify(address: str) -> str:
    """An address with its scheme and port: ``grpc[s]://HOST:PORT``."""
    try:
        parts = urlsplit(address if "://" in address else f"grpc://{address}")
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigError(f"could not parse pachd address {address!r}: {error}") from error
    if parts.scheme not in SECURE:
        raise ConfigError(f"unrecognized scheme in pachd address {address!r}: {parts.scheme}; use grpc:// or grpcs://")
    for part, what in (
        (parts.path, "a path"),
        (parts.username, "login credentials"),
        (parts.query, "a query string"),
        (parts.fragment, "a fragment"),
    ):
        if part:
            raise ConfigError(f"pachd address {address!r} should not include {what}")
    if not parts.hostname:
        raise ConfigError(f"pachd address {address!r} names no host")
    if invalid := _BLANK.search(address) or _NOT_IN_HOSTS.search(parts.hostname):
        raise ConfigError(
            f"could not parse pachd address {address!r}: invalid character {json.dumps(invalid[0])} in host name"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{'grpcs' if SECURE[parts.scheme] else 'grpc'}://{host}:{port}"
