"""A request that waits for an access token waits for that token only, and nothing that moves money is sent without
time left.

Seen failing with one lock for all tokens, without a limit for what a token may take, and when requests are begun
however little of the operation's time is left.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.money import Money
from app.providers import PROVIDERS, deadline
from app.providers.base import ChargeReference, ChargeRequest, Customer, FreshToken, Provider, RefundRequest
from app.providers.errors import NotSent
from app.providers.mpesa.client import DarajaClient
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.tokens import SharedTokens
from launcher.embedded import EmbeddedRedis
from tests.faults.payments.lost_commits import forget_in_redis
from tests.support.gateway import CURRENCIES, OPERATOR, Gateway
from tests.support.providers import Scripted, make_provider
from tests.support.tenants import make_merchant
from tests.support.waiting import wait_until

LONG_S = 60
TOKENS = "provider-token:*"


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hangs goes on when this is set, at the latest when the test is over."""
    event = threading.Event()
    yield event
    event.set()


# --- one lock for each token


def _hangs(entered: threading.Event, release: threading.Event) -> Callable[[], FreshToken]:
    def fetch() -> FreshToken:
        entered.set()
        assert release.wait(LONG_S)
        return FreshToken("of-the-slow-one", 3600)

    return fetch


def test_hanging_token_request_does_not_block_other_accounts(
    app: Flask, redis_server: EmbeddedRedis, release: threading.Event
) -> None:
    """Breaks when all tokens share a lock, in the process or in Redis."""
    sealer, mark = app.extensions["sealer"], uuid.uuid4().hex
    ours, another_process = (SharedTokens(redis_server.url(), sealer) for _ in range(2))
    entered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ours.get, f"slow:{mark}", _hangs(entered, release))
        assert entered.wait(LONG_S)
        for number, tokens in enumerate((ours, another_process)):
            quick = tokens.get(f"quick:{mark}:{number}", lambda n=number: FreshToken(f"quick-{n}", 3600))
            assert quick == f"quick-{number}"
        assert not slow.done()
        release.set()
        assert slow.result(LONG_S) == "of-the-slow-one"


def test_one_process_fetches_the_token(
    app: Flask, redis_server: EmbeddedRedis, release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when callers of one token do not wait for each other: a provider ends the old token with each new one."""
    sealer, key = app.extensions["sealer"], f"shared:{uuid.uuid4().hex}"
    here, there = (SharedTokens(redis_server.url(), sealer) for _ in range(2))
    entered, second, asked = threading.Event(), [], []
    real = there._redis.set

    def noted(name: str, value: object, **options: Any) -> Any:
        if options.get("nx"):
            asked.append(name)
        return real(name, value, **options)

    monkeypatch.setattr(there._redis, "set", noted)

    def not_needed() -> FreshToken:
        second.append(key)
        return FreshToken("of-the-second", 3600)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(here.get, key, _hangs(entered, release))
        assert entered.wait(LONG_S)
        others = [pool.submit(tokens.get, key, not_needed) for tokens in (here, there)]
        wait_until(lambda: second or len(asked) > 1, "the other process to ask for the lock again")
        release.set()
        assert {future.result(LONG_S) for future in (first, *others)} == {"of-the-slow-one"}
    assert second == []


def _adapter(gateway: Gateway, name: str, tenant_id: uuid.UUID | None = None) -> Any:
    with gateway.app.app_context():
        return provider_accounts.for_tenant(tenant_id or gateway.tenant_id, name).provider


def test_other_providers_and_accounts_continue(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, release: threading.Event
) -> None:
    """M-Pesa's token endpoint hangs for the platform's account. Breaks when another provider, or another account,
    waits for it."""
    merchant = make_merchant(gateway.app)
    with gateway.app.app_context():
        provider_accounts.set_account(
            merchant.tenant_id,
            "mpesa",
            _adapter(gateway, "mpesa").account.values,
            environment="sandbox",
            operator=OPERATOR,
        )
    forget_in_redis(gateway, TOKENS)
    platform_account = _adapter(gateway, "mpesa").account.id
    entered, real = threading.Event(), DarajaClient._fresh_token

    def hanging(client: DarajaClient) -> FreshToken:
        if client._account.id == platform_account:
            entered.set()
            assert release.wait(LONG_S)
        return real(client)

    monkeypatch.setattr(DarajaClient, "_fresh_token", hanging)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(gateway.initialize, "mpesa")
        assert entered.wait(LONG_S)
        other_provider = gateway.initialize("pesapal")
        headers, gateway.headers = gateway.headers, merchant.headers
        other_account = gateway.initialize("mpesa")
        gateway.headers = headers
        assert not stuck.done()
        release.set()
        stuck.result(LONG_S)
    assert [answer.status_code for answer in (other_provider, other_account)] == [201, 201], (
        other_account.text
    )
    gateway.settle(other_provider.json()["data"]["id"])
    gateway.settle(stuck.result().json()["data"]["id"])


# --- no time left


SETTINGS = {
    "mpesa": {
        "consumer_key": "k",
        "consumer_secret": "s",
        "shortcode": "174379",
        "passkey": "p",
        "initiator": "testapi",
        "security_credential": "c",
    },
    "stripe": {"api_key": "sk_test_x", "webhook_secret": "w"},
    "chapa": {"secret_key": "CHASECK_TEST-x"},
    "paystack": {"secret_key": "sk_test_x"},
    "pesapal": {"consumer_key": "k", "consumer_secret": "s"},
}


class _Ready:
    """A TokenStore that has every token."""

    def get(self, key: str, fetch: Callable[[], FreshToken], *, rejected: str | None = None) -> str:
        return "00000000-0000-4000-8000-000000000001"


def _request(name: str) -> ChargeRequest:
    return ChargeRequest(
        reference=f"pay-{uuid.uuid4().hex}",
        short_reference="ABC123",
        amount=Money(100_00, CURRENCIES[name]),
        customer=Customer("+254700000000", "customer@example.com", "John Doe"),
        callback_url=f"http://127.0.0.1:9/api/v1/webhooks/{name}/token",
        return_url="http://127.0.0.1:9/return",
        description="Payment",
        metadata={},
    )


def _refund_request(name: str) -> RefundRequest:
    charge = _request(name)
    charge_reference = ChargeReference(
        charge.reference,
        charge.short_reference,
        charge.amount,
        clock.now(),
        provider_reference="theirs",
        receipt="RECEIPT1",
        callback_url=charge.callback_url,
    )
    return RefundRequest(
        reference=f"ref-{uuid.uuid4().hex}",
        amount=charge.amount,
        charge=charge_reference,
        reason="Refund",
        callback_url=charge.callback_url,
        refunded_before=0,
    )


@contextmanager
def _far_end(name: str) -> Iterator[tuple[Scripted, Provider]]:
    with Scripted() as server:
        tokens: Any = _Ready()
        yield server, make_provider(PROVIDERS[name], server.url, tokens=tokens, **SETTINGS[name])


@pytest.mark.parametrize("operation", ["charge", "refund"])
@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_sent_when_one_second_is_left(name: str, operation: str) -> None:
    """Breaks when a request is sent whose answer could not arrive in time."""
    with _far_end(name) as (server, provider):
        acts: dict[str, Callable[[], object]] = {
            "charge": lambda: provider.charge(_request(name)),
            "refund": lambda: provider.refund(_refund_request(name)),
        }
        with deadline.within(1.0), pytest.raises(NotSent) as raised:
            acts[operation]()
        assert raised.value.code == "no_time"
        assert server.seen == []


def test_the_time_of_the_token_counts(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token took nearly all of the operation's time. Breaks when the push is sent all the same: its answer would
    come when the others believe that its sender is dead."""
    gone = 0.0
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + gone))
    around = _adapter(gateway, "mpesa").context
    limit_s = around.timeout_s + around.connect_timeout_s  # of an operation with all its requests
    tokens, real = around.tokens, around.tokens.get

    def slowly(key: str, fetch: Callable[[], FreshToken], *, rejected: str | None = None) -> str:
        nonlocal gone
        token: str = real(key, fetch, rejected=rejected)
        gone += limit_s - 1.0
        return token

    monkeypatch.setattr(tokens, "get", slowly)
    answer = gateway.initialize("mpesa")
    assert (answer.status_code, answer.json()["data"]["status"]) == (502, "failed"), answer.text
    payment_id = answer.json()["data"]["id"]
    assert [attempt.error_code for attempt in gateway.attempts(payment_id)] == ["no_time"]
    assert gateway.charged(payment_id) == []


def test_a_token_may_not_take_all_of_the_time(
    app: Flask, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the fetch has no limit of its own, or the operation's limit does not hold inside it."""
    gone, left = 0.0, []
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + gone))
    tokens = SharedTokens(redis_server.url(), app.extensions["sealer"])

    def fetch() -> FreshToken:
        left.append(deadline.remaining(1000.0))
        return FreshToken("token", 3600)

    with deadline.within(100.0):
        tokens.get(f"a:{uuid.uuid4().hex}", fetch)
    with deadline.within(5.0):
        tokens.get(f"b:{uuid.uuid4().hex}", fetch)
    assert left[0] <= 8.0
    assert left[1] <= 5.0
    with deadline.within(10.0):
        gone = 9.5
        with pytest.raises(NotSent):
            tokens.get(f"c:{uuid.uuid4().hex}", fetch)
    assert len(left) == 2


def test_waiting_for_a_token_times_out(
    app: Flask, redis_server: EmbeddedRedis, release: threading.Event
) -> None:
    """Breaks when a caller waits for another's fetch longer than its own operation has."""
    tokens, key = SharedTokens(redis_server.url(), app.extensions["sealer"]), f"wait:{uuid.uuid4().hex}"
    entered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(tokens.get, key, _hangs(entered, release))
        assert entered.wait(LONG_S)
        with deadline.within(3.0), pytest.raises(NotSent) as raised:
            tokens.get(key, lambda: FreshToken("never", 3600))
        assert raised.value.code in ("no_token", "no_time")
        assert not release.is_set()
        release.set()
