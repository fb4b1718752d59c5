"""The Tenant API's document against a running demo: its commands as printed, its examples, and its errors."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
import requests

from app.services.demo.objects import ORDER_ID
from tests.contract.tenant.document import Reader, Section, error_examples
from tests.support.pages import assert_like
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from tour.shell import Printed

PREFERENCES = Section("Get Customer Payment Preferences")
OPTIONS = Section("Get Checkout Options")
PREFER = Section("Set Preferred Provider")
SAVE = Section("Save Payment Method")
REMOVE = Section("Remove Payment Method")
SET_DEFAULT = Section("Set Default Payment Method")
WITHDRAWAL_OPTIONS = Section("Get Withdrawal Options")
INITIATE = Section("Initiate Withdrawal")
APPROVE = Section("Approve Withdrawal")
CANCEL = Section("Cancel Withdrawal")
LIST = Section("List Withdrawals")
TEST_CUSTOMERS = Section("Test Customer Payment Preferences")
TEST_WITHDRAWALS = Section("Test Tenant Withdrawals")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ERRORS = dict(error_examples())
WITHDRAWAL: dict[str, Any] = INITIATE.examples("Request Body")[0]
REFUSED_NET = "7104"
"""Net amount in shillings that the simulated M-Pesa accepts and then does not pay."""


@pytest.fixture
def reader(demo: Stack) -> Reader:
    """A reader who is the first to use the demo."""
    return Reader(demo)


@pytest.fixture
def later_reader(merchant: Stack) -> Reader:
    """A reader of a demo that others have used."""
    return Reader(merchant)


def without_id(body: dict[str, Any]) -> dict[str, Any]:
    """The documents' ids are the word "uuid"."""
    return {name: value for name, value in body.items() if name != "transaction_id"}


def assert_has(body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: body.get(name) for name in expected} == expected


# --- customers


def assert_is_preferences(body: dict[str, Any]) -> None:
    assert_like(body, PREFERENCES.response())
    (example,) = PREFERENCES.response()["saved_methods"]
    assert body["preferred_provider"] == "mpesa"
    assert_has(
        body["saved_methods"][0], {name: example[name] for name in ("provider", "details", "is_default")}
    )
    assert TIME.fullmatch(body["saved_methods"][0]["saved_at"])
    # The demo has Stripe in addition.
    assert body["available_providers"] == [*PREFERENCES.response()["available_providers"], "stripe"]


def test_the_commands_about_a_customer(reader: Reader) -> None:
    for who in ("support", "owner"):
        (get,), (ask,), (prefer,) = (section.commands() for section in (PREFERENCES, OPTIONS, PREFER))
        shown = reader.paste(get, who)
        assert shown.status == 200
        assert_is_preferences(shown.body)
        options = reader.paste(ask, who)
        assert options.status == 200
        assert_like(options.body, OPTIONS.response())
        assert_like(options.body["saved_methods"], [OPTIONS.response()["preferred_method"]])
        assert_has(options.body["preferred_method"], OPTIONS.response()["preferred_method"])
        assert (options.body["can_change_provider"], options.body["amount"]) == (True, 1000.0)
        preferred = reader.paste(prefer, who)
        assert (preferred.status, preferred.body["message"]) == (200, PREFER.response()["message"])
        assert_is_preferences(preferred.body["preferences"])


def test_the_test_commands_about_a_customer_need_no_person(reader: Reader) -> None:
    shown, preferred, saved = (reader.paste(command) for command in TEST_CUSTOMERS.commands())
    assert (shown.status, preferred.status, saved.status) == (200, 200, 201)
    assert_is_preferences(shown.body)
    for answer, section in ((preferred, PREFER), (saved, SAVE)):
        assert answer.body["message"] == section.response()["message"]
        assert_is_preferences(answer.body["preferences"])


def test_each_providers_method_is_saved_made_the_default_and_removed(reader: Reader) -> None:
    def answered(answer: requests.Response, section: Section, status: int = 200) -> list[dict[str, Any]]:
        assert (answer.status_code, answer.json()["message"]) == (status, section.response()["message"])
        assert_like(answer.json(), section.response())
        (example,) = PREFERENCES.response()["saved_methods"]
        details_vary = {"saved_methods": [example | {"details": {}}]}
        assert_like(answer.json()["preferences"], PREFERENCES.response() | details_vary)
        methods: list[dict[str, Any]] = answer.json()["preferences"]["saved_methods"]
        return methods

    (with_default,) = SAVE.examples("Request Body")
    methods = answered(reader.call(SAVE, "support", with_default), SAVE, 201)
    assert [(method["id"], method["is_default"]) for method in methods] == [("mpesa_254712345678", True)]
    for label in ("M-Pesa", "Paystack", "Pesapal", "Stripe"):
        (body,) = SAVE.examples(label)
        methods = answered(reader.call(SAVE, "support", body), SAVE, 201)
        assert_has(methods[-1], body)
    ids = [method["id"] for method in methods]
    assert ids == ["mpesa_254712345678", "paystack_AUTH_xxx", "pesapal_card_1234", "stripe_pm_xxx"]
    methods = answered(reader.call(SET_DEFAULT, "support", method_id=ids[2]), SET_DEFAULT)
    assert [method["id"] for method in methods if method["is_default"]] == [ids[2]]
    methods = answered(reader.call(REMOVE, "support", method_id=ids[2]), REMOVE)
    assert [method["id"] for method in methods] == [*ids[:2], ids[3]]
    assert [method["id"] for method in methods if method["is_default"]] == [ids[0]]


def test_the_flow_of_a_customers_payment(reader: Reader) -> None:
    """With the demo's order; steps 1 and 2 are the customer's."""
    (item,) = reader.send("GET", f"/orders/{ORDER_ID}").json()["items"]
    assert_has(item, {"quantity": 1, "unit_price": 1000.0})
    options = reader.call(OPTIONS, "owner").json()
    preferred = options["preferred_method"]
    asked = reader.send("POST", f"/orders/{ORDER_ID}/checkout", "owner", {"method_id": preferred["id"]})
    assert asked.status_code == 201, asked.text
    assert_has(
        asked.json(), {"provider": preferred["provider"], "amount": options["amount"], "currency": "KES"}
    )

    def order() -> dict[str, Any]:
        shown = reader.send("GET", f"/orders/{ORDER_ID}")
        assert shown.status_code == 200, shown.text
        found: dict[str, Any] = shown.json()
        return found

    wait_until(lambda: order()["status"] == "paid", "the payment", every_s=0.1, timeout_s=30)
    assert_has(order()["payment"], {"id": asked.json()["id"], "status": "completed", "amount": 1000.0})
    method = {"provider": preferred["provider"], "details": preferred["details"]}
    saved = reader.call(SAVE, "owner", method)
    assert saved.status_code == 201
    assert_is_preferences(saved.json()["preferences"])


# --- withdrawals


def assert_is_options(body: dict[str, Any], *, balance: float = 10000.0) -> None:
    example = WITHDRAWAL_OPTIONS.response()
    assert_like(body, example)
    assert_has(body, example | {"wallet_balance": balance})


def requested(reader: Reader, who: str = "finance", **differing: Any) -> str:
    """The id of a new withdrawal with the document's body."""
    answer = reader.call(INITIATE, who, WITHDRAWAL | differing)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["transaction_id"]
    return found


def test_the_flow_of_a_withdrawal(reader: Reader) -> None:
    """The document's commands 1 to 3, and its list."""
    paid_before = reader.payouts("mpesa")
    (look,), (initiate,), (approve,) = (
        section.commands() for section in (WITHDRAWAL_OPTIONS, INITIATE, APPROVE)
    )
    options = reader.paste(look, "finance")
    assert options.status == 200
    assert_is_options(options.body)

    asked = reader.paste(initiate, "finance")
    assert asked.status == 201
    assert_like(asked.body, INITIATE.response())
    assert_has(asked.body, without_id(INITIATE.response()))
    withdrawal_id = asked.body["transaction_id"]
    assert str(uuid.UUID(withdrawal_id)) == withdrawal_id

    listed = reader.call(LIST, "finance").json()
    assert_like(listed, LIST.response())
    (item,), (example,) = listed["results"], LIST.response()["results"]
    varying = {"id": withdrawal_id, "initiated_by": item["initiated_by"], "created_at": item["created_at"]}
    assert_has(item, example | varying)
    assert TIME.fullmatch(item["created_at"]) and listed["count"] == 1

    # As printed, the command names an id that no withdrawal has.
    assert reader.paste(approve, "manager").status == 404
    command = approve.replace("/123e4567-e89b-12d3-a456-426614174000/", f"/{withdrawal_id}/")
    assert_is_approval(reader.paste(command, "manager"), withdrawal_id)

    assert completed(reader, withdrawal_id)["approved_by"] not in (None, item["initiated_by"])
    assert_is_options(reader.call(WITHDRAWAL_OPTIONS, "finance").json(), balance=9000.0)
    assert reader.payouts("mpesa") == [*paid_before, "967.00"]


def assert_is_approval(answer: Printed, withdrawal_id: str) -> None:
    example = APPROVE.response()
    assert answer.status == 200, answer.body
    assert_like(answer.body, example)
    expected = without_id(example)
    provider = expected.pop("provider_response")
    assert_has(answer.body, expected | {"transaction_id": withdrawal_id})
    assert_has(
        answer.body["provider_response"], {name: provider[name] for name in ("provider", "response_code")}
    )
    assert answer.body["provider_response"]["conversation_id"].startswith("AG_")


def completed(reader: Reader, withdrawal_id: str) -> dict[str, Any]:
    """As the list of completed withdrawals, the only one in it, shows it; the demo pays within two seconds."""

    def found() -> list[dict[str, Any]]:
        answer = reader.send("GET", "/wallet/withdrawals?status=completed", "finance").json()
        results: list[dict[str, Any]] = answer["results"]
        return results

    wait_until(lambda: bool(found()), "the payout", every_s=0.1, timeout_s=20)
    (item,) = found()
    assert_has(
        item, {"id": withdrawal_id, "status": "completed", "amount": 1000.0, "fee": 33.0, "net_amount": 967.0}
    )
    return item


def test_the_test_commands_about_withdrawals(reader: Reader) -> None:
    look, initiate, approve = TEST_WITHDRAWALS.commands()
    assert_is_options(reader.paste(look).body)
    asked = reader.paste(initiate)
    assert asked.status == 201
    assert_has(asked.body, without_id(INITIATE.response()))
    withdrawal_id = asked.body["transaction_id"]
    assert_is_approval(reader.paste(approve, transaction_id=withdrawal_id), withdrawal_id)
    completed(reader, withdrawal_id)


def test_each_method_of_withdrawal(reader: Reader) -> None:
    fees = WITHDRAWAL_OPTIONS.response()["fees"]
    for label in ("M-Pesa B2C", "Bank Transfer (Paystack)", "Till (M-Pesa B2B)"):
        (body,) = INITIATE.examples(label)
        fee = fees[body["method_type"]]
        answer = reader.call(INITIATE, "finance", {"amount": 1000.00} | body)
        assert answer.status_code == 201, answer.text
        assert_has(answer.json(), {"fee": fee, "net_amount": 1000.0 - fee, "status": "pending"})


def test_the_minimums_of_withdrawals(later_reader: Reader) -> None:
    for label in ("M-Pesa B2C", "Bank Transfer (Paystack)", "Till (M-Pesa B2B)"):
        (body,) = INITIATE.examples(label)
        method = body["method_type"]
        minimum = WITHDRAWAL_OPTIONS.response()["minimum_amounts"][method]
        answer = later_reader.call(INITIATE, "finance", {"amount": minimum - 0.01} | body)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": f"Minimum withdrawal for {method} is {minimum:.2f}"},
        )


def test_cancelling(reader: Reader) -> None:
    (reason,) = CANCEL.examples("Request Body")
    for who in ("finance", "manager"):
        withdrawal_id = requested(reader)
        answer = reader.call(CANCEL, who, reason, transaction_id=withdrawal_id)
        assert answer.status_code == 200
        assert answer.json() == CANCEL.response() | {"transaction_id": withdrawal_id}
    listed = reader.send("GET", "/wallet/withdrawals?status=canceled", "finance").json()
    assert [item["status"] for item in listed["results"]] == ["canceled"] * 2
    assert_is_options(reader.call(WITHDRAWAL_OPTIONS, "finance").json())


# --- errors


def test_an_invalid_amount_is_the_documents_400(later_reader: Reader) -> None:
    for amount in (-5, 0, "x"):
        answer = later_reader.call(INITIATE, "finance", WITHDRAWAL | {"amount": amount})
        assert answer.status_code == 400
        assert_has(answer.json(), ERRORS[400])


def test_a_missing_scope_is_the_documents_403(reader: Reader) -> None:
    answer = reader.call(APPROVE, "finance", transaction_id=requested(reader))
    assert (answer.status_code, answer.json()) == (403, ERRORS[403])


def test_what_is_unknown_is_the_documents_404(later_reader: Reader) -> None:
    unknown = str(uuid.uuid4())
    for answer in (
        later_reader.call(APPROVE, "manager", transaction_id=unknown),
        later_reader.call(CANCEL, "manager", {}, transaction_id=unknown),
        later_reader.call(PREFERENCES, customer_id=unknown),
    ):
        assert (answer.status_code, answer.json()) == (404, ERRORS[404])


def test_approving_ones_own_withdrawal_is_the_documents_400(reader: Reader) -> None:
    answer = reader.call(APPROVE, "owner", transaction_id=requested(reader, "owner"))
    (example,) = APPROVE.examples("Error - Four-Eyes Violation")
    assert (answer.status_code, answer.json()) == (400, example)


def test_a_payout_that_is_refused_is_the_documents_500(reader: Reader) -> None:
    withdrawal_id = requested(reader, amount=float(REFUSED_NET) + 33)
    answer = reader.call(APPROVE, "manager", transaction_id=withdrawal_id)
    assert answer.status_code == 500
    assert_like(answer.json(), ERRORS[500])
    assert answer.json()["error"] == ERRORS[500]["error"] and answer.json()["details"]["message"]
    listed = reader.send("GET", "/wallet/withdrawals?status=failed", "finance").json()
    assert [item["id"] for item in listed["results"]] == [withdrawal_id]
    assert_is_options(reader.call(WITHDRAWAL_OPTIONS, "finance").json())


def test_each_endpoint_asks_for_the_documents_scope(later_reader: Reader) -> None:
    for section in (PREFERENCES, OPTIONS, PREFER, SAVE, REMOVE, SET_DEFAULT):
        answer = later_reader.call(section, "finance", {}, method_id="mpesa_254712345678")
        assert (answer.status_code, answer.json()) == (403, {"detail": missing(section)})
    for section in (WITHDRAWAL_OPTIONS, INITIATE, APPROVE, CANCEL, LIST):
        answer = later_reader.call(section, "support", {}, transaction_id=str(uuid.uuid4()))
        assert (answer.status_code, answer.json()) == (403, {"detail": missing(section)})


def missing(section: Section) -> str:
    (line,) = re.findall(r"\*\*Required Scope\*\*: (.*)", section.text)
    return f"Missing required scope: {' OR '.join(re.findall(r'`([a-z:]+)`', line))}"
