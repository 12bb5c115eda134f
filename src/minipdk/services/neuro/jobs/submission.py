"""From a client's request for a job to the job: its fields, their rules, and the refusal of features that are missing."""

from __future__ import annotations

import posixpath
import re
import shlex
import time
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from yarl import URL

from minipdk.images import names as images
from minipdk.images.errors import ImageNameError
from minipdk.services.neuro.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError, UnsupportedError
from minipdk.services.neuro.jobs.presets import Preset
from minipdk.services.neuro.model import Container, Http, Job, Resources, Status, Transition, Volume
from minipdk.services.neuro.names import CLUSTER, ORGANIZATION, PROJECT
from minipdk.services.neuro.storage import Storage, place

Json = dict[str, Any]
T = TypeVar("T")

FIELDS = {
    *("image", "command", "entrypoint", "working_dir", "env", "volumes", "http", "resources", "tty"),
    *("preset_name", "name", "description", "tags", "project_name", "org_name", "cluster_name", "pass_config"),
    *("max_run_time_minutes", "schedule_timeout", "restart_policy", "wait_for_jobs_quota", "scheduler_enabled"),
}
REFUSED = {
    "secret_env": "a secret as a variable",
    "secret_volumes": "a secret as a file",
    "disk_volumes": "a disk as a volume",
    "privileged": "a privileged job",
    "priority": "the priority of a job",
    "energy_schedule_name": "an energy schedule",
    "container": "a job without a preset",
}
"""Fields that ask for a missing feature, unless they are empty or have the default value."""
DEFAULTS = {"priority": "normal"}
LONGEST_NAME, LONGEST_TEXT = 40, 4096
MOST_ITEMS = 256
MOST_MINUTES = 1_000_000_000
"""The longest time of a job, two thousand years: numbers much beyond it cannot be added to a time."""
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_TAG = re.compile(r"[^\s,][^\n\r,]{0,255}")
JOB_PREFIX = "job-"


def new_job(request: Json, owner: str, presets: Mapping[str, Preset], storage: Storage) -> Job:
    """The job that ``request``, the body of POST /jobs, asks for, pending. Raises PlatformError."""
    _refuse(request)
    _check_place(request)
    preset = _preset(request, presets)
    name = _field(request, "name", str, "")
    if name and (not _NAME.fullmatch(name) or not 3 <= len(name) <= LONGEST_NAME or name.startswith(JOB_PREFIX)):
        raise InvalidArgumentError(
            f"name {name!r} must have 3 to {LONGEST_NAME} lower-case letters, digits and single hyphens, "
            f"begin with a letter, and not with {JOB_PREFIX}"
        )
    shm = _field(_field(request, "resources", dict, {}), "shm", bool, False)
    gpu = preset.gpu
    return Job(
        id=f"{JOB_PREFIX}{uuid.uuid4()}",
        owner=owner,
        container=_container(request, storage),
        resources=Resources(preset.cpu, preset.memory, gpu.count if gpu else 0, gpu.model if gpu else "", shm),
        preset_name=preset.name,
        name=name,
        description=_field(request, "description", str, ""),
        tags=_tags(request),
        pass_config=_field(request, "pass_config", bool, False),
        max_run_time_minutes=_minutes(request),
        schedule_timeout=_seconds(request),
        transitions=(Transition(Status.PENDING, time.time(), "Creating"),),
    )


def _refuse(request: Json) -> None:
    for name, feature in REFUSED.items():
        if request.get(name) and request[name] != DEFAULTS.get(name):
            raise UnsupportedError(feature)
    if request.get("restart_policy", "never") != "never":
        raise UnsupportedError(f"the restart policy {request['restart_policy']!r}")
    if request.get("scheduler_enabled"):
        raise UnsupportedError("a job that the round-robin scheduler suspends")
    if unknown := request.keys() - FIELDS - REFUSED.keys():
        raise InvalidArgumentError(f"unknown fields of a job: {', '.join(sorted(unknown))}")


def _check_place(request: Json) -> None:
    for field, known in (("cluster_name", CLUSTER), ("org_name", ORGANIZATION), ("project_name", PROJECT)):
        if (value := _field(request, field, str, known)) != known:
            raise PermissionDeniedError(f"{field} {value!r} is not known here: it is {known!r}")


def _preset(request: Json, presets: Mapping[str, Preset]) -> Preset:
    name = _field(request, "preset_name", str, "") or next(iter(presets))
    if name not in presets:
        raise InvalidArgumentError(f"preset {name!r} does not exist: choose one of {', '.join(presets)}")
    return presets[name]


def _container(request: Json, storage: Storage) -> Container:
    image = _field(request, "image", str, "")
    try:
        images.parse(image)
    except ImageNameError as error:
        raise InvalidArgumentError(f"image: {error}") from None
    working_dir = _field(request, "working_dir", str, "")
    if working_dir and not working_dir.startswith("/"):
        raise InvalidArgumentError(f"working_dir {working_dir!r} must be an absolute path")
    return Container(
        image=image,
        entrypoint=_words(request, "entrypoint"),
        command=_words(request, "command"),
        working_dir=working_dir,
        env=_environment(request),
        volumes=_volumes(request, storage),
        http=_http(request),
        tty=_field(request, "tty", bool, False),
    )


def _words(request: Json, field: str) -> tuple[str, ...]:
    """The words of a command line."""
    text = _field(request, field, str, "")
    if "\0" in text:
        raise InvalidArgumentError(f"{field} must not have null characters")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidArgumentError(f"{field} cannot be split into words: {str(error).lower()}") from None


def _environment(request: Json) -> dict[str, str]:
    variables = _field(request, "env", dict, {})
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise InvalidArgumentError(f"env: {name!r} is not a name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise InvalidArgumentError(f"env: the value of {name} must be text without null characters")
    return dict(variables)


def _volumes(request: Json, storage: Storage) -> tuple[Volume, ...]:
    items = _field(request, "volumes", list, [])
    if len(items) > MOST_ITEMS:
        raise InvalidArgumentError(f"volumes: at most {MOST_ITEMS} are possible")
    volumes = tuple(_volume(item, storage) for item in items)
    targets = [volume.target for volume in volumes]
    if twice := next((target for target in targets if targets.count(target) > 1), None):
        raise InvalidArgumentError(f"volumes: {twice} is the path of two volumes")
    return volumes


def _volume(item: Any, storage: Storage) -> Volume:
    if not isinstance(item, dict):
        raise InvalidArgumentError("volumes must be objects")
    uri, target = _field(item, "src_storage_uri", str, ""), _field(item, "dst_path", str, "")
    inside = posixpath.normpath(f"/{target.lstrip('/')}")
    if not target.startswith("/") or ":" in target or inside == "/":
        raise InvalidArgumentError(f"volumes: {target!r} must be an absolute path in the container, and not its root")
    where = place(_storage_path(uri))
    volume = Volume("/".join(where.parts), inside, _field(item, "read_only", bool, False))
    try:
        storage.status(where)
    except NotFoundError:
        # As a kubelet makes the folder of a subPath: a job may be the first to write there.
        if volume.read_only:
            raise InvalidArgumentError(
                f"volumes: {uri} does not exist: make it with `neuro mkdir -p`, or mount it without :ro"
            ) from None
        storage.make_folders(where)
    return volume


def _storage_path(uri: str) -> str:
    """The path below the storage that ``uri`` names. Raises PlatformError."""
    try:
        parsed = URL(uri)
    except ValueError:
        raise InvalidArgumentError(f"volumes: {uri!r} is not a URI") from None
    if parsed.scheme != "storage" or not parsed.host:
        raise InvalidArgumentError(f"volumes: {uri!r} must be like storage://{CLUSTER}/{ORGANIZATION}/{PROJECT}/folder")
    if parsed.host != CLUSTER:
        raise PermissionDeniedError(f"volumes: the cluster {parsed.host!r} is not known here: it is {CLUSTER!r}")
    return parsed.path


def _http(request: Json) -> Http | None:
    document = _field(request, "http", dict, {})
    if not document:
        return None
    port = _field(document, "port", int, 0)
    if not 0 < port < 1 << 16:
        raise InvalidArgumentError(f"http.port {port} must be a number from 1 to 65535")
    return Http(port, _field(document, "requires_auth", bool, False))


def _tags(request: Json) -> tuple[str, ...]:
    tags = _field(request, "tags", list, [])
    if len(tags) > MOST_ITEMS or not all(isinstance(tag, str) and _TAG.fullmatch(tag) for tag in tags):
        raise InvalidArgumentError(f"tags must be at most {MOST_ITEMS} texts of at most 256 characters, without commas")
    return tuple(dict.fromkeys(tags))


def _minutes(request: Json) -> int | None:
    minutes = _field(request, "max_run_time_minutes", int, 0)
    if not 0 <= minutes <= MOST_MINUTES:
        raise InvalidArgumentError(f"max_run_time_minutes must be a whole number of minutes, at most {MOST_MINUTES}")
    return minutes or None


def _seconds(request: Json) -> float | None:
    seconds = request.get("schedule_timeout")
    most = 60 * MOST_MINUTES
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= most:
        raise InvalidArgumentError(f"schedule_timeout must be a number of seconds, at most {most}")
    return seconds or None


def _field(document: Json, name: str, kind: type[T], default: T) -> T:
    """The value of a field; ``default`` if it is missing or null. Raises InvalidArgumentError."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidArgumentError(f"{name} must be a {kind.__name__}")
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or "\0" in value) and name not in ("command", "entrypoint"):
        raise InvalidArgumentError(f"{name} must have at most {LONGEST_TEXT} characters, without null characters")
    return value
