"""The Chapa adapter over HTTP against the simulator: charge, pay, ask, refund, pay out, and the callbacks of it all."""

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
from app.providers.chapa import Chapa, read_approval
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
)
from tests.support.providers import make_provider
from tests.support.sandbox import CallbackReceiver, Received, RunningSandbox, running_sandbox
from tests.support.waiting import wait_until

HOOK = "/hooks/chapa"


@dataclass
class Scene:
    """A simulator, a receiver of its callbacks, and the adapter on an account of it."""

    sandbox: RunningSandbox
    receiver: CallbackReceiver
    chapa: Chapa

    def request(self, amount: str = "400.00", currency: str = "ETB", **customer: str) -> ChargeRequest:
        return ChargeRequest(
            str(ids.uuid7()), "A1B2C3", Money.parse(amount, currency), Customer(**customer),
            f"{self.receiver.url}/charge/secret", f"{self.receiver.url}/back", description="Two shirts",
        )  # fmt: skip

    def handle(self, request: ChargeRequest, receipt: str | None = None) -> Handle:
        return Handle(request.reference, request.label, request.amount, clock.now(), receipt=receipt)

    def until(self, request: ChargeRequest, state: State) -> Result:
        def look() -> Result | None:
            result = self.chapa.inquire(self.handle(request))
            return result if result.state is state else None

        return wait_until(look, f"the payment is {state}", every_s=0.05)

    def paid(self, amount: str = "400.00") -> tuple[ChargeRequest, Handle]:
        request = self.request(amount)
        self.chapa.charge(request)
        return request, self.handle(request, self.until(request, State.SUCCEEDED).receipt)

    def events(self, name: str, reference: str) -> list[CallbackEvent]:
        read = [self.chapa.read_callback(callback(one)) for one in self.receiver.of(HOOK)]
        return [event for event in read if event.event_type == name and event.reference == reference]


def callback(received: Received) -> Callback:
    return Callback(received.method, received.headers, {}, received.body)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with CallbackReceiver() as receiver:
        folder = tmp_path_factory.mktemp("chapa")
        with running_sandbox(folder, autopay_s=0.1, webhook_base=f"{receiver.url}/hooks") as sandbox:
            adapter = make_provider(
                Chapa, f"{sandbox.url}/chapa/v1", timeout_s=10, secret_key="CHASECK_TEST-sandbox",
                webhook_secret="chapa-sandbox-hook", approval_secret="chapa-sandbox-approval",
            )  # fmt: skip
            yield Scene(sandbox, receiver, adapter)


@pytest.fixture(autouse=True)
def no_rules(scene: Scene) -> Iterator[None]:
    yield
    scene.sandbox.forget_rules()


def rule(scene: Scene, operation: str, fault: str, **more: object) -> None:
    scene.sandbox.control({"rules": [{"provider": "chapa", "operation": operation, "fault": fault, **more}]})


def test_a_customer_pays(scene: Scene) -> None:
    request = scene.request(phone="+251911223344", email="abebe@example.com", name="Abebe Kebede")
    assert scene.chapa.inquire(scene.handle(request)).state is State.NOT_FOUND
    asked = scene.chapa.charge(request)
    assert (asked.state, (asked.payment_url or "").startswith(scene.sandbox.url)) == (State.PENDING, True)
    paid = scene.until(request, State.SUCCEEDED)
    assert paid.amount == request.amount
    entries = scene.sandbox.book("chapa", request.reference)["entries"]
    assert [(entry["kind"], entry["amount"], entry["id"]) for entry in entries] == [
        ("charge", "400.00", paid.receipt)
    ]
    events = wait_until(lambda: scene.events("charge.success", request.reference), "the webhook comes")
    assert [(event.kind, event.is_verified, event.provider_reference) for event in events] == [
        (Kind.PAYMENT, True, paid.receipt)
    ]
    assert events[0].claim is not None
    assert events[0].claim.amount == request.amount


def test_the_callback_url_gets_a_hint(scene: Scene) -> None:
    request, handle = scene.paid()

    def hinted() -> Received | None:
        return next(
            (one for one in scene.receiver.of("/charge/secret") if request.reference in one.path), None
        )

    received = wait_until(hinted, "Chapa calls back")
    assert received.method == "GET"
    query = dict(part.split("=") for part in received.path.partition("?")[2].split("&"))
    event = scene.chapa.read_callback(Callback("GET", received.headers, query, b""))
    assert (event.reference, event.provider_reference, event.is_verified) == (
        request.reference, handle.receipt, False,
    )  # fmt: skip


def test_the_same_reference_is_the_same_payment(scene: Scene) -> None:
    request = scene.request()
    scene.chapa.charge(request)
    with pytest.raises(DuplicateReference):
        scene.chapa.charge(request)
    scene.until(request, State.SUCCEEDED)
    assert len(scene.sandbox.book("chapa", request.reference)["entries"]) == 1


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
        scene.chapa.charge(request)
    scene.until(request, after)


def test_a_payment_of_another_amount_is_told_as_it_is(scene: Scene) -> None:
    request = scene.request("7009")
    scene.chapa.charge(request)
    assert scene.until(request, State.SUCCEEDED).amount == Money.parse("7010", "ETB")


def test_a_payment_that_fails_and_one_that_waits(scene: Scene) -> None:
    failing, waiting = scene.request("7101"), scene.request("7103")
    for request in (failing, waiting):
        scene.chapa.charge(request)
    assert scene.until(failing, State.FAILED).code == "failed"
    events = wait_until(
        lambda: scene.events("charge.failed/cancelled", failing.reference), "the webhook comes"
    )
    assert events[0].claim is not None
    assert events[0].claim.state is State.FAILED
    assert scene.chapa.inquire(scene.handle(waiting)).state is State.PENDING


def test_a_wrong_key_is_for_an_operator(scene: Scene) -> None:
    stranger = make_provider(
        Chapa, f"{scene.sandbox.url}/chapa/v1", secret_key="CHASECK_TEST-other", webhook_secret="x"
    )
    with pytest.raises(AuthFailed):
        stranger.charge(scene.request())
    with pytest.raises(AuthFailed):
        stranger.inquire(scene.handle(scene.request()))


@pytest.mark.parametrize("by", ["reference", "tx_ref"])
def test_refunds_in_parts(scene: Scene, by: str) -> None:
    chapa = make_provider(
        Chapa,
        f"{scene.sandbox.url}/chapa/v1",
        secret_key="CHASECK_TEST-sandbox",
        webhook_secret="x",
        refund_by=by,
    )
    request, charge = scene.paid()
    handles = []
    for number, amount in enumerate(("150.00", "250.00")):
        refund = RefundRequest(
            f"{request.reference}-r{number}", Money.parse(amount, "ETB"), charge, "Too blue", ""
        )
        result = chapa.refund(refund)
        assert (result.state, result.amount) == (State.PENDING, refund.amount)
        handles.append(
            RefundHandle(refund.reference, refund.amount, charge, clock.now(), result.provider_reference)
        )
        with pytest.raises(DuplicateReference):
            chapa.refund(refund)
    with pytest.raises(InvalidRequest, match="more than what is left"):
        chapa.refund(
            RefundRequest(f"{request.reference}-r9", Money.parse("0.01", "ETB"), charge, "Again", "")
        )
    for handle in handles:
        wait_until(
            lambda handle=handle: chapa.inquire_refund(handle).state is State.SUCCEEDED,
            "the refund is done",
            every_s=0.05,
        )
    events = wait_until(
        lambda: len(scene.events("charge.refunded", request.reference)) == 2, "two webhooks come"
    )
    assert events
    assert len({event.event_id for event in scene.events("charge.refunded", request.reference)}) == 2
    entries = [scene.sandbox.book("chapa", handle.reference)["entries"] for handle in handles]
    assert [[entry["amount"] for entry in found] for found in entries] == [["150.00"], ["250.00"]]


def test_a_refund_whose_answer_was_lost_is_found_again(scene: Scene) -> None:
    request, charge = scene.paid()
    rule(scene, "refund", "drop", times=1)
    refund = RefundRequest(f"{request.reference}-r", request.amount, charge, "Too blue", "")
    with pytest.raises(OutcomeUnknown):
        scene.chapa.refund(refund)
    handle = RefundHandle(refund.reference, refund.amount, charge, clock.now())
    result = wait_until(
        lambda: (told := scene.chapa.inquire_refund(handle)).state is State.SUCCEEDED and told,
        "the refund is done",
    )
    assert (result.amount, str(result.provider_reference).startswith("MERC-DIS-REF-")) == (
        refund.amount,
        True,
    )


def payout(amount: str = "2000.00", **instead: str) -> PayoutRequest:
    destination = {
        "account_name": "Abebe Kebede",
        "account_number": "1000123456789",
        "bank_code": "946",
    } | instead
    return PayoutRequest(str(ids.uuid7()), Money.parse(amount, "ETB"), PayoutMethod.BANK, destination)


def payout_handle(request: PayoutRequest) -> PayoutHandle:
    return PayoutHandle(request.reference, request.amount, request.method, clock.now())


def test_a_payout(scene: Scene) -> None:
    request = payout()
    assert scene.chapa.inquire_payout(payout_handle(request)).state is State.NOT_FOUND
    assert scene.chapa.pay_out(request).state is State.PENDING
    with pytest.raises(DuplicateReference):
        scene.chapa.pay_out(request)
    wait_until(
        lambda: scene.chapa.inquire_payout(payout_handle(request)).state is State.SUCCEEDED,
        "the payout is done",
    )
    assert scene.chapa.inquire_payout(payout_handle(request)).amount == request.amount
    event = wait_until(lambda: scene.events("payout.success", request.reference), "the webhook comes")[0]
    assert (event.kind, event.is_verified) == (Kind.PAYOUT, True)
    assert len(scene.sandbox.book("chapa", request.reference)["entries"]) == 1


def test_payouts_that_are_refused(scene: Scene) -> None:
    with pytest.raises(InvalidRequest, match="Bank Code"):
        scene.chapa.pay_out(payout(bank_code="99999"))
    with pytest.raises(InvalidRequest, match="account number"):
        scene.chapa.pay_out(payout(account_number="12"))
    with pytest.raises(Declined):
        scene.chapa.pay_out(payout("999999999.00"))


def test_a_payout_whose_answer_was_lost_is_found_by_its_reference(scene: Scene) -> None:
    rule(scene, "transfer", "drop", times=1)
    request = payout()
    with pytest.raises(OutcomeUnknown):
        scene.chapa.pay_out(request)
    wait_until(
        lambda: scene.chapa.inquire_payout(payout_handle(request)).state is State.SUCCEEDED,
        "the payout is done",
    )
    with pytest.raises(DuplicateReference):
        scene.chapa.pay_out(request)
    assert len(scene.sandbox.book("chapa", request.reference)["entries"]) == 1


def test_a_transfer_approval_is_verified_and_refused(scene: Scene) -> None:
    path = "/approve"
    scene.sandbox.control({"options": {"chapa": {"approval_url": f"{scene.receiver.url}{path}"}}})
    request = payout("3000.00")
    scene.chapa.pay_out(request)
    received = scene.receiver.wait_for(path=path)[0]
    event = scene.chapa.read_callback(callback(received))
    assert (event.event_type, event.reference) == ("transfer.approval", request.reference)
    asked = read_approval(received.body)
    assert (asked.amount, asked.account_number) == (request.amount, "1000123456789")
    scene.sandbox.control({"options": {}})
