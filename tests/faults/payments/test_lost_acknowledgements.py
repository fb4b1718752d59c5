"""A commit is made and its acknowledgement is lost: its result is the answer, and nothing is done a second time.

Seen failing when `transaction` runs the work again without asking whether the first try was committed.
"""

from __future__ import annotations

import threading
import uuid

import pytest

from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.facts import assert_paid_once, events, operator
from tests.faults.payments.lost_commits import count, forget_in_redis, lose_acknowledgement
from tests.faults.payments.test_late_money import begin_late
from tests.support.gateway import ONE_OF_A_KIND, Gateway
from tests.support.waiting import wait_until

BY_KEY = "EXISTS (SELECT FROM payments p JOIN payment_attempts a ON a.payment_id = p.id WHERE p.idempotency_key = :key"
REFUNDS = {
    "mpesa": "reversal",
    "stripe": "refund",
    "chapa": "refund",
    "paystack": "refund",
    "pesapal": "refund",
}


def _new_key() -> str:
    return f"key-{uuid.uuid4()}"


def _payments(gateway: Gateway, key: str) -> list[str]:
    return [
        str(row[0]) for row in gateway.rows("SELECT id FROM payments WHERE idempotency_key = :key", key=key)
    ]


def _returned(gateway: Gateway, provider: str) -> int:
    return sum(entry["kind"] == "refund" for entry in gateway.sandbox.book(provider)["entries"])


@pytest.fixture
def dear_mpesa(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` asks Paystack first, which has no time; then M-Pesa, where a second push is a second charge."""
    forget_in_redis(gateway, "malipo:health:*")
    monkeypatch.setitem(
        gateway.app.config, "ROUTING_COSTS", {"paystack": {"KES": (1, 0)}, "mpesa": {"KES": (2, 0)}}
    )
    gateway.sandbox.control(
        {"rules": [{"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}]}
    )


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_lost_commit_of_a_payments_claim(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Breaks when the request's own claim looks like another request's (409, and nothing is sent), or is made twice."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY})", key=key)
    answer = gateway.initialize(provider, key=key)
    assert lost.count == 1
    assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, None), answer.text
    (payment_id,) = _payments(gateway, key)
    assert gateway.settle(payment_id)["status"] == "completed"
    assert gateway.charged(payment_id) == [100]
    assert [attempt.sendings for attempt in gateway.attempts(payment_id)] == [1]
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ["mpesa", "stripe", "cpay"])
def test_lost_commit_of_a_payments_outcome(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """The answer came and was committed. Breaks when it is applied, recorded or posted again."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.state IN ('pending', 'succeeded'))", key=key)
    answer = gateway.initialize(provider, key=key)
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    payment_id = answer.json()["data"]["id"]
    gateway.settle(payment_id)
    recorded = events(gateway, payment_id)
    assert recorded.count("payment.processing") <= 1
    assert_paid_once(gateway, payment_id)
    again = gateway.initialize(provider, key=key)
    assert (again.status_code, again.json()["data"]["id"]) == (201, payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.usefixtures("dear_mpesa")
def test_lost_commit_of_failover(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the next provider's attempt is created twice, or not at all."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.number = 2)", key=key)
    answer = gateway.initialize("auto", key=key, currency="KES")
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    payment_id = answer.json()["data"]["id"]
    assert gateway.settle(payment_id)["status"] == "completed"
    assert [(a.provider, a.state) for a in gateway.attempts(payment_id)] == [
        ("paystack", "failed"),
        ("mpesa", "succeeded"),
    ]
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


@pytest.mark.usefixtures("dear_mpesa")
def test_lost_commit_of_failover_to_a_job(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next provider has no free slot, so its attempt's job sends, and it starts before the loss is noticed.

    Breaks when the process that lost the acknowledgement sends, too: the customer is asked, and pays, twice.
    """
    key = _new_key()
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire("mpesa")
    paystack = {"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}
    slow = {"fault": "delay", "provider": "mpesa", "operation": "stkpush", "seconds": 2}
    gateway.sandbox.control({"rules": [paystack, slow]})
    pushes: list[str] = []
    with gateway.app.app_context():
        mpesa = provider_accounts.for_tenant(gateway.tenant_id, "mpesa").provider
    count(pushes, monkeypatch, mpesa, "_charge")
    worker = threading.Thread(target=gateway.run_due)

    def job_is_quick() -> None:
        bulkheads.release("mpesa")
        worker.start()
        wait_until(lambda: pushes, "the job to send", timeout_s=30)

    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.number = 2)", meanwhile=job_is_quick, key=key)
    answer = gateway.initialize("auto", key=key, currency="KES")
    worker.join(60)
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    assert pushes == ["_charge"]
    payment_id = answer.json()["data"]["id"]
    assert gateway.settle(payment_id)["status"] == "completed"
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


def test_lost_commit_of_a_jobs_claim(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the job does not recognize its own claim: the push was never sent, and the payment needs review."""
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire("mpesa")
    key = _new_key()
    payment_id = gateway.begin("mpesa", key=key)
    bulkheads.release("mpesa")
    assert [attempt.state for attempt in gateway.attempts(payment_id)] == ["created"]
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.state = 'sending')", key=key)
    assert gateway.settle(payment_id, hours=1)["status"] == "completed"
    assert lost.count == 1
    assert [attempt.sendings for attempt in gateway.attempts(payment_id)] == [1]
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


# --- refunds


def _paid(gateway: Gateway, provider: str) -> str:
    payment_id = gateway.begin(provider)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


def _refund_is(state: str) -> str:
    return f"EXISTS (SELECT FROM refunds WHERE payment_id = :payment_id AND state = '{state}')"


def _assert_returned_once(gateway: Gateway, payment_id: str, provider: str, before: int) -> None:
    assert gateway.settle(payment_id, until=("refunded",), hours=26)["status"] == "refunded"
    assert _returned(gateway, provider) - before == 1
    recorded = events(gateway, payment_id)
    assert (recorded.count("refund.initiated"), recorded.count("refund.completed")) == (1, 1), recorded
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", REFUNDS)
def test_lost_commit_of_a_refunds_claim(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Breaks when the refund's own claim looks like another request's, or its amount is held twice."""
    payment_id, before = _paid(gateway, provider), _returned(gateway, provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is("sending"), payment_id=payment_id)
    answer = gateway.refund(payment_id)
    assert (answer.status_code, lost.count) == (200, 1), answer.text
    assert answer.headers.get("Idempotent-Replayed") is None
    _assert_returned_once(gateway, payment_id, provider, before)


@pytest.mark.parametrize(("provider", "state"), [("stripe", "completed"), ("mpesa", "pending")])
def test_lost_commit_of_a_refunds_outcome(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str, state: str
) -> None:
    """Breaks when the refund is posted or recorded again."""
    payment_id, before = _paid(gateway, provider), _returned(gateway, provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is(state), payment_id=payment_id)
    assert (gateway.refund(payment_id).status_code, lost.count) == (200, 1)
    _assert_returned_once(gateway, payment_id, provider, before)


@pytest.mark.parametrize("provider", ["mpesa", "stripe"])
def test_lost_commit_of_a_refund_jobs_claim(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Breaks when the job does not know its own claim again: the refund would be asked about, and never sent."""
    payment_id, before = _paid(gateway, provider), _returned(gateway, provider)
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire(provider)
    assert gateway.refund(payment_id).status_code == 200
    bulkheads.release(provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is("sending"), payment_id=payment_id)
    gateway.run_due()
    assert lost.count == 1
    _assert_returned_once(gateway, payment_id, provider, before)


def test_lost_commit_of_a_refunds_refusal(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the stored refusal cannot be replayed."""
    payment_id, key = (
        gateway.begin("cpay", 113),
        _new_key(),
    )  # CPay never collects this amount: nothing to refund
    before = gateway.rows("SELECT count(*) FROM idempotency WHERE is_refusal")[0][0]
    more = f"(SELECT count(*) FROM idempotency WHERE is_refusal) > {before}"
    lost = lose_acknowledgement(monkeypatch, more)
    refused = gateway.refund(payment_id, key=key)
    assert (refused.status_code, lost.count) == (400, 1), refused.text
    assert gateway.refund(payment_id, key=key).json() == refused.json()


@pytest.mark.parametrize(
    ("decision", "done"),
    [
        ("accept-unmatched", "EXISTS (SELECT FROM payments WHERE id = :id AND status = 'completed')"),
        ("refund-unmatched", "EXISTS (SELECT FROM refunds WHERE payment_id = :id)"),
    ],
)
def test_lost_commit_of_an_operators_decision(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, decision: str, done: str
) -> None:
    """Breaks when the second try reports that there is nothing to decide."""
    payment_id, before = begin_late(gateway, "paystack"), _returned(gateway, "paystack")
    lost = lose_acknowledgement(monkeypatch, done, id=payment_id)
    operator(gateway, "payments", decision, payment_id)
    assert lost.count == 1
    gateway.settle(payment_id, until=(), hours=1)
    recorded, is_refund = events(gateway, payment_id), decision == "refund-unmatched"
    assert recorded.count("refund.completed" if is_refund else "payment.completed") == 1
    assert _returned(gateway, "paystack") - before == is_refund
    gateway.assert_ledger_matches_providers()
