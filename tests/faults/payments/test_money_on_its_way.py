"""A customer has paid by a method that takes days: the payment is never ended by its age, and neither is one whose page the
provider refuses to close."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.providers.base import ChargeReference, ProviderResult, State
from app.providers.errors import RequestRejected
from app.providers.paystack import adapter as paystack
from app.providers.stripe import statuses as stripe
from app.providers.stripe.adapter import StripeProvider
from tests.faults.payments.expectations import Expected
from tests.faults.payments.facts import assert_paid_once, outcome
from tests.support.gateway import Gateway

Json = dict[str, Any]


def stripe_answers(patched: pytest.MonkeyPatch) -> None:
    """The customer has agreed to a bank debit: the session is complete and unpaid, its PaymentIntent is being processed."""

    def session(_: StripeProvider, thing: Json) -> Json:
        return thing | {"status": "complete", "payment_status": "unpaid", "payment_intent": "pi_debit"}

    def intent(_: StripeProvider, identity: str) -> ProviderResult:
        return stripe.intent_result({"id": identity, "status": "processing", "amount": 1, "currency": "usd"})

    patched.setattr(StripeProvider, "_own", session)
    patched.setattr(StripeProvider, "_intent", intent)


def paystack_answers(patched: pytest.MonkeyPatch) -> None:
    real = paystack.data_of
    patched.setattr(paystack, "data_of", lambda answer: {**real(answer), "status": "queued"})


@pytest.mark.parametrize(
    ("provider", "answers"), [("stripe", stripe_answers), ("paystack", paystack_answers)]
)
def test_a_bank_debit_is_waited_for(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    answers: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Breaks when what is on its way counts as not paid."""
    gateway.sandbox.control({"autopay_s": 2_000_000})
    payment_id = gateway.begin(provider)
    with monkeypatch.context() as patched:
        answers(patched)
        for days, review in ((1.1, None), (12, None), (2, "payment_stuck")):
            clock.travel(timedelta(days=days))
            gateway.run_due()
            assert outcome(gateway, payment_id) == Expected("processing", 0, review)


def refused(_: StripeProvider, charge: ChargeReference) -> ProviderResult:
    raise RequestRejected("This session cannot be expired.")


def still_open(provider: StripeProvider, charge: ChargeReference) -> ProviderResult:
    return ProviderResult(State.PENDING, provider_reference=charge.provider_reference)


@pytest.mark.parametrize("cancel", [refused, still_open])
def test_a_page_that_cannot_be_closed_is_asked_about(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    cancel: Callable[[StripeProvider, ChargeReference], ProviderResult],
) -> None:
    """Breaks when a refused cancel counts as a closed page: a customer may be paying there."""
    monkeypatch.setattr(StripeProvider, "_cancel", cancel)
    gateway.sandbox.control({"autopay_s": 80_000})
    payment_id = gateway.begin("stripe")
    for days, review in ((1.1, None), (12, None), (2, "payment_stuck")):
        clock.travel(timedelta(days=days))
        gateway.run_due()
        assert outcome(gateway, payment_id) == Expected("processing", 0, review)
    clock.reset()
    gateway.sandbox.control({"advance_s": 80_000})
    gateway.advanced_s = 80_000
    gateway.quiet()
    assert gateway.post(f"/payments/{payment_id}/verify").status_code == 200
    assert outcome(gateway, payment_id) == Expected("completed", 1)
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()
