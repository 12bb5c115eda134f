"""The objects that the controllers of one process share."""

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
    """The cluster's folder and API, an HTTP client for probes, and a task group for the controllers' work.

    ``images`` come with minipdk, ``routes`` is the ingress's table, and ``pods`` is set by the node, which starts before
    the controllers that use it.
    """

    home: Home
    api: Api
    http: aiohttp.ClientSession
    tasks: asyncio.TaskGroup
    images: Mapping[str, ImageSource]
    routes: Routes = field(default_factory=Routes)
    _pods: Pods | None = field(default=None, init=False)

    @property
    def pods(self) -> Pods:
        assert self._pods is not None, "the node starts before the controllers that use its Pods"
        return self._pods

    @pods.setter
    def pods(self, pods: Pods) -> None:
        self._pods = pods
