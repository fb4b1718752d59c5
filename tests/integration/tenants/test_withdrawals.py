"""Every refusal of document 002's withdrawals, its bodies, and what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models.member import Role
from app.models.withdrawal import WithdrawalMinimum
from app.unit_of_work import transaction
from tests.support.tenants import MemberClient, MerchantClient, fund_merchant, make_member, make_merchant

PHONE = {"phone_number": "254712345678"}
REQUIRED = "amount, method_type, and method_details are required"
BANK = "Bank transfer requires: account_number, bank_code, account_name"
UNKNOWN = "123e4567-e89b-12d3-a456-426614174999"


@pytest.fixture(scope="module")
def merchant(app: Flask) -> MerchantClient:
    made = make_merchant(app)
    fund_merchant(app, made, 10_000_00)
    return made


@pytest.fixture(scope="module")
def finance(app: Flask, merchant: MerchantClient) -> MemberClient:
    return make_member(app, merchant, Role.FINANCE)


@pytest.fixture(scope="module")
def manager(app: Flask, merchant: MerchantClient) -> MemberClient:
    return make_member(app, merchant, Role.FINANCE_ADMIN)


def _initiate(client: FlaskClient, member: MemberClient, **differing: Any) -> Any:
    body = {"amount": 1000, "method_type": "mpesa", "method_details": PHONE} | differing
    body = {name: value for name, value in body.items() if value is not ...}
    return client.post("/api/v1/wallet/withdrawals", json=body, headers=member.headers)


def _bank(account_name: str) -> dict[str, Any]:
    details = {"account_number": "1234567890", "bank_code": "063", "account_name": account_name}
    return {"method_type": "bank_transfer", "method_details": details}


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"amount": ...}, REQUIRED),
    ({"method_type": ...}, REQUIRED),
    ({"method_details": ...}, REQUIRED),
    ({"amount": None}, REQUIRED),
    ({"method_details": None}, REQUIRED),
    ({"amount": "abc"}, "Invalid amount"),
    ({"amount": 0}, "Invalid amount"),
    ({"amount": -5}, "Invalid amount"),
    ({"amount": True}, "Invalid amount"),
    ({"amount": 100.001}, "Invalid amount"),
    ({"amount": [1]}, "Invalid amount"),
    ({"amount": 9.99}, "Minimum withdrawal for mpesa is 10.00"),
    (
        {
            "amount": 99,
            "method_type": "bank_transfer",
            "method_details": {"account_number": "1234567890", "bank_code": "063", "account_name": "B"},
        },
        "Minimum withdrawal for bank_transfer is 100.00",
    ),
    ({"amount": 33}, "Withdrawal amount must be greater than fee (33.00)"),
    ({"amount": 20}, "Withdrawal amount must be greater than fee (33.00)"),
    ({"amount": 34}, "M-Pesa pays out 10.00 KES or more to a phone."),
    ({"amount": 100.5}, "M-Pesa pays out whole KES only."),
    ({"amount": 300_000}, "M-Pesa pays out at most 250000.00 KES."),
    (
        {"method_type": "paypal"},
        "Invalid method_type: paypal. Must be one of ['mpesa', 'till', 'bank_transfer']",
    ),
    ({"method_details": {}}, "M-Pesa withdrawal requires phone_number"),
    ({"method_details": {"phone_number": ""}}, "M-Pesa withdrawal requires phone_number"),
    ({"method_details": {"phone_number": "12"}}, "Invalid phone_number"),
    ({"method_details": {"phone_number": "+4915112345678"}}, "Invalid phone_number"),
    ({"method_details": PHONE | {"till_number": "1"}}, "Unknown details of mpesa: till_number"),
    ({"method_type": "till", "method_details": {}}, "Till withdrawal requires till_number"),
    ({"method_type": "till", "method_details": {"till_number": "12"}}, "Invalid till_number"),
    ({"method_type": "bank_transfer", "method_details": {"account_number": "1"}}, BANK),
    ({"method_type": "bank_transfer", "method_details": {}}, BANK),
    (_bank("4111 1111 1111 1111"), "Card numbers are not accepted here."),
    (_bank("Business\u2028Account"), "Invalid account_name"),
    ({"currency": "XYZ"}, "This currency is not supported."),
    ({"currency": "USD"}, "USD cannot be withdrawn by mpesa at the moment."),
]


@pytest.mark.parametrize(("differing", "message"), REFUSALS, ids=range(len(REFUSALS)))
def test_what_is_not_requested_properly(
    client: FlaskClient, finance: MemberClient, differing: dict[str, Any], message: str
) -> None:
    answer = _initiate(client, finance, **differing)
    assert (answer.status_code, answer.json["error"]) == (400, message)


@pytest.mark.parametrize(
    "body", [{"amount": 1000, "surprise": 1}, {"method_details": "254712345678"}, {"notes": "a\u0000b"}]
)
def test_bodies_that_no_sentence_of_the_document_is_about(
    client: FlaskClient, finance: MemberClient, body: dict[str, Any]
) -> None:
    answer = _initiate(client, finance, **body)
    assert answer.status_code == 400 and isinstance(answer.json["error"], str)


def test_refusals_hold_nothing(
    client: FlaskClient, merchant: MerchantClient, finance: MemberClient, rows: Callable[..., list[Any]]
) -> None:
    for differing, _ in REFUSALS:
        _initiate(client, finance, **differing)
    found = rows("SELECT 1 FROM withdrawals WHERE tenant_id = :id", id=merchant.tenant_id)
    destinations = rows("SELECT 1 FROM payout_destinations WHERE tenant_id = :id", id=merchant.tenant_id)
    assert found == destinations == []


def test_more_than_the_balance(client: FlaskClient, finance: MemberClient) -> None:
    answer = _initiate(client, finance, amount=20_000)
    assert answer.status_code == 400
    assert answer.json == {
        "error": "Insufficient balance",
        "details": {"available": 10_000.0, "required": 20_000.0, "currency": "KES"},
    }


def test_options(client: FlaskClient, finance: MemberClient) -> None:
    answer = client.get("/v1/wallet/withdrawal-options", headers=finance.headers)
    assert answer.json == {
        "available_methods": ["mpesa", "till", "bank_transfer"],
        "configured_method": None,
        "minimum_amounts": {"mpesa": 10.0, "till": 10.0, "bank_transfer": 100.0},
        "fees": {"mpesa": 33.0, "till": 27.0, "bank_transfer": 50.0},
        "wallet_balance": 10_000.0,
        "available_balance": 10_000.0,
        "currency": "KES",
    }
    other = client.get("/v1/wallet/withdrawal-options?currency=NGN", headers=finance.headers).json
    assert other["available_methods"] == ["bank_transfer"] and other["wallet_balance"] == 0


@pytest.fixture
def requester(app: Flask) -> MemberClient:
    """A member who may request withdrawals of a tenant that has 5,000."""
    merchant = make_merchant(app)
    fund_merchant(app, merchant, 5000_00)
    return make_member(app, merchant, Role.FINANCE)


def _requested(client: FlaskClient, finance: MemberClient, *notes: str) -> list[str]:
    """The ids of withdrawals of 1,000."""
    answers = [_initiate(client, finance, amount="1000.00", notes=text) for text in notes]
    return [answer.json["transaction_id"] for answer in answers]


def test_a_request(client: FlaskClient, requester: MemberClient) -> None:
    answer = _initiate(client, requester, amount="1000.00")
    assert answer.status_code == 201
    assert answer.json | {"transaction_id": ""} == {
        "message": "Withdrawal request initiated successfully",
        "transaction_id": "",
        "status": "pending",
        "amount": 1000.0,
        "fee": 33.0,
        "net_amount": 967.0,
        "currency": "KES",
        "requires_approval": True,
        "required_approvals": 1,
    }


def test_a_cancellation(client: FlaskClient, requester: MemberClient) -> None:
    first, _ = _requested(client, requester, "first", "second")
    path = f"/v1/wallet/withdrawals/{first}/cancel"
    canceled = client.post(path, json={"reason": "Changed mind"}, headers=requester.headers)
    assert canceled.json == {
        "message": "Withdrawal canceled successfully",
        "transaction_id": first,
        "status": "canceled",
    }
    again = client.post(path, headers=requester.headers)
    assert (again.status_code, again.json) == (
        400,
        {"error": "Cannot cancel transaction with status: canceled"},
    )
    balance = client.get("/v1/wallet/withdrawal-options", headers=requester.headers).json
    assert (balance["wallet_balance"], balance["available_balance"]) == (5000.0, 4000.0)


def test_the_list(client: FlaskClient, requester: MemberClient) -> None:
    finance, path = requester, "/v1/wallet/withdrawals"
    ids = _requested(client, finance, "first", "second", "third")
    first = client.get(f"{path}?limit=2", headers=finance.headers).json
    assert [one["notes"] for one in first["results"]] == ["third", "second"] and first["count"] == 3
    rest = client.get(f"{path}?limit=2&cursor={first['next_cursor']}", headers=finance.headers).json
    assert [one["notes"] for one in rest["results"]] == ["first"] and rest["next_cursor"] is None
    assert client.post(f"{path}/{ids[0]}/cancel", headers=finance.headers).status_code == 200
    open_ones = client.get(f"{path}?status=pending", headers=finance.headers).json
    assert [one["id"] for one in open_ones["results"]] == [ids[2], ids[1]]
    both = client.get(f"{path}?status=pending,canceled", headers=finance.headers).json
    assert both["count"] == 3
    (found,) = client.get(f"{path}?status=canceled", headers=finance.headers).json["results"]
    assert found["canceled_by"] == finance.user.public_id and found["initiated_by"] == finance.user.public_id
    for query in ("status=lost", "limit=0", "limit=x", "cursor=x", "page=2"):
        assert client.get(f"{path}?{query}", headers=finance.headers).status_code == 400, query


def test_a_foreign_withdrawal_is_not_found(client: FlaskClient, app: Flask, finance: MemberClient) -> None:
    other = make_merchant(app)
    fund_merchant(app, other, 5000_00)
    foreign = _initiate(client, make_member(app, other, Role.OWNER)).json["transaction_id"]
    owner = make_member(app, finance.merchant, Role.OWNER)
    for withdrawal_id in (foreign, UNKNOWN):
        for method, end in (("GET", ""), ("POST", "/approve"), ("POST", "/cancel")):
            path = f"/api/v1/wallet/withdrawals/{withdrawal_id}{end}"
            answer = client.open(path, method=method, headers=owner.headers)
            assert (answer.status_code, answer.json) == (404, {"detail": "Not found."}), path
        answer = client.post(f"/v1/wallet/destinations/{withdrawal_id}/confirm", headers=owner.headers)
        assert (answer.status_code, answer.json) == (404, {"detail": "Not found."})


def test_a_tenants_own_minimum(client: FlaskClient, app: Flask) -> None:
    merchant = make_merchant(app)
    fund_merchant(app, merchant, 5000_00)
    finance = make_member(app, merchant, Role.FINANCE)
    own = WithdrawalMinimum(
        id=uuid.uuid4(), tenant_id=merchant.tenant_id, method="mpesa", currency="KES", minimum=500_00
    )
    with app.app_context():
        transaction(lambda session: session.add(own))
    answer = _initiate(client, finance, amount=499)
    assert answer.json["error"] == "Minimum withdrawal for mpesa is 500.00"
    assert _initiate(client, finance, amount=500).status_code == 201


def test_details_are_masked_for_those_who_do_not_approve(
    client: FlaskClient, finance: MemberClient, manager: MemberClient, rows: Callable[..., list[Any]]
) -> None:
    withdrawal_id = _initiate(client, finance, amount=100).json["transaction_id"]
    path = f"/v1/wallet/withdrawals/{withdrawal_id}"
    assert client.get(path, headers=finance.headers).json["method_details"] == {
        "phone_number": "2547******78"
    }
    assert client.get(path, headers=manager.headers).json["method_details"] == PHONE
    events = rows("SELECT data::text FROM outbox WHERE object_id = :id", id=withdrawal_id)
    assert events and not any(PHONE["phone_number"] in event.data for event in events)


def test_nobody_of_another_tenant(client: FlaskClient, app: Flask, finance: MemberClient) -> None:
    outsider = make_member(app, make_merchant(app), Role.OWNER)
    headers = finance.headers | outsider.user.headers
    answer = client.get("/api/v1/wallet/withdrawals", headers=headers)
    assert answer.status_code == 403 and answer.json["error"]["code"] == "FORBIDDEN"
