"""Every way in which the ingress fails.

    GatewayError    Envoy cannot run on this machine, or does not accept its configuration

The ingress's answers to requests that nothing serves: `minipdk.services.ingress.replies`.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Envoy cannot run; the message says why and what to do."""
