"""An unsigned copy of a callback arrives first: the signed one is still processed.

Only the jobs of provider events run here, not those of payments, which would inquire by themselves.

Seen failing when the signed one counts as a repeat of its copy, when the copy's words stay, when all addresses share
one provider event, and when a forged one is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest

from app import clock
from app.services.callbacks.receive import HINT_DELAY_S
from app.services.provider_access import accounts as provider_accounts
from app.worker.runner import run_job
from tests.faults.payments.deliveries import SECRETS, SUCCESS, Delivery, latest, signed, token_of, webhook
from tests.support.gateway import OPERATOR, Gateway
from tests.support.tenants import MerchantClient, make_merchant

PAYS_AFTER_S = 30
LOST = [{"fault": "callback_lost", "operation": "callback"}]


def _process_callbacks(gateway: Gateway) -> None:
    due = "SELECT id FROM jobs WHERE kind = 'provider_event.process' AND state = 'due' AND run_at <= :now"
    found = [row[0] for row in gateway.rows(f"{due} ORDER BY run_at", now=clock.now())]
    with gateway.app.app_context():
        for job_id in found:
            run_job(job_id)


def _callback_body(gateway: Gateway, attempt: Any) -> list[Any]:
    return gateway.rows(
        "SELECT * FROM provider_events WHERE reference = :ours OR provider_reference = :theirs ORDER BY id",
        ours=attempt.reference,
        theirs=attempt.provider_reference,
    )


def _begin_unpaid(gateway: Gateway, provider: str) -> tuple[str, Any]:
    """The customer pays later, and the simulator's own callback about it is lost."""
    gateway.sandbox.control({"autopay_s": PAYS_AFTER_S, "rules": LOST})
    payment_id = gateway.begin(provider)
    return payment_id, gateway.attempts(payment_id)[0]


def _customer_pays(gateway: Gateway, payment_id: str) -> None:
    gateway.advance(PAYS_AFTER_S + 1)
    gateway.quiet()
    assert gateway.charged(payment_id) == [100]
    assert gateway.payment(payment_id)["status"] == "processing"


def _without_proof(delivery: Delivery, **change: bytes) -> Delivery:
    """A forged copy: one delivery of Chapa's is enough, since its second header is the same for every body."""
    secret = SECRETS["chapa"].encode()
    constant = hmac.new(secret, secret, hashlib.sha256).hexdigest()
    return replace(
        delivery, headers={"Content-Type": "application/json", "Chapa-Signature": constant}, **change
    )


def test_signed_callback_after_a_processed_copy_is_applied(gateway: Gateway) -> None:
    """Breaks when the signed one is a mere repeat: the merchant waits for the next inquiry, or for ever."""
    payment_id, attempt = _begin_unpaid(gateway, "chapa")
    real = signed(gateway, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    assert _without_proof(real).send().status_code == 200
    for _ in range(6):
        _process_callbacks(gateway)
        gateway.advance(4)
    ((copy),) = _callback_body(gateway, attempt)
    assert (copy.state, copy.is_verified) == ("processed", False)
    _customer_pays(gateway, payment_id)
    assert real.send().status_code == 200
    _process_callbacks(gateway)
    assert gateway.payment(payment_id)["status"] == "completed"
    ((event),) = _callback_body(gateway, attempt)
    assert (event.state, event.is_verified, event.repeats) == ("processed", True, 1)
    gateway.assert_ledger_matches_providers()


def test_signed_callback_after_a_pending_copy_is_applied(gateway: Gateway) -> None:
    """Breaks when the copy's values are kept instead of the real ones."""
    payment_id, attempt = _begin_unpaid(gateway, "chapa")
    real = signed(gateway, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    assert _without_proof(real, body=real.body.replace(b"APinvented", b"APcopied")).send().status_code == 200
    assert real.send().status_code == 200
    (event,) = _callback_body(gateway, attempt)
    assert (bytes(event.body), event.is_verified, event.provider_reference) == (real.body, True, "APinvented")
    _customer_pays(gateway, payment_id)
    _process_callbacks(gateway)
    assert gateway.payment(payment_id)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


def test_copy_after_the_signed_callback_is_ignored(gateway: Gateway) -> None:
    payment_id, attempt = _begin_unpaid(gateway, "chapa")
    real = signed(gateway, "chapa", SUCCESS["chapa"](attempt, 100), secret=SECRETS["chapa"])
    _customer_pays(gateway, payment_id)
    for delivery in (real, _without_proof(real, body=real.body.replace(b"APinvented", b"APcopied"))):
        assert delivery.send().status_code == 200
        _process_callbacks(gateway)
    (event,) = _callback_body(gateway, attempt)
    assert (bytes(event.body), event.is_verified) == (real.body, True)
    assert gateway.payment(payment_id)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", SECRETS)
def test_forged_callback_does_not_block_the_signed_one(gateway: Gateway, provider: str) -> None:
    """Breaks when what is refused is stored all the same."""
    payment_id, attempt = _begin_unpaid(gateway, provider)
    body = SUCCESS[provider](attempt, 100)
    assert signed(gateway, provider, body, secret="a-guess").send().status_code == 401
    assert _callback_body(gateway, attempt) == []
    _customer_pays(gateway, payment_id)
    assert signed(gateway, provider, body, secret=SECRETS[provider]).send().status_code == 200
    _process_callbacks(gateway)
    assert gateway.payment(payment_id)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


def test_copy_at_the_shared_url_does_not_block_the_signed_one(gateway: Gateway) -> None:
    """M-Pesa signs nothing: what came to the payment's own secret address is vouched for, and a copy that came to the
    platform account's before it is not. Breaks when they count as one event: the receipt would never be accepted."""
    payment_id, attempt = _begin_unpaid(gateway, "mpesa")
    _customer_pays(gateway, payment_id)
    real = latest(gateway, "mpesa")
    assert real.url.endswith(token_of(gateway, attempt))
    assert real.to(webhook(gateway, "mpesa")).send().status_code == 200
    _process_callbacks(gateway)
    assert gateway.payment(payment_id)["status"] == "completed", "the provider was asked"
    assert gateway.attempts(payment_id)[0].receipt is None, "the receipt of an unsigned copy is not used"
    assert real.send().status_code == 200
    _process_callbacks(gateway)
    (charge,) = gateway.book(payment_id)
    assert gateway.attempts(payment_id)[0].receipt == charge["id"]
    gateway.assert_ledger_matches_providers()


# --- accounts


def _own_chapa(gateway: Gateway, secret: str) -> tuple[MerchantClient, str]:
    """A merchant with a Chapa account of its own, and the end of that account's webhook URL."""
    merchant = make_merchant(gateway.app)
    values = {"secret_key": "CHASECK_TEST-sandbox", "webhook_secret": secret}
    with gateway.app.app_context():
        token = provider_accounts.set_account(
            merchant.tenant_id, "chapa", values, environment="sandbox", operator=OPERATOR
        )
    return merchant, token


def test_another_accounts_event_with_the_same_id_does_not_block_ours(gateway: Gateway) -> None:
    """One merchant signs, with its own secret and at its own URL, a callback about another merchant's payment.

    Breaks when provider events are distinguished by their ids alone, and when one account's callbacks apply to
    another's payments.
    """
    merchant, token = _own_chapa(gateway, "hook-of-one")
    _, others_token = _own_chapa(gateway, "hook-of-another")
    usual_headers, gateway.headers = gateway.headers, merchant.headers
    try:
        payment_id, attempt = _begin_unpaid(gateway, "chapa")
        body = SUCCESS["chapa"](attempt, 100)
        copies = [
            signed(gateway, "chapa", body, secret="hook-of-another", token=others_token),
            signed(gateway, "chapa", body, secret=SECRETS["chapa"]),  # the platform's own account
        ]
        _customer_pays(gateway, payment_id)
        for copy in copies:
            assert copy.send().status_code == 200
            _process_callbacks(gateway)
            assert gateway.payment(payment_id)["status"] == "processing"
        assert signed(gateway, "chapa", body, secret="hook-of-one", token=token).send().status_code == 200
        _process_callbacks(gateway)
        assert gateway.payment(payment_id)["status"] == "completed"
        assert [event.state for event in _callback_body(gateway, attempt)] == [
            "ignored",
            "ignored",
            "processed",
        ]
    finally:
        gateway.headers = usual_headers


def test_a_hint_beside_a_signed_callback_asks_no_second_time(gateway: Gateway) -> None:
    """Chapa sends both. Breaks when the hint does not wait for the signed one, or asks what was answered since it came."""
    payment_id = gateway.begin("chapa")
    gateway.quiet()
    _process_callbacks(gateway)
    assert gateway.payment(payment_id)["status"] == "completed"
    mute = {"fault": "before", "provider": "chapa", "operation": "verify"}
    gateway.sandbox.control({"rules": [mute]})
    (attempt,) = gateway.attempts(payment_id)
    found = [(event.is_verified, event.state) for event in _callback_body(gateway, attempt)]
    assert sorted(found) == [(False, "received"), (True, "processed")]
    gateway.advance(HINT_DELAY_S)
    _process_callbacks(gateway)
    assert {event.state for event in _callback_body(gateway, attempt)} == {"processed"}


def test_a_later_hint_is_asked_about(gateway: Gateway) -> None:
    """Breaks when every hint about a paid payment is taken for an old one: a reversal may be behind it."""
    payment_id = gateway.begin("chapa")
    assert gateway.settle(payment_id)["status"] == "completed"
    gateway.advance(60)
    *_, hint = [one for one in gateway.sandbox.callbacks("chapa") if one["method"] == "GET"]
    mute = {"fault": "before", "provider": "chapa", "operation": "verify"}
    gateway.sandbox.control({"rules": [mute]})
    gateway.sandbox.repeat(hint["id"])
    gateway.quiet()
    gateway.advance(HINT_DELAY_S)
    _process_callbacks(gateway)
    (attempt,) = gateway.attempts(payment_id)
    assert "received" in {event.state for event in _callback_body(gateway, attempt)}
