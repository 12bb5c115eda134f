"""Turn a container's specification into the runtime configuration, plain data that the launcher carries out.

Its role is that of config.json in the OCI runtime specification.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from minipdk.common.environment import exemptions, proxies
from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.sandbox import host, ownership_layer, rootfs
from minipdk.sandbox.errors import ContainerSpecError
from minipdk.sandbox.spec import ContainerSpec

SERVICE_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"  # /var/run is a link to /run
PRIVATE = "/run/minipdk"
CLUSTER_NAMES = "pachd pachd.default pachd.pachyderm kubernetes kubernetes.default kubernetes.default.svc"
PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
SKELETON = (
    *(("/proc", 0o555), ("/sys", 0o555), ("/dev", 0o755), ("/run", 0o755), ("/root", 0o700), ("/tmp", 0o1777)),  # noqa: S108
    *((path, 0o755) for path in ("/home", "/mnt", "/media", "/srv", "/var", "/var/lib", "/var/log", "/var/cache")),
    *((path, 0o755) for path in ("/var/lib/apt/lists/partial", "/var/cache/apt/archives/partial", "/var/log/apt")),
    ("/var/tmp", 0o1777),  # noqa: S108
)


def make(home: Home, spec: ContainerSpec, folder: Path, *, keep_layer: bool) -> dict[str, Any]:
    """The configuration of the container of ``spec`` whose private layer is in ``folder``.

    Raises ContainerSpecError if the specification cannot be met.
    """
    image, view = spec.image.config, host.view()
    argv = list(spec.argv) or [*image.entrypoint, *image.cmd]
    working_dir = spec.working_dir or image.working_dir
    if not working_dir.startswith("/"):
        raise ContainerSpecError(f"working folder {working_dir!r} is not an absolute path")
    writable = ownership_layer.folder(home)
    overlays = _overlays(spec, view, writable, all_writable=keep_layer)
    covered = {overlay["target"] for overlay in overlays}
    read_only = [*(path for path in view.overlays.values() if path not in covered), *view.submounts]
    config = {
        "parent": os.getpid(),
        "folder": str(folder),
        "keep_layer": keep_layer,
        "descriptors": [],
        "terminal": None,
        "cpus": list(spec.cpus),
        "network": list(spec.network.namespaces) if spec.network else [],
        "layers": [str(layer) for layer in (*spec.image.layers, writable) if layer],
        "directories": [*((path, mode) for path, mode in SKELETON), *((path, 0o755) for path in view.overlays.values())],
        "links": [("/var/run", "/run"), ("/var/lock", "/run/lock"), *view.links],
        "overlays": overlays,
        "accounts": host.accounts(),
        "binds": _binds(home, spec, read_only),
        "files": _files(home, spec),
        "argv": argv,
        "env": _environment(home, spec),
        "output": spec.output,
        "working_dir": working_dir,
        "stop_signal": int(signal.Signals[image.stop_signal]),
        "user": spec.user if spec.user is not None else image.user,
    }
    _refuse_null_bytes(config)
    return config


def _overlays(
    spec: ContainerSpec, view: host.HostView, writable: Path | None, *, all_writable: bool
) -> list[dict[str, Any]]:
    """The root and the host's folders, each below the image's layers, the topmost layer first."""
    overlays: list[dict[str, Any]] = [{"key": "root", "target": "/", "lower": [*_parts(spec, "root"), rootfs.SKELETON]}]
    for key, path in view.overlays.items():
        lower = _parts(spec, key)
        if not (lower or all_writable) and key in view.seldom_written:
            continue
        if key == "etc":
            lower.append(rootfs.ACCOUNTS)
        if writable and (writable / key).is_dir():
            lower.append(f"{writable}/{key}")
        lower.append(path)
        overlays.append({"key": key, "target": path, "lower": lower})
    return overlays


def _parts(spec: ContainerSpec, key: str) -> list[str]:
    return [str(layer / key) for layer in reversed(spec.image.layers) if (layer / key).is_dir()]


def _binds(home: Home, spec: ContainerSpec, read_only: Iterable[str]) -> list[dict[str, Any]]:
    binds = [_bind(path, path, read_only=True) for path in read_only]
    if repository := _course_repository(home):
        binds.append(_bind(repository, repository, read_only=True))
    pip_cache = home.folder("images") / "pip-cache"
    pip_cache.mkdir(exist_ok=True)
    binds.append(_bind(str(pip_cache), f"{PRIVATE}/pip-cache"))
    for mount in spec.mounts:
        target = os.path.normpath(mount.target)
        if not mount.target.startswith("/") or target == "/":
            raise ContainerSpecError(f"mount target {mount.target!r} is not an absolute path below /")
        if not mount.source.exists():
            raise ContainerSpecError(f"cannot mount {mount.source} at {target}: there is no such file or folder")
        binds.append(_bind(str(mount.source.resolve()), target, read_only=mount.read_only) | {"below": mount.below})
    return binds


def _bind(source: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"source": source, "target": target, "read_only": read_only}


def _course_repository(home: Home) -> str | None:
    """The folder that ``git clone`` of the course's file:// URL reads: the .git folder, or a bare repository."""
    url = urlsplit(home.identity.course_git_url)
    if url.scheme != "file":
        return None
    path = Path(unquote(url.path)).resolve()
    for candidate in (path / ".git", path):
        if candidate.is_dir():
            return str(candidate)
    return None


def _files(home: Home, spec: ContainerSpec) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = [
        {"path": f"{SERVICE_ACCOUNT}/token", "content": home.token},
        {"path": f"{SERVICE_ACCOUNT}/namespace", "content": spec.namespace},
        {"path": f"{PRIVATE}/hosts", "content": _hosts(), "target": "/etc/hosts"},
        {"path": f"{PRIVATE}/resolv.conf", "content": _text("/etc/resolv.conf"), "target": "/etc/resolv.conf"},
    ]
    if repository := _course_repository(home):
        files.append({"path": f"{PRIVATE}/gitconfig", "content": _git_config(repository)})
    if "dpkg" in host.view().overlays:  # apt checks that it has dropped its privileges, and there is only one user
        files.append({"path": f"{PRIVATE}/apt.conf", "content": 'APT::Sandbox::User "root";\n'})
    if home.ca_certificate.exists():
        files.append({"path": f"{SERVICE_ACCOUNT}/ca.crt", "content": home.ca_certificate.read_text()})
    if pip_config := "\n".join(filter(None, map(_text, _pip_config_files()))):
        files.append({"path": f"{PRIVATE}/pip.conf", "content": pip_config})
    return files


def _git_config(repository: str) -> str:
    """Git's system configuration: the machine's, and trust in the course's ``repository``, which may be another user's."""
    folders = dict.fromkeys((repository, repository.removesuffix("/.git")))
    trusted = "".join(f"\tdirectory = {json.dumps(folder, ensure_ascii=False)}\n" for folder in folders)
    return f"[include]\n\tpath = /etc/gitconfig\n[safe]\n{trusted}"


def _hosts() -> str:
    return f"{_text('/etc/hosts').rstrip()}\n{HOST} {CLUSTER_NAMES}\n"


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _pip_config_files() -> list[Path]:
    """The user's pip configuration, from the environment or from the home folder, which containers do not see."""
    if named := os.environ.get("PIP_CONFIG_FILE"):
        return [Path(named)]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = (config / "pip/pip.conf", Path.home() / ".pip/pip.conf")
    return [next(filter(os.path.isfile, files), Path(os.devnull))]  # also if the home folder cannot be entered


def _environment(home: Home, spec: ContainerSpec) -> dict[str, str]:
    """PATH and pip's variables, then the image's, Kubernetes' and the caller's variables."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.upper().endswith("_PROXY") or (name.startswith("PIP_") and name != "PIP_CONFIG_FILE")
    }
    port = str(home.port("kubernetes"))
    return {
        "PATH": host.search_path(),
        "LANG": "C.UTF-8",
        "PIP_CACHE_DIR": f"{PRIVATE}/pip-cache",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_CONFIG_FILE": f"{PRIVATE}/pip.conf",
        "APT_CONFIG": f"{PRIVATE}/apt.conf",
        "GIT_CONFIG_SYSTEM": f"{PRIVATE}/gitconfig",
        **passed,
        **(exemptions(os.environ) if proxies(os.environ) else {}),
        **spec.image.config.env,
        "KUBERNETES_SERVICE_HOST": HOST,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
        **spec.env,
    }


def _refuse_null_bytes(config: dict[str, Any]) -> None:
    for kind, values in (("argument", config["argv"]), ("variable", [*config["env"], *config["env"].values()])):
        for value in values:
            if "\0" in value:
                raise ContainerSpecError(f"{kind} {value!r} has a null byte in it")
    for name in config["env"]:
        if not name or "=" in name:
            raise ContainerSpecError(f"{name!r} cannot be the name of an environment variable")
