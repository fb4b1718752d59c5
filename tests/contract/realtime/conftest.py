"""A running stack with a database of its own, and users who pay each other over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers
from tests.support.factories import SignedInUser, make_user, make_wallet
from tests.support.folder_end import call_at_end_of
from tests.support.realtime import install_javascript
from tests.support.stack import Stack, running_stack

MakeStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def make_stack(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """`make_stack(*processes, redis=None, **settings)`: running until this folder's end, demo unless mode= says more."""
    running = []

    def make(*processes: str, redis: EmbeddedRedis | None = None, **settings: str) -> Stack:
        folder = tmp_path_factory.mktemp("stack")
        postgres, database = servers.postgres(), servers.new_database()
        environment = servers.environment(
            postgres.url(APPLICATION, database),
            postgres.url(OWNER, database),
            (redis or redis_server).url(),
            var_dir=folder,
            **({"mode": "demo", "REALTIME": "embedded"} | settings),
        )
        context = running_stack(environment, folder, processes=processes)
        running.append(context)
        stack = context.__enter__()
        call_at_end_of(Path(__file__).parent, stack.kill_all)
        return stack

    yield make
    for context in reversed(running):
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def stack_redis() -> Iterator[EmbeddedRedis]:
    """The Redis of `stack` alone: a test may kill it, and starts it again."""
    server = servers.new_redis()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def stack(make_stack: MakeStack, stack_redis: EmbeddedRedis) -> Stack:
    """A demo whose app serves Socket.IO, as `make run` starts it, and a realtime process."""
    return make_stack("web", "relay", "realtime", redis=stack_redis)


@pytest.fixture(params=["embedded", "realtime process"])
def url(stack: Stack, request: pytest.FixtureRequest) -> str:
    """Where Socket.IO is served: each test runs with both servers of `stack`."""
    return stack.url if request.param == "embedded" else stack.realtime_url


@pytest.fixture(scope="session")
def production_stack(make_stack: MakeStack) -> Stack:
    """As compose runs it: app, relay, and Socket.IO in a process of its own."""
    return make_stack(
        "web",
        "relay",
        "realtime",
        mode="production",
        REALTIME="external",
        WEB_WORKERS="1",
        RATE_LIMIT_DEFAULT="1000/minute",
        CORS_ORIGINS="https://shop.example",
        DIRECT_FUNDING="true",
        ALLOW_TEST_PROVIDERS="true",
        CPAY_API_KEY="a-key-of-cpay",
        CPAY_API_SECRET="a-secret-of-cpay",
        PUBLIC_URL="https://pay.example.com",
    )


@pytest.fixture(scope="session")
def javascript() -> None:
    install_javascript()


@dataclass
class Payer:
    """A user with money, and one to pay it to."""

    stack: Stack
    app: Flask
    sender: SignedInUser
    recipient: SignedInUser
    wallet: str
    destination: str

    def pay(self, amount: str = "1.00") -> str:
        """Pay the recipient; the payment's id."""
        answer = self._post("/api/v1/payments", {"amount": amount, "destination": self.destination})
        payment_id: str = answer["payment_id"]
        return payment_id

    def pay_many(self, count: int) -> list[str]:
        """The ids of a batch of `count` payments."""
        payments = [{"amount": "0.01", "destination": self.destination}] * count
        answer = self._post("/api/v1/payments/batch", {"payments": payments})
        return [result["payment_id"] for result in answer["results"]]

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        body = {"source_wallet_id": self.wallet, **body}
        answer = requests.post(self.stack.url + path, json=body, headers=self.sender.headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def app_of() -> Callable[[Stack], Flask]:
    """An application with a stack's settings, made once: for what a test creates and reads directly."""
    apps: dict[str, Flask] = {}

    def find(stack: Stack) -> Flask:
        if stack.url not in apps:
            apps[stack.url] = create_app(stack.environment | {"LOG_LEVEL": "WARNING"})
        return apps[stack.url]

    return find


@pytest.fixture(scope="session")
def make_payer(app_of: Callable[[Stack], Flask]) -> Callable[[Stack], Payer]:
    def make(stack: Stack) -> Payer:
        app = app_of(stack)
        sender, recipient = make_user(app), make_user(app)
        wallet, destination = make_wallet(app, sender, balance="1000"), make_wallet(app, recipient)
        return Payer(stack, app, sender, recipient, wallet, destination)

    return make


@pytest.fixture
def payer(stack: Stack, make_payer: Callable[[Stack], Payer]) -> Payer:
    return make_payer(stack)
