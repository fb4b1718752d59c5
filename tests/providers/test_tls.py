"""The way to a provider: no request to one whose certificate does not verify, none through a proxy of the environment."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.money import Money
from app.providers import PROVIDERS
from app.providers.base import ChargeRequest
from app.providers.errors import NotSent
from tests.providers.contract.case import ContractCase, found
from tests.support.canned import Canned, CannedServer
from tests.support.providers import make_provider

REMOTE = [case for name in sorted(PROVIDERS) for case in found()[name][:1] if case.is_remote]


def own_certificate(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1, self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def impostor(certificate: Path) -> Iterator[CannedServer]:
    """Speaks TLS with its own certificate; what it answers does not matter."""
    with CannedServer() as server:
        server.will(*[Canned(500, "no")] * 9)
        server.speak_tls(certificate)
        yield server


def charge(case: ContractCase, url: str) -> None:
    provider = make_provider(case.provider, url, **case.settings)
    money = Money.parse("100", case.currency)
    provider.charge(
        ChargeRequest(
            "0192f0c1-7a3b-7c11-8a52-3f2b6d1e9a01",
            "A1B2C3",
            money,
            case.customer,
            "http://127.0.0.1:1/hook",
            "http://127.0.0.1:1/back",
        )
    )


@pytest.mark.parametrize("case", REMOTE, ids=lambda case: case.id)
def test_server_with_a_wrong_certificate_is_sent_nothing(
    case: ContractCase, impostor: CannedServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An operator's environment is not ours to trust: it decides about proxies and authorities of other programs.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    with pytest.raises(NotSent):  # so `auto` may try the next provider
        charge(case, impostor.url)
    assert impostor.received == []


def test_server_with_a_wrong_certificate_would_have_answered(
    impostor: CannedServer, certificate: Path
) -> None:
    """What the test above proves nothing without."""
    context = ssl.create_default_context(cafile=str(certificate))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", int(impostor.url.rpartition(":")[2]), context=context, timeout=20
    )
    connection.request("GET", "/")
    assert connection.getresponse().status == 500
    connection.close()
    assert len(impostor.received) == 1


@pytest.mark.parametrize("case", REMOTE, ids=lambda case: case.id)
def test_a_proxy_of_the_environment_is_not_used(case: ContractCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see every request, and could answer it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with CannedServer() as proxy:
        proxy.will(*[Canned(500, "no")] * 9)
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with pytest.raises(NotSent):
            charge(case, "http://127.0.0.1:9")
        assert proxy.received == []
