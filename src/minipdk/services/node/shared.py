"""What all Pods of a node share."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from minipdk.common.home import Home
from minipdk.controller.api import Api
from minipdk.controller.events import Recorder
from minipdk.services.node.images import Images
from minipdk.services.node.turns import Turns


@dataclass(frozen=True)
class Kubelet:
    """The cluster's folder and API, who records events, a client for probes, the images, and the turns to start."""

    home: Home
    api: Api
    recorder: Recorder
    http: aiohttp.ClientSession
    images: Images
    turns: Turns
