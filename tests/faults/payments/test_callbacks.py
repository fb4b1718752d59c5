"""Unusual callbacks: forged, at another URL, with unknown references, twenty at once, in a flood."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import Row

from app.services.provider_access import accounts as provider_accounts
from tests.faults.payments.deliveries import (
    SECRETS,
    SIGNED,
    SUCCESS,
    Delivery,
    hint,
    ipn,
    latest,
    posted,
    push_result,
    signature,
    signed,
    token_of,
    webhook,
)
from tests.faults.payments.expectations import PAID, rules
from tests.faults.payments.facts import assert_paid_once, entries, outcome
from tests.support.concurrency import concurrently
from tests.support.gateway import HTTP_PROVIDERS, ONE_OF_A_KIND, OPERATOR, Gateway
from tests.support.tenants import make_merchant

AMOUNT = 100
REPEATS = 20


def kept(gateway: Gateway) -> int:
    return int(gateway.rows("SELECT count(*) FROM provider_events")[0][0])


def stored(gateway: Gateway, delivery: Delivery) -> Row[Any]:
    """The one event that this delivery is stored as. Not the latest: other tests move the clock that its id is made of."""
    query = json.dumps(dict(parse_qsl(urlsplit(delivery.url).query)))
    (found,) = gateway.rows(
        "SELECT * FROM provider_events WHERE body = :body AND query = CAST(:query AS jsonb)",
        body=delivery.body,
        query=query,
    )
    row: Row[Any] = found
    return row


def paid_unheard(gateway: Gateway, provider: str) -> tuple[str, Delivery]:
    """A payment that was paid, and the callback about it, which was lost on the way."""
    gateway.sandbox.control({"rules": rules("callback lost", provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.quiet()
    assert outcome(gateway, payment_id).status == "processing"
    assert len(gateway.charged(payment_id)) == 1
    return payment_id, latest(gateway, provider)


def forgeries(gateway: Gateway, provider: str, attempt: Any) -> dict[str, Delivery]:
    real = signed(gateway, provider, SUCCESS[provider](attempt, AMOUNT), secret=SECRETS[provider])
    (name, value), *_ = [(n, v) for n, v in real.headers.items() if "signature" in n.lower()]

    def with_signature(text: str) -> Delivery:
        return replace(real, headers={**real.headers, name: text})

    return {
        "no signature": real.without(name.lower()),
        "empty": with_signature(""),
        "another secret": signed(gateway, provider, SUCCESS[provider](attempt, AMOUNT), secret="guess"),
        "no secret": replace(real, headers={**real.headers, **signature(provider, real.body, "")}),
        "of another body": replace(real, body=real.body + b" "),
        "cut short": with_signature(value[:-1]),
        "not ASCII": with_signature("é" * 64),
    }


@pytest.mark.parametrize("provider", SIGNED)
def test_unsigned_callback_is_refused_and_not_stored(gateway: Gateway, provider: str) -> None:
    payment_id, real = paid_unheard(gateway, provider)
    (attempt,) = gateway.attempts(payment_id)
    before = kept(gateway)
    for name, forged in forgeries(gateway, provider, attempt).items():
        if provider == "chapa" and name == "no signature":
            continue  # Chapa's own hint has none either: it is kept, and only a reason to ask
        assert forged.send().status_code in (400, 401), name
    assert kept(gateway) == before
    gateway.run_due()
    assert outcome(gateway, payment_id).status == "processing"
    assert real.send().status_code == 200, "the true one is taken"
    gateway.settle(payment_id, hours=1)
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


def test_old_signature_is_refused(gateway: Gateway) -> None:
    payment_id, real = paid_unheard(gateway, "stripe")
    gateway.advance(301)
    before = kept(gateway)
    assert real.send().status_code == 401
    assert kept(gateway) == before
    gateway.settle(payment_id, hours=1)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_forged_success_is_ignored(gateway: Gateway, provider: str) -> None:
    """Even when it is signed: what counts is the provider's answer to our own question."""
    gateway.sandbox.control({"autopay_s": "off"})
    payment_id = gateway.begin(provider, AMOUNT)
    (attempt,) = gateway.attempts(payment_id)
    if provider == "mpesa":
        # At the secret URL itself, as if the provider sent a false callback.
        body = push_result(attempt.provider_reference, AMOUNT)
        invented = posted(gateway, "mpesa", body, token_of(gateway, attempt))
    elif provider == "pesapal":
        invented = ipn(gateway, attempt.provider_reference, attempt.reference)
    else:
        invented = signed(gateway, provider, SUCCESS[provider](attempt, AMOUNT), secret=SECRETS[provider])
    assert invented.send().status_code == 200
    gateway.settle(payment_id, hours=0.02)
    assert outcome(gateway, payment_id).status == "processing"
    assert entries(gateway, payment_id) == []
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", SIGNED)
def test_another_tenants_signature_is_not_accepted(gateway: Gateway, provider: str) -> None:
    """A tenant with its own account signs, at its own URL, a callback about another tenant's payment."""
    names = {"stripe": "api_key", "chapa": "secret_key", "paystack": "secret_key"}
    values = {names[provider]: "sk_test_theirs"}
    if provider != "paystack":
        values["webhook_secret"] = "theirs"
    merchant = make_merchant(gateway.app)
    with gateway.app.app_context():
        token = provider_accounts.set_account(
            merchant.tenant_id, provider, values, environment="sandbox", operator=OPERATOR
        )
    payment_id, _ = paid_unheard(gateway, provider)
    (attempt,) = gateway.attempts(payment_id)
    secret = "sk_test_theirs" if provider == "paystack" else "theirs"
    body = SUCCESS[provider](attempt, AMOUNT)
    delivery = signed(gateway, provider, body, secret=secret, token=token)
    assert delivery.send().status_code == 200
    assert signed(gateway, provider, body, secret=secret).send().status_code == 401, (
        "not at the platform account's address"
    )
    assert signed(gateway, provider, body, secret=SECRETS[provider], token=token).send().status_code == 401
    gateway.run_due()
    assert outcome(gateway, payment_id).status == "processing"
    assert stored(gateway, delivery).state == "ignored"
    gateway.settle(payment_id, hours=1)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_callback_with_unknown_reference_is_acknowledged_and_ignored(gateway: Gateway, provider: str) -> None:
    payment_id = gateway.begin(provider, AMOUNT)
    (known,) = gateway.attempts(payment_id)
    gateway.settle(payment_id)

    class Unknown:
        reference, provider_reference = f"pay-{uuid.uuid4().hex}", f"unknown-{uuid.uuid4().hex}"

    if provider == "mpesa":
        callback = posted(gateway, "mpesa", push_result("ws_CO_unknown", AMOUNT))
    elif provider == "pesapal":
        callback = ipn(gateway, str(uuid.uuid4()), Unknown.reference)
    else:
        callback = signed(gateway, provider, SUCCESS[provider](Unknown, AMOUNT), secret=SECRETS[provider])
    assert callback.send().status_code == 200
    gateway.run_due()
    event = stored(gateway, callback)
    assert (event.state, event.payment_id) == ("ignored", None)
    assert gateway.attempts(payment_id)[0].updated_at >= known.updated_at
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_simultaneous_repeats_are_applied_once(gateway: Gateway, provider: str) -> None:
    payment_id, real = paid_unheard(gateway, provider)
    before = kept(gateway)
    answers = concurrently(REPEATS, lambda _: real.send())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert kept(gateway) == before + 1, "one row, however often it came"
    assert stored(gateway, real).repeats == REPEATS - 1
    gateway.settle(payment_id, hours=1)
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


def test_unknown_orders_cause_no_inquiries(gateway: Gateway) -> None:
    """Pesapal's notifications are unsigned: a flood of them must not become a flood of inquiries at Pesapal."""
    payment_id, real = paid_unheard(gateway, "pesapal")
    counting = {"fault": "delay", "seconds": 0, "provider": "pesapal", "operation": "status", "times": 1000}
    gateway.sandbox.control({"rules": [counting]})
    answers = concurrently(
        12, lambda n: [ipn(gateway, str(uuid.uuid4()), f"pay-{n}-{m}").send() for m in range(3)]
    )
    assert {answer.status_code for found in answers for answer in found} == {200}
    gateway.run_due()
    assert gateway.sandbox.control()["rules"][0]["times"] == 1000, "no question was asked"
    assert outcome(gateway, payment_id).status == "processing"
    assert real.send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()


# --- callbacks about one payment at the URL of another


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["known id", "lost answer"])
def test_push_result_at_another_pushs_url_is_ignored(gateway: Gateway, is_answer_lost: bool) -> None:
    first, callback = paid_unheard(gateway, "mpesa")
    lost = rules("5xx before, once", "mpesa") if is_answer_lost else []
    gateway.sandbox.control({"rules": lost, "autopay_s": "off"})
    other = gateway.begin("mpesa", AMOUNT)
    (attempt,) = gateway.attempts(other)
    gateway.settle(first)
    assert callback.to(webhook(gateway, "mpesa", token_of(gateway, attempt))).send().status_code == 200
    gateway.settle(other, hours=0.01)
    assert entries(gateway, other) == [], "one collection pays for one payment"
    assert outcome(gateway, other).status == "processing"
    assert_paid_once(gateway, first)
    gateway.assert_ledger_matches_providers()


def test_hint_at_another_payments_url_is_ignored(gateway: Gateway) -> None:
    first, _ = paid_unheard(gateway, "chapa")
    gateway.sandbox.control({"rules": [], "autopay_s": "off"})
    other = gateway.begin("chapa", AMOUNT)
    (paid,), (waiting,) = gateway.attempts(first), gateway.attempts(other)
    assert hint(gateway, paid.reference, token=token_of(gateway, waiting)).send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, other).status == "processing"
    assert entries(gateway, other) == []
    gateway.settle(first, hours=1)
    assert_paid_once(gateway, first)
    gateway.assert_ledger_matches_providers()


def test_guessed_callback_url_matches_no_payment(gateway: Gateway) -> None:
    payment_id, callback = paid_unheard(gateway, "mpesa")
    before = kept(gateway)
    assert callback.to(webhook(gateway, "mpesa", "A" * 32)).send().status_code == 404
    assert kept(gateway) == before
    gateway.settle(payment_id, hours=1)
    gateway.assert_ledger_matches_providers()


def test_failure_after_a_success_is_ignored(gateway: Gateway) -> None:
    """An older attempt's failure that arrives last, at the payment's own secret address."""
    payment_id, callback = paid_unheard(gateway, "mpesa")
    assert callback.send().status_code == 200
    gateway.settle(payment_id, hours=1)
    (attempt,) = gateway.attempts(payment_id)
    failure = push_result(attempt.provider_reference, AMOUNT, code=1032)
    assert posted(gateway, "mpesa", failure, token_of(gateway, attempt)).send().status_code == 200
    gateway.run_due()
    assert_paid_once(gateway, payment_id)
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()


def test_the_callback_is_stored_before_it_is_acknowledged(gateway: Gateway) -> None:
    """The received bytes are stored, so that an operator can read them."""
    payment_id, real = paid_unheard(gateway, "paystack")
    assert real.send().status_code == 200
    (attempt,) = gateway.attempts(payment_id)
    stored = "SELECT body, state FROM provider_events WHERE reference = :reference"
    (row,) = gateway.rows(stored, reference=attempt.reference)
    assert bytes(row.body) == real.body
    gateway.settle(payment_id, hours=1)
    gateway.assert_ledger_matches_providers()
