"""The certificates of the Kubernetes API and the kubeconfig that trusts them.

kubectl sends a bearer token over https only, so the API needs a certificate. The cluster's own CA signs it; clients
trust the CA through the kubeconfig, and containers through the service account's ca.crt.

Shapes: X.509 v3, ECDSA P-256; kubeconfig is `v1 Config` (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.common.home import MODELS_NAMESPACE, Home, write_private
from minipdk.common.ports import HOST

if TYPE_CHECKING:
    import trustme

CONTEXT = "minipdk"
KUBECONFIG = "kubeconfig"
"""The file's name in the cluster's folder."""
SERVER_NAMES = (HOST, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
SERVER_LIFETIME, RENEW_BEFORE = timedelta(days=365), timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)
"""The clock of a container may be a little behind."""


def server_certificate(home: Home) -> Path:
    """The certificate chain that the Kubernetes API presents."""
    return home.folder("tls") / "server.crt"


def server_key(home: Home) -> Path:
    return home.folder("tls") / "server.key"


def ensure_tls(home: Home) -> None:
    """Make the CA and the server certificate if they are missing; renew the server's a month before it expires.

    The CA stays the same for the cluster's life, so a kubeconfig that was handed out remains valid.
    """
    ca_key = home.folder("tls") / "ca.key"
    if not (home.ca_certificate.exists() and ca_key.exists()):
        _make_ca(home.ca_certificate, ca_key)
    certificate, key = server_certificate(home), server_key(home)
    if _is_current(certificate, key, home.ca_certificate):
        return
    import trustme

    ca = trustme.CA.from_pem(home.ca_certificate.read_bytes(), ca_key.read_bytes())
    now = datetime.now(UTC)
    issued = ca.issue_cert(
        *SERVER_NAMES,
        organization_name="minipdk",
        organization_unit_name="kubernetes",
        not_before=now - CLOCK_SKEW,
        not_after=now + SERVER_LIFETIME,
    )
    _write(issued.cert_chain_pems[0], issued.private_key_pem, certificate, key)


def write_kubeconfig(home: Home) -> None:
    """Write the file that KUBECONFIG names: the server's address now, the CA embedded, the token, the models namespace.

    It is JSON, which is YAML too, so every client reads it.
    """
    authority = base64.b64encode(home.ca_certificate.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"server": home.url("kubernetes", "https"), "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": home.token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": MODELS_NAMESPACE}}],
        "current-context": CONTEXT,
    }
    write_private(home.path / KUBECONFIG, json.dumps(config, indent=2) + "\n")


def _make_ca(certificate: Path, key: Path) -> None:
    import trustme

    ca = trustme.CA(path_length=0, organization_name="minipdk", organization_unit_name="minipdk CA")
    _write(ca.cert_pem, ca.private_key_pem, certificate, key)


def _is_current(certificate: Path, key: Path, ca_certificate: Path) -> bool:
    """Whether the CA has signed the server certificate for today's names, and it does not expire soon."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    if not (certificate.exists() and key.exists()):
        return False
    issued = x509.load_pem_x509_certificate(certificate.read_bytes())
    try:
        issued.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_certificate.read_bytes()))
    except (ValueError, TypeError, InvalidSignature):
        return False
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if [str(name.value) for name in names] != list(SERVER_NAMES):
        return False
    return issued.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _write(certificate: trustme.Blob, key: trustme.Blob, certificate_file: Path, key_file: Path) -> None:
    write_private(key_file, key.bytes())
    write_private(certificate_file, certificate.bytes())
