"""A provider reverses a payment while a refund of it is open: nothing is posted twice, the payment needs review, and the
operator's decision makes the ledger match the provider.

Seen failing when the reversal is posted in addition to the open refund, when it is dropped, and when the refund's
end hides it.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from sqlalchemy import text

from app.providers.base import ProviderResult, State
from app.providers.errors import Declined
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from app.unit_of_work import transaction
from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.facts import entries, events, operator, refused
from tests.support.gateway import Gateway

CLEARING = "clearing:chapa:ETB"


@pytest.fixture
def chapa(gateway: Gateway) -> Any:
    with gateway.app.app_context():
        return provider_accounts.for_tenant(gateway.tenant_id, "chapa").provider


@pytest.fixture
def one_slot(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Bulkheads:
    """One call to each provider at a time."""
    bulkheads = Bulkheads(1)
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads)
    return bulkheads


def _paid(gateway: Gateway) -> tuple[str, Any]:
    payment_id = gateway.begin("chapa")
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id, gateway.attempts(payment_id)[0]


def _reverse(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    chapa: Any,
    attempt: Any,
    *,
    state: State = State.REVERSED,
    taken: int = 100,
) -> None:
    """Chapa's status and its callback report it. taken: what leaves Chapa's book; the rest is our refund's."""
    monkeypatch.setattr(chapa, "_inquire", lambda _: ProviderResult(state))
    if taken:
        _take_in_chapas_book(gateway, attempt, taken)
    callback = {
        "event": "charge.reversed",
        "status": "reversed",
        "tx_ref": attempt.reference,
        "reference": attempt.receipt,
        "amount": "100",
        "currency": "ETB",
    }
    assert signed(gateway, "chapa", callback, secret=SECRETS["chapa"]).send().status_code == 200


def _take_in_chapas_book(gateway: Gateway, attempt: Any, amount: int) -> None:
    """The simulator knows no reversals: its dashboard refunds, and no callback speaks of it."""
    lost = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
    gateway.sandbox.control({"rules": [lost]})
    answer = requests.post(
        f"{gateway.sandbox.url}/chapa/v1/refund/{attempt.receipt}",
        json={"amount": str(amount), "reason": "reversal"},
        headers={"Authorization": "Bearer CHASECK_TEST-sandbox"},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    gateway.quiet()
    gateway.sandbox.control({"rules": []})


def _open_refund(gateway: Gateway, payment_id: str, amount: int | None) -> None:
    """It waits for its job, since Chapa has no free slot."""
    bulkheads: Bulkheads = gateway.app.extensions["bulkheads"]
    assert bulkheads.try_acquire("chapa")
    assert gateway.refund(payment_id, amount).status_code == 200
    bulkheads.release("chapa")
    assert _refund(gateway, payment_id).state == "created"


def _refund(gateway: Gateway, payment_id: str) -> Any:
    (found,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    return found


def _hold_back(gateway: Gateway, payment_id: str) -> None:
    """The refund's own job runs after the callback."""
    late = "UPDATE jobs SET run_at = run_at + interval '1 hour' WHERE kind = 'refund.follow_up' AND ref = :ref RETURNING 1"
    with gateway.app.app_context():
        transaction(
            lambda s: s.execute(text(late), {"ref": str(_refund(gateway, payment_id).id)}).scalar_one()
        )


def _process_callbacks(gateway: Gateway) -> None:
    """Until the ledger matches the provider's book."""
    for _ in range(8):
        gateway.run_due()
        gateway.advance(4)


def test_reversal_without_a_refund_is_posted(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, chapa: Any
) -> None:
    payment_id, attempt = _paid(gateway)
    before = gateway.balance(CLEARING)
    _reverse(gateway, monkeypatch, chapa, attempt)
    _process_callbacks(gateway)
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("reversed", None)
    assert gateway.balance(CLEARING) - before == 100_00
    assert gateway.refund(payment_id).status_code == 400
    assert entries(gateway, payment_id) == ["payment", "reversal"]
    gateway.assert_ledger_matches_providers()


@pytest.mark.usefixtures("one_slot")
@pytest.mark.parametrize("reported", [State.REVERSED, State.REFUNDED])
def test_refund_after_a_reversal_fails(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, chapa: Any, reported: State
) -> None:
    """Breaks when the callback is dropped before the refund has ended: the merchant keeps money that the provider
    reversed."""
    payment_id, attempt = _paid(gateway)
    before = gateway.balance(CLEARING)
    _open_refund(gateway, payment_id, 40)
    _hold_back(gateway, payment_id)
    _reverse(gateway, monkeypatch, chapa, attempt, state=reported)
    _process_callbacks(gateway)
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == (
        "completed",
        "reversed_after_refund" if reported is State.REVERSED else None,
    )
    assert "under way" in refused(gateway, "payments", "record-reversal", payment_id)

    def gone(_: object) -> None:
        raise Declined("Nothing is left of this payment.", code="nothing_left")

    monkeypatch.setattr(chapa, "_refund", gone)
    gateway.advance(3600)
    found = gateway.settle(payment_id, until=("reversed",), hours=1)
    assert _refund(gateway, payment_id).state == "failed"
    if reported is State.REFUNDED:
        assert (found["status"], found["review"]) == ("completed", "refunded_at_provider")
        operator(gateway, "payments", "record-reversal", payment_id)
        found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("reversed", None)
    assert gateway.balance(CLEARING) - before == 100_00
    assert events(gateway, payment_id).count("payment.reversed") == 1
    refused(gateway, "payments", "record-reversal", payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.usefixtures("one_slot")
@pytest.mark.parametrize("reported", [State.REVERSED, State.REFUNDED])
def test_reversal_of_the_rest_after_a_refund(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, chapa: Any, reported: State
) -> None:
    """Breaks when the part that was refunded is taken from the merchant a second time. Where the provider's word is clear
    the payment needs review; elsewhere it may mean our refund."""
    payment_id, attempt = _paid(gateway)
    before = gateway.balance(CLEARING)
    _open_refund(gateway, payment_id, 40)
    _hold_back(gateway, payment_id)
    _reverse(gateway, monkeypatch, chapa, attempt, state=reported, taken=60)
    _process_callbacks(gateway)
    gateway.advance(3600)
    gateway.settle(payment_id, until=(), hours=1)
    found = gateway.payment(payment_id)
    assert found["status"] == "partially_refunded"
    assert found["review"] == ("reversed_after_refund" if reported is State.REVERSED else None)
    assert gateway.balance(CLEARING) - before == 40_00
    operator(gateway, "payments", "record-reversal", payment_id)
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("reversed", None)
    assert gateway.balance(CLEARING) - before == 100_00
    gateway.assert_ledger_matches_providers()


@pytest.mark.usefixtures("one_slot")
def test_reversal_that_is_the_refund_itself(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, chapa: Any
) -> None:
    """Of a payment that we refund wholly the provider may say "reversed". Breaks when it is posted in addition to
    the refund."""
    payment_id, attempt = _paid(gateway)
    _open_refund(gateway, payment_id, None)
    _hold_back(gateway, payment_id)
    _reverse(gateway, monkeypatch, chapa, attempt, taken=0)
    _process_callbacks(gateway)
    gateway.advance(3600)
    found = gateway.settle(payment_id, until=("refunded",), hours=1)
    assert (found["status"], found["review"]) == ("refunded", None)
    assert entries(gateway, payment_id) == ["payment"]
    monkeypatch.undo()
    gateway.assert_ledger_matches_providers()
