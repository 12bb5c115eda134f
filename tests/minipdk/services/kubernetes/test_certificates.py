"""The certificates and the kubeconfig."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.conftest import new_home

from minipdk.services.kubernetes.certificates import SERVER_NAMES, ensure_tls, server_certificate, write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig


def test_the_ca_stays_and_the_files_are_private(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    ensure_tls(home)
    write_kubeconfig(home)
    before = [path.read_bytes() for path in (home.ca_certificate, server_certificate(home))]
    ensure_tls(home)
    assert [path.read_bytes() for path in (home.ca_certificate, server_certificate(home))] == before
    server_certificate(home).unlink()
    ensure_tls(home)
    assert home.ca_certificate.read_bytes() == before[0]
    for path in (kubeconfig(home), *home.folder("tls").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("days", "renewed"), [(31, False), (29, True)])
def test_the_server_certificate_is_renewed_a_month_before_it_expires(tmp_path: Path, days: int, renewed: bool) -> None:
    home = new_home(tmp_path / "home")
    ensure_tls(home)
    authority = home.ca_certificate.read_bytes()
    ca = trustme.CA.from_pem(authority, (home.folder("tls") / "ca.key").read_bytes())
    old = ca.issue_cert(*SERVER_NAMES, not_after=datetime.now(UTC) + timedelta(days=days)).cert_chain_pems[0]
    old.write_to_path(server_certificate(home))
    ensure_tls(home)
    current = x509.load_pem_x509_certificate(server_certificate(home).read_bytes())
    assert (current.public_bytes(Encoding.PEM) != old.bytes()) == renewed
    assert home.ca_certificate.read_bytes() == authority
    current.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
