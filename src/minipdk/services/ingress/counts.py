"""The numbers of requests to each InferenceService and of their answers: Envoy's own counts since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from minipdk.common.ports import HOST
from minipdk.services.ingress.config import STATS_PATH

TIMEOUT = 2.0
FAMILY = "envoy_vhost_route_upstream_rq"


@dataclass
class Counts:
    """One service's requests: answers by the first digit of their status, and the milliseconds of ``timed`` requests."""

    classes: Counter[str] = field(default_factory=Counter)
    milliseconds: float = 0.0
    timed: int = 0

    @property
    def total(self) -> int:
        return self.classes.total()

    @property
    def mean(self) -> float | None:
        """Milliseconds for a request; None before Envoy has summed them up, which it does every five seconds."""
        return self.milliseconds / self.timed if self.timed else None


def read_counts(port: int) -> dict[str, Counts]:
    """The counts of each ``namespace/name`` with requests at the ingress's ``port``; empty if it does not answer."""
    try:
        with urlopen(f"http://{HOST}:{port}{STATS_PATH}", timeout=TIMEOUT) as answer:  # the scheme is ours
            text = answer.read().decode()
    except (URLError, TimeoutError, ConnectionError):
        return {}
    services: dict[str, Counts] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name not in (f"{FAMILY}_xx", f"{FAMILY}_time") or not sample.value:
                continue
            service = sample.labels["envoy_route"].rpartition("/")[0]  # the rest is the protocol
            counts = services.setdefault(service, Counts())
            if family.name == f"{FAMILY}_xx":
                counts.classes[sample.labels["envoy_response_code_class"]] += int(sample.value)
            elif sample.name.endswith("_sum"):
                counts.milliseconds += sample.value
            elif sample.name.endswith("_count"):
                counts.timed += int(sample.value)
    return services
