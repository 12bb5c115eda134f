"""The certificates of the Kubernetes API and the kubeconfig that trusts them.

kubectl sends a bearer token over https only, so the API needs a certificate. The cluster's own CA signs it; clients
trust the CA through the kubeconfig, and containers through the service account's ca.crt.

Shapes: X.509 v3, ECDSA P-256; kubeconfig is `v1 Config` (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.common.home import MODELS_NAMESPACE, Home, write_private
from minipdk.common.ports import HOST
from minipdk.services.kubernetes.service import kubeconfig

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CONTEXT = "minipdk"
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
CA_LIFETIME, SERVER_LIFETIME, RENEW_BEFORE = timedelta(days=3650), timedelta(days=365), timedelta(days=30)


def server_certificate(home: Home) -> Path:
    """The certificate chain that the Kubernetes API presents."""
    return home.folder("tls") / "server.crt"


def server_key(home: Home) -> Path:
    return home.folder("tls") / "server.key"


def ensure_tls(home: Home) -> None:
    """Make the CA and the server certificate where they are missing; renew the server's a month before it expires.

    The CA stays the same for the cluster's life, so a kubeconfig that was handed out stays good.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    ca_key_file = home.folder("tls") / "ca.key"
    if not (home.ca_certificate.exists() and ca_key_file.exists()):
        _make_ca(home.ca_certificate, ca_key_file)
    ca = x509.load_pem_x509_certificate(home.ca_certificate.read_bytes())
    if _is_current(server_certificate(home), server_key(home), ca):
        return
    ca_key = load_pem_private_key(ca_key_file.read_bytes(), password=None)
    _make_server(server_certificate(home), server_key(home), ca, ca_key)  # type: ignore[arg-type]  # the CA's is an EC key


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
    write_private(kubeconfig(home), json.dumps(config, indent=2) + "\n")


def _make_ca(certificate: Path, key_file: Path) -> None:
    from cryptography import x509

    key = _new_key()
    name = _name("minipdk CA")
    builder = _builder(name, name, key, CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    _write(builder, key, key, certificate, key_file)


def _make_server(certificate: Path, key_file: Path, ca: x509.Certificate, ca_key: EllipticCurvePrivateKey) -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = _new_key()
    builder = _builder(_name("kubernetes"), ca.subject, key, SERVER_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(_alternative_names()), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    _write(builder, key, ca_key, certificate, key_file)


def _is_current(certificate: Path, key_file: Path, ca: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    if not (certificate.exists() and key_file.exists()):
        return False
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    try:
        found.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(names) != list(_alternative_names()):
        return False
    return found.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _alternative_names() -> Iterable[x509.GeneralName]:
    from cryptography import x509

    return [x509.IPAddress(ip_address(HOST)), *map(x509.DNSName, SERVER_NAMES)]


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks in containers may be a little behind
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _write(
    builder: x509.CertificateBuilder,
    key: EllipticCurvePrivateKey,
    signer: EllipticCurvePrivateKey,
    certificate: Path,
    key_file: Path,
) -> None:
    from cryptography.hazmat.primitives import hashes, serialization

    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(key_file, pem)
    write_private(certificate, builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
