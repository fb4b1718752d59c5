"""Stripe over real HTTP, against the simulator: from the charge to the refund, and every way an answer is lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from app import clock
from app.money import Money
from app.providers.base import (
    Callback,
    CallbackEvent,
    ChargeReference,
    ChargeRequest,
    Customer,
    Kind,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    ForgedCallback,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from app.providers.stripe import StripeProvider
from tests.support.providers import make_provider
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.stripe_objects import KEYS
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def receiver() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
def sandbox(receiver: CallbackReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(
        tmp_path_factory.mktemp("sandbox"), autopay_s=0.1, webhook_base=receiver.url
    ) as running:
        yield running


@pytest.fixture
def hosted(sandbox: RunningSandbox) -> StripeProvider:
    return make_provider(StripeProvider, f"{sandbox.url}/stripe", **KEYS)


@pytest.fixture
def direct(sandbox: RunningSandbox) -> StripeProvider:
    return make_provider(StripeProvider, f"{sandbox.url}/stripe", flow="intent", **KEYS)


def asked(amount: Money, *, card: str | None = None) -> ChargeRequest:
    return ChargeRequest(
        str(uuid.uuid4()),
        "AB12CD34EF56",
        amount,
        Customer(email="ann@example.com"),
        "http://127.0.0.1/c",
        "http://127.0.0.1:9/done",
        "Two chairs",
        {"payment_method": card} if card else {},
    )


def kept_reference(request: ChargeRequest, reported: ProviderResult | None = None) -> ChargeReference:
    return ChargeReference(
        request.reference,
        request.short_reference,
        request.amount,
        clock.now(),
        reported.provider_reference if reported else None,
        reported.receipt if reported else None,
    )


def book_entries(sandbox: RunningSandbox, reference: str) -> list[tuple[str, str, str]]:
    entries = sandbox.book("stripe", reference)["entries"]
    return [(entry["kind"], entry["amount"], entry["currency"]) for entry in entries]


def paid(provider: StripeProvider, request: ChargeRequest, reported: ProviderResult | None) -> ProviderResult:
    def look() -> ProviderResult | None:
        result = provider.inquire(kept_reference(request, reported))
        return result if result.state is State.SUCCEEDED else None

    return wait_until(look, "the customer has paid")


def events(provider: StripeProvider, receiver: CallbackReceiver, reference: str) -> list[CallbackEvent]:
    read = [
        provider.read_callback(Callback(one.method, one.headers, {}, one.body))
        for one in receiver.of("/stripe")
    ]
    return [event for event in read if event.reference == reference]


def test_a_hosted_payment_from_page_to_refunds(
    hosted: StripeProvider, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    request = asked(Money(255_000, "KES"))
    opened = hosted.charge(request)
    assert opened.state is State.PENDING and opened.payment_url and opened.payment_url.startswith(sandbox.url)
    assert hosted.charge(request).provider_reference == opened.provider_reference, (
        "the same key, the same session"
    )
    result = paid(hosted, request, opened)
    assert result.amount == request.amount and result.receipt and result.receipt.startswith("pi_")
    assert book_entries(sandbox, request.reference) == [("charge", "2550.00", "KES")]

    charge = kept_reference(request, result)
    first = RefundRequest(
        str(uuid.uuid4()), Money(100_000, "KES"), charge, "requested_by_customer", "http://x"
    )
    reported = hosted.refund(first)
    assert (reported.state, reported.amount) == (State.SUCCEEDED, first.amount)
    assert hosted.refund(first).provider_reference == reported.provider_reference
    for known in (reported.provider_reference, None):
        charge_reference = RefundReference(first.reference, first.amount, charge, clock.now(), known)
        assert hosted.inquire_refund(charge_reference).state is State.SUCCEEDED
    with pytest.raises(RequestRejected):
        hosted.refund(replace(first, reference=str(uuid.uuid4()), amount=Money(200_000, "KES")))
    rest = replace(first, reference=str(uuid.uuid4()), amount=Money(155_000, "KES"), refunded_before=100_000)
    assert hosted.refund(rest).state is State.SUCCEEDED
    assert (
        hosted.inquire_refund(RefundReference("never", rest.amount, charge, clock.now())).state
        is State.NOT_FOUND
    )

    def told_of_all() -> bool:
        kinds = {event.event_type for event in events(hosted, receiver, request.reference)}
        return {"checkout.session.completed", "payment_intent.succeeded", "charge.refunded"} <= kinds

    wait_until(told_of_all, "all webhooks have come")
    (completed,) = [
        event
        for event in events(hosted, receiver, request.reference)
        if event.event_type == "checkout.session.completed"
    ]
    assert (completed.kind, completed.provider_reference) == (Kind.PAYMENT, opened.provider_reference)
    assert completed.reported is not None and completed.reported.state is State.SUCCEEDED
    wait_until(
        lambda: any(e.kind is Kind.REFUND for e in events(hosted, receiver, first.reference)),
        "the refund's webhook",
    )


def test_webhooks_are_only_believed_with_the_right_secret(
    hosted: StripeProvider, receiver: CallbackReceiver, sandbox: RunningSandbox
) -> None:
    hosted.charge(asked(Money(2000, "USD")))
    (one, *_) = receiver.wait_for(1, path="/stripe")
    other_account = make_provider(StripeProvider, sandbox.url, api_key="k", webhook_secret="whsec_other")
    with pytest.raises(ForgedCallback):
        other_account.read_callback(Callback(one.method, one.headers, {}, one.body))


@pytest.mark.parametrize(
    ("amount", "book"),
    [
        (Money(500, "JPY"), "500"),
        (Money(5000, "UGX"), "5000"),
        (Money(12_340, "KWD"), "12.34"),
        (Money(50, "EUR"), "0.50"),
        (Money(1000, "XOF"), "1000"),
    ],
)
def test_amounts_arrive_as_they_were_meant(
    direct: StripeProvider, sandbox: RunningSandbox, amount: Money, book: str
) -> None:
    request = asked(amount, card="pm_card_visa")
    result = direct.charge(request)
    assert (result.state, result.amount) == (State.SUCCEEDED, amount)
    (entry,) = book_entries(sandbox, request.reference)
    assert (Decimal(entry[1]), entry[2]) == (Decimal(book), amount.currency)


def test_an_intent_waits_for_the_merchants_page(direct: StripeProvider) -> None:
    request = asked(Money(2000, "USD"))
    opened = direct.charge(request)
    assert opened.state is State.PENDING
    assert str(opened.response["client_secret"]).startswith(f"{opened.provider_reference}_secret_")
    assert direct.cancel(kept_reference(request, opened)).state is State.CANCELLED
    assert direct.inquire(kept_reference(request, opened)).state is State.CANCELLED


def test_a_declined_card(direct: StripeProvider, sandbox: RunningSandbox) -> None:
    request = asked(Money(2000, "USD"), card="pm_card_visa_chargeDeclinedInsufficientFunds")
    with pytest.raises(Declined) as caught:
        direct.charge(request)
    assert caught.value.code == "insufficient_funds"
    assert direct.inquire(kept_reference(request)).state is State.FAILED
    assert book_entries(sandbox, request.reference) == []


def test_a_card_that_asks_for_more_is_pending(direct: StripeProvider) -> None:
    request = asked(Money(2000, "USD"), card="pm_card_authenticationRequired")
    result = direct.charge(request)
    assert result.state is State.PENDING and result.response["status"] == "requires_action"


def test_refusals(direct: StripeProvider, sandbox: RunningSandbox) -> None:
    with pytest.raises(RequestRejected) as caught:
        direct.charge(asked(Money(1, "USD"), card="pm_card_visa"))
    assert caught.value.code == "amount_too_small"
    request = asked(Money(2000, "USD"), card="pm_card_visa")
    direct.charge(request)
    with pytest.raises(DuplicateReference):
        direct.charge(replace(request, amount=Money(2001, "USD")))
    wrong = make_provider(StripeProvider, f"{sandbox.url}/stripe", **{**KEYS, "api_key": "sk_test_wrong"})
    with pytest.raises(AuthFailed):
        wrong.charge(request)
    with pytest.raises(RateLimited):
        direct.charge(asked(Money(701_000, "USD"), card="pm_card_visa"))


@pytest.mark.parametrize(("major", "is_done"), [(7001, True), (7002, True), (7003, False)])
def test_a_lost_answer_is_learnt_and_never_charged_twice(
    direct: StripeProvider, sandbox: RunningSandbox, major: int, is_done: bool
) -> None:
    request = asked(Money(major * 100, "USD"), card="pm_card_visa")
    with pytest.raises(OutcomeUnknown):
        direct.charge(request)
    found = direct.inquire(kept_reference(request))
    assert found.state is (State.SUCCEEDED if is_done else State.NOT_FOUND)
    if is_done:
        assert found.amount == request.amount and found.receipt
    else:
        sandbox.control(
            {"rules": [{"provider": "stripe", "operation": "payment_intent", "fault": "delay", "seconds": 0}]}
        )
        assert direct.charge(request).state is State.SUCCEEDED
        sandbox.forget_rules()
    assert book_entries(sandbox, request.reference) == [("charge", f"{major}.00", "USD")]


def test_a_lost_session_is_found_with_its_page(hosted: StripeProvider, sandbox: RunningSandbox) -> None:
    request = asked(Money(700_100, "USD"))
    with pytest.raises(OutcomeUnknown):
        hosted.charge(request)
    found = hosted.inquire(kept_reference(request))
    assert found.provider_reference and found.provider_reference.startswith("cs_")
    assert paid(hosted, request, found).amount == request.amount
    assert book_entries(sandbox, request.reference) == [("charge", "7001.00", "USD")]


def test_a_lost_refund_is_found(direct: StripeProvider, sandbox: RunningSandbox) -> None:
    request = asked(Money(2000, "USD"), card="pm_card_visa")
    charge = kept_reference(request, direct.charge(request))
    for fault, state in (("drop", State.SUCCEEDED), ("before", State.NOT_FOUND)):
        refund = RefundRequest(str(uuid.uuid4()), Money(500, "USD"), charge, "Broken", "http://x")
        rule: dict[str, Any] = {"provider": "stripe", "operation": "refund", "fault": fault, "times": 1}
        sandbox.control({"rules": [rule]})
        with pytest.raises(OutcomeUnknown):
            direct.refund(refund)
        charge_reference = RefundReference(refund.reference, refund.amount, charge, clock.now())
        assert direct.inquire_refund(charge_reference).state is state
        assert direct.refund(refund).state is State.SUCCEEDED, "the same key again"
    assert sum(1 for entry in book_entries(sandbox, request.reference) if entry[0] == "refund") == 2


def test_slow_refunds_are_pending_until_final(direct: StripeProvider) -> None:
    request = asked(Money(3_000_000, "USD"), card="pm_card_visa")
    charge = kept_reference(request, direct.charge(request))
    for minor, state in ((720_100, State.SUCCEEDED), (720_200, State.FAILED)):
        refund = RefundRequest(str(uuid.uuid4()), Money(minor, "USD"), charge, "Broken", "http://x")
        reported = direct.refund(refund)
        assert reported.state is State.PENDING
        charge_reference = RefundReference(
            refund.reference, refund.amount, charge, clock.now(), reported.provider_reference
        )
        wait_until(
            lambda h=charge_reference, s=state: direct.inquire_refund(h).state is s, f"the refund is {state}"
        )


def test_mismatched_amount_is_reported(hosted: StripeProvider) -> None:
    request = asked(Money(700_900, "USD"))
    assert paid(hosted, request, hosted.charge(request)).amount == Money(701_000, "USD")


def test_an_open_page_can_be_closed(hosted: StripeProvider, sandbox: RunningSandbox) -> None:
    request = asked(Money(710_300, "USD"))
    opened = hosted.charge(request)
    assert requests.get(opened.payment_url, timeout=30).status_code == 200
    assert hosted.cancel(kept_reference(request, opened)).state is State.CANCELLED
    assert hosted.inquire(kept_reference(request, opened)).state is State.CANCELLED
    assert hosted.cancel(kept_reference(request, opened)).state is State.CANCELLED
    done = asked(Money(2000, "USD"))
    result = paid(hosted, done, hosted.charge(done))
    assert hosted.cancel(kept_reference(done, result)).state is State.SUCCEEDED
