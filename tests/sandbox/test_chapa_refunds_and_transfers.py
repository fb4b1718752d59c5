"""The Chapa simulator's refunds and transfers over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from tests.support.concurrency import concurrently
from tests.support.merchant import Merchant
from tests.support.sandbox import CallbackReceiver
from tests.support.sandbox_parts import ServedSandbox, listened_sandbox

numbers = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedSandbox, CallbackReceiver]]:
    with listened_sandbox(tmp_path_factory.mktemp("chapa"), autopay_s=0.05) as pair:
        yield pair


@pytest.fixture
def chapa(served: tuple[ServedSandbox, CallbackReceiver]) -> Chapa:
    return Chapa(*served)


class Chapa(Merchant):
    provider, base, key = "chapa", "/chapa/v1", "CHASECK_TEST-sandbox"

    def paid(self, amount: str = "100") -> dict[str, Any]:
        tx_ref = f"out-{next(numbers)}"
        body = {"amount": amount, "currency": "ETB", "tx_ref": tx_ref}
        assert self.post("/transaction/initialize", body).ok
        verify = f"/transaction/verify/{tx_ref}"
        self.sandbox.until(lambda: self.get(verify).status_code == 200, "the customer pays")
        return self.get(verify).json()["data"]

    def refund_becomes(self, handle: str, status: str) -> dict[str, Any]:
        path = f"/refund/{handle}/verify"
        self.sandbox.until(
            lambda: self.get(path).json()["data"]["status"] == status, f"the refund is {status}"
        )
        return self.get(path).json()["data"]

    def transfer(self, **changed: Any) -> requests.Response:
        body = {
            "account_name": "Abebe Bikila",
            "account_number": "0911223344",
            "amount": "250",
            "currency": "ETB",
            "reference": f"pay-{next(numbers)}",
            "bank_code": 855,
        }
        return self.post("/transfers", body | changed)

    def status(self, reference: str) -> str:
        return self.get(f"/transfers/verify/{reference}").json()["data"]["status"]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [body for body in self.webhooks() if body["event"] == name]


@pytest.mark.parametrize("named_by", ["reference", "tx_ref"])
def test_a_refund_is_initiated_then_refunded(chapa: Chapa, named_by: str) -> None:
    payment = chapa.paid("100")
    answer = chapa.post(
        f"/refund/{payment[named_by]}", {"amount": "30.50", "reason": "late", "reference": "r-1"}
    )
    data = answer.json()["data"]
    assert (data["status"], data["amount"], data["merchant_reference"]) == (
        "Refund Initiated",
        "30.50",
        "r-1",
    )
    assert data["ref"].startswith("MERC-DIS-REF-") and data["chapa_reference"] == payment["reference"]
    for handle in (data["ref"], "r-1"):
        answer = chapa.refund_becomes(handle, "refunded")
        assert (answer["ref_id"], answer["amount"], answer["currency"]) == (data["ref"], 30.5, "ETB")
        assert answer["payment_reference"] == payment["reference"] and "ref" not in answer
    assert chapa.recorded("refund") == [("r-1", "30.50")]
    chapa.sandbox.until(lambda: chapa.events("charge.refunded"), "the webhook arrives")
    [webhook] = chapa.events("charge.refunded")
    assert (webhook["amount"], webhook["tx_ref"], webhook["status"]) == (
        "30.50",
        payment["tx_ref"],
        "refunded",
    )


def test_charge_refunded_may_come_early_twice_and_with_the_whole_amount(chapa: Chapa) -> None:
    """As Chapa's page titles and shows it."""
    chapa.sandbox.control({"options": {"chapa": {"refund_events": "documented"}}})
    payment = chapa.paid("100")
    data = chapa.post(f"/refund/{payment['reference']}", {"amount": "30"}).json()["data"]
    assert data["status"] == "Refund Initiated"
    chapa.sandbox.until(lambda: len(chapa.events("charge.refunded")) == 2, "both webhooks arrive")
    early, done = chapa.events("charge.refunded")
    assert early["amount"] == done["amount"] == "100.00"
    assert early["updated_at"] < done["updated_at"]


def test_a_refund_may_be_a_form(chapa: Chapa) -> None:
    """As every sample of Chapa's has it; its amount counts, not the whole payment."""
    payment = chapa.paid("100")
    form = {"amount": "30.50", "reference": "r-form"}
    answer = chapa.call("POST", f"/refund/{payment['reference']}", data=form)
    data = answer.json()["data"]
    assert (data["amount"], data["merchant_reference"]) == ("30.50", "r-form")


def test_refunds_together_are_at_most_the_payment(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    answers = concurrently(10, lambda _: chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "30"}))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 7
    rest = chapa.post(f"/refund/{payment['tx_ref']}", {})
    assert rest.json()["data"]["amount"] == "10.00"
    assert chapa.post(f"/refund/{payment['tx_ref']}", {}).status_code == 400
    chapa.sandbox.until(lambda: len(chapa.recorded("refund")) == 4, "all are completed")


def test_a_refund_reference_is_used_once(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    body = {"amount": "10", "reference": "same"}
    answers = concurrently(6, lambda _: chapa.post(f"/refund/{payment['tx_ref']}", body))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    # The amounts that the refused requests reserved were released.
    assert chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "90"}).ok


def test_refunds_that_are_refused(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    assert chapa.post("/refund/unknown", {}).status_code == 404
    assert chapa.get("/refund/unknown/verify").status_code == 404
    assert chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "100.01"}).status_code == 400
    assert chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "0"}).json()["message"] == {
        "amount": ["validation.numeric"]
    }
    chapa.sandbox.control({"autopay_s": "off"})
    chapa.post("/transaction/initialize", {"amount": 5, "currency": "ETB", "tx_ref": "unpaid"})
    assert chapa.post("/refund/unpaid", {}).status_code == 400


def test_a_failed_refund_can_be_requested_again(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    chapa.sandbox.control(
        {"rules": [{"provider": "chapa", "operation": "refund", "fault": "declined", "times": 1}]}
    )
    ref = chapa.post(f"/refund/{payment['tx_ref']}", {}).json()["data"]["ref"]
    chapa.refund_becomes(ref, "failed")
    assert chapa.recorded("refund") == []
    assert chapa.post(f"/refund/{payment['tx_ref']}", {}).ok


def test_the_answer_of_a_refund_is_lost(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    chapa.sandbox.control({"rules": [{"operation": "refund", "fault": "drop", "times": 1}]})
    with pytest.raises(requests.ConnectionError):
        chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "10", "reference": "lost-refund"})
    found = chapa.get("/refund/lost-refund/verify").json()
    assert (found["message"], found["data"]["amount"]) == ("Refund verified successfully", 10)
    assert found["data"]["status"] in ("initiated", "refunded")


def test_a_payment_that_is_refunded_in_full_is_refunded(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    verify = f"/transaction/verify/{payment['tx_ref']}"
    for amount, status in (("60", "success"), ("40.00", "refunded")):
        ref = chapa.post(f"/refund/{payment['tx_ref']}", {"amount": amount}).json()["data"]["ref"]
        chapa.refund_becomes(ref, "refunded")
        assert chapa.get(verify).json()["data"]["status"] == status


def test_a_transfer_is_queued_then_completed(chapa: Chapa) -> None:
    answer = chapa.transfer(reference="pay-whole", amount=250.25)
    assert answer.json() == {
        "message": "Transfer Queued Successfully in Test Mode",
        "status": "success",
        "data": "pay-whole",
    }
    assert chapa.status("pay-whole") == "pending"
    chapa.sandbox.until(lambda: chapa.status("pay-whole") == "success", "it is paid")
    assert chapa.recorded("payout") == [("pay-whole", "250.25")]
    [webhook] = chapa.sandbox.until(lambda: chapa.events("payout.success"), "the webhook arrives")
    assert (webhook["amount"], webhook["bank_id"], webhook["type"]) == ("250.25", 855, "Payout")
    again = chapa.transfer(reference="pay-whole")
    assert (again.status_code, again.json()["message"]) == (400, "The reference number has been used before")


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        ({"bank_code": 1}, 401, "The Bank Code is incorrect"),
        ({"account_number": "251911223344"}, 400, "The account number is not valid"),
        ({"bank_code": "946", "account_number": "100"}, 400, "The account number is not valid"),
        ({"amount": "7101"}, 400, "Insufficient Balance"),
        ({"amount": "99999999"}, 400, "Insufficient Balance"),
        ({"currency": "USD"}, 400, "Invalid currency"),
        ({"amount": ""}, 400, {"amount": ["validation.required"]}),
    ],
)
def test_transfers_that_are_refused(
    chapa: Chapa, changed: dict[str, Any], status: int, message: object
) -> None:
    answer = chapa.transfer(reference="refused", **changed)
    answered = answer.json()["message"]
    assert answer.status_code == status
    assert answered.startswith(message) if isinstance(message, str) else answered == message
    assert chapa.get("/transfers/verify/refused").status_code == 404


def test_a_transfer_fails_later(chapa: Chapa) -> None:
    assert chapa.transfer(reference="fails", amount="7104").ok
    chapa.sandbox.until(lambda: chapa.status("fails") == "failed", "it fails")
    [webhook] = chapa.sandbox.until(lambda: chapa.events("payout.failed/cancelled"), "the webhook arrives")
    assert webhook["status"] == "failed/cancelled"
    assert chapa.recorded("payout") == []


@pytest.mark.parametrize(("answered", "outcome"), [(200, "success"), (400, "failed")])
def test_the_merchant_approves_transfers(chapa: Chapa, answered: int, outcome: str) -> None:
    url = f"{chapa.receiver.url}/approve"
    chapa.sandbox.control({"options": {"chapa": {"approval_url": url}}, "webhooks": {"chapa": None}})
    chapa.receiver.status = answered
    chapa.transfer(reference="approved", amount=2000)
    chapa.sandbox.until(lambda: chapa.status("approved") == outcome, "the transfer ends")
    [asked] = chapa.receiver.of("/approve")
    body = json.loads(asked.body)
    assert (body["amount"], body["reference"], body["account_number"]) == (
        "2000.00",
        "approved",
        "0911223344",
    )
    right = hmac.new(b"chapa-sandbox-approval", asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["chapa-signature"] == right


def test_transfers_in_bulk(chapa: Chapa) -> None:
    entry = {"account_name": "A", "account_number": "0911223344", "amount": 5, "bank_code": 855}
    body = {"title": "Pay", "currency": "ETB", "bulk_data": [entry | {"reference": f"b-{n}"} for n in (1, 2)]}
    chapa.sandbox.control({"advance_s": next(numbers) * 60})
    batch = chapa.post("/bulk-transfers", body).json()["data"]["id"]
    listed = chapa.get(f"/transfers?batch_id={batch}").json()["data"]
    assert {one["tx_ref"] for one in listed} == {"b-1", "b-2"}
    assert chapa.post("/bulk-transfers", body).status_code == 400  # the references were used before
    other = body | {"bulk_data": [entry | {"reference": "b-3"}]}
    assert chapa.post("/bulk-transfers", other).status_code == 429


def test_wallets_are_among_the_banks(chapa: Chapa) -> None:
    banks = {bank["id"]: bank for bank in chapa.get("/banks").json()["data"]}
    assert {855, 128, 266} <= {id for id, bank in banks.items() if bank["is_mobilemoney"]}
    assert banks[946]["acct_length"] == 13 and banks[946]["is_mobilemoney"] is None


def test_a_restart_completes_pending_operations(chapa: Chapa) -> None:
    payment = chapa.paid("100")
    refund = chapa.post(f"/refund/{payment['tx_ref']}", {"amount": "40"}).json()["data"]["ref"]
    chapa.transfer(reference="survives")
    chapa.sandbox.kill()
    chapa.sandbox.start()
    chapa.sandbox.until(lambda: chapa.status("survives") == "success", "the transfer is paid")
    chapa.refund_becomes(refund, "refunded")
    assert [amount for _, amount in chapa.recorded("refund")] == ["40.00"]
    assert [amount for _, amount in chapa.recorded("payout")] == ["250.00"]
