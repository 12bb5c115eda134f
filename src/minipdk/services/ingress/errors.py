"""Every way in which the ingress fails.

    GatewayError    Envoy cannot run on this machine, or does not accept its configuration

`minipdk.services.ingress.replies` lists the ingress's own answers to requests.
"""

from __future__ import annotations

from minipdk.common.service import StartError


class GatewayError(StartError):
    """Envoy cannot run; the message has the reason and the remedy."""
