"""ServingRuntimes: which one serves a model, and those that come with the cluster.

Rules: https://kserve.github.io/website/0.15/modelserving/servingruntimes/
"""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from minipdk.serving.api import CLUSTER_SERVING_RUNTIMES, RETRY_SECONDS, Api, Object
from minipdk.serving.errors import ApiError, ConflictError
from minipdk.serving.runtimes import manifests

log = logging.getLogger(__name__)


async def install(api: Api) -> None:
    """Put the ClusterServingRuntimes that come with the cluster into the API. What a user has changed in one stays."""
    for manifest in manifests():
        await _install(api, manifest)


async def _install(api: Api, manifest: Object) -> None:
    while True:
        try:
            await api.apply(CLUSTER_SERVING_RUNTIMES, manifest)
        except ConflictError as error:
            log.info("ClusterServingRuntime %s is left as it is: %s", manifest["metadata"]["name"], error)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info(
                "ClusterServingRuntime %s: %s; trying again", manifest["metadata"]["name"], error or type(error).__name__
            )
            await asyncio.sleep(RETRY_SECONDS)
            continue
        return
