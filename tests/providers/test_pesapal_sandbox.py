"""Pesapal over real HTTP, against the simulator: orders, notifications, tokens, refunds, lost answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

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
    DuplicateReference,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from app.providers.pesapal import PesapalProvider
from tests.support.providers import MemoryTokens, make_provider
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.waiting import wait_until

KEYS = {
    "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
    "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), autopay_s=0.1) as running:
        yield running


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def provider(sandbox: RunningSandbox, tokens: MemoryTokens) -> PesapalProvider:
    return make_provider(PesapalProvider, f"{sandbox.url}/pesapal", tokens=tokens, **KEYS)


def asked(receiver: CallbackReceiver, amount: Money) -> ChargeRequest:
    return ChargeRequest(
        str(uuid.uuid4()),
        "AB12CD34EF56",
        amount,
        Customer(phone="+254712345678", name="Ann Kamau"),
        f"{receiver.url}/pesapal/{uuid.uuid4().hex}",
        f"{receiver.url}/done",
        "Two chairs",
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


def becomes(provider: PesapalProvider, charge: ChargeReference, state: State) -> ProviderResult:
    def look() -> ProviderResult | None:
        result = provider.inquire(charge)
        return result if result.state is state else None

    return wait_until(look, f"the payment is {state}")


def book_entries(sandbox: RunningSandbox, reference: str) -> list[tuple[str, str, str]]:
    entries = sandbox.book("pesapal", reference)["entries"]
    return [(entry["kind"], entry["amount"], entry["currency"]) for entry in entries]


def read(provider: PesapalProvider, one: Any) -> CallbackEvent:
    return provider.read_callback(
        Callback(one.method, one.headers, dict(parse_qsl(urlsplit(one.path).query)), one.body)
    )


def wait_for_event(provider: PesapalProvider, receiver: CallbackReceiver, reference: str) -> CallbackEvent:
    def look() -> CallbackEvent | None:
        events = [read(provider, one) for one in receiver.of("/pesapal")]
        return next((event for event in events if event.reference == reference), None)

    return wait_until(look, "a notification comes")


@pytest.mark.parametrize("currency", ["KES", "UGX", "TZS", "USD"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_payment_from_order_to_notification(
    sandbox: RunningSandbox, receiver: CallbackReceiver, currency: str, method: str
) -> None:
    provider = make_provider(PesapalProvider, f"{sandbox.url}/pesapal", ipn_method=method, **KEYS)
    request = asked(receiver, Money(100_050 if currency != "UGX" else 5000, currency))
    opened = provider.charge(request)
    assert opened.state is State.PENDING and opened.payment_url and opened.payment_url.startswith(sandbox.url)
    result = becomes(provider, kept_reference(request, opened), State.SUCCEEDED)
    assert result.amount == request.amount and result.receipt
    (entry,) = book_entries(sandbox, request.reference)
    assert (entry[0], Money.parse(entry[1], entry[2])) == ("charge", request.amount)
    event = wait_for_event(provider, receiver, request.reference)
    assert (event.kind, event.provider_reference) == (Kind.PAYMENT, opened.provider_reference)
    assert not event.is_verified and event.reported is None
    answer = provider.acknowledge(event)
    assert isinstance(answer.body, dict) and answer.body["orderMerchantReference"] == request.reference


def test_not_paid_yet_is_pending_and_can_be_cancelled(
    provider: PesapalProvider, receiver: CallbackReceiver
) -> None:
    request = asked(receiver, Money(710_300, "KES"))
    charge = kept_reference(request, provider.charge(request))
    assert provider.inquire(charge).state is State.PENDING
    assert provider.cancel(charge).state is State.CANCELLED
    assert provider.cancel(charge).state is not State.SUCCEEDED


def test_a_paid_order_is_not_cancelled(provider: PesapalProvider, receiver: CallbackReceiver) -> None:
    request = asked(receiver, Money(10_000, "KES"))
    charge = kept_reference(request, provider.charge(request))
    becomes(provider, charge, State.SUCCEEDED)
    assert provider.cancel(charge).state is State.SUCCEEDED


@pytest.mark.parametrize("minor", [710_100, 710_400])
def test_a_refused_payment_may_be_tried_again(
    provider: PesapalProvider, receiver: CallbackReceiver, minor: int
) -> None:
    request = asked(receiver, Money(minor, "KES"))
    charge = kept_reference(request, provider.charge(request))

    def look() -> ProviderResult | None:
        result = provider.inquire(charge)
        return result if result.has_failed_try else None

    result = wait_until(look, "a try has failed")
    assert result.state is State.PENDING and result.receipt is None and result.code


def test_mismatched_amount_is_reported(provider: PesapalProvider, receiver: CallbackReceiver) -> None:
    request = asked(receiver, Money(700_900, "KES"))
    result = becomes(provider, kept_reference(request, provider.charge(request)), State.SUCCEEDED)
    assert result.amount == Money(701_000, "KES")


def test_refusals(provider: PesapalProvider, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    request = asked(receiver, Money(10_000, "KES"))
    assert provider.charge(request) == provider.charge(request)
    with pytest.raises(RequestRejected):
        provider.charge(replace(request, reference="not allowed!"))
    with pytest.raises(RateLimited):
        provider.charge(asked(receiver, Money(701_000, "KES")))
    wrong = make_provider(PesapalProvider, f"{sandbox.url}/pesapal", **{**KEYS, "consumer_secret": "wrong"})
    with pytest.raises(AuthFailed):
        wrong.charge(request)
    stale = make_provider(PesapalProvider, f"{sandbox.url}/pesapal", ipn_id="not-registered", **KEYS)
    with pytest.raises(RequestRejected):
        stale.charge(asked(receiver, Money(10_000, "KES")))


def test_a_token_that_ends_early_is_replaced(
    provider: PesapalProvider, tokens: MemoryTokens, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    request = asked(receiver, Money(10_000, "KES"))
    provider.charge(request)
    fetched = tokens.fetched
    assert provider.charge(asked(receiver, Money(701_100, "KES"))).state is State.PENDING
    assert tokens.fetched == fetched + 1
    sandbox.control({"advance_s": 301})
    assert provider.charge(asked(receiver, Money(10_000, "KES"))).state is State.PENDING
    assert tokens.fetched == fetched + 2
    sandbox.control({"advance_s": 0})


def test_an_address_pesapal_forgot_is_registered_again(
    provider: PesapalProvider, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    provider.charge(asked(receiver, Money(10_000, "KES")))
    sandbox.reset()
    request = asked(receiver, Money(10_000, "KES"))
    opened = provider.charge(request)
    becomes(provider, kept_reference(request, opened), State.SUCCEEDED)


@pytest.mark.parametrize(("minor", "is_done"), [(700_100, True), (700_200, True), (700_300, False)])
def test_a_lost_answer_is_unknown_until_a_notification(
    provider: PesapalProvider, sandbox: RunningSandbox, receiver: CallbackReceiver, minor: int, is_done: bool
) -> None:
    request = asked(receiver, Money(minor, "KES"))
    with pytest.raises(OutcomeUnknown):
        provider.charge(request)
    with pytest.raises(OutcomeUnknown):
        provider.inquire(kept_reference(request))
    if not is_done:
        assert book_entries(sandbox, request.reference) == []
        return
    event = wait_for_event(provider, receiver, request.reference)
    found = replace(kept_reference(request), provider_reference=event.provider_reference)
    assert becomes(provider, found, State.SUCCEEDED).amount == request.amount


def test_a_refund_shows_when_it_is_approved(
    provider: PesapalProvider, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    request = asked(receiver, Money(100_000, "KES"))
    opened = provider.charge(request)
    charge = kept_reference(request, becomes(provider, kept_reference(request, opened), State.SUCCEEDED))
    refund = RefundRequest(str(uuid.uuid4()), request.amount, charge, "Broken", "http://x")
    reported = provider.refund(refund)
    assert reported.state is State.PENDING
    charge_reference = RefundReference(
        refund.reference, refund.amount, charge, clock.now(), reported.provider_reference
    )
    assert provider.inquire_refund(charge_reference).state is State.PENDING
    with pytest.raises(DuplicateReference):
        provider.refund(refund)
    wait_until(
        lambda: provider.inquire_refund(charge_reference).state is State.SUCCEEDED, "the merchant approves"
    )
    assert provider.inquire(charge).state is State.REFUNDED
    assert [entry[:2] for entry in book_entries(sandbox, request.reference)] == [
        ("charge", "1000.00"),
        ("refund", "1000.00"),
    ]


def test_a_lost_refund_is_unknown_until_it_shows(
    provider: PesapalProvider, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    request = asked(receiver, Money(100_000, "KES"))
    opened = provider.charge(request)
    charge = kept_reference(request, becomes(provider, kept_reference(request, opened), State.SUCCEEDED))
    sandbox.control({"rules": [{"provider": "pesapal", "operation": "refund", "fault": "drop", "times": 1}]})
    with pytest.raises(OutcomeUnknown):
        provider.refund(RefundRequest("r-1", request.amount, charge, "Broken", "http://x"))
    charge_reference = RefundReference("r-1", request.amount, charge, clock.now())
    with pytest.raises(OutcomeUnknown):
        provider.inquire_refund(charge_reference)
    becomes(provider, charge, State.REFUNDED)
    assert provider.inquire_refund(charge_reference).state is State.SUCCEEDED
