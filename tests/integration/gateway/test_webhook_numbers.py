"""Numbers in callbacks: whoever sends them, and whenever they were stored, they are no 500 and take no time."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from itertools import cycle, islice, product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import clock, ids, queue
from app.models.job import JobKind
from app.models.provider_event import ProviderEvent
from app.unit_of_work import transaction
from tests.faults.payments.deliveries import signature
from tests.integration.gateway.conftest import MerchantClient
from tests.support.hostile_numbers import HOPELESS_S, LIMIT_S, NUMBERS, seconds, spent

MPESA = (
    '{"Result":{"ResultType":#,"ResultCode":0,"ConversationID":"c"}}',
    '{"Result":{"ResultType":0,"ResultCode":#,"ConversationID":"c"}}',
    '{"Result":{"ResultType":0,"ResultCode":0,"ResultDesc":#,"ConversationID":"c","OriginatorConversationID":#}}',
    (
        '{"Result":{"ResultCode":0,"ConversationID":"c","ResultParameters":{"ResultParameter":[{"Key":"Amount","Value":#},'
        '{"Key":"TransactionReceipt","Value":#},{"Key":"TransactionStatus","Value":#}]}}}'
    ),
    '{"Body":{"stkCallback":{"CheckoutRequestID":"w","ResultCode":#}}}',
    (
        '{"Body":{"stkCallback":{"CheckoutRequestID":"w","ResultCode":0,"ResultType":#,"MerchantRequestID":#,'
        '"CallbackMetadata":{"Item":[{"Name":"Amount","Value":#},{"Name":"TransactionDate","Value":#},'
        '{"Name":"MpesaReceiptNumber","Value":"R#"}]}}}}'
    ),
    '{"TransID":"R","TransAmount":#,"TransTime":#,"BusinessShortCode":#}',
)
CHAPA = (
    '{"tx_ref":"t","status":#}',
    '{"tx_ref":#,"ref_id":#}',
    '{"event":"charge.success","tx_ref":"t","amount":#}',
    '{"event":"charge.success","tx_ref":"t","currency":"ETB","amount":#,"charge":#,"reference":#}',
    '{"event":"charge.refunded","tx_ref":"t","currency":"ETB","amount":#,"updated_at":#}',
    '{"reference":"r","amount":#,"bank":#,"account_number":#}',
)
PAYSTACK = (
    '{"event":"charge.success","data":{"id":#,"reference":"r","amount":#,"requested_amount":#,"currency":"KES","fees":#}}',
    '{"event":"refund.processed","data":{"transaction_reference":"r","amount":#,"currency":"KES","refund_reference":#}}',
    '{"event":"transfer.success","data":{"reference":"r","amount":#,"currency":"KES","transfer_code":#}}',
    '{"event":"other","data":{"n":[#]}}',
)
STRIPE = (
    (
        '{"id":"e","type":"payment_intent.succeeded","data":{"object":{"object":"payment_intent","id":"pi","status":"succeeded",'
        '"amount":#,"amount_received":#,"currency":"kes","created":#,"metadata":{"n":#}}}}'
    ),
    (
        '{"id":"e","type":"checkout.session.completed","created":#,"data":{"object":{"object":"checkout.session","id":"cs",'
        '"status":"complete","payment_status":"paid","amount_total":#,"currency":"usd"}}}'
    ),
    (
        '{"id":"e","type":"refund.updated","data":{"object":{"object":"refund","id":"re","status":"succeeded","amount":#,'
        '"currency":"kwd"}}}'
    ),
)
PESAPAL = (
    '{"OrderTrackingId":"t","OrderMerchantReference":"r","OrderNotificationType":"IPNCHANGE","n":#}',
    '{"OrderTrackingId":#,"OrderNotificationType":#}',
)
CPAY = (
    '{"event":"payment.completed","event_id":"e","reference":"r","amount":#,"currency":"KES","status":#}',
    '{"event":"other","event_id":"e","n":{"n":#}}',
)
BODIES = {
    "mpesa": MPESA,
    "chapa": CHAPA,
    "paystack": PAYSTACK,
    "stripe": STRIPE,
    "visa": STRIPE,
    "pesapal": PESAPAL,
    "cpay": CPAY,
}
"""By provider, what it would send; `#`: the number."""

EVERYWHERE = ("#", "[#]", '{"#":#}', '{"amount":#}')
QUERIES = {"mpesa": ("?notice=payout", "?notice=payout-status", "?notice=refund-timeout")}


def signed(app: Flask, provider: str, body: bytes) -> list[dict[str, str]]:
    """Headers of a genuine delivery, and of one that is not signed."""
    config = app.config
    if provider == "cpay":
        by = {
            "X-CPay-Signature": hmac.new(config["CPAY_API_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        }
        return [{}, by]
    names = {
        "stripe": "STRIPE_WEBHOOK_SECRET",
        "visa": "STRIPE_WEBHOOK_SECRET",
        "chapa": "CHAPA_WEBHOOK_SECRET",
        "paystack": "PAYSTACK_SECRET_KEY",
    }
    if provider not in names:
        return [{}]
    return [{}, signature("stripe" if provider == "visa" else provider, body, config[names[provider]])]


@pytest.mark.parametrize("provider", BODIES)
def test_callbacks(app: Flask, client: FlaskClient, provider: str) -> None:
    queries = cycle(QUERIES.get(provider, ()))
    for shape, (name, number) in product((*BODIES[provider], *EVERYWHERE), NUMBERS.items()):
        body = shape.replace("#", number).encode()
        unsigned, *genuine = signed(app, provider, body)
        # What is not signed is refused unread, but Chapa signs only some of its callbacks. The queries take turns.
        deliveries = [("", headers) for headers in genuine]
        deliveries += [("", unsigned)] if not genuine or shape in EVERYWHERE or provider == "chapa" else []
        deliveries += [(query, unsigned) for query in islice(queries, 1)]
        for query, headers in deliveries:
            path = f"/api/v1/webhooks/{provider}{query}"
            call = partial(client.post, path, data=body, headers=headers, content_type="application/json")
            took, answer = seconds(call)
            assert answer.status_code < 500, (shape, name, query, answer.data)
            assert took < LIMIT_S, (shape, name, query, f"{took:.3f} s")


def test_an_unreadable_number_costs_nothing_but_itself(app: Flask, client: FlaskClient) -> None:
    """The body is answered as with null in its place. Breaks when one number makes the whole callback unreadable: its receipt, its
    reference and its status would be lost."""
    for provider, shapes in BODIES.items():
        for shape in shapes:
            statuses = []
            for value in (NUMBERS["two million digits"], "null"):
                body = shape.replace("#", value).encode()
                headers = signed(app, provider, body)[-1]
                answer = client.post(f"/api/v1/webhooks/{provider}", data=body, headers=headers)
                statuses.append(answer.status_code)
            assert statuses[0] == statuses[1] in (200, 400), (shape, statuses)


# --- stored before numbers were bounded


@pytest.fixture
def kept(app: Flask) -> Iterator[Callable[..., uuid.UUID]]:
    """Store a callback as it was stored then, due now, past the reader that would refuse it today."""

    def keep(
        provider: str, body: str, *, reference: str | None = None, is_verified: bool = False
    ) -> uuid.UUID:
        now, event_id = clock.now(), ids.uuid7()
        row = ProviderEvent(
            id=event_id,
            provider=provider,
            scope="platform",
            provider_event_id=f"old:{event_id}",
            event_type="other.result",
            kind="payment",
            is_verified=is_verified,
            reference=reference,
            provider_reference=None,
            path_token=None,
            account_id=None,
            method="POST",
            query={},
            headers={},
            body=body.encode(),
            state="received",
            repeats=0,
            confirmations=0,
            received_at=now,
        )

        def work(session: Any) -> None:
            session.add(row)
            session.flush()
            queue.enqueue(session, JobKind.PROVIDER_EVENT_PROCESS, ref=str(event_id), run_at=now, now=now)

        with app.app_context():
            transaction(work)
        return event_id

    _delete_jobs(app)
    yield keep
    _delete_jobs(app)


def _delete_jobs(app: Flask) -> None:
    with app.app_context():
        transaction(lambda s: s.execute(text("DELETE FROM jobs WHERE kind = 'provider_event.process'")))


def _result(rows: Callable[..., list[Any]], event_id: uuid.UUID) -> Mapping[str, Any]:
    found = rows(
        "SELECT e.state, e.result, j.state AS job, j.last_error FROM provider_events e LEFT JOIN jobs j ON j.ref = e.id::text "
        "WHERE e.id = :id",
        id=event_id,
    )
    return found[0]._mapping


@pytest.mark.parametrize("provider", [name for name in BODIES if name != "visa"])
@pytest.mark.parametrize("name", ["two million digits", "exponent of 19 digits", "5,000 digits", "NaN"])
def test_stored_callbacks_are_processed(
    rows: Callable[..., list[Any]],
    run_due_jobs: Callable[[], int],
    kept: Callable[..., uuid.UUID],
    provider: str,
    name: str,
) -> None:
    stored = [kept(provider, shape.replace("#", NUMBERS[name])) for shape in BODIES[provider]]
    took, ran = spent(run_due_jobs)
    assert ran >= len(stored) and took < HOPELESS_S
    for event_id in stored:
        assert _result(rows, event_id) == {
            "state": "ignored",
            "result": "Nothing here has this reference.",
            "job": None,
            "last_error": None,
        }


def test_a_stored_callback_about_a_payment_makes_us_ask(
    merchant: MerchantClient,
    rows: Callable[..., list[Any]],
    run_due_jobs: Callable[[], int],
    kept: Callable[..., uuid.UUID],
) -> None:
    """Its content cannot be read any more; that something happened to the payment still counts."""
    payment = merchant.waiting()
    (attempt,) = rows("SELECT reference FROM payment_attempts WHERE payment_id = :id", id=payment["id"])
    event_id = kept(
        "cpay",
        CPAY[0].replace("#", NUMBERS["two million digits"]),
        reference=attempt.reference,
        is_verified=True,
    )
    for _ in range(8):
        took, _ran = spent(run_due_jobs)
        assert took < HOPELESS_S
        clock.travel(timedelta(seconds=10))
    found = _result(rows, event_id)
    assert found["state"] == "processed" and found["last_error"] is None
    assert merchant.get(f"/{payment['id']}").json["data"]["status"] == "processing"
