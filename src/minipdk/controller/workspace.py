"""What the controllers of one process share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from minipdk.common.home import Home
from minipdk.common.service import ImageSource
from minipdk.controller.api import Api
from minipdk.controller.pods import Pods
from minipdk.controller.routes import Routes


@dataclass
class Workspace:
    """The cluster's folder and API, a client for probes, and the tasks that run beside the controllers.

    ``images`` are those that come with minipdk, ``routes`` the table that the ingress goes by.
    ``pods`` is set by the node, which starts before the controllers that use it.
    """

    home: Home
    api: Api
    http: aiohttp.ClientSession
    tasks: asyncio.TaskGroup
    images: Mapping[str, ImageSource]
    routes: Routes = field(default_factory=Routes)
    _pods: Pods | None = None

    @property
    def pods(self) -> Pods:
        assert self._pods is not None, "the node starts before the controllers that need its Pods"
        return self._pods

    @pods.setter
    def pods(self, pods: Pods) -> None:
        self._pods = pods
