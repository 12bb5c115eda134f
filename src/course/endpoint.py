"""Ask the churn endpoint: the request that notebook 05 writes out, for the notebooks after it."""

from __future__ import annotations

from typing import Any

import requests

from course.profile import Profile

SERVICE = "customer-churn"
MODEL = "customer-churn"
TIMEOUT_SECONDS = 30


def hostname(profile: Profile, name: str = SERVICE) -> str:
    """The Host by which the ingress routes to the InferenceService: the host of its status.url."""
    service = profile.kserve.get(name, namespace=profile["KSERVE_NAMESPACE"])
    url: str = service.get("status", {}).get("url", "")
    if not url:
        raise RuntimeError(f"the InferenceService {name} has no URL yet: wait until it is Ready (kubectl get isvc {name})")
    return url.split("/")[2]


def predict(profile: Profile, data: dict[str, Any], name: str = SERVICE) -> list[int]:
    """The predictions (1 for churn) for ``data``, a column -> {row: value} mapping.

    Raises RuntimeError with the endpoint's own message if it answers with an error.
    """
    response = requests.post(
        f"{profile.ingress}/v1/models/{MODEL}:predict",
        json={"instances": [{"data": data}]},
        headers={"Host": hostname(profile, name)},
        timeout=TIMEOUT_SECONDS,
    )
    if not response.ok:
        raise RuntimeError(f"the endpoint answered {response.status_code}: {response.text}")
    return [int(row[0]) for row in response.json()["predictions"]]
