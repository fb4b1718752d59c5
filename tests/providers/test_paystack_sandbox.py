"""The Paystack adapter over HTTP against the simulator: charge, pay, ask, refund, pay out, and the webhooks of it all.

What holds of every provider (the same reference, lost answers, wrong keys) is in tests/providers/contract.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.money import Money
from app.providers.base import ChargeRequest, Kind, PayoutMethod, PayoutRequest, State
from app.providers.errors import Declined, NotSent, OutcomeUnknown, RequestRejected
from app.providers.paystack import Paystack
from tests.support.simulated import (
    Simulated,
    payout,
    payout_reference,
    refund_of,
    refund_reference,
    simulated,
)
from tests.support.waiting import wait_until

Scene = Simulated[Paystack]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("paystack")
    with simulated(folder, Paystack, secret_key="sk_test_sandbox_paystack") as scene:
        yield scene


@pytest.fixture(autouse=True)
def no_rules(scene: Scene) -> Iterator[None]:
    yield
    scene.sandbox.forget_rules()


def asked(scene: Scene, amount: str = "400.00", currency: str = "NGN") -> ChargeRequest:
    return scene.request(amount, currency, email="ada@example.com")


# --- payments


@pytest.mark.parametrize(
    ("amount", "currency", "book"), [("400.00", "NGN", "400.00"), ("500", "XOF", "500.00")]
)
def test_a_customer_pays(scene: Scene, amount: str, currency: str, book: str) -> None:
    request = asked(scene, amount, currency)
    assert scene.provider.inquire(scene.handle(request)).state is State.NOT_FOUND
    told = scene.provider.charge(request)
    assert (told.state, (told.payment_url or "").startswith(scene.sandbox.url)) == (State.PENDING, True)
    paid = scene.until(request, State.SUCCEEDED)
    assert paid.amount == request.amount == Money.parse(book, currency)
    assert scene.booked(request.reference) == [("charge", book)]
    event = scene.event("charge.success", request.reference)
    assert (event.kind, event.is_verified, event.provider_reference) == (Kind.PAYMENT, True, paid.receipt)
    assert event.claim is not None
    assert event.claim.amount == request.amount


def test_fees_the_customer_bears_are_not_counted(scene: Scene) -> None:
    request = asked(scene, "7120")
    scene.provider.charge(request)
    borne = scene.until(request, State.SUCCEEDED)
    assert borne.amount == request.amount
    assert borne.response["amount"] > borne.response["requested_amount"]


def test_payments_that_fail_are_left_or_wait(scene: Scene) -> None:
    failing, left, waiting = (asked(scene, amount) for amount in ("7101", "7102", "7103"))
    for request in (failing, left, waiting):
        scene.provider.charge(request)
    failed = scene.until(failing, State.FAILED)
    assert (failed.code, failed.message) == ("failed", "Insufficient Funds")
    for request in (left, waiting):
        result = scene.provider.inquire(scene.handle(request))
        assert (result.state, result.response["status"]) == (State.PENDING, "abandoned")


# --- refunds


def test_refunds_in_parts(scene: Scene) -> None:
    request = asked(scene)
    charge = scene.paid(request)
    for number, amount in enumerate(("150.00", "250.00")):
        refund = refund_of(charge, amount, number)
        result = scene.provider.refund(refund)
        assert (result.state, result.amount) == (State.PENDING, refund.amount)
        done = scene.refund_until(refund_reference(refund, result.provider_reference), State.SUCCEEDED)
        assert done.amount == refund.amount
        assert scene.booked(refund.reference) == [("refund", amount)]
    with pytest.raises((RequestRejected, Declined)):
        scene.provider.refund(refund_of(charge, "0.01", 9))
    wait_until(lambda: len(scene.events("refund.processed", request.reference)) == 2, "two webhooks come")
    events = scene.events("refund.processed", request.reference)
    assert len({event.event_id for event in events}) == 2
    assert {event.claim.amount for event in events if event.claim} == {
        Money(15000, "NGN"),
        Money(25000, "NGN"),
    }
    assert scene.provider.inquire(scene.handle(request)).state is State.REVERSED


@pytest.mark.parametrize(
    ("amount", "state", "word"),
    [("7123", State.FAILED, "failed"), ("7124", State.PENDING, "needs-attention")],
)
def test_refunds_that_do_not_go_through(scene: Scene, amount: str, state: State, word: str) -> None:
    refund = refund_of(scene.paid(asked(scene, amount)), "100.00")
    handle = refund_reference(refund, scene.provider.refund(refund).provider_reference)
    event = scene.event(f"refund.{word}", refund.charge.reference)
    assert event.claim is not None
    assert (event.claim.state, event.claim.amount) == (state, refund.amount)
    result = scene.refund_until(handle, state)
    assert (result.code, result.message is not None) == (word, True)


def test_a_refund_whose_answer_was_lost_is_found_by_its_note(scene: Scene) -> None:
    charge = scene.paid(asked(scene))
    scene.rule("refund", "drop", times=1)
    refund = refund_of(charge, "100.00")
    with pytest.raises(OutcomeUnknown):
        scene.provider.refund(refund)
    done = scene.refund_until(refund_reference(refund, None), State.SUCCEEDED)
    assert (done.amount, done.provider_reference is not None) == (refund.amount, True)
    with pytest.raises(OutcomeUnknown):
        scene.provider.inquire_refund(refund_reference(refund_of(charge, "100.00", 5), None))


# --- payouts


def to_phone(amount: str = "2000.00") -> PayoutRequest:
    return payout(PayoutMethod.MPESA, amount, "KES", phone_number="254712345678")


def test_a_payout(scene: Scene) -> None:
    request = to_phone()
    sent = scene.provider.pay_out(request)
    assert (sent.state, str(sent.provider_reference).startswith("TRF_")) == (State.PENDING, True)
    done = scene.payout_until(request, State.SUCCEEDED)
    assert (done.amount, done.provider_reference) == (request.amount, sent.provider_reference)
    event = scene.event("transfer.success", request.reference)
    assert (event.kind, event.provider_reference) == (Kind.PAYOUT, sent.provider_reference)
    assert scene.booked(request.reference) == [("payout", "2000.00")]


def test_payouts_to_a_till_and_to_a_bank(scene: Scene) -> None:
    till = payout(PayoutMethod.TILL, "500", "KES", till_number="247247")
    account = {"account_number": "0001234567", "bank_code": "058", "account_name": "Ada Obi"}
    for request in (till, payout(PayoutMethod.BANK, "500", "NGN", **account)):
        assert scene.provider.pay_out(request).state is State.PENDING
        scene.payout_until(request, State.SUCCEEDED)


def test_payouts_that_wait_for_a_password_and_that_are_done_at_once(scene: Scene) -> None:
    waiting = scene.provider.pay_out(to_phone("7121"))
    assert (waiting.state, waiting.code) == (State.PENDING, "otp")
    assert waiting.message is not None
    assert scene.provider.pay_out(to_phone("7122")).state is State.SUCCEEDED


def test_a_payout_the_balance_does_not_cover(scene: Scene) -> None:
    with pytest.raises(Declined):
        scene.provider.pay_out(to_phone("7101"))


def test_without_a_recipient_no_transfer_was_sent(scene: Scene) -> None:
    scene.rule("recipient", "drop", times=1)
    request = to_phone()
    with pytest.raises(NotSent):
        scene.provider.pay_out(request)
    assert scene.provider.inquire_payout(payout_reference(request)).state is State.NOT_FOUND
    assert scene.provider.pay_out(request).state is State.PENDING
