"""A payer knows the reference of the own payment: it stands in the page's address. It opens nothing."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

import pytest

from tests.faults.payments.deliveries import Delivery, hint, ipn, posted, push_result
from tests.support.concurrency import concurrently
from tests.support.gateway import Gateway

NOTES = 50
MOST = 40
"""Far more than a provider ever says about one payment in a minute: what two minutes may keep."""


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
