"""The Chapa adapter over HTTP against the simulator: charge, pay, inquire, cancel, refund, pay out, and its callbacks.

What holds of every provider (the same reference, lost answers, wrong keys) is in tests/providers/contract.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.money import Money
from app.providers.base import Callback, Kind, PayoutMethod, PayoutRequest, State
from app.providers.chapa import Chapa, read_approval
from app.providers.errors import Declined, DuplicateReference, OutcomeUnknown, RequestRejected
from tests.support.providers import make_provider
from tests.support.sandbox import Received
from tests.support.simulated_provider import (
    SimulatedProvider,
    payout,
    refund_of,
    refund_reference,
    simulated_provider,
)
from tests.support.waiting import wait_until

KEY = "CHASECK_TEST-sandbox"
ContractScenario = SimulatedProvider[Chapa]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractScenario]:
    secrets = {
        "secret_key": KEY,
        "webhook_secret": "chapa-sandbox-hook",
        "approval_secret": "chapa-sandbox-approval",
    }
    with simulated_provider(tmp_path_factory.mktemp("chapa"), Chapa, **secrets) as scenario:
        yield scenario


@pytest.fixture(autouse=True)
def no_rules(scenario: ContractScenario) -> Iterator[None]:
    yield
    scenario.sandbox.forget_rules()


def test_a_customer_pays(scenario: ContractScenario) -> None:
    request = scenario.request(
        "400.00", "ETB", phone="+251911223344", email="abebe@example.com", name="Abebe Kebede"
    )
    assert scenario.provider.inquire(scenario.charge_reference(request)).state is State.NOT_FOUND
    asked = scenario.provider.charge(request)
    assert (asked.state, (asked.payment_url or "").startswith(scenario.sandbox.url)) == (State.PENDING, True)
    paid = scenario.until(request, State.SUCCEEDED)
    assert paid.amount == request.amount
    assert scenario.book_amounts(request.reference) == [("charge", "400.00")]
    event = scenario.event("charge.success", request.reference)
    assert (event.kind, event.is_verified, event.provider_reference) == (Kind.PAYMENT, True, paid.receipt)
    assert event.reported is not None
    assert event.reported.amount == request.amount


def test_the_callback_url_gets_a_hint(scenario: ContractScenario) -> None:
    request = scenario.request("400.00", "ETB")
    charge_reference = scenario.paid(request)

    def hinted() -> Received | None:
        return next(
            (one for one in scenario.receiver.of("/charge/secret") if request.reference in one.path), None
        )

    received = wait_until(hinted, "Chapa calls back")
    assert received.method == "GET"
    query = dict(part.split("=") for part in received.path.partition("?")[2].split("&"))
    event = scenario.provider.read_callback(Callback("GET", received.headers, query, b""))
    assert (event.reference, event.provider_reference, event.is_verified) == (
        request.reference,
        charge_reference.receipt,
        False,
    )


def test_a_payment_that_fails_and_one_that_waits(scenario: ContractScenario) -> None:
    failing, waiting = scenario.request("7101", "ETB"), scenario.request("7103", "ETB")
    for request in (failing, waiting):
        scenario.provider.charge(request)
    assert scenario.until_a_try_fails(failing).code == "failed"
    reported = scenario.event("charge.failed/cancelled", failing.reference).reported
    assert reported is not None
    assert reported.state is State.PENDING, "the page takes another try"
    assert scenario.provider.inquire(scenario.charge_reference(waiting)).state is State.PENDING


def test_cancelled_payment_cannot_be_paid(scenario: ContractScenario) -> None:
    request = scenario.request("7103", "ETB")
    scenario.provider.charge(request)
    for _ in range(2):
        assert scenario.provider.cancel(scenario.charge_reference(request)).state is State.CANCELLED
    assert scenario.provider.inquire(scenario.charge_reference(request)).state is State.CANCELLED
    with pytest.raises(DuplicateReference):
        scenario.provider.charge(request)
    assert scenario.book_amounts(request.reference) == []


@pytest.mark.parametrize("by", ["reference", "tx_ref"])
def test_refunds_in_parts(scenario: ContractScenario, by: str) -> None:
    chapa = make_provider(Chapa, scenario.url, secret_key=KEY, webhook_secret="x", refund_by=by)
    request = scenario.request("400.00", "ETB")
    charge = scenario.paid(request)
    handles = []
    for number, amount in enumerate(("150.00", "250.00")):
        refund = refund_of(charge, amount, number)
        result = chapa.refund(refund)
        assert (result.state, result.amount) == (State.PENDING, refund.amount)
        handles.append(refund_reference(refund, result.provider_reference))
        with pytest.raises(DuplicateReference):
            chapa.refund(refund)
    with pytest.raises(RequestRejected, match="more than what is left"):
        chapa.refund(refund_of(charge, "0.01", 9))
    for charge_reference in handles:
        scenario.refund_until(charge_reference, State.SUCCEEDED)
    wait_until(lambda: len(scenario.events("charge.refunded", request.reference)) == 2, "two webhooks come")
    assert len({event.event_id for event in scenario.events("charge.refunded", request.reference)}) == 2
    assert [scenario.book_amounts(charge_reference.reference) for charge_reference in handles] == [
        [("refund", "150.00")],
        [("refund", "250.00")],
    ]
    assert scenario.until(request, State.REFUNDED).response["status"] == "refunded"


def test_a_refund_whose_answer_was_lost_is_found_again(scenario: ContractScenario) -> None:
    refund = refund_of(scenario.paid(scenario.request("400.00", "ETB")), "400.00")
    scenario.rule("refund", "drop", times=1)
    with pytest.raises(OutcomeUnknown):
        scenario.provider.refund(refund)
    result = scenario.refund_until(refund_reference(refund, None), State.SUCCEEDED)
    assert result.amount == refund.amount
    assert str(result.provider_reference).startswith("MERC-DIS-REF-")


def to_bank(amount: str = "2000.00", **instead: str) -> PayoutRequest:
    account = {"account_name": "Abebe Kebede", "account_number": "1000123456789", "bank_code": "946"}
    return payout(PayoutMethod.BANK, amount, "ETB", **(account | instead))


def test_a_payout(scenario: ContractScenario) -> None:
    request = to_bank()
    assert scenario.provider.pay_out(request).state is State.PENDING
    assert scenario.payout_until(request, State.SUCCEEDED).amount == request.amount
    event = scenario.event("payout.success", request.reference)
    assert (event.kind, event.is_verified) == (Kind.PAYOUT, True)
    assert scenario.book_amounts(request.reference) == [("payout", "2000.00")]


def test_payouts_that_are_refused(scenario: ContractScenario) -> None:
    with pytest.raises(RequestRejected, match="Bank Code"):
        scenario.provider.pay_out(to_bank(bank_code="99999"))
    with pytest.raises(RequestRejected, match="account number"):
        scenario.provider.pay_out(to_bank(account_number="12"))
    with pytest.raises(Declined):
        scenario.provider.pay_out(to_bank("999999999.00"))


def test_a_transfer_approval_is_verified_and_refused(scenario: ContractScenario) -> None:
    path = "/approve"
    scenario.sandbox.control({"options": {"chapa": {"approval_url": f"{scenario.receiver.url}{path}"}}})
    request = to_bank("3000.00")
    scenario.provider.pay_out(request)
    received = scenario.receiver.wait_for(path=path)[0]
    event = scenario.provider.read_callback(Callback(received.method, received.headers, {}, received.body))
    assert (event.event_type, event.reference) == ("transfer.approval", request.reference)
    asked = read_approval(received.body)
    assert (asked.amount, asked.account_number) == (Money(300000, "ETB"), "1000123456789")
    scenario.sandbox.control({"options": {}})
