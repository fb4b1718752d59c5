"""The filters of GET /payments: what each finds, that cursors keep them, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql

from app.models.payment import Payment
from app.services.payment_service import PaymentFilter
from app.unit_of_work import reading, transaction
from tests.integration.gateway.conftest import MerchantClient, make_merchant

OTHER_CUSTOMER = {"phone": "+254799999999", "email": "other@example.com"}


class Listed:
    """A merchant with the payment `wanted` and one that no filter of these tests finds."""

    def __init__(self, merchant: MerchantClient, rows: Callable[..., list[Any]]) -> None:
        self.merchant = merchant
        self.other = merchant.paid(amount=5, metadata={"order_id": "ORD-1", "n": 1}, customer=OTHER_CUSTOMER)[
            "id"
        ]
        self.wanted = merchant.paid(
            key="order/77",
            amount="12.50",
            metadata={"order_id": "ORD-2", "n": 7, "rate": 1.50, "gift": True, "a b": "c=d&e"},
            customer={"phone": "+254711111111", "email": "Mixed.Case@example.com"},
            reference="Invoice 7/2026",
            description="Two shirts",
        )
        (self.attempt,) = rows("SELECT * FROM payment_attempts WHERE payment_id = :id", id=self.wanted["id"])

    def ids(self, query: str) -> list[str]:
        answer = self.merchant.get(f"?{query}")
        assert answer.status_code == 200, answer.data
        data = answer.json["data"]
        assert data["pagination"]["total"] == len(data["items"])
        return [item["id"] for item in data["items"]]


@pytest.fixture(scope="module")
def listed(app: Flask) -> Listed:
    def rows(statement: str, **values: object) -> list[Any]:
        with app.app_context(), reading() as session:
            return list(session.execute(text(statement), values))

    found = Listed(make_merchant(app, app.test_client()), rows)

    def give_a_receipt(session: Any) -> None:
        session.execute(
            text("UPDATE payment_attempts SET receipt = 'QWE12RTY90' WHERE id = :id"),
            {"id": found.attempt.id},
        )

    with app.app_context():
        transaction(give_a_receipt)
    return found


@pytest.mark.parametrize(
    "query",
    [
        "phone=%2B254711111111",
        "phone=+254711111111",
        "phone=254 711-111111",
        "phone=0711111111",
        "email=mixed.case@EXAMPLE.com",
        "receipt=QWE12RTY90",
        "receipt=qwe12rty90",
        "reference=order/77",
        "reference=Invoice%207/2026",
        "amount=12.5",
        "amount=12.50&currency=kes",
        "metadata=order_id=ORD-2",
        "metadata=n=7",
        "metadata=rate=1.5",
        "metadata=gift=true",
        "metadata=a%20b=c%3Dd%26e",
        "metadata=order_id=ORD-2&metadata=n=7",
        "phone=0711111111&amount=12.50&metadata=n=7&status=completed",
    ],
)
def test_a_filter_finds_its_payment_alone(listed: Listed, query: str) -> None:
    assert listed.ids(query) == [listed.wanted["id"]]


def test_a_merchants_reference_may_be_that_of_several_payments(merchant: MerchantClient) -> None:
    ids = [merchant.paid(reference="SAME")["id"] for _ in range(2)]
    found = merchant.get("?reference=SAME").json["data"]["items"]
    assert [item["id"] for item in found] == ids[::-1]
    assert {item["reference"] for item in found} == {"SAME"}


def test_a_reference_and_a_description_are_shown_as_they_were_sent(
    listed: Listed, rows: Callable[..., list[Any]]
) -> None:
    shown = listed.merchant.get(f"/{listed.wanted['id']}").json["data"]
    assert (shown["reference"], shown["description"]) == ("Invoice 7/2026", "Two shirts")
    sealed = rows("SELECT data FROM outbox WHERE object_id = :id", id=listed.wanted["id"])
    logged = rows("SELECT data FROM events WHERE object_id = :id", id=listed.wanted["id"])
    named = [(row.data["reference"], row.data["description"]) for row in (*sealed, *logged)]
    assert named and set(named) == {("Invoice 7/2026", "Two shirts")}


def test_every_reference_finds_the_payment(listed: Listed, rows: Callable[..., list[Any]]) -> None:
    refund = listed.merchant.refund(listed.wanted["id"], amount="1.00")
    assert refund.status_code == 200
    (stored,) = rows("SELECT * FROM refunds WHERE payment_id = :id", id=listed.wanted["id"])
    attempt = listed.attempt
    for reference in (
        attempt.reference,
        attempt.short_reference,
        attempt.short_reference.lower(),
        attempt.provider_reference,
        listed.wanted["provider_transaction_id"],
        stored.reference,
        stored.provider_reference,
    ):
        assert listed.ids(f"reference={quote(reference)}") == [listed.wanted["id"]], reference


@pytest.mark.parametrize(
    "query",
    [
        "phone=0711111112",
        "email=else@example.com",
        "receipt=QWE12RTY91",
        "reference=order/7",
        "amount=12.51",
        "amount=99999999999999999999",
        "amount=0.001",
        "amount=12.50&currency=USD",
        "metadata=order_id=ORD",
        "metadata=n=8",
        "metadata=gift=True",
        "metadata=nothing=1",
        "metadata=order_id=ORD-2&metadata=n=1",
        "created_to=2001-01-01",
        "created_from=2999-01-01",
    ],
)
def test_what_fits_no_payment_lists_nothing(listed: Listed, query: str) -> None:
    assert listed.ids(query) == []


def test_creation_times(listed: Listed) -> None:
    created, day = listed.wanted["created_at"], listed.wanted["created_at"][:10]
    assert listed.ids(f"created_from={created}") == [listed.wanted["id"]]
    assert listed.ids(f"created_to={created}") == [listed.other]
    assert listed.ids(f"created_from={day}") == [listed.wanted["id"], listed.other]
    assert listed.wanted["id"] in listed.ids(f"created_from={created[:19]}+00:00&created_to=2999-12-31")
    assert listed.ids(f"created_to={day}") == [listed.wanted["id"], listed.other]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phone", "12"),
        ("phone", "mpesa"),
        ("amount", "-1"),
        ("amount", "1."),
        ("amount", "1e3"),
        ("created_from", "yesterday"),
        ("created_from", "2026-02-30"),
        ("created_from", "2026-01-31T12:00:00"),
        ("created_from", "9999-12-31"),
        ("created_to", "0001-01-01"),
        ("metadata", "order_id"),
        ("metadata", "=x"),
        ("metadata", "order_id="),
        ("email", ""),
        ("reference", "x" * 256),
        ("tenant_id", "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"),
    ],
)
def test_what_no_filter_can_be_is_refused_by_name(listed: Listed, name: str, value: str) -> None:
    answer = listed.merchant.get(f"?{name}={quote(value)}")
    assert answer.status_code == 400 and name in answer.json["details"], answer.data


def test_limits_of_filters(listed: Listed) -> None:
    assert listed.merchant.get("?created_from=2026-02-01&created_to=2026-01-31").status_code == 400
    six = "&".join(f"metadata=k{n}=v" for n in range(6))
    assert listed.merchant.get(f"?{six}").status_code == 400
    long = "&".join(f"metadata=k{n}={'v' * 450}" for n in range(5))
    answer = listed.merchant.get(f"?{long}")
    assert answer.status_code == 400 and "2000 characters" in answer.json["error"]


def test_a_cursor_keeps_the_filters_of_its_list(merchant: MerchantClient) -> None:
    filters = "amount=9&metadata=batch=a%26b&metadata=n=1"
    ids = []
    for amount in (9, 8, 9, 8, 9):
        metadata = {"batch": "a&b", "n": 1}
        ids.append((amount, merchant.paid(amount=amount, metadata=metadata)["id"]))
    wanted = [payment_id for amount, payment_id in reversed(ids) if amount == 9]
    for is_repeated in (False, True):
        seen, query = [], f"?per_page=1&{filters}"
        for _ in wanted:
            data = merchant.get(query).json["data"]
            seen += [item["id"] for item in data["items"]]
            cursor = data["pagination"]["next_cursor"]
            query = f"?per_page=1&cursor={cursor}" + (f"&{filters}" if is_repeated else "")
        assert seen == wanted and cursor is None and data["pagination"]["total"] == 3


def test_a_cursor_is_of_one_list(merchant: MerchantClient) -> None:
    for _ in range(2):
        merchant.paid(amount=9)
    filtered = merchant.get("?per_page=1&amount=9").json["data"]["pagination"]["next_cursor"]
    whole = merchant.get("?per_page=1").json["data"]["pagination"]["next_cursor"]
    for query in (
        f"cursor={filtered}&amount=8",
        f"cursor={whole}&amount=9",
        f"cursor={filtered}!",
        f"cursor={whole}.YT0x",
        f"cursor={whole}.%C3%A9",
    ):
        answer = merchant.get(f"?{query}")
        assert answer.status_code == 400 and "cursor" in answer.json["details"], (query, answer.data)


def test_another_tenants_payments_are_not_found(listed: Listed, other_merchant: MerchantClient) -> None:
    for query in ("phone=0711111111", "reference=order/77", "receipt=QWE12RTY90", "metadata=order_id=ORD-2"):
        assert other_merchant.get(f"?{query}").json["data"]["items"] == []


def test_each_filter_is_found_by_an_index(app: Flask, client: FlaskClient) -> None:
    """Breaks when a filter reads every payment: Postgres is forbidden to, and must have another way."""
    for wanted in (
        PaymentFilter(phones=("+254711111111",)),
        PaymentFilter(email="a@example.com"),
        PaymentFilter(receipt="R"),
        PaymentFilter(reference="R"),
        PaymentFilter(tenant_id=uuid.uuid4(), amount=Decimal("1.50")),
        PaymentFilter(metadata=(("order_id", "7"),)),
    ):
        query = select(Payment.id).where(*wanted.conditions())
        compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        with app.app_context(), reading() as session:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(session.scalars(text(f"EXPLAIN {compiled}".replace(":", r"\:"))))
        assert "Seq Scan" not in plan, plan
