"""What became of a payment, as the database, the provider's book and an operator see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.services.identity import scopes
from tests.faults.payments.expectations import Expected
from tests.support.factories import make_user
from tests.support.world import World


def outcome(world: World, payment_id: str) -> Expected:
    """As it is now, in the table's words."""
    payment = world.payment(payment_id)
    return Expected(payment["status"], len(world.charged(payment_id)), payment["review"])


def entries(world: World, payment_id: str) -> list[str]:
    """Kinds of the ledger's entries for the payment's attempts, oldest first."""
    found = world.rows(
        "SELECT e.kind FROM entries e JOIN payment_attempts a ON a.id = e.ref_id WHERE a.payment_id = :id "
        "ORDER BY e.at, e.id",
        id=payment_id,
    )
    return [row.kind for row in found]


def events(world: World, payment_id: str) -> list[str]:
    """Everything that was told about the payment, in order."""
    found = world.rows("SELECT type FROM outbox WHERE object_id = :id ORDER BY id", id=payment_id)
    return [row.type for row in found]


def assert_paid_once(world: World, payment_id: str) -> None:
    """One attempt, booked once, told once, and never called failed on the way."""
    told = events(world, payment_id)
    assert told.count("payment.completed") == 1, told
    assert not {"payment.failed", "payment.cancelled"} & set(told), told
    assert entries(world, payment_id) == ["payment"]
    assert [attempt.state for attempt in world.attempts(payment_id)] == ["succeeded"]


def operator(world: World, *words: object) -> str:
    """What `flask …` prints; it must not fail."""
    done = world.app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def refused(world: World, *words: object) -> str:
    """What `flask …` prints when it refuses."""
    done = world.app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 1, done.output
    return done.output


def reconcile(world: World, provider: str) -> Mapping[str, Any]:
    """The report of POST /admin/reconcile."""
    person = make_user(world.app)
    with world.app.app_context():
        scopes.set_scope(person.email, "admin", is_granted=True)
    client = world.app.test_client()
    answer = client.post("/api/v1/admin/reconcile", json={"provider": provider}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    report: Mapping[str, Any] = answer.json["data"]
    return report


def declare(world: World, payment_id: str) -> None:
    """Let an operator, who has looked at the provider's book, end a payment that waits."""
    charges = [entry for entry in world.book(payment_id) if entry["kind"] == "charge"]
    if charges:
        operator(world, "payments", "declare", payment_id, "collected", "--receipt", charges[0]["id"])
    else:
        operator(world, "payments", "declare", payment_id, "failed")
