"""Live accounts that are answered about test money: nothing is credited, nothing fails, and an operator is shown it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from launcher.embedded import APPLICATION, OWNER
from tests.support import servers
from tests.support.world import CURRENCIES, World, paying_world

LIVE = {
    "stripe": {"api_key": "sk_live_51Faults", "webhook_secret": "whsec_51Faults"},
    "paystack": {"secret_key": "sk_live_51faults"},
    "chapa": {
        "secret_key": "CHASECK-51faults", "webhook_secret": "hash-of-the-dashboard",
        "approval_secret": "of-the-approval-url",
    },
}  # fmt: skip
"""What the accounts are configured with. The simulators take it, and answer about test money all the same."""

HOURS = 3

MONEY = (
    "SELECT count(*) FROM postings JOIN accounts ON accounts.id = account_id WHERE public_id LIKE :account"
)


@pytest.fixture(scope="module")
def live_world(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway whose accounts at three providers are live ones, by their keys and their setting."""
    database, postgres = servers.new_database(), servers.postgres()
    own = {
        **settings,
        "DATABASE_URL": postgres.url(APPLICATION, database),
        "DATABASE_OWNER_URL": postgres.url(OWNER, database),
    }
    keys = {
        f"{provider.upper()}_{name.upper()}": value
        for provider, values in LIVE.items()
        for name, value in values.items()
    }
    environments = {f"{provider.upper()}_ENV": "live" for provider in LIVE}
    with paying_world(own, tmp_path_factory.mktemp("live"), **keys, **environments) as world:
        world.sandbox.control({"credentials": LIVE})
        yield world


@pytest.mark.parametrize("provider", LIVE)
def test_test_money_is_never_a_live_balance(live_world: World, provider: str) -> None:
    """The customer pays at once, in test money; callback and inquiries say so. Breaks when the key's word counts alone."""
    payment_id = live_world.begin(provider, 70)
    after = live_world.settle(payment_id, hours=HOURS)
    assert after["status"] == "processing"
    assert live_world.charged(payment_id), "the simulator was paid: there was something to credit"
    ((review,),) = live_world.rows("SELECT review FROM payments WHERE id = :id", id=payment_id)
    assert review == "wrong_environment"
    (attempt,) = live_world.attempts(payment_id)
    assert (attempt.state in ("pending", "unknown"), attempt.collected) == (True, None)
    for account in (f"tenant:{live_world.tenant_id}:%", f"clearing:{provider}:%", "suspense:%"):
        ((postings,),) = live_world.rows(MONEY, account=account)
        assert postings == 0, account


@pytest.mark.parametrize("provider", LIVE)
def test_an_operator_is_shown_it_once(live_world: World, provider: str) -> None:
    payment_id = live_world.begin(provider, 80)
    live_world.settle(payment_id, hours=HOURS)
    reviews = live_world.rows(
        "SELECT data FROM outbox WHERE object_id = :id AND type = 'payment.review'", id=payment_id
    )
    assert len(reviews) == 1, "hourly inquiries raise it no second time"
    waiting = live_world.app.test_cli_runner().invoke(args=["payments", "waiting"])
    assert payment_id in waiting.output and "wrong_environment" in waiting.output


@pytest.mark.parametrize("provider", LIVE)
def test_its_callbacks_are_stored_and_ignored_with_the_reason(live_world: World, provider: str) -> None:
    payment_id = live_world.begin(provider, 90)
    live_world.settle(payment_id, hours=HOURS)
    events = live_world.rows(
        "SELECT state, result FROM provider_events WHERE provider = :provider AND is_verified AND payment_id = :id",
        provider=provider, id=payment_id,
    )  # fmt: skip
    assert events
    assert {event.state for event in events} == {"ignored"}
    assert all("test money" in event.result for event in events)


def test_asking_by_hand_credits_nothing_either(live_world: World) -> None:
    payment_id = live_world.begin("paystack", 60)
    live_world.quiet()
    answer = live_world.post(f"/payments/{payment_id}/verify")
    assert answer.status_code == 502, answer.text
    assert live_world.payment(payment_id)["status"] == "processing"
    ((review,),) = live_world.rows("SELECT review FROM payments WHERE id = :id", id=payment_id)
    assert review == "wrong_environment"


def test_a_payment_that_fails_in_test_mode_is_not_failed(live_world: World) -> None:
    """A refusal in the wrong mode says nothing of the money that the payment is about."""
    live_world.sandbox.control(
        {"rules": [{"provider": "paystack", "operation": "initialize", "fault": "declined", "times": 1}]}
    )
    payment_id = live_world.begin("paystack", 50)
    assert live_world.settle(payment_id, hours=HOURS)["status"] == "processing"


def test_the_books_agree(live_world: World) -> None:
    """After all of it: no posting at all, for nothing that was answered counts."""
    assert set(CURRENCIES) >= set(LIVE)
    ((postings,),) = live_world.rows("SELECT count(*) FROM postings")
    assert postings == 0
