"""The names of this platform: its cluster, organization, project and user. Clients learn them from the configuration."""

from __future__ import annotations

from dataclasses import dataclass

CLUSTER, ORGANIZATION, PROJECT, USER = "minipdk", "course", "default", "user"
STORAGE_PREFIX = f"storage://{CLUSTER}/{ORGANIZATION}/{PROJECT}"
NAMESPACE = "neuro-jobs"
"""The namespace of the jobs' Pods."""
REGISTRY_SECRET = "neuro-registry"  # noqa: S105  (its name)


@dataclass(frozen=True)
class Addresses:
    """The addresses of this platform: its own, as ``http://host:port``, and the ingress's."""

    platform: str
    ingress: str

    @property
    def api(self) -> str:
        return f"{self.platform}/api/v1"

    @property
    def registry(self) -> str:
        """The host and port before the name of an image of this registry."""
        return self.platform.partition("//")[2]
