"""Callbacks as strangers, networks and time deliver them: forged, elsewhere, unknown, fifty at once, in a flood."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from app.services.payments import follow_up as payment_follow_up
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import reading
from app.worker.runner import run_job
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
    webhook,
)
from tests.faults.payments.expectations import PAID, rules
from tests.faults.payments.truth import assert_paid_once, entries, outcome
from tests.support.tenants import make_shop
from tests.support.together import together
from tests.support.world import HTTP_PROVIDERS, World

AMOUNT = 100


def kept(world: World) -> int:
    return int(world.rows("SELECT count(*) FROM provider_events")[0][0])


def paid_unheard(world: World, provider: str) -> tuple[str, Delivery]:
    """A payment that was paid, and the callback about it, which was lost on the way."""
    world.sandbox.control({"rules": rules("callback lost", provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.quiet()
    assert outcome(world, payment_id).status == "processing"
    assert len(world.charged(payment_id)) == 1
    return payment_id, latest(world, provider)


def forgeries(world: World, provider: str, attempt: Any) -> dict[str, Delivery]:
    real = signed(world, provider, SUCCESS[provider](attempt, AMOUNT), secret=SECRETS[provider])
    (name, value), *_ = [(n, v) for n, v in real.headers.items() if "signature" in n.lower()]

    def with_signature(text: str) -> Delivery:
        return replace(real, headers={**real.headers, name: text})

    return {
        "no signature": real.without(name.lower()),
        "empty": with_signature(""),
        "another secret": signed(world, provider, SUCCESS[provider](attempt, AMOUNT), secret="guess"),
        "no secret": replace(real, headers={**real.headers, **signature(provider, real.body, "")}),
        "of another body": replace(real, body=real.body + b" "),
        "cut short": with_signature(value[:-1]),
        "not ASCII": with_signature("é" * 64),
    }


@pytest.mark.parametrize("provider", SIGNED)
def test_what_is_not_signed_is_refused_and_not_kept(world: World, provider: str) -> None:
    payment_id, real = paid_unheard(world, provider)
    (attempt,) = world.attempts(payment_id)
    before = kept(world)
    for name, forged in forgeries(world, provider, attempt).items():
        if provider == "chapa" and name == "no signature":
            continue  # Chapa's own hint has none either: it is kept, and only a reason to ask
        assert forged.send().status_code in (400, 401), name
    assert kept(world) == before
    assert world.run_due() == 0
    assert outcome(world, payment_id).status == "processing"
    assert real.send().status_code == 200, "the true one is taken"
    world.settle(payment_id, hours=1)
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


def test_an_old_signature_is_a_recording(world: World) -> None:
    payment_id, real = paid_unheard(world, "stripe")
    world.advance(301)
    before = kept(world)
    assert real.send().status_code == 401
    assert kept(world) == before
    world.settle(payment_id, hours=1)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_an_invented_success_is_not_believed(world: World, provider: str) -> None:
    """Even when it is signed: what counts is the provider's answer to our own question."""
    world.sandbox.control({"autopay_s": "off"})
    payment_id = world.begin(provider, AMOUNT)
    (attempt,) = world.attempts(payment_id)
    if provider == "mpesa":
        # To the secret address itself, as if somebody at the provider lied.
        body = push_result(attempt.provider_reference, AMOUNT)
        invented = posted(world, "mpesa", body, attempt.callback_token)
    elif provider == "pesapal":
        invented = ipn(world, attempt.provider_reference, attempt.reference)
    else:
        invented = signed(world, provider, SUCCESS[provider](attempt, AMOUNT), secret=SECRETS[provider])
    assert invented.send().status_code == 200
    world.settle(payment_id, hours=0.02)
    assert outcome(world, payment_id).status == "processing"
    assert entries(world, payment_id) == []
    world.assert_books_agree()


@pytest.mark.parametrize("provider", SIGNED)
def test_another_tenants_signature_says_nothing_about_ours(world: World, provider: str) -> None:
    """A tenant with an account of its own signs, at its own address, news about somebody else's payment."""
    names = {"stripe": "api_key", "chapa": "secret_key", "paystack": "secret_key"}
    values = {names[provider]: "sk_test_theirs"}
    if provider != "paystack":
        values["webhook_secret"] = "theirs"
    shop = make_shop(world.app)
    with world.app.app_context():
        token = provider_accounts.set_account(
            shop.tenant_id, provider, values, environment="sandbox", operator="test"
        )
    payment_id, _ = paid_unheard(world, provider)
    (attempt,) = world.attempts(payment_id)
    secret = "sk_test_theirs" if provider == "paystack" else "theirs"
    body = SUCCESS[provider](attempt, AMOUNT)
    assert signed(world, provider, body, secret=secret, token=token).send().status_code == 200
    assert signed(world, provider, body, secret=secret).send().status_code == 401, (
        "not at the platform account's address"
    )
    assert signed(world, provider, body, secret=SECRETS[provider], token=token).send().status_code == 401
    world.run_due()
    assert outcome(world, payment_id).status == "processing"
    assert world.rows("SELECT state FROM provider_events ORDER BY id DESC LIMIT 1")[0].state == "ignored"
    world.settle(payment_id, hours=1)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_news_of_an_unknown_reference_is_acknowledged_and_ignored(world: World, provider: str) -> None:
    payment_id = world.begin(provider, AMOUNT)
    (known,) = world.attempts(payment_id)
    world.settle(payment_id)

    class Unknown:
        reference, provider_reference = f"pay-{uuid.uuid4().hex}", f"unknown-{uuid.uuid4().hex}"

    if provider == "mpesa":
        news = posted(world, "mpesa", push_result("ws_CO_unknown", AMOUNT))
    elif provider == "pesapal":
        news = ipn(world, str(uuid.uuid4()), Unknown.reference)
    else:
        news = signed(world, provider, SUCCESS[provider](Unknown, AMOUNT), secret=SECRETS[provider])
    assert news.send().status_code == 200
    world.run_due()
    last = world.rows("SELECT state, payment_id FROM provider_events ORDER BY id DESC LIMIT 1")[0]
    assert (last.state, last.payment_id) == ("ignored", None)
    assert world.attempts(payment_id)[0].updated_at >= known.updated_at
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_fifty_repeats_at_once_are_one_payment(world: World, provider: str) -> None:
    payment_id, real = paid_unheard(world, provider)
    before = kept(world)
    answers = together(50, lambda _: real.send())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert kept(world) == before + 1, "one row, however often it came"
    world.settle(payment_id, hours=1)
    assert outcome(world, payment_id) == PAID
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_callback_inquiry_and_merchant_at_the_same_moment(world: World, provider: str) -> None:
    """The job, a reconciliation, `verify` and the callback's processing bring the same success together."""
    payment_id, real = paid_unheard(world, provider)
    assert real.send().status_code == 200
    (attempt,) = world.attempts(payment_id)
    jobs = [row.id for row in world.rows("SELECT id FROM jobs WHERE state = 'due' ORDER BY run_at")]

    def act(number: int) -> None:
        if number % 3 == 0:
            world.post(f"/payments/{payment_id}/verify")
            return
        with world.app.app_context():
            if number % 3 == 1:
                payment_follow_up.poll(attempt.id)
            else:
                for job_id in jobs:
                    run_job(job_id)

    together(12, act)
    world.settle(payment_id, hours=1)
    assert outcome(world, payment_id) == PAID
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


def test_a_flood_of_unknown_orders_is_not_asked_about(world: World) -> None:
    """Pesapal's notifications are unsigned: a stranger's flood must not become a flood of ours at Pesapal."""
    payment_id, real = paid_unheard(world, "pesapal")
    counting = {"fault": "delay", "seconds": 0, "provider": "pesapal", "operation": "status", "times": 1000}
    world.sandbox.control({"rules": [counting]})
    answers = together(40, lambda n: [ipn(world, str(uuid.uuid4()), f"pay-{n}-{m}").send() for m in range(5)])
    assert {answer.status_code for found in answers for answer in found} == {200}
    world.run_due()
    assert world.sandbox.control()["rules"][0]["times"] == 1000, "no question was asked"
    assert outcome(world, payment_id).status == "processing"
    assert real.send().status_code == 200
    world.run_due()
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


# --- news of one payment at the address of another


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["known id", "lost answer"])
def test_a_push_result_at_another_pushs_address(world: World, is_answer_lost: bool) -> None:
    first, news = paid_unheard(world, "mpesa")
    lost = rules("5xx before, once", "mpesa") if is_answer_lost else []
    world.sandbox.control({"rules": lost, "autopay_s": "off"})
    other = world.begin("mpesa", AMOUNT)
    (attempt,) = world.attempts(other)
    world.settle(first)
    assert news.to(webhook(world, "mpesa", attempt.callback_token)).send().status_code == 200
    world.settle(other, hours=0.01)
    assert entries(world, other) == [], "one collection pays for one payment"
    assert outcome(world, other).status == "processing"
    assert_paid_once(world, first)
    world.assert_books_agree()


def test_a_hint_at_another_payments_address(world: World) -> None:
    first, _ = paid_unheard(world, "chapa")
    world.sandbox.control({"rules": [], "autopay_s": "off"})
    other = world.begin("chapa", AMOUNT)
    (paid,), (waiting,) = world.attempts(first), world.attempts(other)
    assert hint(world, paid.reference, token=waiting.callback_token).send().status_code == 200
    world.run_due()
    assert outcome(world, other).status == "processing"
    assert entries(world, other) == []
    world.settle(first, hours=1)
    assert_paid_once(world, first)
    world.assert_books_agree()


def test_a_guessed_address_is_nobodys(world: World) -> None:
    payment_id, news = paid_unheard(world, "mpesa")
    before = kept(world)
    assert news.to(webhook(world, "mpesa", "A" * 32)).send().status_code == 404
    assert kept(world) == before
    world.settle(payment_id, hours=1)
    world.assert_books_agree()


def test_a_failure_after_a_success_changes_nothing(world: World) -> None:
    """An older attempt's failure that arrives last, at the payment's own secret address."""
    payment_id, news = paid_unheard(world, "mpesa")
    assert news.send().status_code == 200
    world.settle(payment_id, hours=1)
    (attempt,) = world.attempts(payment_id)
    failure = push_result(attempt.provider_reference, AMOUNT, code=1032)
    assert posted(world, "mpesa", failure, attempt.callback_token).send().status_code == 200
    world.run_due()
    assert_paid_once(world, payment_id)
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


def test_the_callback_is_stored_before_it_is_acknowledged(world: World) -> None:
    """The bytes that came are kept, to be read again by a person."""
    payment_id, real = paid_unheard(world, "paystack")
    assert real.send().status_code == 200
    with world.app.app_context(), reading():
        (row,) = world.rows("SELECT body, state FROM provider_events ORDER BY id DESC LIMIT 1")
    assert bytes(row.body) == real.body
    world.settle(payment_id, hours=1)
    world.assert_books_agree()
