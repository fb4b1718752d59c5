"""Who reads the database, or a backup, can send no callback that is vouched for; nothing that is open is orphaned."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update

from app.crypto import Sealer
from app.models.payment import PaymentAttempt
from app.models.tenant import ProviderAccount
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import callback_tokens
from app.unit_of_work import reading, transaction
from tests.faults.payments.deliveries import Delivery, latest, posted, push_result, token_of
from tests.faults.payments.expectations import rules
from tests.support.gateway import OPERATOR, Gateway
from tests.support.tenants import make_merchant

HOLDERS = ("payment_attempts", "refunds", "provider_events", "provider_accounts", "jobs", "outbox", "events")

VOUCHED = "SELECT count(*) FROM provider_events WHERE path_token = :stored"


@pytest.fixture
def keys(gateway: Gateway) -> Iterator[list[str]]:
    """The keys of ENCRYPTION_KEY, newest first; `rotate` sets others."""
    kept = gateway.app.extensions["sealer"]
    yield [key.strip() for key in gateway.app.config["ENCRYPTION_KEY"].split(",")]
    gateway.app.extensions["sealer"] = kept


def unpaid(gateway: Gateway) -> Any:
    gateway.sandbox.control({"autopay_s": "off"})
    (attempt,) = gateway.attempts(gateway.begin("mpesa", 100))
    return attempt


def unheard(gateway: Gateway) -> tuple[str, Any, Delivery]:
    """A payment that was paid, its attempt, and the callback about it, which was lost on the way."""
    gateway.sandbox.control({"rules": rules("callback lost", "mpesa")})
    payment_id = gateway.begin("mpesa", 100)
    gateway.quiet()
    (attempt,) = gateway.attempts(payment_id)
    return payment_id, attempt, latest(gateway, "mpesa")


def is_kept_anywhere(gateway: Gateway, token: str) -> bool:
    found = "SELECT EXISTS (SELECT FROM {} t WHERE strpos(to_jsonb(t)::text, :token) > 0)"
    return any(gateway.rows(found.format(table), token=token)[0][0] for table in HOLDERS)


def test_the_database_reveals_no_callback_url(gateway: Gateway) -> None:
    payment_id, attempt, callback = unheard(gateway)
    body = push_result(attempt.provider_reference, 100)
    stored = attempt.callback_token
    for guess in (stored, stored.removeprefix("sha256:"), stored.replace(":", "-"), attempt.reference):
        assert posted(gateway, "mpesa", body, guess).send().status_code == 404
    assert callback.send().status_code == 200
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"
    assert gateway.rows(VOUCHED, stored=stored) == [(1,)]
    assert gateway.refund(payment_id).status_code == 200
    (refund,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    for operation in (attempt, refund):
        assert not is_kept_anywhere(gateway, token_of(gateway, operation))


def test_new_keys_leave_open_payments_reachable(gateway: Gateway, keys: list[str]) -> None:
    payment_id, attempt, callback = unheard(gateway)
    token = token_of(gateway, attempt)
    newest = Fernet.generate_key().decode()
    gateway.app.extensions["sealer"] = Sealer([newest, *keys])
    assert token_of(gateway, attempt) == token, "the provider gets the same URL as before"
    gateway.app.extensions["sealer"] = Sealer(newest)
    assert token_of(gateway, attempt) != token
    assert callback.send().status_code == 200, "a callback is found whichever keys there are"
    gateway.app.extensions["sealer"] = Sealer(keys)
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"


def test_an_operation_from_before_digests_keeps_its_url(gateway: Gateway) -> None:
    attempt = unpaid(gateway)
    token = callback_tokens.new_token()
    with gateway.app.app_context():
        changed = update(PaymentAttempt).where(PaymentAttempt.id == attempt.id).values(callback_token=token)
        transaction(lambda session: session.execute(changed))
    (attempt,) = gateway.attempts(str(attempt.payment_id))
    assert token_of(gateway, attempt) == token
    answer = posted(gateway, "mpesa", push_result(attempt.provider_reference, 100, code=1032), token).send()
    assert answer.status_code == 200
    assert gateway.rows(VOUCHED, stored=token) == [(1,)]


def test_a_tenants_own_url_is_stored_as_a_digest(gateway: Gateway) -> None:
    merchant = make_merchant(gateway.app)
    with gateway.app.app_context():
        token = provider_accounts.set_account(
            merchant.tenant_id,
            "pesapal",
            {"consumer_key": "theirs", "consumer_secret": "theirs"},
            environment="sandbox",
            operator=OPERATOR,
        )
        with reading() as session:
            stored = (
                session.query(ProviderAccount.callback_token).filter_by(tenant_id=merchant.tenant_id).scalar()
            )
    order = str(uuid.uuid4())
    body = {"OrderTrackingId": order, "OrderNotificationType": "IPNCHANGE"}
    assert posted(gateway, "pesapal", body, token).send().status_code == 200
    assert gateway.rows(VOUCHED, stored=stored) == [(1,)]
    assert not is_kept_anywhere(gateway, token)
