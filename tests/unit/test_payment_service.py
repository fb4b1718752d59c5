"""The payment service: states, the view of a payment, amounts, where an order goes, and orders through CPay."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from app.api.gateway.views import initialized, refund_view, transaction
from app.errors import (
    GatewayError,
    InvalidAmount,
    InvalidRequest,
    TransactionNotFound,
    UnsupportedCurrency,
)
from app.events.payloads import customer_payload, payment_payload
from app.models.payment import AttemptState, Payment, PaymentStatus, Refund, RefundState
from app.money import Money
from app.principal import Principal
from app.providers.base import Customer
from app.services import payment_service
from app.services.idempotency_service import Claim
from app.services.pages import PageRequest
from app.services.payment_service import CustomerDetails, PaymentFilter, PaymentRequest
from app.services.payments.payer_status import PAYER_STATUSES, PayerStatus
from app.services.payments.routing import route
from app.services.payments.states import (
    ATTEMPT,
    FINAL_PAYMENTS,
    OPEN_ATTEMPTS,
    OPEN_REFUNDS,
    PAYMENT,
    REFUND,
    REFUNDABLE,
)
from tests.support.provider_health import forget_health
from tests.support.tenants import make_merchant

AT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
DOCUMENTED = {
    "id",
    "idempotency_key",
    "provider",
    "provider_transaction_id",
    "amount",
    "currency",
    "status",
    "customer",
    "payment_method",
    "metadata",
    "provider_response",
    "created_at",
    "updated_at",
    "completed_at",
}
CUSTOMER = Customer("+254712345678", "jane@example.com", "Jane Roe")


def payment(**differing: Any) -> Payment:
    values: dict[str, Any] = {
        "id": uuid.UUID(int=7),
        "tenant_id": uuid.UUID(int=8),
        "idempotency_key": "key-1",
        "provider": "stripe",
        "payment_method": "visa",
        "return_url": None,
        "amount": 100050,
        "currency": "KES",
        "requested_amount": 100050,
        "requested_currency": "KES",
        "status": "completed",
        "customer_id": "cust-1",
        "customer_phone": "+254712345678",
        "customer_email": None,
        "customer_name": "Jane",
        "payment_metadata": {"order_id": "ORD-1"},
        "provider_transaction_id": "cs_1",
        "provider_response": {"client_secret": "cs_secret"},
        "payment_url": None,
        "failure_code": None,
        "failure_reason": None,
        "fee": 3502,
        "refund_reserved": 0,
        "refunded": 0,
        "created_at": AT,
        "updated_at": AT,
        "completed_at": AT,
    }
    return Payment(**values | differing)


def refund(**differing: Any) -> Refund:
    values: dict[str, Any] = {
        "id": uuid.UUID(int=9),
        "payment_id": uuid.UUID(int=7),
        "attempt_id": uuid.UUID(int=10),
        "tenant_id": uuid.UUID(int=8),
        "amount": 5000,
        "currency": "KES",
        "reason": "Customer request",
        "is_from_suspense": False,
        "reference": "ref-1",
        "callback_token": "secret-end-of-a-url",
        "state": "pending",
        "provider_reference": "re_1",
        "error_code": None,
        "error_message": None,
        "refunded_before": 0,
        "inquiries": 0,
        "sent_at": AT,
        "created_at": AT,
        "updated_at": AT,
        "completed_at": None,
    }
    return Refund(**values | differing)


class TestStates:
    @pytest.mark.parametrize(
        ("table", "words"),
        [(PAYMENT, PaymentStatus), (ATTEMPT, AttemptState), (REFUND, RefundState)],
        ids=["payment", "attempt", "refund"],
    )
    def test_a_table_knows_every_word_and_no_other(self, table, words) -> None:
        assert set(table) == set(words)
        assert set().union(*table.values()) <= set(words)
        assert all(word not in after for word, after in table.items())

    def test_money_that_was_collected_is_never_called_failed(self) -> None:
        """From `completed` on there is no way back to a status that says that nothing was paid."""
        for start in ("completed", "partially_refunded", "refunded", "reversed"):
            assert not _reachable(PAYMENT, start) & {"pending", "processing", "failed", "cancelled"}

    def test_a_payment_never_goes_back_to_an_open_status(self) -> None:
        for status in FINAL_PAYMENTS:
            assert not _reachable(PAYMENT, status) & {"pending", "processing"}

    def test_final_and_open_share_out_all_statuses(self) -> None:
        assert set(PAYMENT) - FINAL_PAYMENTS == {"pending", "processing"}
        assert {"completed", "partially_refunded"} == REFUNDABLE

    def test_a_sent_attempt_is_sent_again_only_while_its_outcome_is_unknown(self) -> None:
        assert {word for word, after in ATTEMPT.items() if "sending" in after} == {"created", "unknown"}
        assert {word for word, after in REFUND.items() if "sending" in after} == {"created", "unknown"}

    def test_open_attempts_and_refunds_are_those_that_can_still_succeed(self) -> None:
        by_the_provider = set(ATTEMPT) - {"late"}  # from there on only an operator's word helps
        assert set(OPEN_ATTEMPTS) == {w for w in by_the_provider if ATTEMPT[w] & {"sending", "succeeded"}}
        assert set(OPEN_REFUNDS) == {w for w in REFUND if "completed" in _reachable(REFUND, w)}

    def test_money_that_comes_after_the_end_is_late_and_never_simply_succeeds(self) -> None:
        for word in ("failed", "cancelled"):
            assert ATTEMPT[word] == {"late"}

    def test_every_status_has_a_payer_status(self) -> None:
        assert set(PAYER_STATUSES) == set(PaymentStatus)
        is_open = {status for status, answers in PAYER_STATUSES.items() if answers is PayerStatus.OPEN}
        assert is_open == set(PAYMENT) - FINAL_PAYMENTS


def _reachable(table: Any, start: str) -> set[str]:
    found: set[str] = set()
    rest = [start]
    while rest:
        for word in table[rest.pop()] - found:
            found.add(word)
            rest.append(word)
    return found


class TestView:
    def test_it_has_the_documents_fields(self) -> None:
        shown = transaction(payment())
        assert shown.keys() >= DOCUMENTED
        assert shown["id"] == "00000000-0000-0000-0000-000000000007"
        assert (shown["provider"], shown["payment_method"]) == ("stripe", "visa")
        assert shown["metadata"] == {"order_id": "ORD-1"}

    @pytest.mark.parametrize(
        ("minor", "currency", "shown"),
        [
            (100050, "KES", "1000.50"),
            (100000, "KES", "1000.00"),
            (1, "USD", "0.01"),
            (500, "JPY", "500"),
            (500, "UGX", "500"),
            (1234, "KWD", "1.234"),
            (9_007_199_254_740_993, "USD", "90071992547409.93"),
        ],
    )
    def test_amounts_are_exact_strings_with_the_currencys_decimals(
        self, minor: int, currency: str, shown: str
    ) -> None:
        assert transaction(payment(amount=minor, currency=currency))["amount"] == shown
        assert transaction(payment(refunded=minor, currency=currency))["refunded_amount"] == shown

    def test_times_are_utc_with_a_z(self) -> None:
        shown = transaction(payment())
        assert shown["created_at"] == "2026-01-02T03:04:05.678900Z"
        assert transaction(payment(completed_at=None))["completed_at"] is None

    def test_the_customer_is_as_given(self) -> None:
        assert customer_payload(payment()) == {
            "id": "cust-1",
            "phone": "+254712345678",
            "email": None,
            "name": "Jane",
        }

    def test_merchants_do_not_see_internal_columns(self) -> None:
        assert not transaction(payment()).keys() & {"tenant_id", "fee", "return_url", "refund_reserved"}

    @pytest.mark.parametrize(
        ("state", "shown"),
        [
            ("created", "processing"),
            ("sending", "processing"),
            ("unknown", "processing"),
            ("pending", "processing"),
            ("completed", "completed"),
            ("failed", "failed"),
        ],
    )
    def test_a_refund_is_processing_until_the_provider_has_spoken(self, state: str, shown: str) -> None:
        assert refund_view(refund(state=state))["status"] == shown

    def test_a_refund_is_shown_without_the_secret_end_of_its_url(self) -> None:
        shown = refund_view(refund())
        assert shown["amount"] == "50.00" and shown["reason"] == "Customer request"
        assert "secret-end-of-a-url" not in str(shown)

    def test_events_carry_minor_units_and_no_answer_of_the_provider(self) -> None:
        data = payment_payload(payment(), refund())
        assert data["amount_minor"] == 100050 and "amount" not in data
        assert "cs_secret" not in str(data)  # it may open the customer's page
        assert data["refund"]["amount_minor"] == 5000
        assert "refund" not in payment_payload(payment())


class TestAmounts:
    @pytest.mark.parametrize(
        "given", [1000, Decimal("1000.0"), Decimal("1E+3"), "1000", "1000.00", "1000.000"]
    )
    def test_one_amount_has_many_spellings(self, given: object) -> None:
        assert Money.parse(given, "KES") == Money(100000, "KES")

    @pytest.mark.parametrize(
        "given", [0, -5, 1.005, "1e3x", "NaN", "Infinity", True, None, [], "10,00", "", float("nan"), "1e400"]
    )
    def test_what_is_no_amount_is_refused(self, given: object) -> None:
        with pytest.raises(InvalidAmount):
            Money.parse(given, "KES")

    def test_an_unknown_currency_is_refused(self) -> None:
        with pytest.raises(UnsupportedCurrency):
            Money.parse(5, "ZZZ")


@pytest.fixture
def merchant(app: Flask) -> Iterator[Principal]:
    """A tenant without accounts of its own, inside the application."""
    forget_health(app)
    made = make_merchant(app)
    with app.app_context():
        yield Principal.of_demo_tenant(made.tenant_id, None)


def order(
    provider: str = "cpay", amount: object = 1000, currency: str = "KES", **more: Any
) -> PaymentRequest:
    details = CustomerDetails("+254712345678", email="jane@example.com", name="Jane Roe")
    return PaymentRequest(provider, amount, currency, details, **more)


def claim() -> Claim:
    return Claim(uuid.uuid4(), b"body", "key-1", initialized)


class TestRouting:
    """Where an order goes; the platform's six provider accounts are configured as in the demo."""

    @pytest.mark.parametrize(
        ("asked", "currency", "adapter"),
        [
            ("cpay", "KES", "cpay"),
            ("mpesa", "KES", "mpesa"),
            ("stripe", "USD", "stripe"),
            ("visa", "USD", "stripe"),
        ],
    )
    def test_the_provider_that_was_asked_for_is_the_only_one(
        self, merchant: Principal, asked: str, currency: str, adapter: str
    ) -> None:
        (bound,) = route(merchant.tenant_id, asked, Money(100000, currency), CUSTOMER)
        assert bound.provider.name == adapter and bound.account_id is None

    def test_auto_asks_several_and_never_the_mock(self, merchant: Principal) -> None:
        names = [b.provider.name for b in route(merchant.tenant_id, "auto", Money(100000, "KES"), CUSTOMER)]
        assert names[0] == "mpesa" and len(names) > 1
        assert "cpay" not in names and "chapa" not in names  # a mock; no shillings

    def test_auto_chooses_only_providers_with_the_currency(self, merchant: Principal) -> None:
        names = [b.provider.name for b in route(merchant.tenant_id, "auto", Money(100000, "ETB"), CUSTOMER)]
        assert "chapa" in names and "mpesa" not in names

    @pytest.mark.parametrize(
        ("asked", "amount", "customer", "reason"),
        [
            ("mpesa", Money(1000, "USD"), CUSTOMER, "does not take USD"),
            ("mpesa", Money(100050, "KES"), CUSTOMER, "whole KES only"),
            ("paystack", Money(100000, "NGN"), Customer("+254712345678", None, None), "email"),
            ("venmo", Money(1000, "USD"), CUSTOMER, "not configured"),
        ],
    )
    def test_request_no_provider_accepts_is_refused_with_a_sentence(
        self, merchant: Principal, asked: str, amount: Money, customer: Customer, reason: str
    ) -> None:
        with pytest.raises(GatewayError, match=reason) as refused:
            route(merchant.tenant_id, asked, amount, customer)
        assert refused.value.http_status == 400


class TestInitialize:
    """Through CPay, which answers at once and needs no network."""

    def test_paid_request_is_a_completed_payment(self, merchant: Principal) -> None:
        answer = payment_service.initialize(merchant, order(metadata={"order_id": "ORD-1"}), claim())
        payment_of = answer.body["data"]
        assert (answer.status, answer.body.get("error"), answer.replayed) == (201, None, False)
        assert (payment_of["provider"], payment_of["status"], payment_of["amount"]) == (
            "cpay",
            "completed",
            "1000.00",
        )
        assert payment_of["provider_transaction_id"].startswith("CPAY-")
        assert transaction(payment_service.get_payment(merchant, uuid.UUID(payment_of["id"]))) == payment_of

    def test_declined_request_is_a_failed_payment_and_402(self, merchant: Principal) -> None:
        answer = payment_service.initialize(merchant, order(amount="113.00"), claim())
        assert (answer.status, answer.body["data"]["status"]) == (402, "failed")
        assert answer.body["error"] == answer.body["data"]["failure_reason"]

    def test_a_provider_that_was_not_reached_is_502_and_nothing_was_taken(self, merchant: Principal) -> None:
        answer = payment_service.initialize(merchant, order(amount=7120), claim())
        assert (answer.status, answer.body["data"]["status"]) == (502, "failed")

    def test_a_lost_answer_is_processing_and_no_failure(self, merchant: Principal) -> None:
        answer = payment_service.initialize(merchant, order(amount=7001), claim())
        assert (answer.status, answer.body["data"]["status"]) == (201, "processing")
        found = payment_service.verify(merchant, uuid.UUID(answer.body["data"]["id"]))
        assert found.status == "completed"

    def test_one_key_is_one_payment(self, merchant: Principal) -> None:
        key = claim()
        first = payment_service.initialize(merchant, order(), key)
        again = payment_service.initialize(merchant, order(), key)
        assert again.replayed and again.body == first.body and again.status == first.status
        assert payment_service.list_payments(merchant, PageRequest(10), PaymentFilter()).total == 1

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            (order(amount=0), InvalidAmount),
            (order(amount=True), InvalidAmount),
            (order(currency="ZZZ"), UnsupportedCurrency),
            (order("mpesa", 10, "USD"), InvalidRequest),
        ],
    )
    def test_invalid_request_stores_nothing(
        self, merchant: Principal, wrong: PaymentRequest, error: type[GatewayError]
    ) -> None:
        with pytest.raises(error):
            payment_service.initialize(merchant, wrong, claim())
        assert payment_service.list_payments(merchant, PageRequest(10), PaymentFilter()).items == []

    def test_another_merchants_payment_is_none(self, app: Flask, merchant: Principal) -> None:
        answer = payment_service.initialize(merchant, order(), claim())
        other = Principal.of_demo_tenant(make_merchant(app).tenant_id, None)
        with pytest.raises(TransactionNotFound):
            payment_service.get_payment(other, uuid.UUID(answer.body["data"]["id"]))
