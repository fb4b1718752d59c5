"""A mail server, gateways that send to it, and mails of one test alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from tests.support.mails import forget_mails
from tests.support.smtp_server import SmtpServer, make_certificate

Sending = Callable[..., Flask]


@pytest.fixture(autouse=True)
def only_this_tests_mails(app: Flask) -> None:
    forget_mails(app)


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as listening:
        yield listening


@pytest.fixture
def sending(settings: dict[str, str]) -> Sending:
    """`sending(server, NAME=value)`: a gateway that sends to this server."""

    def make(server: SmtpServer, **more: str) -> Flask:
        return create_app(settings | server.settings | more)

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself: trusted only where SSL_CERT_FILE names it."""
    return make_certificate(tmp_path_factory.mktemp("smtp") / "both.pem")
