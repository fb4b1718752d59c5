"""One mail to one SMTP server, over within a fixed time whatever the server does.

Guarantees: certificates are checked for the server's name; where encryption is set, neither the password nor the mail is sent without it;
every wait ends at the deadline, also for an answer that arrives byte by byte.
"""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from app.services.deadlines import TimedReads, addresses_of, seconds_left

CONNECT_S: Final = 5.0
"""For each of the server's addresses, so that one that does not answer leaves time for the next."""

QUIT_S: Final = 1.0
"""The mail is accepted by then: the answer to QUIT changes nothing."""

_MAX_ADDRESSES: Final = 3
_PIECE: Final = 16_384


class MailNotSent(Exception):
    """The mail was not sent, or the server's answer did not arrive. code: the error's class and the SMTP status; no address, and nothing
    that the server has written."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Server:
    """is_starttls: encrypted by STARTTLS; is_tls: from the beginning. username: empty for no sign-in."""

    host: str
    port: int
    is_starttls: bool
    is_tls: bool
    username: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Server | None:
        """None: no server is set."""
        if not config["MAIL_SERVER"]:
            return None
        return cls(
            config["MAIL_SERVER"],
            config["MAIL_PORT"],
            config["MAIL_USE_TLS"],
            config["MAIL_USE_SSL"],
            config["MAIL_USERNAME"],
            config["MAIL_PASSWORD"],
        )


def deliver(server: Server, content: bytes, *, sender: str, recipient: str, until: float) -> None:
    """Returns when the server has accepted the mail. sender, recipient: plain addresses. until: an instant of the monotonic clock.

    Raises MailNotSent.
    """
    try:
        with _Connection(server, sender.rpartition("@")[2], until) as connection:
            connection.ehlo_or_helo_if_needed()
            if server.is_starttls:
                connection.starttls(context=ssl.create_default_context())
            if server.username:
                connection.login(server.username, server.password)
            connection.sendmail(sender, [recipient], content)
            connection.end()
    except (OSError, ValueError) as error:
        # The error itself has the recipient and the server's words, and its context may have the password.
        raise MailNotSent(_code_of(error, is_over=time.monotonic() >= until)) from None


class _Connection(smtplib.SMTP):
    """An SMTP client whose every wait ends at the deadline."""

    def __init__(self, server: Server, own_name: str, until: float) -> None:
        self._until = until
        self._is_tls = server.is_tls
        # Without a name of its own, smtplib asks the resolver for one and waits as long as that takes.
        super().__init__(server.host, server.port, local_hostname=own_name)

    def __exit__(self, *error: object) -> None:
        self.close()

    def _get_socket(self, host: str, port: int, timeout: object) -> socket.socket:
        """What smtplib calls to connect."""
        addresses = addresses_of(host, port, within_s=seconds_left(self._until) / 2)
        connected = _connected(addresses[:_MAX_ADDRESSES], port, self._until)
        if not self._is_tls:
            return connected
        try:
            connected.settimeout(seconds_left(self._until))
            return ssl.create_default_context().wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(TimedReads(self.sock, self._until))
        answer = super().getreply()
        if self.sock is not None:
            # STARTTLS' handshake comes next, and has only this.
            self.sock.settimeout(max(self._until - time.monotonic(), 0.001))
        return answer

    def send(self, s: Any) -> None:
        """In pieces: over TLS each would have the time-out for itself."""
        content = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        for start in range(0, len(content), _PIECE):
            if self.sock is not None:
                self.sock.settimeout(seconds_left(self._until))
            super().send(content[start : start + _PIECE])

    def end(self) -> None:
        """Say goodbye, briefly."""
        self._until = min(self._until, time.monotonic() + QUIT_S)
        self.file = None  # it reads until the deadline before
        with suppress(OSError):
            self.quit()


def _connected(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connection to the first address that accepts one."""
    for number, address in enumerate(addresses, start=1):
        try:
            return socket.create_connection((address, port), timeout=min(CONNECT_S, seconds_left(until)))
        except OSError:
            if number == len(addresses):
                raise
    raise OSError("The name has no address.")


def _code_of(error: Exception, *, is_over: bool) -> str:
    """The error's class, and the server's status where it has answered."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        statuses = {str(status) for status, _ in error.recipients.values()}
        return " ".join([type(error).__name__, *sorted(statuses)])
    # smtplib says of every connection that fails that the server has disconnected.
    return TimeoutError.__name__ if is_over else type(error).__name__
