"""Live accounts that are answered about test money: nothing is credited, nothing fails, and an operator is shown it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import servers
from tests.support.gateway import CURRENCIES, Gateway, running_gateway

LIVE = {
    "stripe": {"api_key": "sk_live_51Faults", "webhook_secret": "whsec_51Faults"},
    "paystack": {"secret_key": "sk_live_51faults"},
    "chapa": {
        "secret_key": "CHASECK-51faults",
        "webhook_secret": "hash-of-the-dashboard",
        "approval_secret": "of-the-approval-url",
    },
}
"""What the accounts are configured with. The simulators take it, and answer about test money all the same."""

HOURS = 3

MONEY = (
    "SELECT count(*) FROM postings JOIN accounts ON accounts.id = account_id WHERE public_id LIKE :account"
)


@pytest.fixture(scope="module")
def live_gateway(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose accounts at three providers are live ones, by their keys and their setting."""
    own = settings | servers.urls_of_new_database()
    keys = {
        f"{provider.upper()}_{name.upper()}": value
        for provider, values in LIVE.items()
        for name, value in values.items()
    }
    environments = {f"{provider.upper()}_ENV": "live" for provider in LIVE}
    with running_gateway(own, tmp_path_factory.mktemp("live"), **keys, **environments) as gateway:
        gateway.sandbox.control({"credentials": LIVE})
        yield gateway


@pytest.mark.parametrize("provider", LIVE)
def test_test_money_is_never_a_live_balance(live_gateway: Gateway, provider: str) -> None:
    """The customer pays at once, in test money; callback and inquiries say so. Breaks when the key's word counts alone."""
    payment_id = live_gateway.begin(provider, 70)
    after = live_gateway.settle(payment_id, hours=HOURS)
    assert after["status"] == "processing"
    assert live_gateway.charged(payment_id), "the simulator was paid: there was something to credit"
    ((review,),) = live_gateway.rows(
        "SELECT reason FROM payment_reviews WHERE payment_id = :id AND closed_at IS NULL", id=payment_id
    )
    assert review == "wrong_environment"
    (attempt,) = live_gateway.attempts(payment_id)
    assert (attempt.state in ("pending", "unknown"), attempt.collected) == (True, None)
    for account in (f"tenant:{live_gateway.tenant_id}:%", f"clearing:{provider}:%", "suspense:%"):
        ((postings,),) = live_gateway.rows(MONEY, account=account)
        assert postings == 0, account
    _assert_shown_once(live_gateway, payment_id)
    _assert_callbacks_are_ignored(live_gateway, provider, payment_id)


def _assert_shown_once(gateway: Gateway, payment_id: str) -> None:
    """Hourly inquiries raise it no second time."""
    reviews = gateway.rows(
        "SELECT data FROM outbox WHERE object_id = :id AND type = 'payment.review'", id=payment_id
    )
    assert len(reviews) == 1
    waiting = gateway.app.test_cli_runner().invoke(args=["payments", "in-review"])
    assert payment_id in waiting.output and "wrong_environment" in waiting.output


def _assert_callbacks_are_ignored(gateway: Gateway, provider: str, payment_id: str) -> None:
    """They are stored, with the reason."""
    events = gateway.rows(
        "SELECT state, result FROM provider_events WHERE provider = :provider AND is_verified AND payment_id = :id",
        provider=provider,
        id=payment_id,
    )
    assert events
    assert {event.state for event in events} == {"ignored"}
    assert all("test money" in event.result for event in events)


def test_asking_by_hand_credits_nothing_either(live_gateway: Gateway) -> None:
    payment_id = live_gateway.begin("paystack", 60)
    live_gateway.quiet()
    answer = live_gateway.post(f"/payments/{payment_id}/verify")
    assert answer.status_code == 502, answer.text
    assert live_gateway.payment(payment_id)["status"] == "processing"
    ((review,),) = live_gateway.rows(
        "SELECT reason FROM payment_reviews WHERE payment_id = :id AND closed_at IS NULL", id=payment_id
    )
    assert review == "wrong_environment"


def test_a_payment_that_fails_in_test_mode_is_not_failed(live_gateway: Gateway) -> None:
    """A refusal in the wrong mode says nothing of the money that the payment is about."""
    live_gateway.sandbox.control(
        {"rules": [{"provider": "paystack", "operation": "initialize", "fault": "declined", "times": 1}]}
    )
    payment_id = live_gateway.begin("paystack", 50)
    assert live_gateway.settle(payment_id, hours=HOURS)["status"] == "processing"


def test_the_books_agree(live_gateway: Gateway) -> None:
    """After all of it: no posting at all, for nothing that was answered counts."""
    assert set(CURRENCIES) >= set(LIVE)
    ((postings,),) = live_gateway.rows("SELECT count(*) FROM postings")
    assert postings == 0
