"""A real SMTP server on 127.0.0.1 that remembers what it accepts and misbehaves on request."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ipaddress
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Accepted:
    """A mail that the server has accepted. sender, recipients: of the envelope. content: its bytes."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpServer:
    """Listens while the block lasts. port: 0 for any.

    users: name → password of those who may sign in; others may send nothing. certificate: a file with key and certificate; STARTTLS is
    then required or, with is_tls, the connection is encrypted from its beginning.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        users: dict[str, str] | None = None,
        certificate: Path | None = None,
        is_tls: bool = False,
    ) -> None:
        self.port = port
        self.accepted: list[Accepted] = []
        self.signed_in: list[tuple[str, str]] = []
        """Names and passwords that arrived, right or wrong."""
        self.commands: list[str] = []
        """MAIL, RCPT and DATA of clients that may send, also those that were refused."""
        self._replies: dict[str, list[str]] = {}
        self._drops = 0
        self._hangs = self._holds = False
        self._users = users
        self._tls = _context(certificate) if certificate is not None else None
        self._is_tls = is_tls
        self._ready = threading.Event()

    def refuse(self, command: str, *replies: str) -> None:
        """Answer the next commands of this name (MAIL, RCPT, DATA) with these replies, such as `451 try later`."""
        self._replies.setdefault(command, []).extend(replies)

    def drop_after_data(self, times: int = 1) -> None:
        """Accept the next mails, and close the connection before the answer reaches the client."""
        self._drops += times

    def hang(self, is_hanging: bool = True) -> None:
        """Answer no DATA any more."""
        self._hangs = is_hanging

    def hold_answers(self, is_holding: bool = True) -> None:
        """Accept mails, and answer after their DATA only when this is over: a client may be killed in between."""
        self._holds = is_holding

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a gateway that sends to it."""
        name = {"MAIL_USE_SSL" if self._is_tls else "MAIL_USE_TLS": "true"} if self._tls is not None else {}
        return {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(self.port), **name}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="smtp")
        self._thread.start()
        assert self._ready.wait(10), "the SMTP server has not started"
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._connections: set[SMTP] = set()
        server = await self._loop.create_server(
            self._connection, "127.0.0.1", self.port, ssl=self._tls if self._is_tls else None
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connection(self) -> SMTP:
        made = SMTP(
            _Handler(self),
            hostname="smtp.test",
            enable_SMTPUTF8=False,
            authenticator=self._authenticate,
            auth_require_tls=False,
            tls_context=None if self._is_tls else self._tls,
            require_starttls=self._tls is not None and not self._is_tls,
            loop=self._loop,
        )
        self._connections.add(made)
        return made

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        name, password = data.login.decode(), data.password.decode()
        self.signed_in.append((name, password))
        return AuthResult(success=(self._users or {}).get(name) == password, handled=False)

    def _reply(self, command: str) -> str | None:
        """The refusal that is next for this command; None: none."""
        self.commands.append(command)
        waiting = self._replies.get(command)
        return waiting.pop(0) if waiting else None

    async def _take(self, server: SMTP, envelope: Any) -> str:
        while self._hangs:
            await asyncio.sleep(0.02)
        if (refusal := self._reply("DATA")) is not None:
            return refusal
        self.accepted.append(Accepted(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        if self._drops:
            self._drops -= 1
            assert server.transport is not None
            server.transport.abort()
        while self._holds:
            await asyncio.sleep(0.02)
        return "250 accepted"


class _Handler:
    """aiosmtpd's hooks: one server's behaviour."""

    def __init__(self, owner: SmtpServer) -> None:
        self._owner = owner

    async def handle_MAIL(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self._owner._users is not None and not session.authenticated:
            return "530 sign in first"
        if (refusal := self._owner._reply("MAIL")) is not None:
            return refusal
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        if (refusal := self._owner._reply("RCPT")) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        return await self._owner._take(server, envelope)


def make_certificate(path: Path, name: str = "127.0.0.1") -> Path:
    """Write a key and a certificate for this IP address, signed by itself, into one file."""

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
