"""What comes between two steps: an answer overtaken by a second sending, a question asked while a refund leaves, an
adapter that fails to read an answer. The adapter's own call is the real one; the test only acts before or after it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app import clock
from app.errors import InvalidAmount
from app.held_connections import ConnectionHeld
from app.models.payment import PaymentAttempt, Refund
from app.money import Money
from app.providers.base import ChargeReference, Provider, ProviderResult, State
from app.providers.errors import RateLimited
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from app.services.refunds import follow_up as refund_follow_up
from app.unit_of_work import reading, transaction
from tests.support.gateway import Gateway
from tests.support.outcomes import apply_to_attempt, apply_to_refund


def _platform_adapter(gateway: Gateway, name: str) -> Provider:
    with gateway.app.app_context():
        return provider_accounts.for_tenant(gateway.tenant_id, name).provider


def _write(gateway: Gateway, statement: str, **values: object) -> None:
    with gateway.app.app_context():
        transaction(lambda session: session.execute(text(statement), values))


def _beside(monkeypatch: pytest.MonkeyPatch, provider: Provider, name: str, do: Callable[..., Any]) -> None:
    """`do(real, request)` instead of an adapter's method."""
    real = getattr(provider, name)
    monkeypatch.setattr(provider, name, lambda request: do(real, request))


def test_late_refusal_does_not_fail_over_a_resent_attempt(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the no to the first sending ends the attempt: both providers then take the money."""

    def overtaken(real: Any, request: Any) -> ProviderResult:
        _write(gateway, "UPDATE payment_attempts SET sendings = 2 WHERE reference = :r", r=request.reference)
        real(request)  # the second sending arrives
        raise RateLimited

    _beside(monkeypatch, _platform_adapter(gateway, "chapa"), "_charge", overtaken)
    payment_id = gateway.begin("auto", 100, currency="ETB")
    monkeypatch.undo()
    assert gateway.settle(payment_id)["status"] == "completed"
    assert [attempt.provider for attempt in gateway.attempts(payment_id)] == ["chapa"]
    assert len(gateway.charged(payment_id)) == 1
    gateway.assert_ledger_matches_providers()


def test_error_while_reading_an_answer_is_not_a_refusal(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when what an adapter raises after the call counts as "nothing was sent"."""

    def stumbles(real: Any, request: Any) -> ProviderResult:
        real(request)
        raise InvalidAmount

    _beside(monkeypatch, _platform_adapter(gateway, "stripe"), "_charge", stumbles)
    answer = gateway.initialize("stripe", 100)
    assert (answer.status_code, answer.json()["data"]["status"]) == (201, "processing")
    monkeypatch.undo()
    payment_id = answer.json()["data"]["id"]
    assert gateway.settle(payment_id)["status"] == "completed"
    assert len(gateway.charged(payment_id)) == 1
    gateway.assert_ledger_matches_providers()


def test_refund_being_sent_is_not_inquired(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when a question turns a live sending into an unknown one: it would never be sent, and held for ever."""
    payment_id = gateway.begin("stripe", 100)
    gateway.settle(payment_id)
    states: list[str] = []

    def asked_first(real: Any, request: Any) -> Any:
        with reading() as session:
            refund_id = session.execute(
                text("SELECT id FROM refunds WHERE reference = :r"), {"r": request.reference}
            ).scalar_one()
        refund_follow_up.poll(refund_id, source="callback")
        with reading() as session:
            states.append(session.get_one(Refund, refund_id).state)
        return real(request)

    _beside(monkeypatch, _platform_adapter(gateway, "stripe"), "_refund", asked_first)
    assert gateway.refund(payment_id, 40).status_code == 200
    assert states == ["sending"]
    assert gateway.payment(payment_id)["refunded_amount"] == "40.00"


def test_refund_of_another_amount_is_not_posted(gateway: Gateway) -> None:
    """Breaks when the provider's own figure is ignored."""
    payment_id = gateway.begin("paystack", 100)
    gateway.settle(payment_id)
    assert gateway.refund(payment_id).json()["data"]["status"] == "completed"  # Paystack refunds later
    ((refund_id,),) = gateway.rows("SELECT id FROM refunds WHERE payment_id = :p", p=payment_id)
    less = ProviderResult(State.SUCCEEDED, amount=Money(1, "NGN"))
    with gateway.app.app_context():
        apply_to_refund(refund_id, less, source="inquiry")
    found = gateway.payment(payment_id)
    assert (found["status"], found["refunded_amount"], found["review"]) == (
        "completed",
        "0.00",
        "refund_amount_mismatch",
    )
    gateway.settle(payment_id, until=("refunded",))
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("name", ["provider_reference", "receipt"])
def test_one_charge_pays_one_payment(gateway: Gateway, name: str) -> None:
    """Breaks when a result may bring along what is another attempt's."""
    paid = gateway.begin("stripe", 100)
    gateway.settle(paid)
    gateway.sandbox.control({"autopay_s": "off"})
    other = gateway.begin("stripe", 100)
    (theirs,), (ours,) = gateway.attempts(paid), gateway.attempts(other)
    _write(gateway, "UPDATE payment_attempts SET provider_reference = NULL WHERE id = :i", i=ours.id)
    result = ProviderResult(State.SUCCEEDED, amount=Money(100_00, "USD"), **{name: getattr(theirs, name)})
    with gateway.app.app_context():
        apply_to_attempt(ours.id, result, source="callback")
    assert gateway.payment(other)["review"] == "reference_in_use"
    assert gateway.rows("SELECT 1 FROM entries WHERE ref_id = :i", i=ours.id) == []
    _write(
        gateway,
        "UPDATE payment_attempts SET provider_reference = :r WHERE id = :i",
        r=ours.provider_reference,
        i=ours.id,
    )


def test_expired_attempt_is_not_sent(gateway: Gateway) -> None:
    """Breaks when the job sends whatever it finds: a customer would be charged days after the request."""
    bulkheads = gateway.app.extensions["bulkheads"]
    gateway.app.extensions["bulkheads"] = full = Bulkheads(1)
    assert full.try_acquire("chapa")
    try:
        payment_id = gateway.begin("chapa", 100)
    finally:
        gateway.app.extensions["bulkheads"] = bulkheads
    assert gateway.payment(payment_id)["status"] == "processing"
    gateway.advance(3 * 86_400)
    found = gateway.settle(payment_id)
    assert (found["status"], found["failure_reason"]) == ("failed", "The payment could not be sent in time.")
    assert gateway.charged(payment_id) == []


def test_a_refused_refund_key_is_refused_after_a_day_too(gateway: Gateway) -> None:
    """The refusal itself is kept for a day. Breaks when the key is free again, or when it is asked for a refund that was never
    made (a 500)."""
    payment_id = gateway.begin("cpay", 113)
    first = gateway.refund(payment_id, key="a-refused-refund")
    assert first.status_code == 400
    gateway.advance(25 * 3600)
    again = gateway.refund(payment_id, key="a-refused-refund")
    assert (again.status_code, again.json()["success"]) == (422, False)


def test_metadata_that_cannot_be_serialized_is_refused(gateway: Gateway) -> None:
    """Breaks when whole numbers beyond 64 bits get in: the payment, and the whole list, would answer 500 for ever."""
    for number in (10**30, 2**63, -(10**30)):
        answer = gateway.initialize("cpay", 10, metadata={"n": number})
        assert answer.status_code == 400, answer.text
    assert gateway.initialize("cpay", 10, metadata={"n": 2**63 - 1, "x": 1.25}).status_code == 201
    assert gateway.get("/payments").status_code == 200


@pytest.mark.parametrize("word", ["a\x00b", "a\ud800b", "x" * 300])
def test_unsigned_nonsense_is_400(gateway: Gateway, word: str) -> None:
    """Breaks when such a word reaches the database (a 500, which a provider would repeat for ever)."""
    assert gateway.post(
        "/webhooks/mpesa", {"Body": {"stkCallback": {"CheckoutRequestID": "ws_x", "ResultCode": word}}}
    ).status_code in (200, 400)
    assert (
        gateway.post(
            "/webhooks/pesapal", {"OrderTrackingId": word, "OrderNotificationType": word}
        ).status_code
        == 400
    )


def test_providers_are_called_without_a_held_connection(gateway: Gateway) -> None:
    """Breaks when the unit of work does not say what it holds."""
    provider = _platform_adapter(gateway, "cpay")
    charge = ChargeReference("r", "L", Money(100, "USD"), clock.now())
    with gateway.app.app_context():
        with reading() as session:
            session.get(PaymentAttempt, uuid.uuid4())
            with pytest.raises(ConnectionHeld):
                provider.inquire(charge)
        with pytest.raises(ConnectionHeld):
            transaction(lambda _: provider.inquire(charge))
        assert provider.inquire(charge).state in State
