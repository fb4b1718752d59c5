"""The Paystack adapter over HTTP against the simulator: charge, pay, ask, refund, pay out, and the webhooks of it all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app import clock, ids
from app.money import Money
from app.providers.base import (
    Callback,
    CallbackEvent,
    ChargeRequest,
    Customer,
    Handle,
    Kind,
    PayoutHandle,
    PayoutMethod,
    PayoutRequest,
    RefundHandle,
    RefundRequest,
    Result,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from app.providers.paystack import Paystack
from tests.support.providers import make_provider
from tests.support.sandbox import CallbackReceiver, RunningSandbox, running_sandbox
from tests.support.waiting import wait_until


@dataclass
class Scene:
    """A simulator, a receiver of its webhooks, and the adapter on an account of it."""

    sandbox: RunningSandbox
    receiver: CallbackReceiver
    paystack: Paystack

    def request(self, amount: str = "400.00", currency: str = "NGN") -> ChargeRequest:
        return ChargeRequest(
            str(ids.uuid7()), "A1B2C3", Money.parse(amount, currency), Customer(email="ada@example.com"),
            f"{self.receiver.url}/charge", f"{self.receiver.url}/back",
        )  # fmt: skip

    def handle(self, request: ChargeRequest, receipt: str | None = None) -> Handle:
        return Handle(request.reference, request.label, request.amount, clock.now(), receipt=receipt)

    def until(self, request: ChargeRequest, state: State) -> Result:
        def look() -> Result | None:
            result = self.paystack.inquire(self.handle(request))
            return result if result.state is state else None

        return wait_until(look, f"the payment is {state}", every_s=0.05)

    def paid(self, amount: str = "400.00") -> tuple[ChargeRequest, Handle]:
        request = self.request(amount)
        self.paystack.charge(request)
        return request, self.handle(request, self.until(request, State.SUCCEEDED).receipt)

    def events(self, name: str, reference: str) -> list[CallbackEvent]:
        read = [
            self.paystack.read_callback(Callback(one.method, one.headers, {}, one.body))
            for one in self.receiver.of("/hooks/paystack")
        ]
        return [event for event in read if event.event_type == name and event.reference == reference]

    def event(self, name: str, reference: str) -> CallbackEvent:
        return wait_until(lambda: self.events(name, reference), f"the webhook {name} comes")[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with CallbackReceiver() as receiver:
        folder = tmp_path_factory.mktemp("paystack")
        with running_sandbox(folder, autopay_s=0.1, webhook_base=f"{receiver.url}/hooks") as sandbox:
            adapter = make_provider(
                Paystack, f"{sandbox.url}/paystack", timeout_s=10, secret_key="sk_test_sandbox_paystack"
            )
            yield Scene(sandbox, receiver, adapter)


@pytest.fixture(autouse=True)
def no_rules(scene: Scene) -> Iterator[None]:
    yield
    scene.sandbox.forget_rules()


def rule(scene: Scene, operation: str, fault: str, **more: object) -> None:
    scene.sandbox.control(
        {"rules": [{"provider": "paystack", "operation": operation, "fault": fault, **more}]}
    )


# --- payments


@pytest.mark.parametrize(
    ("amount", "currency", "book"), [("400.00", "NGN", "400.00"), ("500", "XOF", "500.00")]
)
def test_a_customer_pays(scene: Scene, amount: str, currency: str, book: str) -> None:
    request = scene.request(amount, currency)
    assert scene.paystack.inquire(scene.handle(request)).state is State.NOT_FOUND
    asked = scene.paystack.charge(request)
    assert (asked.state, (asked.payment_url or "").startswith(scene.sandbox.url)) == (State.PENDING, True)
    paid = scene.until(request, State.SUCCEEDED)
    assert paid.amount == request.amount
    entries = scene.sandbox.book("paystack", request.reference)["entries"]
    assert [(entry["kind"], entry["id"]) for entry in entries] == [("charge", paid.receipt)]
    assert Money.parse(entries[0]["amount"], currency) == Money.parse(book, currency) == request.amount
    event = scene.event("charge.success", request.reference)
    assert (event.kind, event.is_verified, event.provider_reference) == (Kind.PAYMENT, True, paid.receipt)
    assert event.claim is not None
    assert event.claim.amount == request.amount


def test_the_same_reference_is_the_same_payment(scene: Scene) -> None:
    request = scene.request()
    scene.paystack.charge(request)
    with pytest.raises(DuplicateReference):
        scene.paystack.charge(request)
    scene.until(request, State.SUCCEEDED)
    assert len(scene.sandbox.book("paystack", request.reference)["entries"]) == 1


@pytest.mark.parametrize(
    ("amount", "error", "after"),
    [
        ("7001", OutcomeUnknown, State.SUCCEEDED),
        ("7002", OutcomeUnknown, State.SUCCEEDED),
        ("7003", OutcomeUnknown, State.NOT_FOUND),
        ("7010", RateLimited, State.NOT_FOUND),
    ],
)
def test_answers_that_are_lost_and_what_asking_tells(
    scene: Scene, amount: str, error: type[Exception], after: State
) -> None:
    request = scene.request(amount)
    with pytest.raises(error):
        scene.paystack.charge(request)
    scene.until(request, after)


def test_another_amount_is_told_as_it_is_and_fees_are_not_counted(scene: Scene) -> None:
    wrong, with_fees = scene.request("7009"), scene.request("7120")
    for request in (wrong, with_fees):
        scene.paystack.charge(request)
    assert scene.until(wrong, State.SUCCEEDED).amount == Money.parse("7010", "NGN")
    borne = scene.until(with_fees, State.SUCCEEDED)
    assert borne.amount == with_fees.amount
    assert borne.response["amount"] > borne.response["requested_amount"]


def test_payments_that_fail_are_left_or_wait(scene: Scene) -> None:
    failing, left, waiting = (scene.request(amount) for amount in ("7101", "7102", "7103"))
    for request in (failing, left, waiting):
        scene.paystack.charge(request)
    failed = scene.until(failing, State.FAILED)
    assert (failed.code, failed.message) == ("failed", "Insufficient Funds")
    for request in (left, waiting):
        result = scene.paystack.inquire(scene.handle(request))
        assert (result.state, result.response["status"]) == (State.PENDING, "abandoned")


def test_a_wrong_key_is_for_an_operator(scene: Scene) -> None:
    stranger = make_provider(Paystack, f"{scene.sandbox.url}/paystack", secret_key="sk_test_other")
    with pytest.raises(AuthFailed):
        stranger.charge(scene.request())
    with pytest.raises(AuthFailed):
        stranger.inquire(scene.handle(scene.request()))


# --- refunds


def refund_of(charge: Handle, amount: str, number: int = 0) -> RefundRequest:
    return RefundRequest(f"{charge.reference}-r{number}", Money.parse(amount, "NGN"), charge, "Too blue", "")


def refund_handle(request: RefundRequest, provider_reference: str | None) -> RefundHandle:
    return RefundHandle(request.reference, request.amount, request.charge, clock.now(), provider_reference)


def refund_ends(scene: Scene, handle: RefundHandle, state: State) -> Result:
    def look() -> Result | None:
        result = scene.paystack.inquire_refund(handle)
        return result if result.state is state else None

    return wait_until(look, f"the refund is {state}", every_s=0.05)


def test_refunds_in_parts(scene: Scene) -> None:
    request, charge = scene.paid()
    for number, amount in enumerate(("150.00", "250.00")):
        refund = refund_of(charge, amount, number)
        result = scene.paystack.refund(refund)
        assert (result.state, result.amount) == (State.PENDING, refund.amount)
        done = refund_ends(scene, refund_handle(refund, result.provider_reference), State.SUCCEEDED)
        assert done.amount == refund.amount
        entries = scene.sandbox.book("paystack", refund.reference)["entries"]
        assert [entry["amount"] for entry in entries] == [amount]
    with pytest.raises((InvalidRequest, Declined)):
        scene.paystack.refund(refund_of(charge, "0.01", 9))
    wait_until(lambda: len(scene.events("refund.processed", request.reference)) == 2, "two webhooks come")
    events = scene.events("refund.processed", request.reference)
    assert len({event.event_id for event in events}) == 2
    assert {event.claim.amount for event in events if event.claim} == {
        Money(15000, "NGN"),
        Money(25000, "NGN"),
    }
    assert scene.paystack.inquire(scene.handle(request)).state is State.REVERSED


@pytest.mark.parametrize(
    ("amount", "state", "word"),
    [("7123", State.FAILED, "failed"), ("7124", State.PENDING, "needs-attention")],
)
def test_refunds_that_do_not_go_through(scene: Scene, amount: str, state: State, word: str) -> None:
    request, charge = scene.paid(amount)
    refund = refund_of(charge, "100.00")
    handle = refund_handle(refund, scene.paystack.refund(refund).provider_reference)
    event = scene.event(f"refund.{word}", request.reference)
    assert event.claim is not None
    assert (event.claim.state, event.claim.amount) == (state, refund.amount)
    result = refund_ends(scene, handle, state)
    assert (result.code, result.message is not None) == (word, True)


def test_a_refund_whose_answer_was_lost_is_found_by_its_note(scene: Scene) -> None:
    _, charge = scene.paid()
    rule(scene, "refund", "drop", times=1)
    refund = refund_of(charge, "100.00")
    with pytest.raises(OutcomeUnknown):
        scene.paystack.refund(refund)
    done = refund_ends(scene, refund_handle(refund, None), State.SUCCEEDED)
    assert (done.amount, done.provider_reference is not None) == (refund.amount, True)
    with pytest.raises(OutcomeUnknown):
        scene.paystack.inquire_refund(refund_handle(refund_of(charge, "100.00", 5), None))


# --- payouts


def payout(amount: str = "2000.00") -> PayoutRequest:
    destination = {"phone_number": "254712345678"}
    return PayoutRequest(str(ids.uuid7()), Money.parse(amount, "KES"), PayoutMethod.MPESA, destination)


def payout_handle(request: PayoutRequest) -> PayoutHandle:
    return PayoutHandle(request.reference, request.amount, request.method, clock.now())


def payout_ends(scene: Scene, request: PayoutRequest, state: State) -> Result:
    def look() -> Result | None:
        result = scene.paystack.inquire_payout(payout_handle(request))
        return result if result.state is state else None

    return wait_until(look, f"the payout is {state}", every_s=0.05)


def test_a_payout(scene: Scene) -> None:
    request = payout()
    assert scene.paystack.inquire_payout(payout_handle(request)).state is State.NOT_FOUND
    sent = scene.paystack.pay_out(request)
    assert (sent.state, str(sent.provider_reference).startswith("TRF_")) == (State.PENDING, True)
    with pytest.raises(DuplicateReference):
        scene.paystack.pay_out(request)
    done = payout_ends(scene, request, State.SUCCEEDED)
    assert (done.amount, done.provider_reference) == (request.amount, sent.provider_reference)
    event = scene.event("transfer.success", request.reference)
    assert (event.kind, event.provider_reference) == (Kind.PAYOUT, sent.provider_reference)
    assert len(scene.sandbox.book("paystack", request.reference)["entries"]) == 1


def test_payouts_to_a_till_and_to_a_bank(scene: Scene) -> None:
    till = PayoutRequest(str(ids.uuid7()), Money(50000, "KES"), PayoutMethod.TILL, {"till_number": "247247"})
    account = {"account_number": "0001234567", "bank_code": "058", "account_name": "Ada Obi"}
    bank = PayoutRequest(str(ids.uuid7()), Money(50000, "NGN"), PayoutMethod.BANK, account)
    for request in (till, bank):
        assert scene.paystack.pay_out(request).state is State.PENDING
        payout_ends(scene, request, State.SUCCEEDED)


def test_payouts_that_wait_for_a_password_and_that_are_done_at_once(scene: Scene) -> None:
    waiting = scene.paystack.pay_out(payout("7121"))
    assert (waiting.state, waiting.code) == (State.PENDING, "otp")
    assert waiting.message is not None
    assert scene.paystack.pay_out(payout("7122")).state is State.SUCCEEDED


def test_a_payout_the_balance_does_not_cover(scene: Scene) -> None:
    with pytest.raises(Declined):
        scene.paystack.pay_out(payout("7101"))


def test_a_payout_whose_answer_was_lost_is_found_by_its_reference(scene: Scene) -> None:
    rule(scene, "transfer", "drop", times=1)
    request = payout()
    with pytest.raises(OutcomeUnknown):
        scene.paystack.pay_out(request)
    payout_ends(scene, request, State.SUCCEEDED)
    with pytest.raises(DuplicateReference):
        scene.paystack.pay_out(request)
    assert len(scene.sandbox.book("paystack", request.reference)["entries"]) == 1


def test_without_a_recipient_no_transfer_was_sent(scene: Scene) -> None:
    rule(scene, "recipient", "drop", times=1)
    request = payout()
    with pytest.raises(Unavailable):
        scene.paystack.pay_out(request)
    assert scene.paystack.inquire_payout(payout_handle(request)).state is State.NOT_FOUND
    assert scene.paystack.pay_out(request).state is State.PENDING
