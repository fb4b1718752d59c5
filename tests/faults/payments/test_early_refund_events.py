"""Chapa's `charge.refunded` as its documents show it: early, twice, with the payment's whole amount. It completes nothing that
Chapa has not finished, and a refund of ours explains both events; a refund made elsewhere is noticed all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
import requests

from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.facts import operator
from tests.support.gateway import Gateway

LOST: Final = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
MUTE: Final = {"fault": "before", "provider": "chapa", "operation": "refund_verify"}


@pytest.fixture
def documented(gateway: Gateway) -> Iterator[Gateway]:
    gateway.sandbox.control({"options": {"chapa": {"refund_events": "documented"}}})
    yield gateway
    gateway.sandbox.control({"options": {"chapa": {"refund_events": "completed"}}})


def paid(gateway: Gateway) -> str:
    payment_id = gateway.begin("chapa", 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


def state(gateway: Gateway, payment_id: str) -> tuple[str, str, str | None]:
    gateway.settle(payment_id, until=(), hours=0.1)
    found = gateway.payment(payment_id)
    return found["status"], found["refunded_amount"], found["review"]


def refunded_event(gateway: Gateway, payment_id: str, updated_at: str) -> None:
    """One that Chapa sends; the payment's whole amount is in it."""
    attempt = gateway.attempts(payment_id)[0]
    body = {
        "event": "charge.refunded",
        "status": "refunded",
        "tx_ref": attempt.reference,
        "reference": attempt.receipt,
        "amount": "100.00",
        "currency": "ETB",
        "mode": "test",
        "updated_at": updated_at,
    }
    assert signed(gateway, "chapa", body, secret=SECRETS["chapa"]).send().status_code == 200


def test_both_events_are_explained_by_one_refund_of_ours(documented: Gateway) -> None:
    """Breaks when the second one opens a review; a refund in the dashboard still does."""
    payment_id = paid(documented)
    assert documented.refund(payment_id, 40).status_code == 200
    assert state(documented, payment_id) == ("partially_refunded", "40.00", None)
    events = "SELECT count(*) FROM provider_events WHERE payment_id = :id AND kind = 'refund'"
    assert documented.rows(events, id=payment_id)[0][0] == 2
    answer = requests.post(
        f"{documented.sandbox.url}/chapa/v1/refund/{documented.attempts(payment_id)[0].receipt}",
        json={"amount": "20"},
        headers={"Authorization": "Bearer CHASECK_TEST-sandbox"},
        timeout=20,
    )
    assert state(documented, payment_id) == ("partially_refunded", "40.00", "refunded_at_provider")
    portals_id = answer.json()["data"]["ref"]
    operator(documented, "payments", "record-refund", payment_id, "20", "--reference", portals_id)
    documented.assert_ledger_matches_providers()


def test_an_early_event_completes_nothing_and_is_no_second_refund(gateway: Gateway) -> None:
    """Days lie between the two, as Chapa's refunds take one to three."""
    payment_id = paid(gateway)
    gateway.sandbox.control({"rules": [MUTE, LOST]})
    assert gateway.refund(payment_id, 40).status_code == 200
    refunded_event(gateway, payment_id, "early")
    gateway.settle(payment_id, until=(), hours=0.01)
    assert state(gateway, payment_id) == ("completed", "0.00", None)
    gateway.advance(48 * 3600)
    gateway.sandbox.control({"rules": [LOST]})
    refunded_event(gateway, payment_id, "done")
    assert state(gateway, payment_id) == ("partially_refunded", "40.00", None)
    gateway.assert_ledger_matches_providers()
    refunded_event(gateway, payment_id, "of another refund")
    assert state(gateway, payment_id)[2] == "refunded_at_provider"


def test_what_is_refunded_in_full_is_explained(gateway: Gateway) -> None:
    """Nothing is left that could have been refunded elsewhere."""
    payment_id = paid(gateway)
    gateway.sandbox.control({"rules": [LOST]})
    assert gateway.refund(payment_id, 100).status_code == 200
    for moment in ("done", "again", "and again"):
        gateway.advance(3600)
        refunded_event(gateway, payment_id, moment)
        assert state(gateway, payment_id) == ("refunded", "100.00", None)
