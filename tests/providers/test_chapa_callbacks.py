"""What Chapa sends us: signatures, hints, forgeries, odd shapes."""

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
from app.providers.chapa import read_approval
from app.providers.errors import (
    ForgedCallback,
    InvalidCallback,
)
from tests.support.chapa import REFERENCE, SECRET, chapa

VECTOR_BODY = b'{"event":"charge.success","tx_ref":"tx-1","amount":"400.00"}'
VECTOR_BODY_HASH = "112a6c5b633ae48fe9065417823defc2efd34b9ce07fe68de13bccb4c7b5c7ba"
VECTOR_CONSTANT = "3fe5206161b6f3545a7d875388d8681f644bdad1a4336d86d7a3177ebccc4c50"


def signed(body: bytes, secret: str = SECRET, header: str = "x-chapa-signature") -> Callback:
    value = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Callback("POST", {header: value, "content-type": "text/plain"}, {}, body)


def test_the_published_vectors() -> None:
    event = chapa().read_callback(Callback("POST", {"x-chapa-signature": VECTOR_BODY_HASH}, {}, VECTOR_BODY))
    assert (event.is_verified, event.kind, event.reference) == (True, Kind.PAYMENT, "tx-1")
    hint = chapa().read_callback(Callback("POST", {"chapa-signature": VECTOR_CONSTANT}, {}, VECTOR_BODY))
    assert (hint.is_verified, hint.reported, hint.reference) == (False, None, "tx-1")


def test_a_custom_webhook_signs_the_body_in_the_older_header() -> None:
    event = chapa().read_callback(signed(VECTOR_BODY, header="chapa-signature"))
    assert (event.is_verified, event.reference, event.reported is not None) == (True, "tx-1", True)
    changed = signed(VECTOR_BODY, header="chapa-signature").headers
    with pytest.raises(ForgedCallback):
        chapa().read_callback(Callback("POST", changed, {}, VECTOR_BODY.replace(b"400", b"900")))
    with pytest.raises(ForgedCallback):
        chapa(webhook_secret="").read_callback(signed(VECTOR_BODY, "", header="chapa-signature"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-chapa-signature": ""},
        {"x-chapa-signature": VECTOR_CONSTANT},
        {"x-chapa-signature": "ü" * 64, "chapa-signature": VECTOR_CONSTANT},
        {"chapa-signature": "0" * 64},
    ],
)
def test_a_forged_webhook_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ForgedCallback):
        chapa().read_callback(Callback("POST", headers, {}, VECTOR_BODY))


def test_one_changed_byte_and_an_empty_secret_are_refused() -> None:
    changed = VECTOR_BODY.replace(b"400", b"900")
    with pytest.raises(ForgedCallback):
        chapa().read_callback(Callback("POST", {"x-chapa-signature": VECTOR_BODY_HASH}, {}, changed))
    with pytest.raises(ForgedCallback):
        chapa(webhook_secret="").read_callback(signed(VECTOR_BODY, ""))


def test_a_webhook_says_what_happened() -> None:
    body = {
        "event": "charge.failed/cancelled",
        "tx_ref": REFERENCE,
        "reference": "C1",
        "status": "cancelled",
        "amount": "400.00",
        "currency": "ETB",
        "email": "a@b.et",
    }
    event = chapa().read_callback(signed(json.dumps(body).encode()))
    assert event.reported is not None
    assert (event.reported.state, event.reported.amount) == (State.PENDING, Money(40000, "ETB"))
    assert (event.reference, event.provider_reference) == (REFERENCE, "C1")
    assert "email" not in event.reported.response
    wrapped = {"event": "charge.failed/cancelled", "data": body}
    assert chapa().read_callback(signed(json.dumps(wrapped).encode())) == event
    lying = chapa().read_callback(signed(json.dumps(body | {"event": "charge.success"}).encode()))
    assert lying.reported is not None
    assert lying.reported.state is State.SUCCEEDED


def test_a_payout_s_reference_is_ours() -> None:
    body = {
        "event": "payout.success",
        "reference": REFERENCE,
        "chapa_reference": "CHP1",
        "status": "success",
        "amount": "2000.00",
        "currency": "ETB",
        "account_number": "1000123456789",
    }
    event = chapa().read_callback(signed(json.dumps(body).encode()))
    assert (event.kind, event.reference, event.provider_reference) == (Kind.PAYOUT, REFERENCE, "CHP1")
    assert event.reported is not None
    assert "1000123456789" not in json.dumps(dict(event.reported.response))


def test_event_ids_repeat_only_for_repeated_events() -> None:
    base = {
        "event": "charge.refunded",
        "tx_ref": REFERENCE,
        "reference": "C1",
        "amount": "10.00",
        "currency": "ETB",
    }
    first, again, other, notification = (
        chapa().read_callback(signed(json.dumps(body).encode())).event_id
        for body in (
            base,
            base | {"mode": "test"},
            base | {"amount": "11.00"},
            base | {"event": "charge.success"},
        )
    )
    assert first == again
    assert len({first, other, notification}) == 3
    long = chapa().read_callback(Callback("GET", {}, {"tx_ref": "r" * 190, "status": "s" * 190}, b""))
    assert len(long.event_id) <= 255


@pytest.mark.parametrize("name", ["tx_ref", "trx_ref"])
def test_the_unsigned_callback_is_a_hint(name: str) -> None:
    query = {name: REFERENCE, "ref_id": "C1", "status": "success"}
    by_get = chapa().read_callback(Callback("GET", {}, query, b""))
    form = f"{name}={REFERENCE}&ref_id=C1&status=success".encode()
    for event in (
        by_get,
        chapa().read_callback(Callback("POST", {}, {}, form)),
        chapa().read_callback(Callback("POST", {}, {}, json.dumps(query).encode())),
    ):
        assert (event.reference, event.provider_reference, event.kind) == (REFERENCE, "C1", Kind.PAYMENT)
        assert (event.is_verified, event.reported, event.event_id) == (False, None, by_get.event_id)


@pytest.mark.parametrize(
    "callback",
    [
        Callback("GET", {}, {}, b""),
        Callback("GET", {}, {"tx_ref": "a\0b"}, b""),
        Callback("POST", {}, {}, b""),
        Callback("POST", {}, {}, b"\xff\xfe"),
        Callback("POST", {}, {}, b'{"tx_ref": "\\ud800"}'),
        Callback("POST", {}, {}, b'{"tx_ref": ["x"]}'),
        signed(b"nonsense"),
        signed(b"[]"),
        signed(b'{"event":"charge.success"}'),
        signed(b"[" * 100_000),
    ],
)
def test_unreadable_callbacks(callback: Callback) -> None:
    with pytest.raises(InvalidCallback):
        chapa().read_callback(callback)


def test_unknown_events_are_ignored() -> None:
    event = chapa().read_callback(signed(b'{"event":"virtual_account.created","reference":"V1"}'))
    assert (event.kind, event.reported) == (Kind.OTHER, None)


APPROVAL = json.dumps(
    {
        "amount": "2000.00",
        "reference": REFERENCE,
        "bank": "946",
        "account_name": "Abebe",
        "account_number": "1000123456789",
    }
).encode()


@pytest.mark.parametrize(("message", "is_verified"), [(APPROVAL, True), (b"approve", False)])
def test_a_transfer_approval_is_read_and_never_granted_here(message: bytes, is_verified: bool) -> None:
    signature = hmac.new(b"approve", message, hashlib.sha256).hexdigest()
    event = chapa().read_callback(Callback("POST", {"chapa-signature": signature}, {}, APPROVAL))
    assert (event.event_type, event.kind, event.reported) == ("transfer.approval", Kind.PAYOUT, None)
    assert (event.reference, event.is_verified) == (REFERENCE, is_verified)
    assert chapa().acknowledge(event).status == 400
    asked = read_approval(APPROVAL)
    assert (asked.amount, asked.account_number) == (Money(200000, "ETB"), "1000123456789")
    assert "1000123456789" not in repr(asked)


@pytest.mark.parametrize("secret", ["approve", ""])
def test_a_forged_transfer_approval_is_refused(secret: str) -> None:
    wrong = hmac.new(SECRET.encode(), APPROVAL, hashlib.sha256).hexdigest()
    with pytest.raises(ForgedCallback):
        chapa(approval_secret=secret).read_callback(
            Callback("POST", {"chapa-signature": wrong}, {}, APPROVAL)
        )


def test_other_callbacks_are_acknowledged() -> None:
    event = chapa().read_callback(Callback("GET", {}, {"tx_ref": REFERENCE}, b""))
    assert chapa().acknowledge(event).status == 200
