"""Stripe's words and webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.providers import PROVIDERS
from app.providers.base import (
    Callback,
    Kind,
    State,
)
from app.providers.errors import (
    ForgedCallback,
    InvalidCallback,
    OutcomeUnknown,
)
from app.providers.stripe import StripeProvider, statuses
from tests.support.providers import make_provider
from tests.support.stripe_objects import (
    INTENT,
    KEYS,
    REFERENCE,
    REFUND,
    SESSION,
    event,
    signed,
)


@pytest.fixture
def provider() -> StripeProvider:
    return make_provider(StripeProvider, **KEYS)


# --- states


def test_session_words() -> None:
    assert {pair: state.value for pair, state in statuses.SESSIONS.items()} == {
        ("open", "unpaid"): "pending",
        ("complete", "paid"): "succeeded",
        ("complete", "unpaid"): "in_transit",
        ("expired", "unpaid"): "cancelled",
    }
    expired = statuses.session_result({**SESSION, "status": "expired"})
    assert (expired.code, expired.payment_url) == ("expired", None)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("requires_payment_method", State.PENDING),
        ("requires_confirmation", State.PENDING),
        ("requires_action", State.PENDING),
        ("requires_capture", State.PENDING),
        ("processing", State.IN_TRANSIT),
        ("succeeded", State.SUCCEEDED),
        ("canceled", State.CANCELLED),
    ],
)
def test_intent_words(word: str, state: State) -> None:
    assert statuses.intent_result({**INTENT, "status": word, "amount_received": 1000}).state is state


def test_refund_words() -> None:
    assert {word: state.value for word, state in statuses.REFUNDS.items()} == {
        "pending": "pending",
        "requires_action": "pending",
        "succeeded": "succeeded",
        "failed": "failed",
        "canceled": "cancelled",
    }


@pytest.mark.parametrize(
    ("read", "thing"),
    [(statuses.session_result, SESSION), (statuses.intent_result, INTENT), (statuses.refund_result, REFUND)],
)
def test_unknown_words_are_unknown(read: Any, thing: dict[str, Any]) -> None:
    for word in ("astonished", "", None, 7):
        with pytest.raises(OutcomeUnknown):
            read({**thing, "status": word})


@pytest.mark.parametrize(
    ("flow", "state"), [("confirmed", State.FAILED), ("intent", State.PENDING), ("hosted", State.PENDING)]
)
def test_a_declined_card_ends_only_what_we_confirmed(flow: str, state: State) -> None:
    error = {"code": "card_declined", "decline_code": "lost_card", "message": "Your card was declined."}
    result = statuses.intent_result({**INTENT, "metadata": {"flow": flow}, "last_payment_error": error})
    assert (result.state, result.code, result.message) == (state, "lost_card", "Your card was declined.")


# --- webhooks


def test_the_published_signature_passes_and_ages() -> None:
    provider = make_provider(StripeProvider, api_key="sk_test_x", webhook_secret="whsec_test_secret")
    body = b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}'
    header = "t=1700000000,v1=67da5088c63e080c71bd2bb0cb5c03d85a8fc6a21ce3aaf484df809654745b92"
    callback = Callback("POST", {"stripe-signature": header}, {}, body)
    clock.travel(datetime.fromtimestamp(1_700_000_290, UTC) - clock.now())
    with pytest.raises(InvalidCallback, match="no object"):
        provider.read_callback(callback)  # believed, but there is nothing in it
    clock.travel(timedelta(seconds=20))
    with pytest.raises(ForgedCallback, match="not of this time"):
        provider.read_callback(callback)
    clock.travel(timedelta(seconds=-620))
    with pytest.raises(ForgedCallback, match="not of this time"):
        provider.read_callback(callback)


def test_forged_webhooks_are_refused(provider: StripeProvider) -> None:
    body = event("payment_intent.succeeded", INTENT)
    good = signed(body).headers["stripe-signature"]
    moment, _, mac = good.partition(",v1=")
    for header in (
        "",
        "v1=" + mac,
        moment,
        f"{moment},v0={mac}",
        f"{moment},v1={mac[:-1]}x",
        f"{moment},v1=é",
        f"t=x,v1={mac}",
        f"{moment},t=1,v1={mac}",
        f"t=-1,v1={mac}",
        f"t={'9' * 30},v1={mac}",
        f"t=²,v1={mac}",
        f"{moment},v1=",
    ):
        with pytest.raises(ForgedCallback):
            provider.read_callback(Callback("POST", {"stripe-signature": header}, {}, body))
    with pytest.raises(ForgedCallback):
        provider.read_callback(Callback("POST", {"stripe-signature": good}, {}, body + b" "))
    with pytest.raises(ForgedCallback):
        make_provider(StripeProvider, api_key="k").read_callback(signed(body, secret=""))
    rolled = f"{moment},v1={'0' * 64},v1={mac}"
    assert provider.read_callback(Callback("POST", {"stripe-signature": rolled}, {}, body)).is_verified


def test_unreadable_webhooks_are_refused(provider: StripeProvider) -> None:
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"id":1,"type":"x","data":{"object":{}}}',
        b'{"id":"evt_1","type":"x","data":[]}',
        b'{"id":"evt_1","type":"x","data":{"object":[]}}',
        b"[" * 100_000,
    ):
        with pytest.raises(InvalidCallback):
            provider.read_callback(signed(body))


HOSTED_INTENT = {**INTENT, "status": "succeeded", "amount_received": 1000, "metadata": SESSION["metadata"]}
CHARGE = {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": INTENT["metadata"]}


@pytest.mark.parametrize(
    ("kind", "thing", "about", "reference", "provider_reference", "reported"),
    [
        (
            "checkout.session.completed",
            {**SESSION, "status": "complete", "payment_status": "paid"},
            Kind.PAYMENT,
            REFERENCE,
            "cs_test_1",
            State.SUCCEEDED,
        ),
        (
            "checkout.session.expired",
            {**SESSION, "status": "expired"},
            Kind.PAYMENT,
            REFERENCE,
            "cs_test_1",
            State.CANCELLED,
        ),
        (
            "checkout.session.completed",
            {**SESSION, "metadata": None},
            Kind.PAYMENT,
            REFERENCE,
            "cs_test_1",
            State.PENDING,
        ),
        ("payment_intent.succeeded", HOSTED_INTENT, Kind.PAYMENT, REFERENCE, None, State.SUCCEEDED),
        ("payment_intent.payment_failed", INTENT, Kind.PAYMENT, REFERENCE, "pi_1", State.PENDING),
        ("refund.updated", REFUND, Kind.REFUND, "refund-1", "re_1", State.SUCCEEDED),
        ("charge.refunded", CHARGE, Kind.REFUND, REFERENCE, "pi_1", None),
        (
            "charge.dispute.created",
            {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"},
            Kind.DISPUTE,
            None,
            "pi_1",
            None,
        ),
        (
            "payment_intent.succeeded",
            {**INTENT, "status": "astonished"},
            Kind.PAYMENT,
            REFERENCE,
            "pi_1",
            None,
        ),
        ("payout.paid", {"id": 7}, Kind.OTHER, None, None, None),
    ],
)
def test_webhooks_report_outcomes(
    provider: StripeProvider,
    kind: str,
    thing: dict[str, Any],
    about: Kind,
    reference: str | None,
    provider_reference: str | None,
    reported: State | None,
) -> None:
    read = provider.read_callback(signed(event(kind, thing)))
    assert read.dispute == (thing["id"] if about is Kind.DISPUTE else None)
    assert (read.event_id, read.kind, read.event_type) == ("evt_1", about, kind)
    assert (read.reference, read.provider_reference) == (reference, provider_reference)
    assert (read.reported.state if read.reported else None) is reported
    assert read == provider.read_callback(signed(event(kind, thing)))
    assert provider.acknowledge(read).status == 200


def test_stripe_is_registered() -> None:
    assert PROVIDERS["stripe"] is StripeProvider
