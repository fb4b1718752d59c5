"""The facts of a payment, as the database, the provider's book and an operator see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app import clock
from app.services.identity import scopes
from tests.faults.payments.expectations import Expected
from tests.support.factories import make_user
from tests.support.gateway import Gateway


def outcome(gateway: Gateway, payment_id: str) -> Expected:
    """As it is now, in the table's words."""
    payment = gateway.payment(payment_id)
    return Expected(payment["status"], len(gateway.charged(payment_id)), payment["review"])


def expire(gateway: Gateway, payment_id: str) -> None:
    """Until the gateway has failed the unpaid payment. Its clock alone is moved: the provider's page and prompt stay open."""
    for hours in (1, 12, 12, 24, 24):
        clock.travel(timedelta(hours=hours))
        gateway.run_due()
        if gateway.payment(payment_id)["status"] == "failed":
            break
    assert outcome(gateway, payment_id) == Expected("failed", 0)
    clock.reset()


def entries(gateway: Gateway, payment_id: str) -> list[str]:
    """Kinds of the ledger's entries for the payment's attempts, oldest first."""
    found = gateway.rows(
        "SELECT e.kind FROM entries e JOIN payment_attempts a ON a.id = e.ref_id WHERE a.payment_id = :id "
        "ORDER BY e.at, e.id",
        id=payment_id,
    )
    return [row.kind for row in found]


def events(gateway: Gateway, payment_id: str) -> list[str]:
    """The payment's events, in order."""
    found = gateway.rows("SELECT type FROM outbox WHERE object_id = :id ORDER BY id", id=payment_id)
    return [row.type for row in found]


def assert_paid_once(gateway: Gateway, payment_id: str) -> None:
    """One attempt, posted once, recorded in one event, and never reported as failed."""
    answers = events(gateway, payment_id)
    assert answers.count("payment.completed") == 1, answers
    assert not {"payment.failed", "payment.cancelled"} & set(answers), answers
    assert entries(gateway, payment_id) == ["payment"]
    assert [attempt.state for attempt in gateway.attempts(payment_id)] == ["succeeded"]


def operator(gateway: Gateway, *words: object) -> str:
    """What `flask …` prints; it must not fail."""
    done = gateway.app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 0, done.output or repr(done.exception)
    return done.output


def refused(gateway: Gateway, *words: object) -> str:
    """What `flask …` prints when it refuses."""
    done = gateway.app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 1, done.output or repr(done.exception)
    return done.output


def reconcile(gateway: Gateway, provider: str) -> Mapping[str, Any]:
    """The report of POST /admin/reconcile."""
    user = make_user(gateway.app)
    with gateway.app.app_context():
        scopes.set_scope(user.email, "admin", is_granted=True)
    client = gateway.app.test_client()
    answer = client.post("/api/v1/admin/reconcile", json={"provider": provider}, headers=user.headers)
    assert answer.status_code == 200, answer.text
    report: Mapping[str, Any] = answer.json["data"]
    return report


def declare(gateway: Gateway, payment_id: str) -> None:
    """Let an operator, who has checked the provider's records, end a payment that waits."""
    charges = [entry for entry in gateway.book(payment_id) if entry["kind"] == "charge"]
    if charges:
        operator(gateway, "payments", "resolve", payment_id, "--paid", "--receipt", charges[0]["id"])
    else:
        operator(gateway, "payments", "resolve", payment_id, "--failed")
