"""Who may connect and who may watch: tokens, sessions, pages, and in production the parties of a payment alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import socketio

from app import clock
from app.services.identity import tokens
from tests.contract.realtime.conftest import Payer
from tests.support.factories import make_user
from tests.support.realtime import PythonClient, javascript_client, python_client
from tests.support.stack import Stack
from tests.support.tenants import make_merchant
from tests.support.waiting import SLACK_S, wait_until


@pytest.fixture
def demo(stack: Stack) -> Stack:
    return stack


@pytest.fixture
def production(production_stack: Stack) -> Stack:
    return production_stack


@pytest.fixture(params=["demo", "production"])
def server(request: pytest.FixtureRequest) -> tuple[Stack, str]:
    """A stack and where its Socket.IO is."""
    stack: Stack = request.getfixturevalue(request.param)
    return stack, stack.url if request.param == "demo" else stack.realtime_url


def refusal(url: str, auth: Any) -> dict[str, Any]:
    """What connect_error says."""
    errors: list[dict[str, Any]] = []
    client = socketio.Client(reconnection=False)
    client.on("connect_error", errors.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(url, auth=auth)
    client.disconnect()
    assert len(errors) == 1
    return errors[0]


BAD_CREDENTIALS = [
    {"token": "nonsense"},
    {"token": "a.b.c"},
    {"token": ""},
    {"token": "x" * 5000},
    {"token": "ü"},
    {"token": 5},
    {"token": ["x"]},
    {"token": {"x": 1}},
    {"token": "a.b.c", "other": 1},
    {"api_key": "unknown"},
    {"api_key": 5},
    {"api_key": "mlp_" + "0" * 12 + "_" + "A" * 43},
    {"token": "a.b.c", "api_key": "unknown"},
    ["token"],
    "token",
    7,
]


def test_a_bad_credential_is_refused_at_connect(server: tuple[Stack, str]) -> None:
    for auth in BAD_CREDENTIALS:
        error = refusal(server[1], auth)
        assert error["data"]["code"] in (
            "TOKEN_INVALID",
            "TOKEN_MISSING",
            "INVALID_REQUEST",
            "INVALID_API_KEY",
        ), auth
        assert error["message"]


def test_a_refresh_token_an_old_token_and_an_ended_session_are_refused(
    server: tuple[Stack, str], make_payer: Callable[[Stack], Payer]
) -> None:
    stack, url = server
    payer = make_payer(stack)
    assert refusal(url, {"token": payer.sender.refresh_token})["data"] == {"code": "TOKEN_INVALID"}

    with payer.app.app_context():
        now = clock.now().timestamp()
        clock.travel(-clock.timedelta(days=1))
        old = tokens.issue(
            payer.sender.user_id, session_id=payer.sender.session_id, refresh_id=payer.sender.session_id
        )
        clock.reset()
        assert tokens.clock.now().timestamp() >= now
    assert refusal(url, {"token": old.access_token})["data"] == {"code": "TOKEN_EXPIRED"}

    requests.post(
        f"{stack.url}/api/v1/auth/logout", headers=payer.sender.headers, timeout=30
    ).raise_for_status()
    assert refusal(url, {"token": payer.sender.access_token})["data"] == {"code": "TOKEN_INVALID"}


def test_the_javascript_client_reads_why_it_was_refused(demo: Stack, javascript: None) -> None:
    with javascript_client(demo.url, "nonsense") as client:
        error = client.received.wait_for("connect_error")[0]
    assert error == {"message": "The access token is not valid.", "data": {"code": "TOKEN_INVALID"}}


def test_in_production_a_payment_is_shown_to_its_parties_alone(
    production: Stack, make_payer: Callable[[Stack], Payer]
) -> None:
    payer, url = make_payer(production), production.realtime_url
    other = make_user(payer.app)
    payment_id = payer.pay()
    for token in (payer.sender.access_token, payer.recipient.access_token):
        with python_client(url, token) as party:
            party.subscribe(payment_id)
            party.received.wait_for_steps(payment_id)
    for token in (other.access_token, None):
        with python_client(url, token) as outsider:
            outsider.subscribe(payment_id)
            outsider.subscribe("pmt_" + "0" * 32)
            foreign, unknown = outsider.received.wait_for("error", 2)
            # Another user's payment looks exactly like an unknown one.
            assert foreign == unknown | {"transaction_id": payment_id}
            assert foreign["code"] == "NOT_FOUND"
            payer.pay()
            assert set(outsider.received.names()) == {"connected", "error"}


def test_a_token_may_be_brought_later_but_not_another_users(
    production: Stack, make_payer: Callable[[Stack], Payer]
) -> None:
    payer = make_payer(production)
    payment_id = payer.pay()
    with python_client(production.realtime_url) as client:
        client.subscribe(payment_id, token=payer.recipient.access_token)
        client.received.wait_for_steps(payment_id)
        later = payer.pay()
        assert client.received.wait_for_steps(later)  # it is in its user's room now
        client.subscribe(payment_id, token=payer.sender.access_token)
        assert client.received.wait_for("error")[0]["code"] == "PERMISSION_DENIED"
        client.subscribe(payment_id, token="nonsense")
        assert client.received.wait_for("error", 2)[1]["code"] == "TOKEN_INVALID"


@dataclass(frozen=True)
class Ended:
    """A client whose right to pushes ends. code: what it is told. auth: with which it is refused from then on."""

    client: PythonClient
    code: str
    auth: dict[str, str]


@contextmanager
def _clients_whose_right_ends(
    stack: Stack, url: str, make_payer: Callable[[Stack], Payer]
) -> Iterator[list[Ended]]:
    leaver, expirer, suspended = (make_payer(stack) for _ in range(3))
    app = leaver.app
    shop, keyholder = make_merchant(app), make_merchant(app)
    tokens_of = {
        "TOKEN_INVALID": [leaver.sender.access_token, suspended.sender.access_token],
        "TOKEN_EXPIRED": [_short_token(expirer)],
    }
    auths = [(code, {"token": token}) for code, found in tokens_of.items() for token in found]
    auths += [("INVALID_API_KEY", {"api_key": merchant.api_key}) for merchant in (shop, keyholder)]
    with ExitStack() as opened:
        clients = [
            Ended(opened.enter_context(python_client(url, **auth, reconnection=False)), code, auth)
            for code, auth in auths
        ]
        for words in (
            ("users", "suspend", suspended.sender.email, "--reason", "fraud report"),
            ("tenants", "suspend", str(shop.tenant_id), "--reason", "fraud report"),
            ("tenants", "revoke-key", keyholder.api_key[:16]),
        ):
            assert app.test_cli_runner().invoke(args=list(words)).exit_code == 0, words
        logout = f"{stack.url}/api/v1/auth/logout"
        requests.post(logout, headers=leaver.sender.headers, timeout=30).raise_for_status()
        yield clients


def _short_token(payer: Payer) -> str:
    """Valid for ten seconds."""
    with payer.app.app_context():
        clock.travel(clock.timedelta(seconds=10 - payer.app.config["ACCESS_TOKEN_TTL_S"]))
        session_id = payer.sender.session_id
        short = tokens.issue(payer.sender.user_id, session_id=session_id, refresh_id=session_id)
        clock.reset()
    return short.access_token


@pytest.mark.slow
def test_pushes_stop_when_the_right_to_them_ends(
    demo: Stack, production: Stack, make_payer: Callable[[Stack], Payer]
) -> None:
    """Of both servers at the same time, since both check every fifteen seconds."""
    witness = make_payer(production)
    with (
        python_client(production.realtime_url, witness.sender.access_token) as stays,
        _clients_whose_right_ends(demo, demo.url, make_payer) as of_demo,
        _clients_whose_right_ends(production, production.realtime_url, make_payer) as of_production,
    ):
        began = time.monotonic()
        ended = [*of_demo, *of_production]
        for each in ended:
            assert each.client.received.wait_for("error", timeout_s=30)[0]["code"] == each.code
        assert time.monotonic() - began < 2 * 15 + SLACK_S  # docs/realtime.md
        wait_until(lambda: not any(each.client.namespaces for each in ended), "all are disconnected")
        for each in ended:
            url = demo.url if each in of_demo else production.realtime_url
            assert refusal(url, each.auth)["data"]["code"] == each.code
        stays.received.wait_for_steps(witness.pay())


ORIGINS = [
    (None, True, True),
    ("http://{host}", True, True),
    ("https://shop.example", False, True),
    ("http://localhost:3000", True, False),
    ("http://127.0.0.1:8080", True, False),
    ("https://evil.example", False, False),
    ("http://localhost.evil.example", False, False),
    ("null", False, False),
    ("file://", False, False),
    ("http://{host}.evil.example", False, False),
]


def test_pages_of_other_origins_are_refused(server: tuple[Stack, str], demo: Stack) -> None:
    stack, url = server
    for origin, in_demo, in_production in ORIGINS:
        headers = {"Origin": origin.format(host=url.removeprefix("http://"))} if origin else {}
        answer = requests.get(f"{url}/socket.io/?EIO=4&transport=polling", headers=headers, timeout=30)
        is_allowed = in_demo if stack is demo else in_production
        assert answer.status_code == (200 if is_allowed else 400), origin
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == (headers.get("Origin") if is_allowed else None)
