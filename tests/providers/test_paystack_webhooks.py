"""The Paystack adapter: signatures and events of webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from app.money import Money
from app.providers.base import (
    Callback,
    Kind,
    State,
)
from app.providers.errors import (
    ForgedCallback,
    InvalidCallback,
)
from tests.support.paystack import KEY, paystack

VECTOR_BODY = b'{"event":"charge.success","data":{"reference":"ref_1","amount":10000}}'
VECTOR = (
    "8d80c8c0af33cc5b5aeb590cfbedebbbd852cba7c41e758cf81553fd1032b42aee75d9e8286b20c9911fc928dc647454"
    "ee25afbe7e02d4ad54d69b2b27acfa02"
)


def signed(content: object) -> Callback:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    signature = hmac.new(KEY.encode(), body, hashlib.sha512).hexdigest()
    return Callback("POST", {"x-paystack-signature": signature}, {}, body)


def test_the_published_vector() -> None:
    event = paystack().read_callback(Callback("POST", {"x-paystack-signature": VECTOR}, {}, VECTOR_BODY))
    assert (event.is_verified, event.kind, event.reference) == (True, Kind.PAYMENT, "ref_1")


@pytest.mark.parametrize("signature", [None, "", VECTOR[:-1], VECTOR.replace("8d", "8e"), "ü" * 128])
def test_forged_webhooks(signature: str | None) -> None:
    headers = {} if signature is None else {"x-paystack-signature": signature}
    with pytest.raises(ForgedCallback):
        paystack().read_callback(Callback("POST", headers, {}, VECTOR_BODY))


def test_an_empty_key_signs_nothing() -> None:
    signature = hmac.new(b"", VECTOR_BODY, hashlib.sha512).hexdigest()
    with pytest.raises(ForgedCallback):
        paystack(secret_key="").read_callback(
            Callback("POST", {"x-paystack-signature": signature}, {}, VECTOR_BODY)
        )


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        b"[]",
        b"{}",
        {"event": "charge.success"},
        {"event": 1, "data": {}},
        b"[" * 100_000,
        {"event": "charge.success", "data": {"id": 1}},
        {"event": "charge.success", "data": {"reference": ["x"]}},
    ],
)
def test_unreadable_webhooks(content: object) -> None:
    with pytest.raises(InvalidCallback):
        paystack().read_callback(signed(content))


@pytest.mark.parametrize(
    ("event", "data", "kind", "state", "reference"),
    [
        ("charge.success", {"reference": "c-1", "id": 1}, Kind.PAYMENT, State.SUCCEEDED, "c-1"),
        ("charge.failed", {"reference": "c-1", "id": 1}, Kind.PAYMENT, State.PENDING, "c-1"),
        (
            "transfer.reversed",
            {"reference": "t-1", "transfer_code": "TRF_1"},
            Kind.PAYOUT,
            State.REVERSED,
            "t-1",
        ),
        ("refund.processed", {"transaction_reference": "c-1"}, Kind.REFUND, State.SUCCEEDED, "c-1"),
        ("refund.needs-attention", {"transaction_reference": "c-1"}, Kind.REFUND, State.PENDING, "c-1"),
    ],
)
@pytest.mark.parametrize("amount", [10000, "10000"])
def test_events(event: str, data: dict, kind: Kind, state: State, reference: str, amount: object) -> None:
    read = paystack().read_callback(
        signed({"event": event, "data": data | {"amount": amount, "currency": "KES"}})
    )
    assert (read.kind, read.reference, read.is_verified) == (kind, reference, True)
    assert read.reported is not None
    assert (read.reported.state, read.reported.amount) == (state, Money(10000, "KES"))


def test_a_dispute_names_its_payment() -> None:
    data = {"id": 9, "status": "awaiting-merchant-feedback", "transaction": {"reference": "c-1"}}
    event = paystack().read_callback(signed({"event": "charge.dispute.create", "data": data}))
    assert (event.kind, event.reported, event.reference) == (Kind.DISPUTE, None, "c-1")


def test_event_ids_repeat_only_for_repeated_events() -> None:
    def event_id(event: str = "refund.processed", **instead: object) -> str:
        data = {
            "transaction_reference": "c-1",
            "status": "processed",
            "refund_reference": "R1",
            "amount": "10",
        }
        return paystack().read_callback(signed({"event": event, "data": data | instead})).event_id

    assert event_id() == event_id(domain="test")
    ids = {event_id(), event_id(refund_reference="R2"), event_id(amount="11"), event_id("refund.failed")}
    assert len(ids) == 4
    assert len(event_id(refund_reference="R" * 500)) <= 255
