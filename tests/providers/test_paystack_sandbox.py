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
from tests.support.simulated_provider import (
    SimulatedProvider,
    payout,
    payout_reference,
    refund_of,
    refund_reference,
    simulated_provider,
)
from tests.support.waiting import wait_until

ContractScenario = SimulatedProvider[Paystack]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractScenario]:
    folder = tmp_path_factory.mktemp("paystack")
    with simulated_provider(folder, Paystack, secret_key="sk_test_sandbox_paystack") as scenario:
        yield scenario


@pytest.fixture(autouse=True)
def no_rules(scenario: ContractScenario) -> Iterator[None]:
    yield
    scenario.sandbox.forget_rules()


def asked(scenario: ContractScenario, amount: str = "400.00", currency: str = "NGN") -> ChargeRequest:
    return scenario.request(amount, currency, email="ada@example.com")


# --- payments


@pytest.mark.parametrize(
    ("amount", "currency", "book"), [("400.00", "NGN", "400.00"), ("500", "XOF", "500.00")]
)
def test_a_customer_pays(scenario: ContractScenario, amount: str, currency: str, book: str) -> None:
    request = asked(scenario, amount, currency)
    assert scenario.provider.inquire(scenario.charge_reference(request)).state is State.NOT_FOUND
    reported = scenario.provider.charge(request)
    assert (reported.state, (reported.payment_url or "").startswith(scenario.sandbox.url)) == (
        State.PENDING,
        True,
    )
    paid = scenario.until(request, State.SUCCEEDED)
    assert paid.amount == request.amount == Money.parse(book, currency)
    assert scenario.book_amounts(request.reference) == [("charge", book)]
    event = scenario.event("charge.success", request.reference)
    assert (event.kind, event.is_verified, event.provider_reference) == (Kind.PAYMENT, True, paid.receipt)
    assert event.reported is not None
    assert event.reported.amount == request.amount


def test_fees_the_customer_bears_are_not_counted(scenario: ContractScenario) -> None:
    request = asked(scenario, "7120")
    scenario.provider.charge(request)
    borne = scenario.until(request, State.SUCCEEDED)
    assert borne.amount == request.amount
    assert borne.response["amount"] > borne.response["requested_amount"]


def test_payments_that_fail_are_left_or_wait(scenario: ContractScenario) -> None:
    failing, left, waiting = (asked(scenario, amount) for amount in ("7101", "7102", "7103"))
    for request in (failing, left, waiting):
        scenario.provider.charge(request)
    failed = scenario.until_a_try_fails(failing)
    assert (failed.state, failed.code, failed.message) == (State.PENDING, "failed", "Insufficient Funds")
    for request in (left, waiting):
        result = scenario.provider.inquire(scenario.charge_reference(request))
        assert (result.state, result.response["status"]) == (State.PENDING, "abandoned")


# --- refunds


def test_refunds_in_parts(scenario: ContractScenario) -> None:
    request = asked(scenario)
    charge = scenario.paid(request)
    for number, amount in enumerate(("150.00", "250.00")):
        refund = refund_of(charge, amount, number)
        result = scenario.provider.refund(refund)
        assert (result.state, result.amount) == (State.PENDING, refund.amount)
        done = scenario.refund_until(refund_reference(refund, result.provider_reference), State.SUCCEEDED)
        assert done.amount == refund.amount
        assert scenario.book_amounts(refund.reference) == [("refund", amount)]
    with pytest.raises((RequestRejected, Declined)):
        scenario.provider.refund(refund_of(charge, "0.01", 9))
    wait_until(lambda: len(scenario.events("refund.processed", request.reference)) == 2, "two webhooks come")
    events = scenario.events("refund.processed", request.reference)
    assert len({event.event_id for event in events}) == 2
    assert {event.reported.amount for event in events if event.reported} == {
        Money(15000, "NGN"),
        Money(25000, "NGN"),
    }
    assert scenario.provider.inquire(scenario.charge_reference(request)).state is State.REVERSED


@pytest.mark.parametrize(
    ("amount", "state", "word"),
    [("7123", State.FAILED, "failed"), ("7124", State.PENDING, "needs-attention")],
)
def test_refunds_that_do_not_go_through(
    scenario: ContractScenario, amount: str, state: State, word: str
) -> None:
    refund = refund_of(scenario.paid(asked(scenario, amount)), "100.00")
    charge_reference = refund_reference(refund, scenario.provider.refund(refund).provider_reference)
    event = scenario.event(f"refund.{word}", refund.charge.reference)
    assert event.reported is not None
    assert (event.reported.state, event.reported.amount) == (state, refund.amount)
    result = scenario.refund_until(charge_reference, state)
    assert (result.code, result.message is not None) == (word, True)


def test_a_refund_whose_answer_was_lost_is_found_by_its_note(scenario: ContractScenario) -> None:
    charge = scenario.paid(asked(scenario))
    scenario.rule("refund", "drop", times=1)
    refund = refund_of(charge, "100.00")
    with pytest.raises(OutcomeUnknown):
        scenario.provider.refund(refund)
    done = scenario.refund_until(refund_reference(refund, None), State.SUCCEEDED)
    assert (done.amount, done.provider_reference is not None) == (refund.amount, True)
    with pytest.raises(OutcomeUnknown):
        scenario.provider.inquire_refund(refund_reference(refund_of(charge, "100.00", 5), None))


# --- payouts


def to_phone(amount: str = "2000.00") -> PayoutRequest:
    return payout(PayoutMethod.MPESA, amount, "KES", phone_number="254712345678")


def test_a_payout(scenario: ContractScenario) -> None:
    request = to_phone()
    sent = scenario.provider.pay_out(request)
    assert (sent.state, str(sent.provider_reference).startswith("TRF_")) == (State.PENDING, True)
    done = scenario.payout_until(request, State.SUCCEEDED)
    assert (done.amount, done.provider_reference) == (request.amount, sent.provider_reference)
    event = scenario.event("transfer.success", request.reference)
    assert (event.kind, event.provider_reference) == (Kind.PAYOUT, sent.provider_reference)
    assert scenario.book_amounts(request.reference) == [("payout", "2000.00")]


def test_payouts_to_a_till_and_to_a_bank(scenario: ContractScenario) -> None:
    till = payout(PayoutMethod.TILL, "500", "KES", till_number="247247")
    account = {"account_number": "0001234567", "bank_code": "058", "account_name": "Ada Obi"}
    for request in (till, payout(PayoutMethod.BANK, "500", "NGN", **account)):
        assert scenario.provider.pay_out(request).state is State.PENDING
        scenario.payout_until(request, State.SUCCEEDED)


def test_payouts_that_wait_for_a_password_and_that_are_done_at_once(scenario: ContractScenario) -> None:
    waiting = scenario.provider.pay_out(to_phone("7121"))
    assert (waiting.state, waiting.code) == (State.PENDING, "otp")
    assert waiting.message is not None
    assert scenario.provider.pay_out(to_phone("7122")).state is State.SUCCEEDED


def test_a_payout_the_balance_does_not_cover(scenario: ContractScenario) -> None:
    with pytest.raises(Declined):
        scenario.provider.pay_out(to_phone("7101"))


def test_without_a_recipient_no_transfer_was_sent(scenario: ContractScenario) -> None:
    scenario.rule("recipient", "drop", times=1)
    request = to_phone()
    with pytest.raises(NotSent):
        scenario.provider.pay_out(request)
    assert scenario.provider.inquire_payout(payout_reference(request)).state is State.NOT_FOUND
    assert scenario.provider.pay_out(request).state is State.PENDING
