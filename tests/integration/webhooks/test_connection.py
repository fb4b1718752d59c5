"""One sending, against servers that misbehave: it is over in time, follows nothing, reads little, and reaches the checked address."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.services import deadlines
from app.services.webhooks import connection
from app.services.webhooks.addresses import parse
from app.services.webhooks.connection import Outcome, post
from tests.support.http_listener import Received, say
from tests.support.webhooks import Receiver

DEADLINE_S = 0.25


def _post(url: str, *, tls: ssl.SSLContext | None = None, deadline_s: float = DEADLINE_S) -> Outcome:
    began = time.monotonic()
    outcome = post(
        parse(url, is_production=False), {"webhook-id": "evt_1"}, b"{}", deadline_s=deadline_s, tls=tls
    )
    assert time.monotonic() - began < deadline_s + 3
    return outcome


@contextmanager
def _server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accepts connections and lets `talk` write to them; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connected,), daemon=True).start()

    def serve(connected: socket.socket) -> None:
        with connected:
            try:
                connected.recv(65_536)
                talk(connected)
            except OSError:
                return  # the other side has had enough

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.close()


def _repeated(first: bytes, more: bytes, pause_s: float) -> Callable[[socket.socket], None]:
    def talk(connected: socket.socket) -> None:
        connected.sendall(first)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            connected.sendall(more)
            time.sleep(pause_s)

    return talk


def test_an_answer_that_never_ends_its_head_is_a_time_out() -> None:
    for talk in (
        _repeated(b"", b"", 0.05),
        _repeated(b"HTTP/1.1 ", b"2", 0.05),
        _repeated(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05),
        _repeated(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    ):
        with _server(talk) as url:
            outcome = _post(url)
        assert outcome.status is None and outcome.error in ("timeout", "no_valid_answer")


def test_a_body_that_drips_or_never_ends_does_not_undo_the_status() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    with _server(_repeated(head, b"x", 0.05)) as url:
        dripped = _post(url)
    assert dripped.status == 200 and dripped.answer is not None and set(dripped.answer) <= {"x"}
    with _server(_repeated(head, b"y" * 65_536, 0.0)) as url:
        endless = _post(url)
    assert endless.status == 200 and endless.answer == "y" * 4096


def test_nonsense_is_no_answer() -> None:
    with _server(lambda connected: connected.sendall(b"SSH-2.0-OpenSSH\r\n")) as url:
        assert _post(url).error == "no_valid_answer"
    with _server(lambda connected: None) as url:
        assert _post(url).error == "no_valid_answer"


def test_nothing_listens_and_nothing_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert _post(f"http://127.0.0.1:{port}/").error == "connection_refused"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    with Receiver(302, answer_headers={"Location": f"{receiver.url}/elsewhere"}) as redirecting:
        outcome = _post(redirecting.url)
    assert outcome.status == 302 and not outcome.is_success
    assert receiver.received == []


def test_a_name_that_has_moved_inside_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """The URL was registered while its name had a public address."""
    port = int(receiver.url.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(deadlines.socket, "getaddrinfo", lambda *_, **__: found)
    outcome = _post(f"https://hooks.example.com:{port}/")
    assert (outcome.status, outcome.error, outcome.address) == (None, "address_refused", None)
    assert receiver.received == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of hooks.example.com, signed by itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class _TlsReceiver(Receiver):
    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        say(handler, 200, b"{}")
        self.received.append(received)


def test_tls_is_checked_for_the_urls_host_on_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setattr(connection, "resolve", lambda destination, within_s: ["127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(certificate))
    names: list[str | None] = []
    with _TlsReceiver() as listening:
        listening.speak_tls(certificate)
        listening._server.socket.context.sni_callback = lambda _socket, name, _context: names.append(name)
        port = listening.url.rpartition(":")[2]
        good = _post(f"https://hooks.example.com:{port}/a", tls=trusting, deadline_s=5)
        other = _post(f"https://other.example.com:{port}/a", tls=trusting, deadline_s=5)
        unknown = _post(f"https://hooks.example.com:{port}/a", deadline_s=5)
    assert (good.status, good.address) == (200, "127.0.0.1")
    assert listening.received[0].headers["host"] == f"hooks.example.com:{port}"
    assert names[0] == "hooks.example.com"
    assert (other.status, other.error, unknown.error) == (None, "tls_failed", "tls_failed")
    assert len(listening.received) == 1
