"""The node's declaration to the cluster."""

from __future__ import annotations

from minipdk.common.service import CONTROLLERS, Service

SERVICE = Service(name="node", title="", process=CONTROLLERS, folders=("containers",))
