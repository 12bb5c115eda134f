"""KServe's declaration to the cluster."""

from __future__ import annotations

from minipdk.common.home import MODELS_NAMESPACE
from minipdk.common.service import CONTROLLERS, Service
from minipdk.services.kserve.runtimes import IMAGES

SERVICE = Service(
    name="kserve",
    title="KServe",
    process=CONTROLLERS,
    images=IMAGES,
    variables=lambda _home: {"KSERVE_NAMESPACE": MODELS_NAMESPACE},
)
