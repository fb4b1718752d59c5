"""What Socket.IO's HTTP answers carry, and which hosts a demo answers to, over REST and Socket.IO."""

from __future__ import annotations

import pytest
import requests

from app import create_app
from tests.support.stack import Stack

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.mark.parametrize(
    "path", [HANDSHAKE, f"{HANDSHAKE}&sid=unknown", "/socket.io/?EIO=1", "/health/live", "/nope"]
)
def test_every_http_answer_has_security_headers(url: str, path: str) -> None:
    headers = requests.get(url + path, timeout=30).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1:1", "x@localhost", ""],
)
def test_a_demo_refuses_other_hosts(stack: Stack, url: str, host: str) -> None:
    """DNS rebinding: a page of evil.example whose name has become 127.0.0.1 would be the demo merchant."""
    named = {"Host": host.format(port=url.rpartition(":")[2])}
    for address in (
        url + HANDSHAKE,
        f"{stack.url}/api/v1/payments",
        f"{stack.url}/v1/x",
        f"{stack.url}/docs",
    ):
        if address.startswith(stack.url) and url != stack.url:
            continue
        answer = requests.get(address, headers=named, timeout=30)
        assert answer.status_code == 403, (address, answer.text)
        assert "localhost only" in answer.text
    if url == stack.url:
        assert "HOST_REFUSED" in requests.get(f"{url}/api/v1/accounts", headers=named, timeout=30).text


@pytest.mark.parametrize("host", ["localhost:{port}", "LocalHost", "127.0.0.1:{port}", "[::1]:{port}"])
def test_a_demo_answers_on_this_machine_s_names(url: str, host: str) -> None:
    named = {"Host": host.format(port=url.rpartition(":")[2])}
    for path in (HANDSHAKE, "/health/live"):
        assert requests.get(url + path, headers=named, timeout=30).status_code == 200


def test_a_demo_answers_where_the_operator_says(settings: dict[str, str]) -> None:
    """Such as a tunnel that a provider's sandbox calls back through."""
    more = {"GATEWAY_ENV": "demo", "PUBLIC_URL": "https://A.tunnel.example:8443", "DEMO_HOSTS": "app"}
    client = create_app({**settings, **more}).test_client()
    for host in ("a.tunnel.example", "a.tunnel.example:8443", "app:80", "localhost"):
        assert client.get("/health/live", headers={"Host": host}).status_code == 200, host
    for host in ("b.tunnel.example", "app:81", "app.evil.example"):
        assert client.head("/health/live", headers={"Host": host}).status_code == 403, host


def test_production_answers_under_any_name(production_stack: Stack) -> None:
    for url in (production_stack.url + "/health/live", production_stack.realtime_url + HANDSHAKE):
        assert requests.get(url, headers={"Host": "pay.example.com"}, timeout=30).status_code == 200
