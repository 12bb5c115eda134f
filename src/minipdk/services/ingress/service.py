"""The ingress's declaration to the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.common.service import CONTROLLERS, Check, Port, Service, Table
from minipdk.services.ingress.errors import GatewayError


def variables(home: Home) -> dict[str, str]:
    return {"INGRESS_HOST": HOST, "INGRESS_PORT": str(home.port("ingress"))}


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Ingress", home.url("ingress")


def checks() -> Iterator[Check]:
    from minipdk.services.ingress import envoy

    try:
        yield Check("Envoy", True, envoy.version())
    except GatewayError as error:
        yield Check("Envoy", False, str(error), envoy.REMEDY)


def tables(home: Home) -> Iterator[Table]:
    """The requests to each InferenceService since the ingress started."""
    from minipdk.services.ingress import counts

    rows = []
    for name, requests in sorted(counts.read_counts(home.port("ingress")).items()):
        answers = (str(requests.classes[digit]) for digit in "245")
        rows.append((name, str(requests.total), *answers, "-" if requests.mean is None else f"{requests.mean:.1f}"))
    yield Table(("INFERENCESERVICE", "REQUESTS", "2XX", "4XX", "5XX", "MEAN MS"), rows)


SERVICE = Service(
    name="ingress",
    title="the ingress",
    ports=(Port("ingress", 8081),),
    process=CONTROLLERS,
    variables=variables,
    addresses=addresses,
    checks=checks,
    tables=tables,
)
