"""A provider's ids are unique on one account of it: the same id on another account is another charge.

Seen failing when ids are compared without the account, and when those of one account are not compared at all. One that
comes twice on one account, from its sandbox and live, needs review and is posted once.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.money import Money
from app.providers.base import ProviderResult, State
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import transaction
from tests.support.gateway import OPERATOR, Gateway
from tests.support.outcomes import apply_to_attempt
from tests.support.tenants import make_merchant


@pytest.fixture
def own_account(gateway: Gateway) -> dict[str, str]:
    """The headers of a merchant with a Stripe account of its own."""
    merchant = make_merchant(gateway.app)
    values = {"api_key": "sk_test_sandbox", "webhook_secret": "whsec_of_its_own"}
    with gateway.app.app_context():
        provider_accounts.set_account(
            merchant.tenant_id, "stripe", values, environment="sandbox", operator=OPERATOR
        )
    return merchant.headers


def _paid(gateway: Gateway) -> Any:
    payment_id = gateway.begin("stripe")
    assert gateway.settle(payment_id)["status"] == "completed"
    return gateway.attempts(payment_id)[0]


def _waiting(gateway: Gateway) -> Any:
    """An attempt whose answer was lost, so that it has no ids yet, and whose customer does not pay."""
    gateway.sandbox.control({"autopay_s": "off"})
    (attempt,) = gateway.attempts(gateway.begin("stripe"))
    _write(gateway, "UPDATE payment_attempts SET provider_reference = NULL WHERE id = :i", i=attempt.id)
    return attempt


def _write(gateway: Gateway, statement: str, **values: object) -> None:
    with gateway.app.app_context():
        transaction(lambda session: session.execute(text(statement), values))


def _learns(gateway: Gateway, attempt: Any, other: Any) -> dict[str, Any]:
    """The payment after its provider has reported it as collected, under the other's ids."""
    result = ProviderResult(
        State.SUCCEEDED,
        amount=Money(100_00, "USD"),
        provider_reference=other.provider_reference,
        receipt=other.receipt,
    )
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, result, source="inquiry")
    return gateway.rows(
        "SELECT status, (SELECT reason FROM payment_reviews r WHERE r.payment_id = p.id AND closed_at IS NULL) AS review FROM payments p WHERE id = :i",
        i=attempt.payment_id,
    )[0]._asdict()


def _entries(gateway: Gateway, attempt: Any) -> list[str]:
    return [row.kind for row in gateway.rows("SELECT kind FROM entries WHERE ref_id = :i", i=attempt.id)]


def test_same_provider_ids_on_two_accounts_are_two_payments(
    gateway: Gateway, own_account: dict[str, str]
) -> None:
    """Breaks when one merchant's charge stands in the way of another's."""
    first = _paid(gateway)
    usual_headers, gateway.headers = gateway.headers, own_account
    try:
        second = _waiting(gateway)
    finally:
        gateway.headers = usual_headers
    assert second.account_id is not None
    assert _learns(gateway, second, first) == {"status": "completed", "review": None}
    assert _entries(gateway, second) == ["payment"]
    gateway.assert_ledger_is_clean()


def test_same_provider_ids_in_sandbox_and_live_need_review(gateway: Gateway) -> None:
    """A payment collected in the sandbox before the account went live. Breaks when it completes a live payment as
    well, or when the result is an error without a remedy."""
    first = _paid(gateway)
    _write(gateway, "UPDATE payment_attempts SET environment = 'live' WHERE id = :i", i=first.id)
    second = _waiting(gateway)
    assert _learns(gateway, second, first) == {"status": "processing", "review": "reference_in_use"}
    assert _entries(gateway, second) == []
    _write(gateway, "UPDATE payment_attempts SET environment = 'sandbox' WHERE id = :i", i=first.id)
    _write(
        gateway,
        "UPDATE payment_attempts SET provider_reference = :r WHERE id = :i",
        i=second.id,
        r=second.provider_reference,
    )
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("column", ["provider_reference", "receipt"])
def test_database_constraint_prevents_duplicates(
    gateway: Gateway, own_account: dict[str, str], column: str
) -> None:
    """Two results that are applied at once are not seen by each other: then the index decides. Breaks without it."""
    first, second = _paid(gateway), _paid(gateway)
    usual_headers, gateway.headers = gateway.headers, own_account
    try:
        other_attempt = _waiting(gateway)
    finally:
        gateway.headers = usual_headers
    same = f"UPDATE payment_attempts SET {column} = :value WHERE id = :i"
    with pytest.raises(IntegrityError, match=f"payment_attempts_{column}"):
        _write(gateway, same, i=second.id, value=getattr(first, column))
    _write(gateway, same, i=other_attempt.id, value=getattr(first, column))
    _write(gateway, same, i=other_attempt.id, value=f"other-{uuid.uuid4().hex}")
