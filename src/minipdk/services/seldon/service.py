"""Seldon's declaration to the cluster."""

from __future__ import annotations

from minipdk.common.service import CONTROLLERS, Service
from minipdk.services.seldon.runtimes import IMAGES

SERVICE = Service(name="seldon", title="Seldon Core", process=CONTROLLERS, images=IMAGES)
