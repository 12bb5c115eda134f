"""The nouns: jobs and their history, files of the storage, images of the registry. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """The states of a job: https://docs.apolo.us/apolo-cli/topics/working-with-jobs"""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


ACTIVE = (Status.PENDING, Status.RUNNING)


@dataclass(frozen=True)
class Transition:
    """The entry of a job into a state, or a new reason for it."""

    status: Status
    time: float
    reason: str = ""
    description: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Volume:
    """A file or folder of the storage in a container: ``path`` is relative to the project's folder."""

    path: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class Http:
    port: int
    requires_auth: bool


@dataclass(frozen=True)
class Container:
    """The program of a job. ``command`` and ``entrypoint`` are words; without any, the image's own are in force."""

    image: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = ""
    env: dict[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    http: Http | None = None
    tty: bool = False


@dataclass(frozen=True)
class Resources:
    """``cpu`` in CPUs, ``memory`` in bytes. ``shm``: whether the client asked for a larger /dev/shm."""

    cpu: float
    memory: int
    gpu: int = 0
    gpu_model: str = ""
    shm: bool = False


@dataclass(frozen=True)
class Job:
    """A job with its whole history. ``schedule_timeout`` is in seconds. ``pod_uid`` is empty until its Pod was created."""

    id: str
    owner: str
    container: Container
    resources: Resources
    preset_name: str
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    pass_config: bool = False
    max_run_time_minutes: int | None = None
    schedule_timeout: float | None = None
    transitions: tuple[Transition, ...] = ()
    pod_uid: str = ""

    @property
    def current(self) -> Transition:
        return self.transitions[-1]

    @property
    def status(self) -> Status:
        return self.current.status

    @property
    def created_at(self) -> float:
        return self.transitions[0].time

    @property
    def started_at(self) -> float | None:
        """When it began to run; None if it never did."""
        return next((entry.time for entry in self.transitions if entry.status is Status.RUNNING), None)

    @property
    def finished_at(self) -> float | None:
        return next((entry.time for entry in self.transitions if entry.status.is_final), None)

    @property
    def public_name(self) -> str:
        """The name in its HTTP address."""
        return f"{self.name}--{self.owner}" if self.name else self.id


class FileType(StrEnum):
    FILE = "FILE"
    DIRECTORY = "DIRECTORY"
    SYMLINK = "SYMLINK"


@dataclass(frozen=True)
class FileStatus:
    """A file of the storage: its bare name, or its full path below the storage. ``target`` is a symlink's."""

    path: str
    type: FileType
    length: int
    modified_at: float
    target: str = ""


@dataclass(frozen=True)
class Tag:
    """An image of the registry: ``repository`` without its host, ``size`` in bytes of its layers."""

    repository: str
    tag: str
    image_id: str
    size: int
