"""A payer knows the reference of the own payment: it stands in the page's address. It opens nothing."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.services.callbacks import receive
from tests.faults.payments.deliveries import Delivery, hint, ipn, posted, push_result
from tests.faults.payments.expectations import rules
from tests.support.concurrency import concurrently
from tests.support.gateway import Gateway

NOTES = 50
MOST = 40
"""What is stored about one payment, and those that are stored at the same moment."""


def _mpesa(gateway: Gateway, attempt: object) -> Delivery:
    body = push_result(attempt.provider_reference, 100)  # type: ignore[attr-defined]
    body["Body"]["stkCallback"]["ResultCode"] = secrets.token_hex(6)
    return posted(gateway, "mpesa", body)


def _chapa(gateway: Gateway, attempt: object) -> Delivery:
    note = hint(gateway, attempt.reference)  # type: ignore[attr-defined]
    return note.to(note.url.replace("status=success", f"status={secrets.token_hex(6)}"))


def _pesapal(gateway: Gateway, attempt: object) -> Delivery:
    return ipn(gateway, str(uuid.uuid4()), attempt.reference)  # type: ignore[attr-defined]


WRITERS: dict[str, Callable[[Gateway, object], Delivery]] = {
    "mpesa": _mpesa,
    "chapa": _chapa,
    "pesapal": _pesapal,
}


@pytest.mark.parametrize("provider", list(WRITERS))
def test_anonymous_callbacks_are_limited_per_payer(gateway: Gateway, provider: str) -> None:
    """Breaks when notes are kept without end because they name something of ours: a row, a job, a question each."""
    gateway.sandbox.control({"autopay_s": 5_000})
    payment_id = gateway.begin(provider, 100)
    (attempt,) = gateway.attempts(payment_id)
    count = "SELECT count(*) FROM provider_events"
    before = gateway.rows(count)[0][0]
    answers = concurrently(NOTES, lambda _: WRITERS[provider](gateway, attempt).send().status_code)
    assert set(answers) == {200}
    assert gateway.rows(count)[0][0] - before <= MOST
    gateway.sandbox.control({"autopay_s": 0, "advance_s": 5_001 if provider != "mpesa" else 10})
    gateway.run_due()
    assert len(gateway.charged(payment_id)) <= 1


ROOM = "SELECT count(*) FROM provider_events WHERE room = :room"


def test_a_strangers_callbacks_take_a_bounded_space(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when each process, minute or day has an allowance of its own, or when anonymous ones use up that of a payment."""

    def stored() -> int:
        return int(gateway.rows(ROOM, room="pesapal")[0][0])

    def invent() -> str:
        order = str(uuid.uuid4())
        assert ipn(gateway, order, f"pay-{order}").send().status_code == 200
        return order

    gateway.sandbox.control({"autopay_s": "off"})
    payment_id = gateway.begin("pesapal", 100)
    (attempt,) = gateway.attempts(payment_id)
    most = stored() + 3
    monkeypatch.setattr(receive, "MAX_UNMATCHED", most)
    for _ in range(6):
        invent()
    assert stored() == most
    assert ipn(gateway, attempt.provider_reference, attempt.reference).send().status_code == 200
    assert gateway.rows(ROOM, room=str(attempt.id)) == [(1,)], "what names a payment of ours has room"
    gateway.advance(3_700)
    newest = invent()
    assert stored() == most
    one = "SELECT state FROM provider_events WHERE provider_reference = :order"
    assert gateway.rows(one, order=newest) == [("ignored",)], "after an hour it replaces the oldest"


def test_a_payers_own_callbacks_leave_its_payment_queried(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the room of one payment can be used up, so that the genuine callback has no effect."""
    monkeypatch.setattr(receive, "MAX_UNSIGNED_OF_ATTEMPT", 4)
    gateway.sandbox.control({"autopay_s": 20, "rules": rules("callback lost", "pesapal")})
    payment_id = gateway.begin("pesapal", 100)
    (attempt,) = gateway.attempts(payment_id)
    for _ in range(6):
        assert ipn(gateway, str(uuid.uuid4()), attempt.reference).send().status_code == 200
    assert gateway.rows(ROOM, room=str(attempt.id)) == [(4,)]
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "processing"
    gateway.advance(25)
    gateway.quiet()
    assert ipn(gateway, attempt.provider_reference, attempt.reference).send().status_code == 200
    assert gateway.rows(ROOM, room=str(attempt.id)) == [(4,)]
    again = "SELECT count(*) FROM jobs j JOIN provider_events e ON j.ref = e.id::text WHERE e.room = :room"
    assert gateway.rows(again, room=str(attempt.id)) == [(1,)]
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"


@pytest.mark.parametrize("part", ["body", "query"])
def test_long_unsigned_callbacks_are_refused(gateway: Gateway, part: str) -> None:
    """Breaks when only the body is bounded: the query is stored, too."""
    note = ipn(gateway, str(uuid.uuid4()), "pay-long")
    filler = "x" * (receive.MAX_UNSIGNED_BYTES + 1)
    note = (
        note.to(f"{note.url}&more={filler}")
        if part == "query"
        else replace(note, method="POST", body=filler.encode())
    )
    before = gateway.rows(ROOM, room="pesapal")
    assert note.send().status_code == 400
    assert gateway.rows(ROOM, room="pesapal") == before
