"""Payments with saved methods: charged once without the customer, whatever is lost; and saved once, whoever reports that they are paid."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from app import clock, ids
from app.errors import InvalidRequest
from app.models.customer import PaymentMethod
from app.models.order import Order
from app.models.payment import SaveMethod
from app.principal import Principal
from app.providers.errors import OutcomeUnknown
from app.providers.paystack.client import PaystackClient
from app.services import payment_service
from app.services.customers import customers, preferences, saving
from app.services.customers.customers import CustomerRequest
from app.services.idempotency_service import Answer, Claim
from app.services.operator import decisions
from app.services.payment_service import CustomerDetails, Initialized, PaymentRequest
from app.services.tenants import api_keys
from app.unit_of_work import transaction
from tests.faults.payments.expectations import NOT_PAID, PAID
from tests.faults.payments.facts import assert_paid_once, outcome
from tests.support.gateway import CURRENCIES, CUSTOMER, OPERATOR, Gateway

SAVING = ("mpesa", "paystack", "pesapal", "stripe")
CHARGED_BY = {"paystack": "initialize", "stripe": "payment_intent"}
"""Those that charge without the customer → the simulator's word for it."""


@dataclass(frozen=True)
class Payer:
    """A customer with an order."""

    gateway: Gateway
    merchant: Principal
    customer_id: uuid.UUID
    order_id: uuid.UUID

    def begin(
        self, provider: str, *, save: SaveMethod | None = None, details: dict[str, str] | None = None
    ) -> str:
        request = PaymentRequest(
            provider,
            100,
            CURRENCIES[provider],
            CustomerDetails(CUSTOMER["phone"], email=CUSTOMER["email"]),
            saved_details=details,
            save_method=save,
        )
        with self.gateway.app.app_context():
            answer = payment_service.initialize(self.merchant, request, Claim(uuid.uuid4(), b"", "", _shown))
        payment_id = str(answer.body["id"])
        if save is not None:
            self._pay_order(payment_id)
        return payment_id

    def _pay_order(self, payment_id: str) -> None:
        with self.gateway.app.app_context():
            transaction(
                lambda session: session.execute(
                    text("UPDATE payments SET order_id = :order WHERE id = :id"),
                    {"order": self.order_id, "id": payment_id},
                )
            )

    def settle(self, payment_id: str) -> dict[str, Any]:
        payment = self.gateway.settle(payment_id)
        while self.gateway.run_due():
            pass
        return payment

    def methods(self) -> list[PaymentMethod]:
        with self.gateway.app.app_context():
            return list(preferences.read(self.gateway.tenant_id, self.customer_id).methods)

    def kept(self, provider: str) -> dict[str, str]:
        """The details of a method that was paid with once."""
        payment = self.settle(self.begin(provider, save=SaveMethod.SAVE))
        assert payment["status"] == "completed"
        (method,) = self.methods()
        return dict(method.details)


def _shown(done: Initialized) -> Answer:
    return Answer({"id": str(done.payment.id)}, 201)


@pytest.fixture
def payer(gateway: Gateway) -> Payer:
    with gateway.app.app_context():
        tenant_id, key_id, *_ = api_keys.authenticate(gateway.headers["X-TENANT-API-KEY"])
        merchant = Principal.of_api_key(tenant_id, key_id, None)
        customer = customers.create(merchant, CustomerRequest(name="Jane"))
        order = Order(
            id=ids.uuid7(),
            tenant_id=tenant_id,
            customer_id=customer.id,
            amount=10_000,
            currency="KES",
            created_at=clock.now(),
        )
        transaction(lambda session: session.add(order))
    return Payer(gateway, merchant, customer.id, order.id)


@pytest.mark.parametrize("provider", SAVING)
def test_what_was_paid_with_is_saved_once(payer: Payer, provider: str) -> None:
    payment_id = payer.begin(provider, save=SaveMethod.SAVE)
    assert payer.methods() == []
    payment = payer.settle(payment_id)
    assert payment["status"] == "completed"
    (method,) = payer.methods()
    assert (method.provider, method.is_default) == (provider, True)
    with payer.gateway.app.app_context():
        saving.save_paid_with(uuid.UUID(payment_id))
    (again,) = payer.methods()
    assert (again.id, again.details) == (method.id, method.details)
    secret = method.method_id.removeprefix(f"{provider}_")
    events = payer.gateway.rows("SELECT data::text FROM outbox WHERE type LIKE 'payment_method.%'")
    assert events and not any(secret in row[0] for row in events if provider != "pesapal")
    if provider in CHARGED_BY:
        assert secret not in str(payment["provider_response"])


def test_it_is_saved_as_the_default_where_that_was_asked_for(payer: Payer) -> None:
    payer.settle(payer.begin("mpesa", save=SaveMethod.SAVE))
    with payer.gateway.app.app_context():
        transaction(
            lambda session: session.execute(
                text("UPDATE payments SET order_id = NULL WHERE order_id = :order"),
                {"order": payer.order_id},
            )
        )
    payer.settle(payer.begin("pesapal", save=SaveMethod.SAVE_AS_DEFAULT))
    assert [method.provider for method in payer.methods() if method.is_default] == ["pesapal"]


def test_a_payment_that_an_operator_accepts_is_saved_too(payer: Payer) -> None:
    payer.gateway.sandbox.control(
        {"rules": [{"provider": "stripe", "operation": "session", "fault": "wrong_amount", "times": 1}]}
    )
    payment_id = payer.begin("stripe", save=SaveMethod.SAVE)
    payer.gateway.settle(payment_id, hours=0.2)
    assert payer.methods() == []
    with payer.gateway.app.app_context():
        decisions.accept_unmatched(uuid.UUID(payment_id), operator=OPERATOR)
    assert payer.settle(payment_id)["status"] == "completed"
    assert [method.provider for method in payer.methods()] == ["stripe"]


def test_a_payment_that_fails_saves_nothing(payer: Payer) -> None:
    payer.gateway.sandbox.control(
        {"rules": [{"provider": "mpesa", "operation": "stkpush", "fault": "cancelled", "times": 1}]}
    )
    payment_id = payer.begin("mpesa", save=SaveMethod.SAVE)
    assert payer.settle(payment_id)["status"] in ("cancelled", "failed")
    assert payer.methods() == []


@pytest.mark.parametrize("provider", CHARGED_BY)
@pytest.mark.parametrize("fault", [None, {"fault": "drop"}, {"fault": "before", "status": 500}])
def test_a_saved_method_is_charged_once(payer: Payer, provider: str, fault: dict[str, object] | None) -> None:
    details = payer.kept(provider)
    if fault is not None:
        rule = {"provider": provider, "operation": CHARGED_BY[provider], "times": 1, **fault}
        payer.gateway.sandbox.control({"rules": [rule]})
    payment_id = payer.begin(provider, details=details)
    if fault is None:
        assert payer.gateway.payment(payment_id)["status"] == "completed"
    payment = payer.settle(payment_id)
    assert outcome(payer.gateway, payment_id) == PAID
    assert payment["payment_url"] is None
    assert_paid_once(payer.gateway, payment_id)


@pytest.mark.parametrize("provider", CHARGED_BY)
def test_a_declined_saved_method_fails_at_once(payer: Payer, provider: str) -> None:
    details = payer.kept(provider)
    rule = {"provider": provider, "operation": CHARGED_BY[provider], "fault": "insufficient_funds"}
    payer.gateway.sandbox.control({"rules": [rule | {"times": 1}]})
    payment_id = payer.begin(provider, details=details)
    payment = payer.gateway.payment(payment_id)
    assert payment["failure_code"] == "insufficient_funds"
    assert outcome(payer.gateway, payment_id) == NOT_PAID


def test_a_declined_saved_method_whose_answer_is_lost_is_not_waited_for(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page takes another card, so the first inquiry ends it."""
    details, send = payer.kept("paystack"), PaystackClient.post

    def lost(client: PaystackClient, path: str, body: Any) -> Any:
        send(client, path, body)
        raise OutcomeUnknown

    monkeypatch.setattr(PaystackClient, "post", lost)
    rule = {"provider": "paystack", "operation": "initialize", "fault": "declined", "times": 1}
    payer.gateway.sandbox.control({"rules": [rule]})
    payment_id = payer.begin("paystack", details=details)
    assert payer.gateway.payment(payment_id)["status"] == "processing"
    payment = payer.gateway.settle(payment_id, hours=0.2)
    assert (payment["status"], payment["failure_code"]) == ("failed", "declined")


def test_a_saved_phone_gets_the_push_and_a_page_is_shown_where_there_is_no_other_way(payer: Payer) -> None:
    pushed = payer.begin("mpesa", details={"phone_number": "254711222333"})
    assert payer.gateway.payment(pushed)["customer"]["phone"] == "+254711222333"
    paged = payer.begin("pesapal", details={"payment_method": "card"})
    assert payer.gateway.payment(paged)["payment_url"]
    assert payer.settle(pushed)["status"] == payer.settle(paged)["status"] == "completed"


@pytest.mark.parametrize(
    ("provider", "more"),
    [
        ("auto", {"saved_details": {"phone_number": "254711222333"}}),
        ("cpay", {"saved_details": {"token": "1"}}),
        ("cpay", {"save_method": SaveMethod.SAVE}),
        ("stripe", {"saved_details": {}}),
    ],
)
def test_what_cannot_be_charged_or_saved_is_refused(payer: Payer, provider: str, more: Any) -> None:
    request = PaymentRequest(provider, 100, "KES", CustomerDetails(CUSTOMER["phone"]), **more)
    with payer.gateway.app.app_context(), pytest.raises(InvalidRequest):
        payment_service.initialize(payer.merchant, request, Claim(uuid.uuid4(), b"", "", _shown))
