"""A commit is made and its acknowledgement is lost: what was begun is found again, and nothing is done a second time.

Seen failing when `begin` and `_begin` do not know their own claim again, when a claim of the job's is taken for another
worker's, when the next provider's attempt is made twice, and when the one that is left to its job is sent here, too.
"""

from __future__ import annotations

import threading
import uuid

import pytest

from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.losing import count, forget_in_redis, lose_acknowledgement
from tests.faults.payments.truth import assert_paid_once, events
from tests.support.waiting import wait_until
from tests.support.world import HTTP_PROVIDERS, World

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


def _payments(world: World, key: str) -> list[str]:
    return [
        str(row[0]) for row in world.rows("SELECT id FROM payments WHERE idempotency_key = :key", key=key)
    ]


def _returned(world: World, provider: str) -> int:
    return sum(entry["kind"] == "refund" for entry in world.sandbox.book(provider)["entries"])


@pytest.fixture
def dear_mpesa(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` asks Paystack first, which has no time; then M-Pesa, where a second push is a second charge."""
    forget_in_redis(world, "malipo:health:*")
    monkeypatch.setitem(
        world.app.config, "ROUTING_COSTS", {"paystack": {"KES": (1, 0)}, "mpesa": {"KES": (2, 0)}}
    )
    world.sandbox.control(
        {"rules": [{"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}]}
    )


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_the_claim_of_an_order(world: World, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """Breaks when the order's own claim looks like somebody else's (409, sent by nobody), or is made twice."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY})", key=key)
    answer = world.initialize(provider, key=key)
    assert lost.count == 1
    assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, None), answer.text
    (payment_id,) = _payments(world, key)
    assert world.settle(payment_id)["status"] == "completed"
    assert world.charged(payment_id) == [100]
    assert [attempt.sendings for attempt in world.attempts(payment_id)] == [1]
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", ["mpesa", "stripe", "cpay"])
def test_the_result_of_an_order(world: World, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """The answer came and was committed. Breaks when it is applied, told or booked again."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.state IN ('pending', 'succeeded'))", key=key)
    answer = world.initialize(provider, key=key)
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    payment_id = answer.json()["data"]["id"]
    world.settle(payment_id)
    told = events(world, payment_id)
    assert told.count("payment.processing") <= 1
    assert_paid_once(world, payment_id)
    again = world.initialize(provider, key=key)
    assert (again.status_code, again.json()["data"]["id"]) == (201, payment_id)
    world.assert_books_agree()


@pytest.mark.usefixtures("dear_mpesa")
def test_handing_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the next provider's attempt is begun twice, or by nobody."""
    key = _new_key()
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.number = 2)", key=key)
    answer = world.initialize("auto", key=key, currency="KES")
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    payment_id = answer.json()["data"]["id"]
    assert world.settle(payment_id)["status"] == "completed"
    assert [(a.provider, a.state) for a in world.attempts(payment_id)] == [
        ("paystack", "failed"), ("mpesa", "succeeded"),
    ]  # fmt: skip
    assert world.charged(payment_id) == [100]
    world.assert_books_agree()


@pytest.mark.usefixtures("dear_mpesa")
def test_handing_on_to_a_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next provider has no place, so its attempt's job sends, and has begun to before the loss is noticed.

    Breaks when the process that lost the acknowledgement sends, too: the customer is asked, and pays, twice.
    """
    key = _new_key()
    monkeypatch.setitem(world.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire("mpesa")
    paystack = {"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}
    slow = {"fault": "delay", "provider": "mpesa", "operation": "stkpush", "seconds": 2}
    world.sandbox.control({"rules": [paystack, slow]})
    pushes: list[str] = []
    with world.app.app_context():
        mpesa = provider_accounts.for_tenant(world.tenant_id, "mpesa").provider
    count(pushes, monkeypatch, mpesa, "_charge")
    worker = threading.Thread(target=world.run_due)

    def job_is_quick() -> None:
        bulkheads.leave("mpesa")
        worker.start()
        wait_until(lambda: pushes, "the job to send", timeout_s=30)

    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.number = 2)", meanwhile=job_is_quick, key=key)
    answer = world.initialize("auto", key=key, currency="KES")
    worker.join(60)
    assert (answer.status_code, lost.count) == (201, 1), answer.text
    assert pushes == ["_charge"]
    payment_id = answer.json()["data"]["id"]
    assert world.settle(payment_id)["status"] == "completed"
    assert world.charged(payment_id) == [100]
    world.assert_books_agree()


def test_the_claim_of_a_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the job does not know its own claim again: the push was never sent, and waits for a person."""
    monkeypatch.setitem(world.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire("mpesa")
    key = _new_key()
    payment_id = world.begin("mpesa", key=key)
    bulkheads.leave("mpesa")
    assert [attempt.state for attempt in world.attempts(payment_id)] == ["created"]
    lost = lose_acknowledgement(monkeypatch, f"{BY_KEY} AND a.state = 'sending')", key=key)
    assert world.settle(payment_id, hours=1)["status"] == "completed"
    assert lost.count == 1
    assert [attempt.sendings for attempt in world.attempts(payment_id)] == [1]
    assert world.charged(payment_id) == [100]
    world.assert_books_agree()


# --- refunds


def _paid(world: World, provider: str) -> str:
    payment_id = world.begin(provider)
    assert world.settle(payment_id)["status"] == "completed"
    return payment_id


def _refund_is(state: str) -> str:
    return f"EXISTS (SELECT FROM refunds WHERE payment_id = :payment_id AND state = '{state}')"


def _assert_returned_once(world: World, payment_id: str, provider: str, before: int) -> None:
    assert world.settle(payment_id, until=("refunded",), hours=26)["status"] == "refunded"
    assert _returned(world, provider) - before == 1
    told = events(world, payment_id)
    assert (told.count("refund.initiated"), told.count("refund.completed")) == (1, 1), told
    world.assert_books_agree()


@pytest.mark.parametrize("provider", REFUNDS)
def test_the_claim_of_a_refund(world: World, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """Breaks when the refund's own claim looks like somebody else's, or its amount is held twice."""
    payment_id, before = _paid(world, provider), _returned(world, provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is("sending"), payment_id=payment_id)
    answer = world.refund(payment_id)
    assert (answer.status_code, lost.count) == (200, 1), answer.text
    assert answer.headers.get("Idempotent-Replayed") is None
    _assert_returned_once(world, payment_id, provider, before)


@pytest.mark.parametrize(("provider", "state"), [("stripe", "completed"), ("mpesa", "pending")])
def test_the_result_of_a_refund(
    world: World, monkeypatch: pytest.MonkeyPatch, provider: str, state: str
) -> None:
    """Breaks when what was given back is booked or told again."""
    payment_id, before = _paid(world, provider), _returned(world, provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is(state), payment_id=payment_id)
    assert (world.refund(payment_id).status_code, lost.count) == (200, 1)
    _assert_returned_once(world, payment_id, provider, before)


@pytest.mark.parametrize("provider", ["mpesa", "stripe"])
def test_the_claim_of_a_refunds_job(world: World, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """Breaks when the job does not know its own claim again: the refund would be asked about, and never sent."""
    payment_id, before = _paid(world, provider), _returned(world, provider)
    monkeypatch.setitem(world.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire(provider)
    assert world.refund(payment_id).status_code == 200
    bulkheads.leave(provider)
    lost = lose_acknowledgement(monkeypatch, _refund_is("sending"), payment_id=payment_id)
    world.run_due()
    assert lost.count == 1
    _assert_returned_once(world, payment_id, provider, before)


def test_the_refusal_of_a_refund(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the refusal that was stored cannot be told again."""
    payment_id, key = (
        world.begin("cpay", 113),
        _new_key(),
    )  # CPay never collects this amount: nothing to give back
    before = world.rows("SELECT count(*) FROM idempotency WHERE is_refusal")[0][0]
    more = f"(SELECT count(*) FROM idempotency WHERE is_refusal) > {before}"
    lost = lose_acknowledgement(monkeypatch, more)
    refused = world.refund(payment_id, key=key)
    assert (refused.status_code, lost.count) == (400, 1), refused.text
    assert world.refund(payment_id, key=key).json() == refused.json()
