"""A payer knows the reference of the own payment: it stands in the page's address. It opens nothing."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

import pytest

from tests.faults.payments.deliveries import Delivery, hint, ipn, posted, push_result
from tests.support.together import together
from tests.support.world import World

NOTES = 150
MOST = 60
"""Far more than a provider ever says about one payment in a minute."""


def _mpesa(world: World, attempt: object) -> Delivery:
    body = push_result(attempt.provider_reference, 100)  # type: ignore[attr-defined]
    body["Body"]["stkCallback"]["ResultCode"] = secrets.token_hex(6)
    return posted(world, "mpesa", body)


def _chapa(world: World, attempt: object) -> Delivery:
    note = hint(world, attempt.reference)  # type: ignore[attr-defined]
    return note.to(note.url.replace("status=success", f"status={secrets.token_hex(6)}"))


def _pesapal(world: World, attempt: object) -> Delivery:
    return ipn(world, str(uuid.uuid4()), attempt.reference)  # type: ignore[attr-defined]


WRITERS: dict[str, Callable[[World, object], Delivery]] = {
    "mpesa": _mpesa,
    "chapa": _chapa,
    "pesapal": _pesapal,
}


@pytest.mark.parametrize("provider", list(WRITERS))
def test_one_payer_cannot_fill_the_database(world: World, provider: str) -> None:
    """Breaks when notes are kept without end because they name something of ours: a row, a job, a question each."""
    world.sandbox.control({"autopay_s": 5_000})
    payment_id = world.begin(provider, 100)
    (attempt,) = world.attempts(payment_id)
    count = "SELECT count(*) FROM provider_events"
    before = world.rows(count)[0][0]
    answers = together(NOTES, lambda _: WRITERS[provider](world, attempt).send().status_code)
    assert set(answers) == {200}
    assert world.rows(count)[0][0] - before <= MOST
    world.sandbox.control({"autopay_s": 0, "advance_s": 5_001 if provider != "mpesa" else 10})
    world.run_due()
    assert len(world.charged(payment_id)) <= 1
