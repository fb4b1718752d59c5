"""A copy of a provider's news that nobody vouches for comes first: the real one is still read, and believed.

Only the jobs of news run here; the payments' own, which would ask by themselves, do not.

Seen failing when the signed one counts as a repeat of its copy, when the copy's words stay, when all addresses share
one place for news, and when a forged one is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest

from app import clock
from app.services.provider_access import accounts as provider_accounts
from app.worker.runner import run_job
from tests.faults.payments.deliveries import SECRETS, SUCCESS, Delivery, latest, signed, webhook
from tests.support.tenants import Shop, make_shop
from tests.support.world import World

PAYS_AFTER_S = 30
LOST = [{"fault": "callback_lost", "operation": "callback"}]


def _read_news(world: World) -> None:
    due = "SELECT id FROM jobs WHERE kind = 'provider_event.process' AND state = 'due' AND run_at <= :now"
    found = [row[0] for row in world.rows(f"{due} ORDER BY run_at", now=clock.now())]
    with world.app.app_context():
        for job_id in found:
            run_job(job_id)


def _news(world: World, attempt: Any) -> list[Any]:
    return world.rows(
        "SELECT * FROM provider_events WHERE reference = :ours OR provider_reference = :theirs ORDER BY id",
        ours=attempt.reference, theirs=attempt.provider_reference,
    )  # fmt: skip


def _begin_unpaid(world: World, provider: str) -> tuple[str, Any]:
    """The customer pays in a while, and the simulator's own news of it is lost."""
    world.sandbox.control({"autopay_s": PAYS_AFTER_S, "rules": LOST})
    payment_id = world.begin(provider)
    return payment_id, world.attempts(payment_id)[0]


def _customer_pays(world: World, payment_id: str) -> None:
    world.advance(PAYS_AFTER_S + 1)
    world.quiet()
    assert world.charged(payment_id) == [100]
    assert world.payment(payment_id)["status"] == "processing"


def _without_proof(delivery: Delivery, **change: bytes) -> Delivery:
    """As anybody can send it who has seen one delivery of Chapa's: its second header is the same for every body."""
    secret = SECRETS["chapa"].encode()
    constant = hmac.new(secret, secret, hashlib.sha256).hexdigest()
    return replace(
        delivery, headers={"Content-Type": "application/json", "Chapa-Signature": constant}, **change
    )


def test_the_signed_one_after_a_copy_that_was_read(world: World) -> None:
    """Breaks when the signed one is a mere repeat: the merchant waits for the next inquiry, or for ever."""
    payment_id, attempt = _begin_unpaid(world, "chapa")
    real = signed(world, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    assert _without_proof(real).send().status_code == 200
    for _ in range(6):
        _read_news(world)
        world.advance(4)
    ((copy),) = _news(world, attempt)
    assert (copy.state, copy.is_verified) == ("processed", False)
    _customer_pays(world, payment_id)
    assert real.send().status_code == 200
    _read_news(world)
    assert world.payment(payment_id)["status"] == "completed"
    ((event),) = _news(world, attempt)
    assert (event.state, event.is_verified, event.repeats) == ("processed", True, 1)
    world.assert_books_agree()


def test_the_signed_one_after_a_copy_that_waits(world: World) -> None:
    """Breaks when the copy's words stay in the place of the real ones."""
    payment_id, attempt = _begin_unpaid(world, "chapa")
    real = signed(world, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    assert _without_proof(real, body=real.body.replace(b"APinvented", b"APcopied")).send().status_code == 200
    assert real.send().status_code == 200
    (event,) = _news(world, attempt)
    assert (bytes(event.body), event.is_verified, event.provider_reference) == (real.body, True, "APinvented")
    _customer_pays(world, payment_id)
    _read_news(world)
    assert world.payment(payment_id)["status"] == "completed"
    world.assert_books_agree()


def test_a_copy_after_the_signed_one_changes_nothing(world: World) -> None:
    payment_id, attempt = _begin_unpaid(world, "chapa")
    real = signed(world, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    _customer_pays(world, payment_id)
    for delivery in (real, _without_proof(real, body=real.body.replace(b"APinvented", b"APcopied"))):
        assert delivery.send().status_code == 200
        _read_news(world)
    (event,) = _news(world, attempt)
    assert (bytes(event.body), event.is_verified) == (real.body, True)
    assert world.payment(payment_id)["status"] == "completed"
    world.assert_books_agree()


@pytest.mark.parametrize("provider", SECRETS)
def test_a_forged_one_takes_no_place(world: World, provider: str) -> None:
    """Breaks when what is refused is stored all the same."""
    payment_id, attempt = _begin_unpaid(world, provider)
    body = SUCCESS[provider](attempt, 100)
    assert signed(world, provider, body, secret="a-guess").send().status_code == 401
    assert _news(world, attempt) == []
    _customer_pays(world, payment_id)
    assert signed(world, provider, body, secret=SECRETS[provider]).send().status_code == 200
    _read_news(world)
    assert world.payment(payment_id)["status"] == "completed"
    world.assert_books_agree()


def test_a_copy_at_the_common_address(world: World) -> None:
    """M-Pesa signs nothing: what came to the payment's own secret address is vouched for, and a copy that came to the
    platform account's before it is not. Breaks when they share a place: the receipt would never be believed."""
    payment_id, attempt = _begin_unpaid(world, "mpesa")
    _customer_pays(world, payment_id)
    real = latest(world, "mpesa")
    assert real.url.endswith(attempt.callback_token)
    assert real.to(webhook(world, "mpesa")).send().status_code == 200
    _read_news(world)
    assert world.payment(payment_id)["status"] == "completed", "the provider was asked"
    assert world.attempts(payment_id)[0].receipt is None, "a copy's receipt is nobody's word"
    assert real.send().status_code == 200
    _read_news(world)
    (charge,) = world.book(payment_id)
    assert world.attempts(payment_id)[0].receipt == charge["id"]
    world.assert_books_agree()


# --- accounts


def _own_chapa(world: World, secret: str) -> tuple[Shop, str]:
    """A merchant with a Chapa account of its own, and the end of that account's webhook URL."""
    shop = make_shop(world.app)
    values = {"secret_key": "CHASECK_TEST-sandbox", "webhook_secret": secret}
    with world.app.app_context():
        token = provider_accounts.set_account(
            shop.tenant_id, "chapa", values, environment="sandbox", operator="test"
        )
    return shop, token


def test_anothers_news_of_the_same_name_takes_no_place(world: World) -> None:
    """One merchant signs, with its own secret and at its own address, news about another's order.

    Breaks when news are told apart by their ids alone, and when an account speaks about another's payments.
    """
    shop, token = _own_chapa(world, "hook-of-one")
    _, strangers = _own_chapa(world, "hook-of-another")
    usual_headers, world.headers = world.headers, shop.headers
    try:
        payment_id, attempt = _begin_unpaid(world, "chapa")
        body = SUCCESS["chapa"](attempt, 100)
        copies = [
            signed(world, "chapa", body, secret="hook-of-another", token=strangers),
            signed(world, "chapa", body, secret=SECRETS["chapa"]),  # the platform's own account
        ]
        _customer_pays(world, payment_id)
        for copy in copies:
            assert copy.send().status_code == 200
            _read_news(world)
            assert world.payment(payment_id)["status"] == "processing"
        assert signed(world, "chapa", body, secret="hook-of-one", token=token).send().status_code == 200
        _read_news(world)
        assert world.payment(payment_id)["status"] == "completed"
        assert [event.state for event in _news(world, attempt)] == ["ignored", "ignored", "processed"]
    finally:
        world.headers = usual_headers
